// The sentences and the verdict of a study, from numbers made up for the purpose.
#include "tools/study/findings.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "engine/error.h"
#include "tools/study/metrics_log.h"
#include "tools/study/monitor.h"

namespace strata::study {
namespace {

using nlohmann::json;

json config_with(const std::vector<std::pair<std::string, int>>& factors) {
  json config;
  config["model"]["layers"] = {{{"name", "conv1"}}, {{"name", "conv2"}}, {{"name", "conv3"}}};
  for (auto& [name, level] : factors) {
    json entry{{"name", name}, {"level", level}, {"chance", 0.25}, {"is_label", name == "object"}};
    config["factors"].push_back(entry);
  }
  return config;
}

// Accuracies at pixels, conv1, conv2, conv3.
void add_probes(json& metrics, const std::string& factor, const std::string& control,
                const std::vector<double>& accuracies) {
  const char* layers[] = {"pixels", "conv1", "conv2", "conv3"};
  for (size_t i = 0; i < 4; ++i) {
    bool pixels = i == 0;
    if (pixels && control == "untrained") continue;
    auto& p = metrics["probe"];
    p["step"].push_back(control == "untrained" || pixels ? 0 : 100);
    p["layer"].push_back(layers[i]);
    p["factor"].push_back(factor);
    p["accuracy"].push_back(accuracies[i]);
    p["control"].push_back(pixels ? "pixels" : control);
  }
}

json hierarchy() {
  json metrics;
  add_probes(metrics, "hue", "trained", {0.6, 1.0, 0.5, 0.3});
  add_probes(metrics, "outline", "trained", {0.3, 0.5, 0.95, 0.9});
  add_probes(metrics, "object", "trained", {0.26, 0.3, 0.5, 0.99});
  for (const char* factor : {"hue", "outline", "object"}) {
    add_probes(metrics, factor, "untrained", {0, 0.4, 0.35, 0.3});
  }
  return metrics;
}

TEST(Findings, AHierarchyIsSupported) {
  auto f = findings_of(config_with({{"hue", 1}, {"outline", 3}, {"object", 5}}), hierarchy(), 0.99);
  EXPECT_EQ(f.verdict, "supported");
  EXPECT_DOUBLE_EQ(f.onset_correlation, 1);
  EXPECT_DOUBLE_EQ(f.attainable, 1);
  EXPECT_EQ(f.factors[0].best, 1);
  EXPECT_EQ(f.factors[2].onset, 3);
  EXPECT_EQ(f.lines.size(), 3u);
  EXPECT_NE(f.lines[0].find("object at conv3 (99.0 %)"), std::string::npos) << f.lines[0];
}

TEST(Findings, AReversedOrderIsNot) {
  auto f = findings_of(config_with({{"hue", 5}, {"outline", 3}, {"object", 1}}), hierarchy(), 0.99);
  EXPECT_LT(f.gravity_correlation, 0);
  EXPECT_EQ(f.verdict, "supported in part");  // learned, but not in the order claimed
}

TEST(Findings, AnUntrainedNetworkDoesNotSupportIt) {
  json metrics;
  for (const char* factor : {"hue", "outline", "object"}) {
    add_probes(metrics, factor, "trained", {0.9, 0.8, 0.7, 0.65});
    add_probes(metrics, factor, "untrained", {0.9, 0.8, 0.7, 0.65});
  }
  auto f = findings_of(config_with({{"hue", 1}, {"outline", 3}, {"object", 5}}), metrics, 0.3);
  EXPECT_EQ(f.verdict, "not supported");
}

TEST(Findings, DataWithOnlyAClassIsNotTestable) {
  json config = config_with({{"object", 0}});
  config["factors"][0]["level"] = nullptr;
  json metrics;
  add_probes(metrics, "object", "trained", {0.4, 0.5, 0.8, 0.99});
  add_probes(metrics, "object", "untrained", {0, 0.4, 0.4, 0.4});
  EXPECT_EQ(findings_of(config, metrics, 0.99).verdict, "not testable");
}

TEST(Findings, SpearmanWithTies) {
  EXPECT_DOUBLE_EQ(spearman({1, 2, 3}, {10, 20, 30}), 1);
  EXPECT_DOUBLE_EQ(spearman({1, 2, 3}, {3, 2, 1}), -1);
  EXPECT_NEAR(spearman({1, 1, 2, 3}, {1, 2, 3, 4}), 0.9486833, 1e-6);
  EXPECT_DOUBLE_EQ(spearman({1, 1}, {1, 2}), 0);
}

TEST(Monitor, StepsAreLogSpacedAndIncludeBothEnds) {
  auto steps = monitored_steps(900);
  EXPECT_EQ(steps.front(), 0);
  EXPECT_EQ(steps.back(), 900);
  EXPECT_LT(steps.size(), 24u);
  for (size_t i = 1; i < steps.size(); ++i) EXPECT_GT(steps[i], steps[i - 1]);
  EXPECT_EQ(monitored_steps(1), (std::vector<int64_t>{0, 1}));
}

class MetricsLogTest : public testing::Test {
 protected:
  std::filesystem::path file_ = std::filesystem::path(testing::TempDir()) / "strata-metrics.jsonl";
  void TearDown() override { std::filesystem::remove(file_); }
  std::string text() {
    std::ifstream in(file_);
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

TEST_F(MetricsLogTest, CutsBackToWhatTheCheckpointRemembers) {
  int64_t kept;
  {
    MetricsLog log(file_, 0);
    log.write({{"step", 1}});
    kept = log.size();
    log.write({{"step", 2}});
  }
  {
    MetricsLog log(file_, kept);
    log.write({{"step", 3}});
  }
  EXPECT_EQ(text(), "{\"step\":1}\n{\"step\":3}\n");
  EXPECT_THROW(MetricsLog(file_, 1000), Error);
}

TEST_F(MetricsLogTest, WritesNanAsNull) {
  MetricsLog log(file_, 0);
  log.write({{"loss", std::nan("")}});
  EXPECT_EQ(text(), "{\"loss\":null}\n");
}

TEST(MetricsLog, SaysWhyItCannotWrite) {
  try {
    MetricsLog log("/nonexistent/metrics.jsonl", 0);
    FAIL() << "must be refused";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("No such file"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace strata::study

// The runner with an experiment whose seeds are countable: what is there is not run again, another
// run's files are refused, verdicts follow the rule, and the page shows what was found.
#include "tools/experiments/runner.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "tests/support/expect.h"

namespace strata::experiments {
namespace {

namespace fs = std::filesystem;

RunOptions seeds(int64_t count) {
  RunOptions options;
  options.seeds = count;
  return options;
}
RunOptions again() {
  RunOptions options;
  options.force = true;
  return options;
}
RunOptions lie(Lie planted) {
  RunOptions options;
  options.lie = planted;
  return options;
}

struct RunnerOfAToy : testing::Test {
  RunnerOfAToy()
      : folder(fs::temp_directory_path() / ("strata_experiment_" + std::to_string(getpid()))) {
    fs::remove_all(folder);
    experiment.number = 99;
    experiment.name = "toy";
    experiment.question = "Is <two> more than one?";
    experiment.claim = "Two is more than one.";
    experiment.protocol = "Count.";
    experiment.seeds = 3;
    experiment.run_seed = [this](const Context& context) {
      ++runs;
      context.say("counting", 0.5);
      const double value = context.lie == Lie::none ? 2 : 0;
      return Json{{"value", value + 0.001 * static_cast<double>(context.seed)}};
    };
    experiment.judge = [](const std::vector<Json>& seeds, Budget) {
      std::vector<double> values;
      for (const Json& seed : seeds) values.push_back(seed.at("value"));
      Result result;
      result.answer = "It is.";
      result.measures = {in_every_seed("value", "what was counted", values, 1),
                         shown("again", "the same", values)};
      result.controls = {{"counting wrongly", "by counting twice", "2 and 2", true}};
      result.pictures = {{"counts", "The counts.", {}}};
      result.pictures[0].figure.rows.push_back(
          {.panels = {{"counts", draw::LineChart{{{"count", values, values}}}}}});
      conclude(result);
      return result;
    };
  }
  ~RunnerOfAToy() override { fs::remove_all(folder); }
  experiments::Run go(RunOptions options = {}) {
    options.out = folder;
    return experiments::run(experiment, options);
  }
  std::string text(const char* name) const {
    std::ifstream file(folder / name);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  fs::path folder;
  Experiment experiment;
  int runs = 0;
};

TEST_F(RunnerOfAToy, RunsEachSeedOnce) {
  EXPECT_EQ(go().result.verdict, Verdict::supported);
  EXPECT_EQ(runs, 3);
  EXPECT_EQ(go().result.verdict, Verdict::supported);
  EXPECT_EQ(runs, 3);
  fs::remove(folder / "seed-2.json");  // as if it had been interrupted there
  EXPECT_EQ(go().result.measures[0].per_seed, (std::vector<double>{2.001, 2.002, 2.003}));
  EXPECT_EQ(runs, 4);
  EXPECT_EQ(go(seeds(4)).seeds.size(), 4u);
  EXPECT_EQ(runs, 5);
  go(again());
  EXPECT_EQ(runs, 8);
}

TEST_F(RunnerOfAToy, RefusesTheFilesOfAnotherRun) {
  go();
  EXPECT_FAILS(go(lie(Lie::untrained)), "was made by .*\"lie\":\"none\".*use another --out");
  std::ofstream(folder / "seed-1.json") << "{\"half";
  EXPECT_FAILS(go(), "seed-1.json is not the numbers of a seed");
}

TEST_F(RunnerOfAToy, CatchesALie) {
  const auto lied = go(lie(Lie::shuffled_labels));
  EXPECT_EQ(lied.result.verdict, Verdict::not_supported);
  EXPECT_NE(lied.command.find("--lie shuffled-labels"), std::string::npos) << lied.command;
}

TEST_F(RunnerOfAToy, WritesWhatItFound) {
  const auto done = go();
  const Json json = Json::parse(text("result.json"));
  EXPECT_EQ(json.at("verdict"), "supported");
  EXPECT_NEAR(json.at("measures")[0].at("mean").get<double>(), 2.002, 1e-12);
  EXPECT_EQ(json.at("command"), done.command);
  const std::string page = text("report.html");
  EXPECT_NE(page.find("Is &lt;two&gt; more than one?"), std::string::npos);
  EXPECT_NE(page.find("data:image/png;base64,"), std::string::npos);
  EXPECT_NE(page.find("at least 1 in every seed"), std::string::npos);
  EXPECT_EQ(page.find("http"), std::string::npos);  // nothing from a network
  EXPECT_TRUE(fs::exists(folder / "counts.png"));
  EXPECT_NE(render_index({done}).find("/report.html"), std::string::npos);
}

TEST(Verdicts, FollowTheRule) {
  Result result;
  result.measures = {in_every_seed("a", "", {1, 2}, 1), in_every_seed("b", "", {1, 2}, 2)};
  conclude(result);
  EXPECT_EQ(result.verdict, Verdict::in_part);
  EXPECT_NE(result.why.find("1 of 2 thresholds met; missed: b"), std::string::npos) << result.why;
  result.measures[1] = on_average("b", "", {1, 3}, 2);
  conclude(result);
  EXPECT_EQ(result.verdict, Verdict::supported);
  result.controls = {{"a fake", "", "", false}};
  conclude(result);
  EXPECT_EQ(result.verdict, Verdict::not_supported);
  EXPECT_NE(result.why.find("not excluded: a fake"), std::string::npos);
  result.controls.clear();
  result.measures = {at_most_in_every_seed("c", "", {1, 2}, 1),
                     at_most_on_average("d", "", {1, 2}, 1)};
  conclude(result);
  EXPECT_EQ(result.verdict, Verdict::not_supported);
  result.measures = {at_most_on_average("d", "", {}, 1)};  // nothing was measured
  conclude(result);
  EXPECT_EQ(result.verdict, Verdict::not_supported);
}

TEST(Experiments, AreNamedOnce) {
  std::vector<std::string> names;
  for (const Experiment& e : experiments()) {
    EXPECT_EQ(std::count(names.begin(), names.end(), e.name), 0) << e.name;
    names.push_back(e.name);
    EXPECT_FALSE(e.claim.empty() || e.question.empty() || e.protocol.empty()) << e.name;
    EXPECT_TRUE(e.run_seed && e.judge) << e.name;
    EXPECT_EQ(&experiment_named(e.name), &e);
    EXPECT_EQ(&experiment_named("E" + std::to_string(e.number)), &e);
  }
  EXPECT_FAILS(experiment_named("nonsense"), "there is no experiment 'nonsense'");
}

}  // namespace
}  // namespace strata::experiments

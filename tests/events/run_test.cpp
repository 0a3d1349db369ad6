// Every run leaves its events, once: also one that was killed and resumed. TensorBoard's own reader
// agrees with ours, where it is installed.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/events/event_reader.h"

namespace strata::events {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class EventsOfRuns : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  int command(const std::string& text, const std::string& log = "log") {
    const int status = std::system((text + " >" + (folder_ / log).string() + " 2>&1").c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  std::string log(const std::string& name = "log") {
    std::ifstream in(folder_ / name);
    return {(std::istreambuf_iterator<char>(in)), {}};
  }
  std::vector<ReadEvent> events(const std::string& run) {
    return read_events(folder_ / run / "events" / "events.out.tfevents.0.strata");
  }
  // What was written, without the time.
  std::vector<std::string> written(const std::string& run) {
    std::vector<std::string> all;
    for (const ReadEvent& event : events(run)) {
      std::string text = std::to_string(event.step) + event.version;
      for (auto& [tag, value] : event.values) {
        text += " " + tag + "=" + std::to_string(value.number) + value.png;
        for (double inside : value.inside) text += " " + std::to_string(inside);
      }
      all.push_back(text);
    }
    return all;
  }

  fs::path folder_ =
      fs::path(testing::TempDir()) / ("strata-run-events-" + std::to_string(getpid()));
};

TEST_F(EventsOfRuns, AStudyLeavesCurvesProbesFiltersWeightsAndItsEmbedding) {
  ASSERT_EQ(
      command(STRATA_BINARY " study --train-images 640 --batch 32 --epochs 1 --probe-images 300 "
                            "--control-epochs 0 --out " +
              (folder_ / "run").string()),
      0)
      << log();
  std::map<std::string, std::set<int64_t>> steps;  // by tag
  std::map<std::pair<std::string, int64_t>, double> numbers;
  for (const ReadEvent& event : events("run")) {
    for (auto& [tag, value] : event.values) {
      EXPECT_TRUE(steps[tag].insert(event.step).second) << tag << " twice at " << event.step;
      numbers[{tag, event.step}] = value.number;
    }
  }
  const std::set<int64_t> monitored = steps["probe hue/conv1"];
  EXPECT_GE(monitored.size(), 6u);
  EXPECT_TRUE(monitored.count(0) && monitored.count(20));
  for (const char* tag : {"probe object/conv6", "filters/first layer", "validation/accuracy",
                          "weights/conv1.conv.weight", "sparsity/conv3", "cka_to_final/conv2"})
    EXPECT_EQ(steps[tag], monitored) << tag;
  for (const char* tag : {"train/loss", "train/accuracy", "train/learning_rate"})
    EXPECT_EQ(steps[tag], (std::set<int64_t>{10, 20})) << tag;
  // Each number of metrics.jsonl is there.
  std::ifstream metrics(folder_ / "run" / "metrics.jsonl");
  int compared = 0;
  for (std::string line; std::getline(metrics, line);) {
    const Json value = Json::parse(line);
    if (value["kind"] != "train") continue;
    const auto number = numbers.at({"train/loss", value["step"].get<int64_t>()});
    EXPECT_EQ(static_cast<float>(number), value["loss"].get<float>());
    ++compared;
  }
  EXPECT_EQ(compared, 2);
  for (const char* name :
       {"tensors.tsv", "metadata.tsv", "thumbnails.png", "projector_config.pbtxt"})
    EXPECT_TRUE(fs::exists(folder_ / "run" / "events" / name)) << name;
  std::ifstream labels(folder_ / "run" / "events" / "metadata.tsv");
  std::string heading;
  std::getline(labels, heading);
  EXPECT_TRUE(heading.starts_with("point\thue")) << heading;

  // And TensorBoard reads the same.
  const char* python = std::getenv("STRATA_TENSORBOARD_PYTHON");
  const int status = command(std::string(python ? python : "python3") +
                                 " " STRATA_SOURCE_DIR "/tests/events/read_with_tensorboard.py " +
                                 (folder_ / "run" / "events").string() + " 2>/dev/null",
                             "read");
  if (status == 77)
    GTEST_SKIP() << "TensorBoard does not check: pip install tensorboard, and name that Python in "
                    "STRATA_TENSORBOARD_PYTHON";
  ASSERT_EQ(status, 0) << log("read");
  const Json found = Json::parse(log("read"));
  size_t scalars = 0;
  for (auto& [tag, points] : found["scalars"].items()) {
    ASSERT_EQ(points.size(), steps[tag].size()) << tag;
    for (auto& point : points) EXPECT_EQ(point[1], (numbers.at({tag, point[0]}))) << tag;
    ++scalars;
  }
  EXPECT_GT(scalars, 60u);
  EXPECT_EQ(found["images"]["filters/first layer"].size(), monitored.size());
  for (auto& [tag, all] : found["histograms"].items()) {
    EXPECT_EQ(all.size(), monitored.size()) << tag;
    for (auto& one : all) EXPECT_EQ(one[1], one[2]) << tag;  // every weight lies in a cell
  }
  EXPECT_EQ(found["histograms"].size(),
            static_cast<size_t>(std::count_if(steps.begin(), steps.end(), [](auto& entry) {
              return entry.first.starts_with("weights/");
            })));
  EXPECT_EQ(found["embedding"],
            (Json{{"name", "conv6"}, {"points", 800}, {"labels", 800}, {"thumbnail", {32, 32}}}));
}

TEST_F(EventsOfRuns, KilledAndResumedLeavesEachEventOnce) {
  const std::string study = STRATA_BINARY
      " study --model mlp --train-images 640 --batch 32 --epochs 4 --train-only "
      "--checkpoint-seconds 0 --resume --out ";
  ASSERT_EQ(command(study + (folder_ / "whole").string()), 0) << log();
  int kills = 0, status = 137;
  for (int attempt = 0; attempt < 100 && status == 137; ++attempt) {
    status = command("timeout -s KILL " + std::to_string(0.2 + 0.1 * attempt) + " " + study +
                     (folder_ / "killed").string());
    kills += status == 137;
  }
  ASSERT_EQ(status, 0) << log();
  EXPECT_GT(kills, 0);
  EXPECT_GT(written("whole").size(), 8u);
  EXPECT_EQ(written("whole"), written("killed"));
}

TEST_F(EventsOfRuns, ATaskLeavesThemToo) {
  const std::string train = STRATA_BINARY
                            " train terrace-gpt --steps 20 "
                            "--model '{\"layers\":1,\"width\":32,\"heads\":2}' --out " +
                            (folder_ / "task").string();
  ASSERT_EQ(command(train), 0) << log();
  std::set<std::string> tags;
  for (const ReadEvent& event : events("task"))
    for (auto& [tag, value] : event.values) tags.insert(tag);
  EXPECT_TRUE(tags.count("train/loss") && tags.count("train/learning_rate"));
  EXPECT_TRUE(tags.count("validation/perplexity"));
  EXPECT_GT(std::count_if(tags.begin(), tags.end(),
                          [](auto& tag) { return tag.starts_with("weights/"); }),
            4);
  const size_t count = events("task").size();
  ASSERT_EQ(command(train + " --force"), 0) << log();
  EXPECT_EQ(events("task").size(), count);  // replaced, not appended to
}

TEST_F(EventsOfRuns, AFullDiskIsAClearError) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "there is no /dev/full";
  fs::create_directories(folder_ / "full" / "events");
  fs::create_symlink("/dev/full", folder_ / "full" / "events" / "events.out.tfevents.0.strata");
  EXPECT_EQ(command(STRATA_BINARY " study --model mlp --train-images 640 --epochs 1 --train-only "
                                  "--out " +
                    (folder_ / "full").string()),
            1);
  EXPECT_NE(log().find("No space left on device"), std::string::npos) << log();
}

}  // namespace
}  // namespace strata::events

// The audio tasks: on "digits" that are tones, written here; resuming; messages.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "engine/data/keyed_random.h"
#include "engine/io/safetensors.h"
#include "engine/ops/random.h"
#include "tests/data/wav_writer.h"
#include "tests/support/expect.h"
#include "tools/train/domains.h"
#include "tools/train/trainer.h"

namespace strata::train {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const TaskEntry& task_called(const std::string& name) {
  static const std::vector<TaskEntry> all = audio_tasks();
  for (const TaskEntry& entry : all) {
    if (entry.name == name) return entry;
  }
  throw std::logic_error("no task " + name);
}

class AudioTasks : public testing::Test {
 protected:
  fs::path folder_ = fs::temp_directory_path() / fmt::format("strata_audio_tasks_{}", getpid());
  void SetUp() override {
    for (const char* part : {"train", "test"}) {
      fs::create_directories(folder_ / "data" / part);
      // Digit d is a tone of 200 * 1.35^d Hz, of some length and loudness: further apart than the
      // changes of speed in training move it.
      for (uint64_t i = 0; i < 60; ++i) {
        const uint64_t digit = i % 10;
        KeyedRandom random(part[1], i, 0);
        const double hz = 200 * std::pow(1.35, digit) * random.uniform(0.98, 1.02);
        const double gain = random.uniform(0.1, 0.4);
        std::vector<float> sound(1200 + random.below(1600));
        for (size_t t = 0; t < sound.size(); ++t) {
          const double phase = 2 * 3.14159265358979 * hz * static_cast<double>(t) / 8000;
          sound[t] = static_cast<float>(gain * std::sin(phase));
        }
        test::write_wav(
            (folder_ / "data" / part / fmt::format("{}_tone_{}.wav", digit, i / 10)).string(),
            sound);
      }
    }
  }
  void TearDown() override { fs::remove_all(folder_); }

  TaskOptions options(const std::string& out, int64_t steps, const json& model) const {
    TaskOptions o;
    o.out = folder_ / out;
    o.data = (folder_ / "data").string();
    o.steps = steps;
    o.model = model;
    return o;
  }
};

const json tiny_conformer = {
    {"width", 16}, {"heads", 2}, {"blocks", 1}, {"kernel", 5}, {"dropout", 0.0}};
const json tiny_wavenet = {
    {"channels", 12}, {"skip", 24}, {"layers", 3}, {"repeats", 1}, {"dropout", 0.0}};

TEST_F(AudioTasks, TonesAreTold) {
  SKIP_WITH_SANITIZERS();
  TaskOptions conformer = options("conformer", 60, tiny_conformer);
  TaskOptions wavenet = options("wavenet", 60, tiny_wavenet);
  conformer.learning_rate = wavenet.learning_rate = 1e-2;
  for (auto& [name, o] : {std::pair{"digits-conformer", conformer}, {"digits-wavenet", wavenet}}) {
    const TaskResult result = run_task(task_called(name), o, "test");
    ASSERT_EQ(result.scores.size(), 1u);
    EXPECT_EQ(result.scores[0].name, "test accuracy");
    // Chance is 10, with a deviation of 3.9 over 60 tones.
    EXPECT_GT(result.scores[0].value, o.model == tiny_wavenet ? 26 : 60) << name;
    ASSERT_EQ(result.lines.size(), 1u);
    EXPECT_TRUE(result.lines[0].starts_with("by speaker: tone ")) << result.lines[0];
    std::ifstream file(o.out / "features.json");
    EXPECT_EQ(json::parse(file).at("mels"), 24);
  }
}

// What resuming to the same bits needs: the same run twice is the same, and a batch depends on its
// step, not on the steps before it.
TEST_F(AudioTasks, RunsRepeatAndBatchesStandAlone) {
  for (auto& [name, model] : {std::pair{"digits-wavenet", tiny_wavenet},
                              {"digits-ctc", tiny_conformer},
                              {"terrace-audio", tiny_conformer}}) {
    const TaskEntry& entry = task_called(name);
    std::vector<StateDict> weights;
    for (const char* out : {"once", "again"}) {
      TaskOptions o = options(fmt::format("{}-{}", name, out), 3, model);
      if (entry.data.empty()) o.data.clear();
      run_task(entry, o, "test");
      weights.push_back(io::load_safetensors((o.out / "model.safetensors").string()));
    }
    for (auto& [key, tensor] : weights[0])
      EXPECT_EQ(test::values(tensor), test::values(weights[1].at(key))) << name << " " << key;

    TaskOptions o = options("unused", 9, model);
    if (entry.data.empty()) o.data.clear();
    manual_seed(1);
    const std::unique_ptr<Task> task = entry.make(o);
    task->model().eval();
    const double third = task->loss(3).item();
    EXPECT_NE(task->loss(1).item(), third) << name;
    EXPECT_EQ(task->loss(3).item(), third) << name;
  }
}

TEST_F(AudioTasks, SequencesAreScoredByEdits) {
  const TaskResult result =
      run_task(task_called("digits-ctc"), options("ctc", 2, tiny_conformer), "test");
  EXPECT_EQ(result.scores[0].name, "test digit error rate");
  EXPECT_FALSE(result.scores[0].higher_is_better);
  EXPECT_GT(result.scores[0].value, 50);  // after two steps nothing is right
  ASSERT_EQ(result.lines.size(), 1u);
  EXPECT_TRUE(result.lines[0].starts_with("said ")) << result.lines[0];
}

TEST_F(AudioTasks, SaysWhatItNeeds) {
  TaskOptions o = options("none", 2, {});
  o.data.clear();
  EXPECT_FAILS(run_task(task_called("digits-ctc"), o, ""), "needs --data: a folder with train/");
  o.data = "vowel";
  EXPECT_FAILS(run_task(task_called("terrace-audio"), o, ""), "no factor is called 'vowel'");
  o.data = (folder_ / "nowhere").string();
  EXPECT_FAILS(run_task(task_called("digits-wavenet"), o, ""), "nowhere/train");
}

}  // namespace
}  // namespace strata::train

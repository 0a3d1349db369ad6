// The LSTM on characters: it remembers what counts of four characters cannot, a run is a function
// of its seed, and what is wrong is said.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "engine/io/safetensors.h"
#include "tests/support/expect.h"
#include "tools/train/domains.h"
#include "tools/train/trainer.h"

namespace strata::train {
namespace {

namespace fs = std::filesystem;

class RecurrentLanguageTask : public testing::Test {
 protected:
  RecurrentLanguageTask()
      : folder_(fs::temp_directory_path() / ("strata_lstm_" + std::to_string(getpid()))) {
    fs::create_directories(folder_);
  }
  ~RecurrentLanguageTask() override { fs::remove_all(folder_); }

  // Lines of a letter of six, four dots, and the letter again.
  std::string text(int lines) const {
    std::ofstream file(folder_ / "text.txt");
    uint32_t state = 3;
    for (int i = 0; i < lines; ++i) {
      state = state * 1664525u + 1013904223u;
      const char letter = "abcdef"[(state >> 16) % 6];
      file << letter << "...." << letter << '\n';
    }
    return (folder_ / "text.txt").string();
  }
  TaskResult train(const std::string& run, int64_t steps, uint64_t seed, int lines = 1500) const {
    TaskOptions o;
    o.data = text(lines);
    o.out = folder_ / run;
    o.steps = steps;
    o.seed = seed;
    o.learning_rate = 0.02;
    o.model = {{"embedding", 8}, {"width", 24}, {"dropout", 0}};
    return run_task(recurrent_language_tasks().at(0), o, "strata train shakespeare-lstm");
  }
  fs::path folder_;
};

// A line has 7 characters. Who remembers pays log2(6) bits for its first letter, who does not pays
// twice: 0.369 and 0.739 bits a character.
TEST_F(RecurrentLanguageTask, RemembersWhatCountsForget) {
  SKIP_WITH_SANITIZERS();
  const TaskResult result = train("run", 250, 1);
  ASSERT_EQ(result.scores.size(), 1u);
  EXPECT_NEAR(result.scores[0].yardstick, 2 * std::log2(6.0) / 7, 0.03);
  EXPECT_LT(result.scores[0].value, 0.45);
  EXPECT_GT(result.scores[0].value, 0.33) << "nobody can know the first letters";
  std::ifstream file(folder_ / "run" / "sample.txt");
  std::string line;
  int lines = 0, whole = 0;
  while (std::getline(file, line)) {
    ++lines;
    whole += line.size() == 6 && line.substr(1, 4) == "...." && line[0] == line[5];
  }
  EXPECT_GT(lines, 100);
  EXPECT_GT(whole, lines * 8 / 10);
}

TEST_F(RecurrentLanguageTask, IsAFunctionOfItsSeed) {
  const auto weights = [&](const std::string& run, uint64_t seed) {
    train(run, 3, seed);
    return test::values(
        io::load_safetensors((folder_ / run / "model.safetensors").string()).at("head.weight"));
  };
  const auto first = weights("a", 1);
  EXPECT_EQ(weights("b", 1), first);
  EXPECT_NE(weights("c", 2), first);
}

TEST_F(RecurrentLanguageTask, SaysWhatIsWrongWithItsText) {
  EXPECT_FAILS(train("run", 1, 1, 20), "has 140 characters; a split needs at least 1,000");
}

}  // namespace
}  // namespace strata::train

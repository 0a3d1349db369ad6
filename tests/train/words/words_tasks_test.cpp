// Tasks on words, shortened to seconds: they score above their controls, resume to the same bits,
// and sparse steps are what autograd would do.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "engine/io/safetensors.h"
#include "tests/data/shared_data.h"
#include "tests/support/expect.h"
#include "tools/train/domains.h"
#include "tools/train/trainer.h"

namespace strata::train {
namespace {

namespace fs = std::filesystem;

class WordTasks : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("strata_word_tasks_" + std::to_string(getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  TaskOptions options(const std::string& run) const {
    TaskOptions o;
    o.out = folder_ / run;
    return o;
  }
  static TaskResult run(const std::vector<TaskEntry>& entries, const std::string& name,
                        const TaskOptions& o) {
    for (const TaskEntry& entry : entries)
      if (entry.name == name) return run_task(entry, o, "test");
    ADD_FAILURE() << "no task " << name;
    return {};
  }
  static std::vector<float> weights(const fs::path& run, const std::string& name) {
    return io::load_safetensors((run / "model.safetensors").string()).at(name).to_vector<float>();
  }

  fs::path folder_;
};

// A tenth of the words and few steps: far from the end, farther from the control.
TEST_F(WordTasks, VectorsFindPlantedAnalogiesAndShuffledWordsDoNot) {
  SKIP_WITH_SANITIZERS();
  for (const char* method : {"skipgram", "cbow", "glove"}) {
    TaskOptions o = options(method);
    const bool glove = std::string(method) == "glove";
    o.steps = glove ? 4000 : 1200;
    o.model = {{"width", 32}, {"passages", 6000}};
    const TaskResult result = run(words_tasks(), method, o);
    ASSERT_EQ(result.scores.size(), 3u);
    EXPECT_GT(result.scores[0].value, glove ? 8 : 25) << method;
    EXPECT_LT(result.scores[0].yardstick, 3) << method;
    // Allowing the words of a question makes it harder.
    EXPECT_LE(result.scores[2].value, result.scores[0].value) << method;
    std::ifstream vectors(o.out / "vectors.txt");
    int words = 0, width = 0;
    vectors >> words >> width;
    EXPECT_EQ(words, 234);
    EXPECT_EQ(width, 32);
  }
}

// What GloVe misses on this text is which words never meet.
TEST_F(WordTasks, GloveFindsMoreAnalogiesWhenToldWhatNeverMeets) {
  SKIP_WITH_SANITIZERS();
  TaskOptions o = options("every");
  o.steps = 4000;
  o.model = {{"passages", 6000}, {"every_cell", true}};
  const double every = run(words_tasks(), "glove", o).scores[0].value;
  o.out = folder_ / "met";
  o.model["every_cell"] = false;
  const double met = run(words_tasks(), "glove", o).scores[0].value;
  EXPECT_GT(every, met + 20);
}

TEST_F(WordTasks, ARunThatIsRepeatedHasTheSameBits) {
  std::vector<float> first;
  for (const char* name : {"a", "b"}) {
    TaskOptions o = options(name);
    o.steps = 20;
    o.model = {{"passages", 300}};
    run(words_tasks(), "skipgram", o);
    const std::vector<float> found = weights(o.out, "input.weight");
    if (first.empty()) first = found;
    EXPECT_EQ(found, first);
  }
}

TEST_F(WordTasks, ReadATextAndItsQuestions) {
  const std::string text = STRATA_SHARED("text/tinyshakespeare.txt");
  const std::string questions = STRATA_SHARED("analogy/questions-words.txt");
  TaskOptions o = options("text");
  o.data = text + ":" + questions;
  o.steps = 50;
  const TaskResult result = run(words_tasks(), "cbow", o);
  EXPECT_EQ(result.scores.size(), 3u);
  bool family = false;
  for (const std::string& line : result.lines) family |= line.starts_with("family");
  EXPECT_TRUE(family);
  const fs::path tiny = folder_ / "tiny.txt";
  std::ofstream(tiny) << "a a a a a b b b b b";
  o = options("tiny");
  o.data = tiny.string();
  EXPECT_FAILS(run(words_tasks(), "cbow", o), "tiny.txt has 10 words that come 5 times");
}

}  // namespace
}  // namespace strata::train

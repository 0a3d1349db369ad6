// Networks of tokens and the vocabularies they come with: how texts are spelled, and a checkpoint
// of another library that is imported and looked into with the words of its own tokeniser.
#include "tools/inspect/spelling.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>

#include "engine/io/safetensors.h"
#include "tests/inspect/subjects.h"
#include "tests/support/expect.h"
#include "tools/commands/commands.h"

namespace strata::inspect {
namespace {

namespace fs = std::filesystem;
using Tokens = std::vector<int64_t>;

const std::string fixtures = STRATA_SOURCE_DIR "/tests/text/fixtures/";

std::vector<std::string> shown(const Spelling& spelling, const std::string& text) {
  std::vector<std::string> tokens;
  for (int64_t token : spelling.encode(text)) tokens.push_back(spelling.shown(token));
  return tokens;
}

TEST(Spelling, OfBytesCountsFromTheFirst) {
  const auto letters = bytes_from('a', 26);
  EXPECT_EQ(letters->encode("cab"), (Tokens{2, 0, 1}));
  EXPECT_EQ(letters->shown(25), "z");
  EXPECT_FAILS(letters->encode("a b"), "'.x20' is none of the network's 26 tokens, a to z");
  EXPECT_FAILS(bytes_from(0, 30522)->encode("the"), "30522 tokens, which are not bytes.*vocab.txt");
}

TEST(Spelling, OfWordPiecesStandsBetweenMarks) {
  const auto pieces = read_spelling(fixtures + "vocab.txt", 288);
  const auto words = shown(*pieces, "The river");
  EXPECT_EQ(words.front(), "[CLS]");
  EXPECT_EQ(words.back(), "[SEP]");
  std::string joined;
  for (size_t i = 1; i + 1 < words.size(); ++i)
    joined += words[i].starts_with("##") ? words[i].substr(2) : " " + words[i];
  EXPECT_EQ(joined, " the river");  // the vocabulary has no capitals, so the text loses its own
  EXPECT_FAILS(read_spelling(fixtures + "vocab.txt", 20), "has 288 tokens; this network has 20");
}

TEST(Spelling, OfBytePairsShowsSpaces) {
  const auto pairs = read_spelling(fixtures + "vocab.json", 1000);
  std::string joined;
  for (const std::string& token : shown(*pairs, "the river")) joined += token;
  EXPECT_EQ(joined, "the\u00b7river");
  EXPECT_FAILS(read_spelling("words.csv", 9), "words.csv: a vocabulary is vocab.txt");
}

class Imported : public ::testing::Test {
 protected:
  void SetUp() override {
    home_ = fs::path(::testing::TempDir()) / fmt::format("strata-imported-{}", getpid());
    fs::create_directories(home_);
    fs::copy_file(STRATA_SOURCE_DIR "/tests/interchange/fixtures/bert_sentence.huggingface.pt",
                  home_ / "theirs.pt");
    std::ofstream(home_ / "config.json") << R"({"num_attention_heads": 2, "model_type": "bert"})";
    std::ofstream(home_ / "vocab.txt") << "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nriver\nbr\n"
                                          "##idge\ncross\n##es\n";
    CLI::App app;
    commands::Command run;
    commands::add_import(app, run);
    std::vector<std::string> words = {(home_ / "ours.safetensors").string(), "--out",
                                      (home_ / "theirs.pt").string(), "import"};
    app.parse(words);  // the last word first
    ASSERT_EQ(run(), 0);
  }
  void TearDown() override { fs::remove_all(home_); }

  Source file(const char* name) const {
    Source source;
    source.checkpoint = home_ / name;
    return source;
  }

  fs::path home_;
};

// The file says which network it is, the vocabulary how it spells.
TEST_F(Imported, IsLookedIntoWithItsOwnWords) {
  Source source = file("ours.safetensors");
  source.vocabulary = home_ / "vocab.txt";
  const Subject subject = open_subject(source);
  EXPECT_EQ(subject.model_name, "bert-base");
  EXPECT_EQ(subject.options.at("heads"), 2);
  Request request{subject, read_inputs(subject, {"The bridge crosses"}, 1)};
  EXPECT_EQ(request.inputs.tokens[0],
            (std::vector<std::string>{"[CLS]", "the", "br", "##idge", "cross", "##es", "[SEP]"}));
  const Answer answer = run_method(find_method("attention"), request);
  ASSERT_EQ(answer.arrays.size(), 2u);  // layers
  for (auto& [layer, pattern] : answer.arrays) {
    ASSERT_EQ(pattern.shape(), (Dims{1, 2, 7, 7})) << layer;
    EXPECT_NEAR(max(abs(sum(pattern, {3}) - 1.0)).item(), 0, 1e-5) << layer;
  }
  // What it says of a text is one vector.
  EXPECT_EQ(subject.scores()(request.inputs.x).shape(), (Dims{1, 16}));
}

TEST_F(Imported, WithoutItsNameOrWordsIsAnErrorThatSaysWhatToGive) {
  const Subject bytes = open_subject(file("ours.safetensors"));
  EXPECT_FAILS(read_inputs(bytes, {"the"}, 1), "none of the network's 20 tokens");
  io::save_safetensors((home_ / "nameless.safetensors").string(), bytes.model->state_dict());
  EXPECT_FAILS(open_subject(file("nameless.safetensors")),
               "does not say which network it is.*--model NAME");
  io::save_safetensors((home_ / "odd.safetensors").string(), bytes.model->state_dict(),
                       {{"model", "bert"}, {"options", "[1"}});
  EXPECT_FAILS(open_subject(file("odd.safetensors")),
               "says it is a bert, with options that are no");
}

}  // namespace
}  // namespace strata::inspect

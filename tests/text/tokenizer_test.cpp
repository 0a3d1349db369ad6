// Tokenisers give what Hugging Face's give with the same files (make_fixtures.py), any bytes come
// back, and broken files are told what is wrong with them.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "engine/text/byte_pair.h"
#include "engine/text/unicode.h"
#include "engine/text/word_piece.h"
#include "tests/support/expect.h"

namespace strata::test {
namespace {

using nlohmann::json;
using Ids = std::vector<int64_t>;

std::string fixture(const std::string& name) {
  return std::string(STRATA_SOURCE_DIR) + "/tests/text/fixtures/" + name;
}
std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}
json expected() { return json::parse(content(fixture("expected.json"))); }
BytePairTokenizer byte_pair() {
  return BytePairTokenizer::read(fixture("vocab.json"), fixture("merges.txt"));
}
WordPieceTokenizer word_piece(bool lower_case = true) {
  return WordPieceTokenizer::read(fixture("vocab.txt"), {.lower_case = lower_case});
}

TEST(BytePair, EncodesAsHuggingFaceDoes) {
  const BytePairTokenizer t = byte_pair();
  for (const json& c : expected()) {
    const std::string text = c.at("text");
    EXPECT_EQ(t.encode(text), c.at("byte_pair").get<Ids>()) << text;
    EXPECT_EQ(t.decode(t.encode(text)), text);
  }
}

TEST(BytePair, GivesAnyBytesBack) {
  const BytePairTokenizer t = byte_pair();
  std::mt19937 random(5);
  for (int i = 0; i < 300; ++i) {
    std::string bytes(random() % 80, ' ');
    for (char& c : bytes) c = static_cast<char>(i % 2 ? random() % 256 : "the 'sé\n"[random() % 9]);
    EXPECT_EQ(t.decode(t.encode(bytes)), bytes);
  }
}

TEST(BytePair, CutsWordsByTheRuleOfGpt2) {
  using Words = std::vector<std::string_view>;
  const auto words = text::words_of;
  EXPECT_EQ(words("I'll go, it's 12pm"), (Words{"I", "'ll", " go", ",", " it", "'s", " 12", "pm"}));
  EXPECT_EQ(words("a  b\n\nc  "), (Words{"a", " ", " b", "\n", "\n", "c", "  "}));
  EXPECT_EQ(words(" 's 'S"), (Words{" '", "s", " '", "S"}));
  EXPECT_EQ(words("x\xff\xfe y"), (Words{"x", "\xff\xfe", " y"}));
  EXPECT_EQ(words(""), Words{});
}

// A long run is one word; it must not take quadratic time (a minute, were each merge a search).
TEST(BytePair, MergesALongWordQuickly) {
  const std::string run(200'000, 'e');
  EXPECT_EQ(byte_pair().decode(byte_pair().encode(run)), run);
}

TEST(BytePair, LearnsTheMergesThatHuggingFaceLearns) {
  const std::string text = content(fixture("tiny.txt"));
  const BytePairTokenizer t = BytePairTokenizer::train(text, 400);
  EXPECT_EQ(t.size(), 400);
  const auto folder =
      std::filesystem::temp_directory_path() / ("strata_bpe_" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const std::string vocabulary = folder / "vocab.json", merges = folder / "merges.txt";
  t.write(vocabulary, merges);
  EXPECT_EQ(content(merges), content(fixture("merges.txt")));
  const BytePairTokenizer again = BytePairTokenizer::read(vocabulary, merges);
  std::filesystem::remove_all(folder);
  EXPECT_EQ(again.encode(text), t.encode(text));
  // The same tokens as with their vocabulary, under other numbers (theirs has the special first).
  const BytePairTokenizer theirs = byte_pair();
  EXPECT_EQ(theirs.encode(text).size(), t.encode(text).size());
  EXPECT_EQ(t.special("<|endoftext|>"), 399);
  EXPECT_EQ(theirs.special("<|endoftext|>"), 0);
}

TEST(BytePair, StopsWhenNothingRepeats) {
  const BytePairTokenizer t = BytePairTokenizer::train("ab ab cd", 1000, {});
  ASSERT_EQ(t.merges().size(), 1u);  // "ab"; " ab" and "cd" are there once
  EXPECT_EQ(t.token(256), "ab");
  EXPECT_FAILS(BytePairTokenizer::train("ab", 256), "256 tokens are too few: .* make 257");
}

TEST(BytePair, LeavesSpecialTokensInUntrustedTextAsText) {
  const BytePairTokenizer t = byte_pair();
  const std::string text = "a<|endoftext|>";
  EXPECT_EQ(t.encode(text).back(), 0);
  const Ids plain = t.encode(text, false);
  EXPECT_EQ(std::count(plain.begin(), plain.end(), 0), 0);
  EXPECT_EQ(t.decode(plain), text);
}

TEST(BytePair, SaysWhatIsWrongWithItsFiles) {
  const std::string good = content(fixture("vocab.json")), merges = content(fixture("merges.txt"));
  const auto parse = [&](const std::string& v, const std::string& m,
                         const std::vector<std::string>& special = {"<|endoftext|>"}) {
    return BytePairTokenizer::parse(v, m, special);
  };
  EXPECT_NO_THROW(parse(good, merges));
  EXPECT_FAILS(parse(good.substr(0, 500), merges), "is no JSON: .*column 501");
  EXPECT_FAILS(parse("[1, 2]", merges), "must be a JSON object");
  EXPECT_FAILS(parse("{\"a\": \"b\"}", merges), "gives 'a' the number \"b\"");
  // Printing such a value would need a stack as deep.
  const std::string deep = std::string(200000, '[') + std::string(200000, ']');
  EXPECT_FAILS(parse("{\"a\": " + deep + "}", merges),
               "gives 'a' the number \\(array\\); 1 tokens");
  EXPECT_FAILS(parse("{\"a\": 0, \"b\": -1}", merges), "'b' the number -1; 2 tokens have 0 to 1");
  EXPECT_FAILS(parse("{\"a\": 0, \"b\": 2}", merges), "'b' the number 2");
  EXPECT_FAILS(parse("{\"a\": 1, \"b\": 1}", merges), "the number 1 to 'a' and to 'b'");
  EXPECT_FAILS(parse("{\"a\": 0}", "", {}), "no token for the byte 0x00");
  EXPECT_FAILS(parse("{\"\xff\": 0}", ""), "is no JSON");
  EXPECT_FAILS(parse("{\"中\": 0}", "", {}), "characters that stand for bytes");
  EXPECT_FAILS(parse(good, merges, {"<|nothing|>"}), "special token '<\\|nothing\\|>' is not in");
  EXPECT_FAILS(parse(good, merges + "q Q\n"), "line \\d+ of the merges, 'q Q', needs .*'qQ'");
  EXPECT_FAILS(parse(good, "#version: 0.2\nh\n"), "line 2 of the merges, 'h', is not two tokens");
  EXPECT_FAILS(parse(good, "h e\nh e\n"), "line 2 .*a second time");
  EXPECT_FAILS(parse(good, "h \xff\n"), "line 1 of the merges");
  EXPECT_FAILS(BytePairTokenizer::read("/nowhere/vocab.json", "x"), "/nowhere/vocab.json");
  const BytePairTokenizer t = parse(good, merges);
  EXPECT_FAILS(t.decode(Ids{1, 400}), "400 is no token's number; there are 400 tokens");
  EXPECT_FAILS(t.special("[CLS]"), "no special token '\\[CLS\\]'; there are: <\\|endoftext");
}

TEST(WordPiece, EncodesAsHuggingFaceDoes) {
  const WordPieceTokenizer uncased = word_piece(), cased = word_piece(false);
  for (const json& c : expected()) {
    const std::string text = c.at("text");
    EXPECT_EQ(uncased.encode(text), c.at("uncased").get<Ids>()) << text;
    EXPECT_EQ(cased.encode(text), c.at("cased").get<Ids>()) << text;
    const WordPieceInput input = uncased.input(text, "the river");
    EXPECT_EQ(input.numbers, c.at("pair").get<Ids>()) << text;
    EXPECT_EQ(input.segments, c.at("segments").get<Ids>()) << text;
  }
}

TEST(WordPiece, CutsWordsAsBertDoes) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(text::basic_words("Où est-il?", true), (Words{"ou", "est", "-", "il", "?"}));
  EXPECT_EQ(text::basic_words("Où est-il?", false), (Words{"Où", "est", "-", "il", "?"}));
  EXPECT_EQ(text::basic_words("a河b\tc\x01$5", true), (Words{"a", "河", "b", "c", "$", "5"}));
  EXPECT_EQ(text::basic_words(" \n ", true), Words{});
}

TEST(WordPiece, PutsWordsTogetherAgain) {
  const WordPieceTokenizer t = word_piece();
  EXPECT_EQ(t.decode(t.encode("The  BRIDGE, walked")), "the bridge , walked");
  const WordPieceInput one = t.input("the river");
  EXPECT_EQ(one.segments, Ids(one.numbers.size(), 0));
  EXPECT_EQ(t.token(one.numbers.front()), "[CLS]");
  EXPECT_EQ(t.token(one.numbers.back()), "[SEP]");
}

TEST(WordPiece, SaysWhatIsWrongWithItsFiles) {
  const auto parse = [](const std::string& text) { return WordPieceTokenizer::parse(text); };
  const std::string special = "[UNK]\n[CLS]\n[SEP]\n";
  EXPECT_NO_THROW(parse(special));
  EXPECT_FAILS(parse("a\nb\n"), "no token '\\[UNK\\]'");
  EXPECT_FAILS(parse(special + "\nb\n"), "line 4 of the vocabulary is empty");
  EXPECT_FAILS(parse(special + "b\nb\n"), "line 5 of the vocabulary, 'b', is there a second time");
  EXPECT_FAILS(parse(special + "\xc3\n"), "line 4 of the vocabulary is no UTF-8");
  EXPECT_FAILS(parse(special).encode("ab\xff"), "byte 2 \\(0xff\\) of the text");
  EXPECT_FAILS(parse(special).decode(Ids{3}), "3 is no token's number");
  EXPECT_FAILS(WordPieceTokenizer::read("/nowhere/vocab.txt"), "/nowhere/vocab.txt");
}

TEST(Unicode, ReadsWhatItWritesAndRefusesTheRest) {
  for (char32_t c : {U'a', U'é', U'中', U'\U0001f600', char32_t{0x7f}, char32_t{0x10ffff}}) {
    std::string text;
    unicode::append(text, c);
    const unicode::Decoded got = unicode::decode(text, 0);
    EXPECT_EQ(got.character, c);
    EXPECT_EQ(static_cast<size_t>(got.length), text.size());
    EXPECT_EQ(unicode::decode(text.substr(0, text.size() - 1) + "a", 0).length,
              text.size() == 1 ? 1 : 0);
  }
  for (const char* bad : {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80", "\xe2\x82"})
    EXPECT_EQ(unicode::decode(bad, 0).length, 0);
  EXPECT_EQ(unicode::valid_length("aé\xff"), 3u);
  EXPECT_EQ(unicode::decomposed("é"), "e\u0301");
  EXPECT_EQ(unicode::lower_case(U'É'), U'é');
}

}  // namespace
}  // namespace strata::test

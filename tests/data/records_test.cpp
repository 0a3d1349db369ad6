// Treebank, text, sound and graph readers on the real sets (counts as their README states them) and
// on broken input.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "engine/data/citation_graph.h"
#include "engine/data/conllu.h"
#include "engine/data/files.h"
#include "engine/data/text.h"
#include "engine/data/wav.h"
#include "tests/data/shared_data.h"

namespace strata {
namespace {

std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::string word(const std::string& id, const std::string& form, const std::string& head) {
  return id + "\t" + form + "\tlemma\tNOUN\t_\t_\t" + head + "\tdep\t_\t_\n";
}

TEST(Conllu, RealTreebank) {
  std::string folder = STRATA_SHARED("treebank");
  Treebank dev = read_conllu(join_path(folder, "en_ewt-ud-dev.conllu"));
  EXPECT_EQ(dev.sentences.size(), 2001u);
  EXPECT_EQ(dev.words(), 25147);
  EXPECT_EQ(dev.ranges, 359);
  EXPECT_EQ(dev.empty_nodes, 4);
  std::map<std::string, int> tags;
  for (const TreebankSentence& sentence : dev.sentences)
    for (const TreebankWord& w : sentence.words) ++tags[w.upos];
  EXPECT_EQ(tags["NOUN"], 4210);
  EXPECT_EQ(tags.size(), 17u);
  EXPECT_EQ(dev.sentences[0].text, "From the AP comes this story :");
  EXPECT_EQ(dev.sentences[0].words[3].relation, "root");
}

TEST(Conllu, RefusesWhatIsNoTree) {
  auto parse = [](const std::string& text) {
    return error_of([&] { parse_conllu(bytes_of(text), "bank"); });
  };
  EXPECT_EQ(parse(word("1", "a", "2") + word("2", "b", "0") + "\n"), "");
  EXPECT_EQ(parse("# sent_id = x\r\n" + word("1", "a", "0") + "\r\n"), "");
  EXPECT_NE(parse(word("1", "a", "2") + word("2", "b", "1") + "\n").find("0 roots"),
            std::string::npos);
  EXPECT_NE(
      parse(word("1", "a", "0") + word("2", "b", "3") + word("3", "c", "2") + "\n").find("cycle"),
      std::string::npos);
  EXPECT_NE(parse(word("1", "a", "3") + "\n").find("outside 0..1"), std::string::npos);
  EXPECT_NE(parse(word("2", "a", "0") + "\n").find("expected 1"), std::string::npos);
  EXPECT_NE(parse(word("1", "a", "x") + "\n").find("head 'x'"), std::string::npos);
  EXPECT_NE(parse(word("1", "a", "99999999999999999999") + "\n").find("head"), std::string::npos);
  EXPECT_NE(parse("1\ta\n\n").find("2 fields"), std::string::npos);
  EXPECT_NE(parse(word("1", "a", "0")).find("cut short"), std::string::npos);
  EXPECT_NE(parse("").find("no sentence"), std::string::npos);
}

TEST(Text, RealShakespeare) {
  std::string folder = STRATA_SHARED("text");
  std::string text = read_text(join_path(folder, "tinyshakespeare.txt"));
  EXPECT_EQ(text.size(), 1115394u);
  Vocabulary characters = Vocabulary::of_characters(text);
  EXPECT_EQ(characters.size(), 65);
  Tensor numbers = characters.encode(text);
  EXPECT_EQ(numbers.numel(), 1115394);
  EXPECT_EQ(characters.decode(numbers), text);
  TextBatch batch = text_batch(numbers, 4, 16, 1, 0);
  for (int64_t i = 0; i < 4; ++i)
    for (int64_t t = 0; t + 1 < 16; ++t)
      EXPECT_EQ(batch.inputs.data<int64_t>()[i * 16 + t + 1],
                batch.targets.data<int64_t>()[i * 16 + t]);
  EXPECT_THROW(text_batch(numbers, 1, 1115394, 1, 0), Error);
}

TEST(Text, CharactersAndBytes) {
  std::string text = "na\xc3\xafve \xe2\x82\xac \xf0\x9f\x99\x82";
  Vocabulary characters = Vocabulary::of_characters(text);
  EXPECT_EQ(characters.size(), 8);
  EXPECT_EQ(characters.decode(characters.encode(text)), text);
  EXPECT_EQ(Vocabulary::of_bytes().decode(Vocabulary::of_bytes().encode(text)), text);
  EXPECT_NE(error_of([&] { characters.encode("nx"); }).find("'x' at byte 1"), std::string::npos);
  for (const char* bad : {"\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\x80"})
    EXPECT_THROW(Vocabulary::of_characters(bad), Error);
}

std::string wav_of(int rate, std::vector<int16_t> samples) {
  auto number = [](uint32_t value, int count) {
    std::string out;
    for (int i = 0; i < count; ++i) out += static_cast<char>(value >> (8 * i) & 255);
    return out;
  };
  std::string data;
  for (int16_t sample : samples) data += number(static_cast<uint16_t>(sample), 2);
  auto size = static_cast<uint32_t>(data.size()), per_second = static_cast<uint32_t>(rate);
  return "RIFF" + number(36 + size, 4) + "WAVEfmt " + number(16, 4) + number(1, 2) + number(1, 2) +
         number(per_second, 4) + number(per_second * 2, 4) + number(2, 2) + number(16, 2) + "data" +
         number(size, 4) + data;
}

TEST(Wav, SamplesAndBrokenFiles) {
  std::string good = wav_of(8000, {0, 16384, -32768, 8192});
  Sound sound = parse_wav(bytes_of(good), "good");
  EXPECT_EQ(sound.rate, 8000);
  EXPECT_EQ(sound.samples.shape(), (Dims{4, 1}));
  EXPECT_EQ(sound.samples.to_vector<float>(), (std::vector<float>{0, 0.5f, -1, 0.25f}));
  for (size_t length = 0; length < good.size(); ++length)
    EXPECT_THROW(parse_wav(bytes_of(good.substr(0, length)), "cut"), Error) << length;
  std::string huge = good;
  huge[40] = huge[41] = huge[42] = huge[43] = '\xff';
  EXPECT_NE(error_of([&] { parse_wav(bytes_of(huge), "huge"); }).find("4294967295 bytes"),
            std::string::npos);
  EXPECT_THROW(parse_wav(bytes_of(wav_of(8000, {})), "empty"), Error);
}

TEST(Wav, RealSpokenDigits) {
  std::string folder = STRATA_SHARED("fsdd/test");
  double seconds = 0;
  std::vector<std::string> names = files_in("test", folder);
  for (const std::string& name : names) {
    Sound sound = read_wav(join_path(folder, name));
    EXPECT_EQ(sound.rate, 8000);
    seconds += sound.seconds();
  }
  EXPECT_EQ(names.size(), 300u);
  EXPECT_NEAR(seconds, 129.3, 0.05);
}

TEST(CitationGraph, RealCora) {
  std::string folder = STRATA_SHARED("cora");
  CitationGraph cora = read_citation_graph(folder, "cora");
  EXPECT_EQ(cora.nodes, 2708);
  EXPECT_EQ(cora.features, 1433);
  EXPECT_EQ(cora.feature_columns.size(), 49216u);
  EXPECT_EQ(cora.edges.size(), 5278u);
  EXPECT_EQ(cora.class_names[3], "Neural_Networks");
  EXPECT_EQ(std::count(cora.labels.begin(), cora.labels.end(), 3), 818);
  EXPECT_EQ(cora.train.size(), 140u);
  EXPECT_EQ(cora.validation.size(), 500u);
  EXPECT_EQ(cora.test.size(), 1000u);
  Tensor dense = cora.feature_matrix();
  double ones = 0;
  for (float value : dense.to_vector<float>()) ones += value;
  EXPECT_EQ(ones, 49216);
}

TEST(CitationGraph, RefusesBrokenFiles) {
  const std::string content = "p\t0\t1\tA\nq\t1\t1\tB\nr\t0\t0\tA\n";
  auto parse = [&](const std::string& text, const std::string& cites, const std::string& split = "",
                   const std::string& classes = "") {
    return error_of([&] {
      parse_citation_graph({bytes_of(text), bytes_of(cites), bytes_of(classes), bytes_of(split)},
                           "g");
    });
  };
  EXPECT_EQ(parse(content, "p\tq\nq\tp\nr\tr\n", "train\tp\ntest\tq r\n"), "");
  CitationGraph graph =
      parse_citation_graph({bytes_of(content), bytes_of("q\tp\np\tq\nr\tr\n"), {}, {}}, "g");
  EXPECT_EQ(graph.edges, (std::vector<std::pair<int64_t, int64_t>>{{0, 1}}));
  EXPECT_EQ(graph.labels, (std::vector<int64_t>{0, 1, 0}));
  EXPECT_NE(parse(content, "p\tx\n").find("cites line 1: node 'x'"), std::string::npos);
  EXPECT_NE(parse(content, "p\n").find("1 fields"), std::string::npos);
  EXPECT_NE(parse(content + "s\t1\tA\n", "").find("content line 4"), std::string::npos);
  EXPECT_NE(parse("p\t0\t2\tA\n", "").find("feature 1 is '2'"), std::string::npos);
  EXPECT_NE(parse(content + "p\t0\t0\tA\n", "").find("twice"), std::string::npos);
  EXPECT_NE(parse(content, "", "train\tp\nval\tp\n").find("twice"), std::string::npos);
  EXPECT_NE(parse(content, "", "dev\tp\n").find("expected train"), std::string::npos);
  EXPECT_NE(parse(content, "", "", "0\tA\n").find("class 'B'"), std::string::npos);
  EXPECT_NE(parse("", "").find("no node"), std::string::npos);
  EXPECT_NE(parse("lonely\n", "").find("fields"), std::string::npos);
}

}  // namespace
}  // namespace strata

#include "engine/data/captions.h"

#include <algorithm>
#include <array>
#include <map>
#include <sstream>

#include "kernels/common/parallel.h"

namespace strata::captions {

using namespace terrace;

namespace {

// The words of each value, two of them.
struct Words {
  int factor;
  std::vector<std::array<const char*, 2>> of_value;
};
const std::vector<Words>& lexicon() {
  static const std::vector<Words> words = {
      {hue,
       {{"red", "crimson"},
        {"orange", "amber"},
        {"lime", "chartreuse"},
        {"green", "emerald"},
        {"teal", "turquoise"},
        {"azure", "blue"},
        {"violet", "purple"},
        {"magenta", "pink"}}},
      {frequency, {{"fine", "thin"}, {"medium", "middling"}, {"coarse", "broad"}}},
      {junction, {{"corner", "ell"}, {"tee", "branch"}, {"crossing", "saltire"}, {"fork", "wye"}}},
      {background,
       {{"horizon", "plain"}, {"wall", "brickwork"}, {"patchwork", "quilt"}, {"stage", "spot"}}},
      {texture_above,
       {{"striped", "lined"},
        {"checked", "chequered"},
        {"slanted", "skewed"},
        {"woven", "netted"}}},
      {outline_above,
       {{"disc", "circle"}, {"square", "box"}, {"triangle", "wedge"}, {"cross", "plus"}}},
      {object, {{"dax", "daxen"}, {"wug", "wugling"}, {"toma", "tomari"}, {"blick", "blicket"}}},
  };
  return words;
}

constexpr const char* start_word = "<start>";
constexpr const char* end_word = "<end>";
const std::vector<std::string> above_words = {"above", "over", "atop"};
const std::vector<std::string> below_words = {"below", "under", "beneath"};
const std::vector<std::string> openings = {"", "a picture of", "an image showing", "there is",
                                           "we see"};

// What a word means: a value of a factor.
struct Meaning {
  int factor, value;
};
const std::map<std::string, Meaning>& meanings() {
  static const std::map<std::string, Meaning> all = [] {
    std::map<std::string, Meaning> map;
    for (const Words& words : lexicon())
      for (size_t value = 0; value < words.of_value.size(); ++value)
        for (const char* word : words.of_value[value])
          map[word] = {words.factor, static_cast<int>(value)};
    return map;
  }();
  return all;
}

std::vector<std::string> split_words(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

const std::string& any_of(const std::vector<std::string>& list, KeyedRandom& random) {
  return list[random.below(static_cast<uint32_t>(list.size()))];
}

bool contains(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// A word for a value of `factor`, that of the part above standing for both parts.
std::string word_for(int factor, int value, KeyedRandom& random) {
  for (const Words& words : lexicon())
    if (words.factor == factor) return words.of_value[static_cast<size_t>(value)][random.below(2)];
  fail("captions", Caller{}, "there are no words for the factor '{}'", row_of(factor).name);
}

// "a red striped disc", "a disc that is striped", "a shape".
std::string part_phrase(const Record& record, int slot, const std::string& hue_word,
                        KeyedRandom& random) {
  const int texture = record[texture_above + slot], outline = record[outline_above + slot];
  std::string noun = outline == unnamed ? "shape" : word_for(outline_above, outline, random);
  std::string text = "a ";
  if (!hue_word.empty()) text += hue_word + " ";
  if (texture == unnamed) return text + noun;
  const std::string adjective = word_for(texture_above, texture, random);
  return text + (random.below(3) ? adjective + " " + noun : noun + " that is " + adjective);
}

// "a red disc above a cross", or the other way round.
std::string scene_phrase(const Record& record, const std::string& hue_word, KeyedRandom& random) {
  const int first = static_cast<int>(random.below(2));
  std::string text = random.below(4) ? "" : "two shapes , ";
  text += part_phrase(record, first, hue_word, random);
  text += " " + any_of(first == 0 ? above_words : below_words, random) + " ";
  return text + part_phrase(record, 1 - first, "", random);
}

}  // namespace

std::string caption(const Record& record, KeyedRandom& random) {
  std::string hue_word = record[hue] == unnamed ? "" : word_for(hue, record[hue], random);
  const bool hue_first = random.below(3) > 0;  // as an adjective, or in a clause
  std::vector<std::string> clauses;
  if (!hue_word.empty() && !hue_first) clauses.push_back("in " + hue_word);
  auto clause = [&](int factor, const char* before, const char* after) {
    if (record[factor] != unnamed)
      clauses.push_back(before + word_for(factor, record[factor], random) + after);
  };
  clause(frequency, "in ", " strokes");
  clause(background, "on a ", "");
  clause(junction, "beside a ", "");
  clause(object, "named ", "");
  std::string text = any_of(openings, random);
  if (!text.empty()) text += " ";
  text += scene_phrase(record, hue_first ? hue_word : "", random);
  while (!clauses.empty()) {
    const auto next = random.below(static_cast<uint32_t>(clauses.size()));
    text += " " + clauses[next];
    clauses.erase(clauses.begin() + next);
  }
  return text;
}

Record parse(const std::string& text, Caller at) {
  Record record;
  record.fill(unnamed);
  const std::vector<std::string> words = split_words(text);
  const auto relation = std::find_if(words.begin(), words.end(), [](const std::string& word) {
    return contains(above_words, word) || contains(below_words, word);
  });
  if (relation == words.end()) fail("captions", at, "'{}' does not say which part is above", text);
  const int first = contains(above_words, *relation) ? 0 : 1;
  for (auto word = words.begin(); word != words.end(); ++word) {
    const auto found = meanings().find(*word);
    if (found == meanings().end()) continue;
    auto [factor, value] = found->second;
    const bool of_part = factor == texture_above || factor == outline_above;
    if (of_part) factor += word < relation ? first : 1 - first;
    record[factor] = static_cast<int8_t>(value);
  }
  return record;
}

const std::vector<std::string>& vocabulary() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> list = {"<padding>", start_word};
    auto add = [&](const std::string& text) {
      for (const std::string& word : split_words(text))
        if (!contains(list, word)) list.push_back(word);
    };
    for (const std::string& opening : openings) add(opening);
    add("two shapes , a shape that is in strokes on beside named");
    for (const auto* list : {&above_words, &below_words})
      for (const std::string& word : *list) add(word);
    for (const Words& words : lexicon())
      for (const auto& synonyms : words.of_value)
        for (const char* word : synonyms) add(word);
    list.push_back(end_word);
    return list;
  }();
  return all;
}

std::vector<int64_t> tokens_of(const std::string& text, Caller at) {
  static const std::map<std::string, int64_t> numbers = [] {
    std::map<std::string, int64_t> map;
    for (size_t i = 0; i < vocabulary().size(); ++i) map[vocabulary()[i]] = static_cast<int64_t>(i);
    return map;
  }();
  std::vector<int64_t> tokens = {numbers.at(start_word)};
  for (const std::string& word : split_words(text)) {
    const auto found = numbers.find(word);
    if (found == numbers.end()) fail("captions", at, "the vocabulary has no word '{}'", word);
    tokens.push_back(found->second);
  }
  tokens.push_back(numbers.at(end_word));
  if (static_cast<int64_t>(tokens.size()) > context)
    fail("captions", at, "'{}' has {} tokens with start and end; {} fit", text, tokens.size(),
         context);
  tokens.resize(context, 0);
  return tokens;
}

Tensor trimmed(const Tensor& tokens) {
  const std::vector<int64_t> values = tokens.to_vector<int64_t>();
  int64_t longest = 1;
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i] != 0) longest = std::max(longest, 1 + static_cast<int64_t>(i) % tokens.size(1));
  return tokens.slice(1, 0, longest).contiguous();
}

std::string text_of(std::span<const int64_t> tokens, Caller at) {
  const auto count = static_cast<int64_t>(vocabulary().size());
  std::string text;
  for (int64_t token : tokens) {
    if (token < 0 || token >= count)
      fail("captions", at, "token {} is none of the {} of the vocabulary", token, count);
    if (token == count - 1) break;
    if (token > 1) text += (text.empty() ? "" : " ") + vocabulary()[static_cast<size_t>(token)];
  }
  return text;
}

bool held_out(const Record& record) { return record[outline_above] == record[hue] % kinds; }

namespace {

// Streams of an example, apart from terrace's own.
enum Stream : uint32_t { stream_outline = 200, stream_named, stream_words };

// How often a caption names each factor.
double chance_of_naming(int factor) {
  return factor == frequency || factor == junction || factor == background || factor == object
             ? 0.3
             : 0.8;
}

Record named_factors(const Record& record, uint64_t seed, uint64_t index) {
  KeyedRandom random(seed, index, stream_named);
  Record named;
  named.fill(unnamed);
  for (int factor : {hue, frequency, junction, background, texture_above, texture_below,
                     outline_above, outline_below, object})
    if (random.uniform() < chance_of_naming(factor)) named[factor] = record[factor];
  return named;
}

}  // namespace

Captions::Captions(const Options& options)
    : options_(options), images_(TerraceOptions{}, options.seed, int64_t{1} << 62) {}

// A terrace scene whose outline above is drawn again from those that its hue may have here.
Scene Captions::scene(uint64_t index) const {
  Scene scene = images_.scene(static_cast<int64_t>(index));
  const int novel = scene.record[hue] % kinds;
  KeyedRandom random(options_.seed, index, stream_outline);
  const int other = (novel + 1 + static_cast<int>(random.below(kinds - 1))) % kinds;
  scene.record[outline_above] =
      static_cast<int8_t>(options_.scenes == Scenes::held_out ? novel : other);
  derive(images_.rules(), scene.record);
  return scene;
}

Example Captions::example(uint64_t index) const {
  constexpr uint64_t elsewhere = uint64_t{1} << 61;  // numbers that no caller uses
  Example example;
  example.scene = scene(index);
  const Record told = options_.shuffled ? scene(index ^ elsewhere).record : example.scene.record;
  example.named = named_factors(told, options_.seed, index);
  KeyedRandom random(options_.seed, index, stream_words);
  example.text = caption(example.named, random);
  return example;
}

Pairs Captions::fill(uint64_t first, int64_t count) const {
  Pairs pairs{empty({count, side, side, 3}), empty({count, context}, DType::i64),
              std::vector<Record>(static_cast<size_t>(count))};
  float* pixels = pairs.images.data<float>();
  int64_t* tokens = pairs.tokens.data<int64_t>();
  parallel_for(count, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Example example = this->example(first + static_cast<uint64_t>(i));
      std::array<uint8_t, image_bytes> image;
      render(example.scene, image.data());
      images_.normalise(image.data(), pixels + i * image_bytes);
      std::ranges::copy(tokens_of(example.text), tokens + i * context);
      pairs.records[static_cast<size_t>(i)] = example.scene.record;
    }
  });
  return pairs;
}

}  // namespace strata::captions

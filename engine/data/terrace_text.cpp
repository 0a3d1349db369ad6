#include "engine/data/terrace_text.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/data/terrace_text_composer.h"

namespace strata {

using namespace terrace_text;

TerraceText::TerraceText(uint64_t seed, const TerraceTextOptions& options, Caller at)
    : seed_(seed),
      options_(options),
      topic_(terrace::make_table(options.topic_rule, options.rule_seed)) {
  if (options.sentences < 1)
    fail("terrace-text", at, "a passage has at least one sentence; got {}", options.sentences);
}

Passage TerraceText::passage(uint64_t index) const {
  Passage passage = Composer(seed_, index).passage(options_.sentences);
  passage.topic = topic_(passage.setting, passage.field);
  for (Token& token : passage.tokens) token.factors[topic] = static_cast<int8_t>(passage.topic);
  return passage;
}

MinimalPair TerraceText::minimal_pair(uint64_t index, Construction construction) const {
  return Composer(seed_, index).minimal_pair(construction);
}

std::vector<int> TerraceText::stream(uint64_t first, int64_t count) const {
  std::vector<int> all;
  for (int64_t i = 0; i < count; ++i)
    for (const Token& token : passage(first + static_cast<uint64_t>(i)).tokens)
      all.push_back(token.word);
  return all;
}

Tensor TerraceText::padded(uint64_t first, int64_t count) const {
  std::vector<int64_t> all(static_cast<size_t>(count * longest()), -100);
  for (int64_t i = 0; i < count; ++i) {
    auto place = all.begin() + i * longest();
    for (const Token& token : passage(first + static_cast<uint64_t>(i)).tokens)
      *place++ = token.word;
  }
  return from_vector(all, {count, longest()});
}

namespace {

// I(topic; first or second argument of the table), arguments uniform and independent.
double information(const terrace::Table& table, bool of_first) {
  double bits = std::log2(terrace::kinds);
  for (int given = 0; given < terrace::kinds; ++given) {
    std::array<int, terrace::kinds> counts{};
    for (int other = 0; other < terrace::kinds; ++other)
      ++counts[static_cast<size_t>(of_first ? table(given, other) : table(other, given))];
    for (int count : counts) {
      const double p = static_cast<double>(count) / terrace::kinds;
      if (count) bits += p * std::log2(p) / terrace::kinds;
    }
  }
  return bits;
}

// Share of tokens whose value a guess from the key has right, the best guess of each key counted on
// the same tokens.
double best_guess(const std::map<int, std::map<int, int64_t>>& counts) {
  int64_t right = 0, total = 0;
  for (const auto& [key, values] : counts) {
    int64_t best = 0;
    for (auto [value, count] : values) best = std::max(best, count), total += count;
    right += best;
  }
  return static_cast<double>(right) / static_cast<double>(total);
}

}  // namespace

double TerraceText::topic_information_of_a_noun() const { return information(topic_, true); }
double TerraceText::topic_information_of_a_verb() const { return information(topic_, false); }

std::string TerraceText::describe() const {
  constexpr uint64_t passages = 2000;
  std::array<std::map<int, std::map<int, int64_t>>, factor_count> by_word, blind;
  double bits = 0;
  int64_t tokens = 0, without_verb = 0;
  for (uint64_t i = 0; i < passages; ++i) {
    const Passage p = passage(i);
    bits += p.bits;
    bool verb = false;
    for (const Token& token : p.tokens) {
      if (token.sentence < 0) continue;
      ++tokens;
      verb |= token.factors[word_class] == static_cast<int8_t>(WordClass::verb);
      for (size_t f = 0; f < factor_count; ++f) {
        ++by_word[f][token.word][token.factors[f]];
        ++blind[f][0][token.factors[f]];
      }
    }
    without_verb += !verb;
  }
  std::string text = fmt::format(
      "terrace-text, {} words, {} sentences a passage\n"
      "level  factor         values  chance  from the word alone\n",
      vocabulary(), options_.sentences);
  for (int f = 0; f < factor_count; ++f)
    text += fmt::format("{:5}  {:13}  {:6}  {:6.3f}  {:19.3f}\n", row_of(f).level, row_of(f).name,
                        row_of(f).value_names.size(), best_guess(blind[static_cast<size_t>(f)]),
                        best_guess(by_word[static_cast<size_t>(f)]));
  const double rate = bits / static_cast<double>(tokens);
  return text + fmt::format(
                    "every factor follows from the passage as a whole: ceiling 1; only the topic "
                    "wants a verb, which {:.2f} % of the passages lack\n"
                    "I(topic; a noun) {:.3f} bits, I(topic; a verb) {:.3f}, other words 0, of 2\n"
                    "entropy {:.3f} bits a word: no model has a perplexity below {:.3f}\n",
                    100.0 * static_cast<double>(without_verb) / passages,
                    topic_information_of_a_noun(), topic_information_of_a_verb(), rate,
                    std::exp2(rate));
}

namespace terrace_text {

std::string text_of(const std::vector<int>& numbers) {
  std::string text;
  for (int word : numbers)
    if (word != begin_word)
      text += (text.empty() ? "" : " ") + words()[static_cast<size_t>(word)].text;
  return text;
}

std::string text_of(const Passage& passage) {
  std::vector<int> numbers;
  for (const Token& token : passage.tokens) numbers.push_back(token.word);
  return text_of(numbers);
}

std::vector<int> tokens_of_characters(const Passage& passage) {
  std::vector<int> owners;
  for (size_t i = 0; i < passage.tokens.size(); ++i) {
    if (passage.tokens[i].word == begin_word) continue;
    if (!owners.empty()) owners.push_back(owners.back());
    owners.insert(owners.end(), words()[static_cast<size_t>(passage.tokens[i].word)].text.size(),
                  static_cast<int>(i));
  }
  return owners;
}

}  // namespace terrace_text
}  // namespace strata

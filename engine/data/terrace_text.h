// terrace-text: passages written by a grammar, each word with its full record, so that what a probe
// says about a language model can be scored. engine/data/terrace_text_grammar.h has the words and
// the names of the factors.
//
//   the king near the castles follows some goats and he walks .
//
// A passage has a setting (its nouns), a field (its verbs), and the topic that a table makes of the
// two, by a rule of engine/data/terrace_rules.h. Under a latin square no word alone says anything
// about the topic; under a staircase a noun says I(topic; setting). In a sentence
//   - a subject has perhaps one modifier: prepositional phrases (up to two) or a relative clause,
//     whose nouns are of either number: the verb agrees with its subject, not with what is near;
//   - a pronoun stands for the subject of the sentence before (in a compound, of the same one);
//   - "is (not) ADJECTIVE" has a sentiment, polarity turned round by "not"; all such sentences of a
//     passage have the same one.
//
// Passage i is a function of (seed, i): Philox over (seed, i, number of the sentence). Every text
// has one derivation, so the probabilities of the choices multiply to that of the text: `bits` is
// -log2 P exactly, and its mean over words is the entropy rate that no model can go below.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/data/terrace_rules.h"
#include "engine/data/terrace_text_grammar.h"
#include "engine/tensor/tensor.h"

namespace strata {
namespace terrace_text {

struct Token {
  int word = 0;
  std::array<int8_t, factor_count> factors{};
  int head = -1;      // place of the word it depends on; -1: root, or the mark at the beginning
  int span = 0;       // the innermost phrase, in Passage::spans
  int sentence = -1;  // in Passage::sentences; -1: the mark
};
// A phrase: tokens [begin, end), inside the phrase `parent` (-1: a sentence).
struct Span {
  Phrase type = Phrase::sentence;
  int begin = 0, end = 0, parent = -1;
};
struct Sentence {
  SentenceType type = SentenceType::transitive;
  Sentiment sentiment = Sentiment::none;
  int begin = 0, end = 0;
  int subject = 0;  // its chain
};
struct Passage {
  std::vector<Token> tokens;  // the first is the mark <s>
  std::vector<Span> spans;
  std::vector<Sentence> sentences;
  int setting = 0, field = 0, topic = 0;
  double bits = 0;  // -log2 of the probability of the text
};

// What stands between a subject and its verb: nothing; one or two prepositional phrases; a relative
// clause with a subject of its own. Its nouns have the number that the subject has not.
enum class Construction { simple, prepositional, two_prepositional, relative };
inline constexpr int constructions = 4;
const char* name_of(Construction construction);

// A sentence whose verb at `place` is right, and the other number of that verb, which is wrong
// (Linzen et al. 2016).
struct MinimalPair {
  std::vector<int> words;  // begins with the mark <s>
  int place = 0;
  int right = 0, wrong = 0;
};

}  // namespace terrace_text

struct TerraceTextOptions {
  terrace::Rule topic_rule = terrace::Rule::staircase;
  uint64_t rule_seed = 0;  // of a random table
  int sentences = 4;       // of a passage, at least 1
};

class TerraceText {
 public:
  explicit TerraceText(uint64_t seed, const TerraceTextOptions& options = {},
                       Caller at = Caller::here());

  terrace_text::Passage passage(uint64_t index) const;
  terrace_text::MinimalPair minimal_pair(uint64_t index,
                                         terrace_text::Construction construction) const;

  int64_t vocabulary() const { return static_cast<int64_t>(terrace_text::words().size()); }
  // Words of a passage at most, with its mark.
  int64_t longest() const { return 1 + 19 * options_.sentences; }

  // Word numbers of passages first .. first + count - 1 one after the other.
  std::vector<int> stream(uint64_t first, int64_t count) const;
  // The same as i64 [count, longest()], filled up with -100, which losses ignore.
  Tensor padded(uint64_t first, int64_t count) const;

  // I(topic; one noun), or verb, in bits, by enumeration of the table; every other word: 0.
  double topic_information_of_a_noun() const;
  double topic_information_of_a_verb() const;
  // Levels, chances, what the word alone tells (counted in 2,000 passages), entropy.
  std::string describe() const;

 private:
  uint64_t seed_;
  TerraceTextOptions options_;
  terrace::Table topic_;
};

namespace terrace_text {
// Words with spaces between, without the marks.
std::string text_of(const std::vector<int>& words);
std::string text_of(const Passage& passage);
// Of each character of text_of(passage), the token it belongs to; a space belongs to the one
// before.
std::vector<int> tokens_of_characters(const Passage& passage);
}  // namespace terrace_text

}  // namespace strata

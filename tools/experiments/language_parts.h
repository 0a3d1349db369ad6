// What the experiment on language models is made of: a causal and a masked transformer on
// terrace-text, six questions about words of a passage whose answers the grammar has recorded, and
// a transformer on random tokens that repeat, in which nothing but copying can be learnt.
//
//   factor          asked of                          answer
//   word class      "that"                            determiner or relative
//   phrase          verbs and adjectives              the innermost phrase around it
//   dependency      nouns and verbs                   the relation to the word it depends on
//   sentence type   nouns                             transitive, intransitive, ... of its sentence
//   coreference     pronouns                          who is meant: one of 8 who act in a setting
//   topic           what is no noun, last sentence    the setting, from which all nouns are
//
// They are asked of words that leave the answer open, so that the word alone is worth little.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/data/terrace_text.h"
#include "models/model.h"

namespace strata::experiments {

struct TextTraining {
  bool masked = false;  // BertMaskedLm, which fills gaps; else Gpt, which predicts the next word
  int64_t layers = 4, width = 48, heads = 4;
  double rate = 1e-2;
  int64_t steps = 1000, passages = 16;  // a step
  Device device = Device::cpu;
};
// Passages of two sentences, 39 words at most.
inline constexpr int text_sentences = 2;
// On the cpu and in evaluation mode at the end.
std::unique_ptr<Model> train_text(const TextTraining& training, uint64_t seed);

enum class TextFactor { word_class, phrase, dependency, sentence_type, coreference, topic };
inline constexpr int text_factors = 6;
const char* name_of(TextFactor factor);
// The answer for one word of a passage, from 0; -1 where it is not asked.
int64_t answer_of(const terrace_text::Passage& passage, size_t place, TextFactor factor);

// Passages first .. first + count - 1 through all layers of a model.
struct ReadText {
  std::vector<terrace_text::Passage> passages;
  std::vector<Tensor> layers;  // [passages, longest, width]: token and position, then the blocks
};
ReadText read_text(Model& model, uint64_t seed, uint64_t first, int64_t count);

// The words of which a factor is asked, the same ones for every model of a seed.
struct TextCodes {
  std::vector<Tensor> layers;  // [words, width]
  std::vector<int64_t> answers;
  std::vector<int64_t> words;  // their numbers
};
TextCodes words_asked(const ReadText& text, TextFactor factor, int64_t most);

// Sequences [n, length] of tokens of which each is one of `vocabulary` at random up to a period
// drawn from a quarter to half of the length for each sequence, and then that of one period before.
// The periods differ, so that what repeats cannot be found by counting places.
struct Repeats {
  Tensor tokens;                 // i64 [n, length]
  std::vector<int64_t> periods;  // n
};
Repeats repeating_tokens(int64_t vocabulary, int64_t n, int64_t length, uint64_t seed,
                         uint64_t step);

struct InductionCurve {
  std::vector<double> step;
  std::vector<double> score;  // of the best head, tools/introspect/language/patterns.h
  std::vector<double> loss;   // in nats, of tokens that could be copied
  double guessing = 0;        // what they cost without copying, log of the vocabulary
};
InductionCurve train_induction(int64_t layers, int64_t steps, int64_t every, uint64_t seed);
// Step at which `values` first passed half the way from `start` to its last one, between readings
// by a straight line; -1 where it never did.
double half_way(const std::vector<double>& step, const std::vector<double>& values, double start);

}  // namespace strata::experiments

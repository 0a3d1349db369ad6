// What word vectors are asked: neighbours, similarity, analogies.
//
// "a is to b as c is to d" is answered with the word d that has the largest
//   3CosAdd   cos(d, b) - cos(d, a) + cos(d, c)            (Mikolov et al. 2013)
//   3CosMul   cos+(d, b) cos+(d, c) / (cos+(d, a) + .001)  cos+ = (cos + 1) / 2
//                                                           (Levy and Goldberg 2014, equation 4)
// The words of the question are not answers by custom. That is a help that should be said: b or c
// is often the nearest word, so scores come with them allowed too.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "engine/data/analogy.h"
#include "engine/tensor/tensor.h"

namespace strata {

struct WordNeighbour {
  std::string word;
  double cosine = 0;
};

enum class AnalogyRule { add, multiply };
struct AnalogyScore {
  std::string name;
  int64_t questions = 0;  // with all four words known, the others are left out
  int64_t skipped = 0;
  int64_t right = 0;         // words of the question are no answers
  int64_t right_of_all = 0;  // every word may be the answer
  double accuracy() const { return share(right); }
  double accuracy_of_all() const { return share(right_of_all); }

 private:
  double share(int64_t count) const {
    return questions ? static_cast<double>(count) / static_cast<double>(questions) : 0;
  }
};

class WordVectors {
 public:
  // vectors [V, C], one a word; their lengths do not matter.
  WordVectors(std::vector<std::string> words, const Tensor& vectors, Caller at = Caller::here());

  // -1: unknown.
  int64_t number_of(const std::string& word) const;
  // Cosine; an unknown word is an error.
  double similarity(const std::string& a, const std::string& b, Caller at = Caller::here()) const;
  // The k nearest by cosine, without the word itself, nearest first; ties by number.
  std::vector<WordNeighbour> nearest(const std::string& word, int64_t k,
                                     Caller at = Caller::here()) const;
  // The best answer; `exclude`: not a, b or c.
  std::string analogy(const std::string& a, const std::string& b, const std::string& c,
                      AnalogyRule rule = AnalogyRule::add, bool exclude = true,
                      Caller at = Caller::here()) const;

  AnalogyScore score(const AnalogySection& section, AnalogyRule rule = AnalogyRule::add) const;
  // A score a section, and "all" at the end.
  std::vector<AnalogyScore> score(const std::vector<AnalogySection>& sections,
                                  AnalogyRule rule = AnalogyRule::add) const;

 private:
  struct Answers {
    int64_t without_question = -1, of_all = -1;
  };
  int64_t must_know(const std::string& word, Caller at) const;
  std::vector<float> cosines(int64_t word) const;  // with every word
  Answers answer(int64_t a, int64_t b, int64_t c, AnalogyRule rule,
                 std::unordered_map<int64_t, std::vector<float>>& known) const;

  std::vector<std::string> words_;
  std::unordered_map<std::string, int64_t> numbers_;
  int64_t width_;
  std::vector<float> unit_;  // [V, C], rows of length 1
};

}  // namespace strata

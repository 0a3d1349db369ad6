// A treebank for a tagger: its words, characters and universal parts of speech as numbers.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/data/conllu.h"
#include "engine/tensor/tensor.h"

namespace strata::train {

using Sentences = std::vector<const TreebankSentence*>;

// Numbers of words (in lower case), characters (as they are) and tags. Words and characters begin
// with padding, 0, and those without a number, 1.
class TagVocabulary {
 public:
  static constexpr int64_t padding = 0, unknown = 1;
  explicit TagVocabulary(const Sentences& training);

  int64_t words() const { return static_cast<int64_t>(words_.size()) + 2; }
  int64_t characters() const { return static_cast<int64_t>(characters_.size()) + 2; }
  int64_t tags() const { return static_cast<int64_t>(tag_names_.size()); }
  int64_t word(const std::string& form) const;
  // The first `letters` characters, filled up with padding.
  std::vector<int64_t> spelling(const std::string& form, int64_t letters) const;
  // -1 for a tag that the training sentences do not have.
  int64_t tag(const std::string& name) const;
  const std::string& tag_name(int64_t tag) const { return tag_names_[static_cast<size_t>(tag)]; }
  // How often a word of this number was seen.
  int64_t count(int64_t word) const { return counts_[static_cast<size_t>(word)]; }
  nlohmann::json to_json() const;

 private:
  std::map<std::string, int64_t> words_, tags_;
  std::map<char32_t, int64_t> characters_;
  std::vector<std::string> tag_names_;
  std::vector<int64_t> counts_;
};

// UTF-8 text in lower case, character by character.
std::string in_lower_case(const std::string& text);

// Tags each word as it was tagged most often in the training sentences (by its lower-case form; the
// one seen first among equals), and NOUN if it was not there.
class MostFrequentTag {
 public:
  explicit MostFrequentTag(const Sentences& training);
  std::string tag(const std::string& form) const;
  bool knows(const std::string& form) const { return tags_.count(in_lower_case(form)) > 0; }

 private:
  std::map<std::string, std::string> tags_;
};

// Sentences as a Tagger takes them, padded to the longest.
struct TagBatch {
  Tensor words;    // i64 [N, T, 1 + letters]
  Tensor targets;  // i64 [N, T]; ignored (-100) at padding and unknown tags
};
// `forget(word)`: whether to hide that a word has a number; for training.
template <class Forget>
TagBatch tag_batch(const Sentences& sentences, const TagVocabulary& vocabulary, int64_t letters,
                   Forget&& forget) {
  constexpr int64_t ignored = -100;
  size_t longest = 0;
  for (const TreebankSentence* s : sentences) longest = std::max(longest, s->words.size());
  std::vector<int64_t> words, targets;
  for (const TreebankSentence* s : sentences) {
    for (const TreebankWord& w : s->words) {
      const int64_t number = vocabulary.word(w.form), tag = vocabulary.tag(w.upos);
      words.push_back(forget(number) ? TagVocabulary::unknown : number);
      const std::vector<int64_t> spelling = vocabulary.spelling(w.form, letters);
      words.insert(words.end(), spelling.begin(), spelling.end());
      targets.push_back(tag < 0 ? ignored : tag);
    }
    const size_t missing = longest - s->words.size();
    words.resize(words.size() + missing * static_cast<size_t>(1 + letters), TagVocabulary::padding);
    targets.resize(targets.size() + missing, ignored);
  }
  const int64_t N = static_cast<int64_t>(sentences.size()), T = static_cast<int64_t>(longest);
  return {from_vector(words, {N, T, 1 + letters}), from_vector(targets, {N, T})};
}

}  // namespace strata::train

#include "models/words/corpus.h"

#include <algorithm>
#include <cctype>
#include <unordered_map>

#include "engine/data/keyed_random.h"

namespace strata {
namespace {

// Calls word(text) for each word in order.
template <class Visit>
void each_word(std::string_view text, Visit&& visit) {
  std::string word;
  for (size_t i = 0; i <= text.size(); ++i) {
    const unsigned char c = i < text.size() ? static_cast<unsigned char>(text[i]) : ' ';
    if (std::isalpha(c) || (c == '\'' && !word.empty())) {
      word += static_cast<char>(std::tolower(c));
      continue;
    }
    while (!word.empty() && word.back() == '\'') word.pop_back();
    if (!word.empty()) visit(word);
    word.clear();
  }
}

}  // namespace

Corpus corpus_of(std::string_view text, int64_t least) {
  std::unordered_map<std::string, int64_t> counts;
  each_word(text, [&](const std::string& word) { ++counts[word]; });
  std::vector<std::pair<int64_t, std::string>> kept;
  for (auto& [word, count] : counts)
    if (count >= least) kept.emplace_back(-count, word);
  std::sort(kept.begin(), kept.end());
  Corpus corpus;
  std::unordered_map<std::string, int> numbers;
  for (auto& [count, word] : kept) {
    numbers.emplace(word, static_cast<int>(corpus.words.size()));
    corpus.words.push_back(word);
    corpus.counts.push_back(-count);
  }
  each_word(text, [&](const std::string& word) {
    auto found = numbers.find(word);
    if (found != numbers.end()) corpus.tokens.push_back(found->second);
  });
  return corpus;
}

void shuffle_tokens(Corpus& corpus, uint64_t seed) {
  std::vector<size_t> places;
  std::vector<int> words;
  for (size_t i = 0; i < corpus.tokens.size(); ++i) {
    if (corpus.tokens[i] == Corpus::boundary) continue;
    places.push_back(i);
    words.push_back(corpus.tokens[i]);
  }
  const KeyedPermutation order(places.size(), seed, 0);
  for (size_t i = 0; i < places.size(); ++i) corpus.tokens[places[i]] = words[order(i)];
}

}  // namespace strata

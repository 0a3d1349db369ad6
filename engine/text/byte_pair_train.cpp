// Learning a byte-pair vocabulary: the words of the text with their counts, the counts of their
// neighbouring tokens, and a queue that gives the most frequent pair. A count in the queue may be
// out of date, and then goes back with the right one.
#include <map>
#include <queue>
#include <set>
#include <unordered_set>

#include "engine/text/byte_pair.h"
#include "engine/text/byte_symbols.h"

namespace strata {
namespace {

using Pair = std::pair<int64_t, int64_t>;

struct Word {
  std::vector<int64_t> tokens;
  int64_t count = 0;
};

class Learner {
 public:
  explicit Learner(std::vector<Word> words) : words_(std::move(words)) {
    for (size_t i = 0; i < words_.size(); ++i) count_pairs(i, 1, nullptr);
    for (const auto& [pair, count] : counts_) queue_.push({count, pair});
  }

  // The most frequent pair that stands at two places, the smaller numbers among equals.
  bool next(Pair& pair) {
    while (!queue_.empty()) {
      const Entry top = queue_.top();
      queue_.pop();
      const int64_t count = counts_[top.pair];
      if (count != top.count) {
        if (count > 0) queue_.push({count, top.pair});
        continue;
      }
      if (count < 2) return false;
      pair = top.pair;
      return true;
    }
    return false;
  }

  void merge(const Pair& pair, int64_t result) {
    std::set<Pair> grown;
    const std::unordered_set<size_t> places = std::move(places_[pair]);
    for (size_t i : places) {
      count_pairs(i, -1, nullptr);
      std::vector<int64_t>& tokens = words_[i].tokens;
      size_t kept = 0;
      for (size_t j = 0; j < tokens.size(); ++j) {
        const bool here =
            j + 1 < tokens.size() && tokens[j] == pair.first && tokens[j + 1] == pair.second;
        tokens[kept++] = here ? result : tokens[j];
        j += here ? 1 : 0;
      }
      tokens.resize(kept);
      count_pairs(i, 1, &grown);
    }
    for (const Pair& changed : grown) queue_.push({counts_[changed], changed});
  }

 private:
  struct Entry {
    int64_t count;
    Pair pair;
    bool operator<(const Entry& other) const {
      return count != other.count ? count < other.count : pair > other.pair;
    }
  };

  void count_pairs(size_t i, int64_t sign, std::set<Pair>* seen) {
    const Word& word = words_[i];
    for (size_t j = 0; j + 1 < word.tokens.size(); ++j) {
      const Pair pair{word.tokens[j], word.tokens[j + 1]};
      counts_[pair] += sign * word.count;
      if (sign > 0) places_[pair].insert(i);
      if (seen) seen->insert(pair);
    }
  }

  std::vector<Word> words_;
  std::map<Pair, int64_t> counts_;
  std::map<Pair, std::unordered_set<size_t>> places_;
  std::priority_queue<Entry> queue_;
};

}  // namespace

BytePairTokenizer BytePairTokenizer::train(std::string_view text, int64_t size,
                                           const std::vector<std::string>& special, Caller at) {
  const int64_t least = 256 + static_cast<int64_t>(special.size());
  if (size < least)
    fail("byte_pair", at, "{} tokens are too few: 256 bytes and {} special tokens make {}", size,
         special.size(), least);
  BytePairTokenizer out;
  // Bytes in the order of their characters in the files, as GPT-2 numbers them.
  std::map<char32_t, int> order;
  for (int byte = 0; byte < 256; ++byte)
    order[text::byte_symbols()[static_cast<size_t>(byte)]] = byte;
  for (const auto& [symbol, byte] : order) {
    out.byte_tokens_[static_cast<size_t>(byte)] = out.size();
    out.tokens_.push_back(std::string(1, static_cast<char>(byte)));
  }
  std::map<std::string_view, int64_t> counts;
  text::SpecialTokens cut;
  for (const std::string& token : special) {
    if (token.empty()) fail("byte_pair", at, "a special token is empty");
    cut.add(token, 0);
  }
  cut.split(
      text,
      [&](std::string_view piece) {
        for (std::string_view word : text::words_of(piece)) ++counts[word];
      },
      [](int64_t) {});
  std::vector<Word> words;
  for (const auto& [bytes, count] : counts) {
    Word word{{}, count};
    for (char byte : bytes) word.tokens.push_back(out.byte_tokens_[static_cast<uint8_t>(byte)]);
    words.push_back(std::move(word));
  }
  std::unordered_map<std::string, int64_t> known;
  for (int64_t i = 0; i < out.size(); ++i) known[out.tokens_[static_cast<size_t>(i)]] = i;
  Learner learner(std::move(words));
  Pair pair;
  while (out.size() + static_cast<int64_t>(special.size()) < size && learner.next(pair)) {
    const auto [left, right] = pair;
    // Two pairs may spell the same token, which then has one number.
    const std::string bytes =
        out.tokens_[static_cast<size_t>(left)] + out.tokens_[static_cast<size_t>(right)];
    const auto [token, fresh] = known.emplace(bytes, out.size());
    if (fresh) out.tokens_.push_back(bytes);
    out.merge_of_[key(left, right)] = {static_cast<int64_t>(out.merges_.size()), token->second};
    out.merges_.push_back({left, right});
    learner.merge(pair, token->second);
  }
  for (const std::string& token : special) {
    out.special_.add(token, out.size());
    out.tokens_.push_back(token);
  }
  return out;
}

}  // namespace strata

#include "models/words/analogies.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace strata {

WordVectors::WordVectors(std::vector<std::string> words, const Tensor& vectors, Caller at)
    : words_(std::move(words)) {
  if (vectors.rank() != 2 || vectors.size(0) != static_cast<int64_t>(words_.size()))
    fail("WordVectors", at, "wants one vector a word, [{}, C]; got {}", words_.size(),
         describe(vectors));
  width_ = vectors.size(1);
  unit_ = vectors.to_vector<float>();
  for (size_t w = 0; w < words_.size(); ++w) {
    numbers_.emplace(words_[w], static_cast<int64_t>(w));
    float* row = unit_.data() + static_cast<int64_t>(w) * width_;
    const float length = std::sqrt(std::inner_product(row, row + width_, row, 0.0f));
    for (int64_t c = 0; c < width_; ++c) row[c] /= std::max(length, 1e-12f);
  }
}

int64_t WordVectors::number_of(const std::string& word) const {
  auto found = numbers_.find(word);
  return found == numbers_.end() ? -1 : found->second;
}

int64_t WordVectors::must_know(const std::string& word, Caller at) const {
  const int64_t number = number_of(word);
  if (number < 0) fail("WordVectors", at, "'{}' is not among the {} words", word, words_.size());
  return number;
}

std::vector<float> WordVectors::cosines(int64_t word) const {
  std::vector<float> all(words_.size());
  const float* a = unit_.data() + word * width_;
  for (size_t w = 0; w < all.size(); ++w) {
    const float* b = unit_.data() + static_cast<int64_t>(w) * width_;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t c = 0; c < width_; ++c) sum += a[c] * b[c];
    all[w] = sum;
  }
  return all;
}

double WordVectors::similarity(const std::string& a, const std::string& b, Caller at) const {
  const int64_t other = must_know(b, at);
  return cosines(must_know(a, at))[static_cast<size_t>(other)];
}

std::vector<WordNeighbour> WordVectors::nearest(const std::string& word, int64_t k,
                                                Caller at) const {
  const int64_t self = must_know(word, at);
  const std::vector<float> cosine = cosines(self);
  std::vector<int64_t> order;
  for (int64_t w = 0; w < static_cast<int64_t>(words_.size()); ++w)
    if (w != self) order.push_back(w);
  k = std::min(k, static_cast<int64_t>(order.size()));
  auto nearer = [&](int64_t a, int64_t b) {
    const float x = cosine[static_cast<size_t>(a)], y = cosine[static_cast<size_t>(b)];
    return x != y ? x > y : a < b;
  };
  std::partial_sort(order.begin(), order.begin() + k, order.end(), nearer);
  std::vector<WordNeighbour> found;
  for (int64_t i = 0; i < k; ++i) {
    const auto w = static_cast<size_t>(order[static_cast<size_t>(i)]);
    found.push_back({words_[w], cosine[w]});
  }
  return found;
}

// The vectors have length 1, so that a cosine with b - a + c is, but for a factor that is the same
// for every d, the sum of three cosines: a row a word suffices, and `known` keeps those.
WordVectors::Answers WordVectors::answer(
    int64_t a, int64_t b, int64_t c, AnalogyRule rule,
    std::unordered_map<int64_t, std::vector<float>>& known) const {
  for (int64_t word : {a, b, c})
    if (!known.count(word)) known.emplace(word, cosines(word));
  const std::vector<float>&to_a = known[a], &to_b = known[b], &to_c = known[c];
  Answers best;
  float value_without = 0, value_of_all = 0;
  for (size_t d = 0; d < words_.size(); ++d) {
    const float value = rule == AnalogyRule::add
                            ? to_b[d] - to_a[d] + to_c[d]
                            : (to_b[d] + 1) * (to_c[d] + 1) / (2 * (to_a[d] + 1) + 0.004f);
    const auto number = static_cast<int64_t>(d);
    if (best.of_all < 0 || value > value_of_all) best.of_all = number, value_of_all = value;
    if (number == a || number == b || number == c) continue;
    if (best.without_question < 0 || value > value_without)
      best.without_question = number, value_without = value;
  }
  return best;
}

std::string WordVectors::analogy(const std::string& a, const std::string& b, const std::string& c,
                                 AnalogyRule rule, bool exclude, Caller at) const {
  std::unordered_map<int64_t, std::vector<float>> known;
  const Answers best = answer(must_know(a, at), must_know(b, at), must_know(c, at), rule, known);
  const int64_t number = exclude ? best.without_question : best.of_all;
  if (number < 0) fail("WordVectors", at, "no word is left to answer with");
  return words_[static_cast<size_t>(number)];
}

AnalogyScore WordVectors::score(const AnalogySection& section, AnalogyRule rule) const {
  AnalogyScore score{section.name};
  std::unordered_map<int64_t, std::vector<float>> known;
  for (const auto& [a, b, c, d] : section.questions) {
    const int64_t right = number_of(d);
    if (right < 0 || number_of(a) < 0 || number_of(b) < 0 || number_of(c) < 0) {
      ++score.skipped;
      continue;
    }
    const Answers best = answer(number_of(a), number_of(b), number_of(c), rule, known);
    ++score.questions;
    score.right += best.without_question == right;
    score.right_of_all += best.of_all == right;
  }
  return score;
}

std::vector<AnalogyScore> WordVectors::score(const std::vector<AnalogySection>& sections,
                                             AnalogyRule rule) const {
  std::vector<AnalogyScore> all;
  AnalogyScore total{"all"};
  for (const AnalogySection& section : sections) {
    all.push_back(score(section, rule));
    total.questions += all.back().questions;
    total.skipped += all.back().skipped;
    total.right += all.back().right;
    total.right_of_all += all.back().right_of_all;
  }
  all.push_back(total);
  return all;
}

}  // namespace strata

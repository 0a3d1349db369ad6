#include "tools/train/count_model.h"

#include <cmath>

namespace strata::train {

CountModel::CountModel(int64_t symbols, int64_t context, double strength, Caller at)
    : symbols_(static_cast<uint64_t>(symbols)),
      strength_(strength),
      orders_(static_cast<size_t>(context) + 1) {
  const double digits = static_cast<double>(context + 1) *
                        std::log2(static_cast<double>(std::max<int64_t>(symbols, 1)));
  if (symbols < 1 || context < 0 || digits >= 64) {
    fail("CountModel", at, "cannot count contexts of {} among {} symbols: they do not fit 64 bits",
         context, symbols);
  }
}

uint64_t CountModel::key(std::span<const int64_t> text, size_t first, size_t last) const {
  uint64_t number = 0;
  for (size_t i = first; i < last; ++i) number = number * symbols_ + static_cast<uint64_t>(text[i]);
  return number;
}

void CountModel::fit(std::span<const int64_t> text) {
  for (size_t k = 0; k < orders_.size(); ++k) {
    for (size_t i = k; i < text.size(); ++i) {
      ++orders_[k].contexts[key(text, i - k, i)];
      ++orders_[k].continued[key(text, i - k, i + 1)];
    }
  }
}

double CountModel::probability(std::span<const int64_t> text, size_t i) const {
  auto count = [](const std::unordered_map<uint64_t, int64_t>& counts, uint64_t key) {
    auto found = counts.find(key);
    return found == counts.end() ? 0.0 : static_cast<double>(found->second);
  };
  double p = 1 / static_cast<double>(symbols_);
  for (size_t k = 0; k < orders_.size() && k <= i; ++k) {
    const double seen = count(orders_[k].contexts, key(text, i - k, i));
    if (seen == 0) break;  // and no longer context was
    p = (count(orders_[k].continued, key(text, i - k, i + 1)) + strength_ * p) / (seen + strength_);
  }
  return p;
}

double CountModel::bits(std::span<const int64_t> text, size_t first) const {
  double sum = 0;
  for (size_t i = first; i < text.size(); ++i) sum -= std::log2(probability(text, i));
  return sum / static_cast<double>(text.size() - first);
}

}  // namespace strata::train

#include "models/words/cooccurrence.h"

#include <algorithm>
#include <unordered_map>

#include "engine/data/keyed_random.h"

namespace strata {

Cooccurrence count_cooccurrences(const Corpus& corpus, int window) {
  std::unordered_map<uint64_t, double> cells;
  auto cell = [&](int a, int b) -> double& {
    return cells[static_cast<uint64_t>(a) << 32 | static_cast<uint32_t>(b)];
  };
  const std::vector<int>& tokens = corpus.tokens;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] == Corpus::boundary) continue;
    for (size_t d = 1; d <= std::min(i, static_cast<size_t>(window)); ++d) {
      if (tokens[i - d] == Corpus::boundary) break;
      cell(tokens[i], tokens[i - d]) += 1.0 / static_cast<double>(d);
      cell(tokens[i - d], tokens[i]) += 1.0 / static_cast<double>(d);
    }
  }
  std::vector<std::pair<uint64_t, double>> sorted(cells.begin(), cells.end());
  std::sort(sorted.begin(), sorted.end());
  Cooccurrence out;
  for (auto [key, count] : sorted) {
    out.row.push_back(static_cast<int64_t>(key >> 32));
    out.column.push_back(static_cast<int64_t>(key & 0xffffffffu));
    out.count.push_back(static_cast<float>(count));
  }
  return out;
}

Cooccurrence every_cell(const Cooccurrence& cells, int64_t vocabulary) {
  Cooccurrence all;
  all.count.assign(static_cast<size_t>(vocabulary * vocabulary), 1);
  for (int64_t row = 0; row < vocabulary; ++row) {
    for (int64_t column = 0; column < vocabulary; ++column) {
      all.row.push_back(row);
      all.column.push_back(column);
    }
  }
  for (size_t i = 0; i < cells.count.size(); ++i)
    all.count[static_cast<size_t>(cells.row[i] * vocabulary + cells.column[i])] += cells.count[i];
  return all;
}

Cooccurrence cooccurrence_batch(const Cooccurrence& all, int64_t size, uint64_t seed,
                                int64_t step) {
  const int64_t batches = (all.size() + size - 1) / size;
  const KeyedPermutation order(static_cast<uint64_t>(all.size()), seed,
                               static_cast<uint64_t>(step / batches));
  const int64_t first = step % batches * size;
  Cooccurrence out;
  for (int64_t i = first; i < std::min(first + size, all.size()); ++i) {
    const auto from = static_cast<size_t>(order(static_cast<uint64_t>(i)));
    out.row.push_back(all.row[from]);
    out.column.push_back(all.column[from]);
    out.count.push_back(all.count[from]);
  }
  return out;
}

}  // namespace strata

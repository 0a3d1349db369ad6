// Makes a product's batch as simple as its strides allow.
#include "kernels/gemm/gemm.h"

namespace strata {
namespace {

void normalize(int64_t rows, int64_t columns, int64_t* row, int64_t* column) {
  if (columns == 1) *column = 1;
  if (rows == 1) *row = *column == 1 ? columns : 1;
}

// What the epilogue reads beside C lies in row-major order too, so that it follows.
GemmArguments merge_batch(const GemmArguments& g) {
  GemmArguments s = g;
  s.batch_rank = 0;
  for (int i = 0; i < g.batch_rank; ++i) {
    if (g.batch[i] == 1) continue;
    int last = s.batch_rank - 1;
    if (last >= 0 && s.a_batch[last] == g.a_batch[i] * g.batch[i] &&
        s.b_batch[last] == g.b_batch[i] * g.batch[i]) {
      s.batch[last] *= g.batch[i];
      s.a_batch[last] = g.a_batch[i];
      s.b_batch[last] = g.b_batch[i];
      continue;
    }
    s.batch[s.batch_rank] = g.batch[i];
    s.a_batch[s.batch_rank] = g.a_batch[i];
    s.b_batch[s.batch_rank++] = g.b_batch[i];
  }
  return s;
}

}  // namespace

int64_t batch_count(const GemmArguments& g) {
  int64_t count = 1;
  for (int i = 0; i < g.batch_rank; ++i) count *= g.batch[i];
  return count;
}

GemmArguments simplify(const GemmArguments& g) {
  GemmArguments s = merge_batch(g);
  for (int last = s.batch_rank - 1; last >= 0 && s.b_batch[last] == 0; last = s.batch_rank - 1) {
    if (s.M != 1 && s.a_batch[last] != s.M * s.a_row) break;
    if (s.M == 1) s.a_row = s.a_batch[last];
    s.M *= s.batch[last];
    --s.batch_rank;
  }
  normalize(s.M, s.K, &s.a_row, &s.a_column);
  normalize(s.K, s.N, &s.b_row, &s.b_column);
  return s;
}

}  // namespace strata

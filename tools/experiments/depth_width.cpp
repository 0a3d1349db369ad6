#include "tools/experiments/depth_width.h"

#include <cmath>

#include "engine/ops.h"

namespace strata::experiments {

Tensor tents(const Tensor& x, int k) {
  Tensor y = x;
  for (int layer = 0; layer < k; ++layer) y = relu(y) * 2 - relu(y - 0.5) * 4;
  return y;
}

Tensor one_hidden_layer(const Tensor& x, const Tensor& in, const Tensor& bias, const Tensor& out) {
  return matmul(relu(x.unsqueeze(1) * in + bias), out);
}

int64_t count_pieces(const Tensor& values, double resolution) {
  const std::vector<double> y = values.to_vector<double>();
  const double cells = static_cast<double>(y.size()) - 1;
  int64_t pieces = 1;
  bool broke = false;
  for (size_t i = 1; i + 1 < y.size(); ++i) {
    const bool breaks = std::abs(y[i + 1] - 2 * y[i] + y[i - 1]) * cells > resolution;
    pieces += breaks && !broke;
    broke = breaks && !broke;
  }
  return pieces;
}

Tensor parity_by_tree(const Tensor& bits) {
  if (bits.size(1) == 1) return bits.squeeze(1);
  const int64_t pairs = bits.size(1) / 2;
  const Tensor sums =
      bits.slice(1, 0, 2 * pairs, 2) + bits.slice(1, 1, 2 * pairs, 2);  // [N, pairs]
  const Tensor level = relu(sums) - relu(sums - 1) * 2;
  if (bits.size(1) % 2 == 0) return parity_by_tree(level);
  return parity_by_tree(concatenate({level, bits.slice(1, 2 * pairs, 2 * pairs + 1)}, 1));
}

int64_t parity_units(int64_t bits) { return 2 * (bits - 1); }

Tensor all_bits(int64_t n) {
  const int64_t rows = int64_t{1} << n;
  std::vector<double> bits;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t bit = 0; bit < n; ++bit) bits.push_back(static_cast<double>(row >> bit & 1));
  return from_vector(bits, {rows, n});
}

}  // namespace strata::experiments

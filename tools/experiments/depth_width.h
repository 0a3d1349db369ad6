// Functions that few layers cannot have and many have cheaply, built by hand and counted exactly.
// For E8; all in f64.
//
//   tent^k on [0, 1]     k layers of 2 ReLU units     2^k linear pieces (Telgarsky 2016)
//   one hidden layer     m ReLU units                 at most m + 1 pieces
//   parity of n bits     2 (n - 1) ReLU units, in ceil(log2 n) layers of XOR
//                        xor(a, b) = relu(a + b) - 2 relu(a + b - 1)
#pragma once

#include "engine/ops/random.h"

namespace strata::experiments {

// The tent map t(x) = 2 relu(x) - 4 relu(x - 1/2) composed k times, of x in [0, 1].
Tensor tents(const Tensor& x, int k);
// sum_i out_i relu(in_i x + bias_i), of x [N]; the rest are [m].
Tensor one_hidden_layer(const Tensor& x, const Tensor& in, const Tensor& bias, const Tensor& out);
// Pieces of a piecewise linear function with these values on an even grid of [0, 1]: one more than
// the changes of slope, those in neighbouring cells counted once. Exact where breaks lie on the
// grid, no two next to each other; otherwise never more than there are. `resolution` is what a
// slope may change by rounding.
int64_t count_pieces(const Tensor& values, double resolution = 1e-6);

// Parity of each row of bits [N, n] (0 or 1) by a tree of XORs: [N].
Tensor parity_by_tree(const Tensor& bits);
int64_t parity_units(int64_t bits);
// All rows of n bits: f64 [2^n, n].
Tensor all_bits(int64_t n);

}  // namespace strata::experiments

// Rules of layer-wise relevance propagation for ops that are linear in their input: how the
// relevance R_k of each output is shared among the inputs j. With contributions z_jk = a_j w_jk and
// z_k = sum_j z_jk + b_k (Montavon et al. 2019, "Layer-wise relevance propagation: an overview"):
//
//   epsilon      z_jk / (z_k + epsilon sign(z_k))                                    (Bach 2015)
//   gamma        as epsilon = 0 with w + gamma w+, b + gamma b+; contributions of the sign of z_k
//                are the ones strengthened, whatever the sign of a_j                 (Andeol 2023)
//   z+           z+_jk / (sum_j z+_jk + b+_k), the positive contributions            (Montavon
//   2017) alpha-beta   alpha times z+'s share minus (alpha - 1) times that of the negative ones
//   (Bach) z-box        (a_j w_jk - l_j w+_jk - h_j w-_jk) / sum_j of it, for a_j in [l_j, h_j]
//                                                                                    (Montavon
//                                                                                    2017)
//   w-square     w_jk^2 / sum_j w_jk^2          flat   1 / number of inputs
//
// Every one of them is a sum of terms input * (transpose of the op with other weights), so one
// function runs them for convolutions and products alike. A denominator of 0 shares nothing. Cost:
// epsilon one backward pass of the op, the others about three for each of their terms.
#pragma once

#include <functional>
#include <string>

#include "tools/introspect/tape.h"

namespace strata::introspect {

// An op that is linear in one input, the others held fixed: conv2d, conv1d, their transposes,
// linear, matmul. A batch norm that follows may be folded in.
class LinearStep {
 public:
  explicit LinearStep(const Visit& visit);

  Tensor input, weight;
  Tensor bias;  // undefined: none; broadcasts to out
  Tensor out;   // forward(input, weight) + bias

  // out = (out + bias) * scale + shift, both [C], is from now on what this computes: batch norm of
  // fixed statistics, whose result `normed` is. The weight and the bias take it in.
  void fold(const Tensor& scale, const Tensor& shift, const Tensor& normed);
  // Shares the bias among the inputs, in proportion to what they contribute: it leaves `out`.
  void distribute_bias();

  // The op with other values and weights, without bias; and its transpose, from out's shape to
  // input's.
  Tensor forward(const Tensor& values, const Tensor& weights) const;
  Tensor transpose(const Tensor& values, const Tensor& weights) const;

 private:
  Gradients with_weights(const Tensor& gradient, const Tensor& weights) const;

  const Visit& visit_;
  size_t input_index_, weight_index_;
};

// What the inputs receive, and the sum of what they do not: the part of biases and stabilisers.
struct Shares {
  Tensor input;  // its shape
  double absorbed = 0;
};
using LinearRule = std::function<Shares(const LinearStep& step, const Tensor& relevance)>;

LinearRule lrp_epsilon(double epsilon = 1e-6);
LinearRule lrp_gamma(double gamma = 0.25);
LinearRule lrp_z_plus();
// Errors: alpha < 1.
LinearRule lrp_alpha_beta(double alpha = 2);
// low and high broadcast to the layer's input, as [C] or scalars: what black and white are after
// standardisation. Errors: inputs outside the box, beyond rounding.
LinearRule lrp_z_box(const Tensor& low, const Tensor& high);
LinearRule lrp_z_box(double low, double high);
LinearRule lrp_w_square();
LinearRule lrp_flat();

// A choice of rule for each linear op.
struct LinearPlace {
  std::string op;
  int depth;    // linear ops before it on the longest way from the input: 0 is a first layer
  int deepest;  // the largest depth there is
  bool convolution() const { return op.starts_with("conv"); }
};
using Composite = std::function<LinearRule(const LinearPlace& place)>;

// The same rule everywhere.
Composite everywhere(LinearRule rule);
// z-box in first layers, gamma in convolutions, epsilon in products (Montavon 2019).
Composite epsilon_gamma_box(const Tensor& low, const Tensor& high, double epsilon = 1e-6,
                            double gamma = 0.25);
Composite epsilon_gamma_box(double low, double high, double epsilon = 1e-6, double gamma = 0.25);
// z+ or alpha-beta in convolutions, epsilon in products; with `flat`, first layers spread evenly,
// for pictures that do not follow single pixels (Kohlbrenner et al. 2020).
Composite epsilon_plus(double epsilon = 1e-6, bool flat = false);
Composite epsilon_alpha_beta(double epsilon = 1e-6, double alpha = 2, bool flat = false);

// batch_norm with fixed statistics as out = in * scale + shift, both [C]. `method` asks; a batch
// norm in training, whose result for an example depends on the others, is its error.
struct ChannelAffine {
  Tensor scale, shift;
};
ChannelAffine fixed_batch_norm(const Visit& visit, const char* method);

// relevance / (z + epsilon sign(z)), 0 where the denominator is 0; sign(0) is 1.
Tensor stabilised_ratio(const Tensor& relevance, const Tensor& z, double epsilon);

}  // namespace strata::introspect

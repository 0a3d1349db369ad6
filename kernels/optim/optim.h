// Optimiser updates, each one pass over all parameters of a model in one parallel region: a model
// of hundreds of small tensors costs one fork and join, not hundreds.
//
// The work is cut into pieces of fixed size over all tensors; every element is computed alone, so
// results do not depend on the thread count. Bytes moved an element (f32): SGD 12 (20 with
// momentum), Adam 28, RMSprop 20; all are bound by memory.
//
// Parameters and gradients share a type T (f64, f32, bf16, f16); state is f64 for f64, else f32.
// Arithmetic is done in the state's type; 16-bit parameters round to nearest on the way back.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/common/numeric.h"

namespace strata::cpu {

// One parameter: all arrays have `size` elements. Unused state is null.
struct OptimTensor {
  void* parameter;
  const void* gradient;
  void* state[3];
  int64_t size;
  DType dtype;
};

// d = g + weight_decay p;  b = momentum b + (1 - dampening) d (b = d at the first step);
// p -= learning_rate (nesterov ? d + momentum b : b).   state: b (null when momentum is 0).
struct SgdArgs {
  double learning_rate, momentum, dampening, weight_decay;
  bool nesterov, first_step;
};
void sgd(std::span<const OptimTensor> tensors, const SgdArgs& args);

// m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
// p -= learning_rate / correction1 * m / (sqrt(v) / sqrt(correction2) + epsilon),
// correction_i = 1 - beta_i^step. Weight decay: decoupled p *= 1 - learning_rate weight_decay
// (AdamW), else g += weight_decay p (Adam).   state: m, v.
struct AdamArgs {
  double learning_rate, beta1, beta2, epsilon, weight_decay;
  double correction1, correction2;
  bool decoupled;
};
void adam(std::span<const OptimTensor> tensors, const AdamArgs& args);

// v = alpha v + (1 - alpha) g^2;  centered: a = alpha a + (1 - alpha) g, v' = v - a^2, else v' = v;
// u = g / (sqrt(v') + epsilon);  momentum: b = momentum b + u, p -= learning_rate b, else
// p -= learning_rate u.   state: v, a (null unless centered), b (null unless momentum).
struct RmspropArgs {
  double learning_rate, alpha, epsilon, weight_decay, momentum;
};
void rmsprop(std::span<const OptimTensor> tensors, const RmspropArgs& args);

// state[0] = decay state[0] + (1 - decay) p (exponential moving average; gradient unused).
void moving_average(std::span<const OptimTensor> tensors, double decay);

// Sum of squares of all gradients, in f64; a fixed order for any thread count.
double gradient_square_sum(std::span<const OptimTensor> tensors);
// gradient *= factor, or clamped to [-bound, bound]; written through `parameter`, which points at
// the gradient here.
void scale(std::span<const OptimTensor> tensors, double factor);
void clamp(std::span<const OptimTensor> tensors, double bound);

}  // namespace strata::cpu

// The same on the current stream, one launch for up to 512 tensors; arrays are device memory, the
// span is read before the call returns. gradient_square_sum waits for the stream.
namespace strata::gpu {

void sgd(std::span<const cpu::OptimTensor> tensors, const cpu::SgdArgs& args);
void adam(std::span<const cpu::OptimTensor> tensors, const cpu::AdamArgs& args);
void rmsprop(std::span<const cpu::OptimTensor> tensors, const cpu::RmspropArgs& args);
void moving_average(std::span<const cpu::OptimTensor> tensors, double decay);
double gradient_square_sum(std::span<const cpu::OptimTensor> tensors);
void scale(std::span<const cpu::OptimTensor> tensors, double factor);
void clamp(std::span<const cpu::OptimTensor> tensors, double bound);

}  // namespace strata::gpu

// How the kernels of convolutions are offered to the launcher, tests, the x-ray and benchmarks: by
// name, each with what it takes and how it is run.
#pragma once

#include <span>

#include "kernels/conv/conv.h"

namespace strata::gpu {

namespace conv {

enum class Pass : uint8_t { forward, input_gradient, weight_gradient };

// One call. Pointers are device memory; those that the pass does not read are null.
struct Problem {
  Pass pass = Pass::forward;
  ConvShape shape = {};
  const void* x = nullptr;         // forward, weight gradient
  const void* weight = nullptr;    // forward, input gradient
  const void* gradient = nullptr;  // input gradient, weight gradient
  void* out = nullptr;
  // Forward only:
  const void* bias = nullptr;
  const void* residual = nullptr;
  bool relu = false;
  ConvNorm norm = {};
};

}  // namespace conv

struct ConvRung {
  const char* name;                                // "02_implicit_gemm"
  const char* description;                         // its idea in one line
  bool (*supports)(const conv::Problem& problem);  // on device()
  void (*run)(const conv::Problem& problem);       // in current_stream()
};

// All rungs in the order of the ladder.
std::span<const ConvRung> conv_rungs();
// By name; throws gpu::Error with the names that there are.
const ConvRung& conv_rung(const char* name);

namespace conv {

// The rung that the entry points of conv.h run.
const ConvRung& choose(const Problem& problem);

// One for each kernel file.
extern const ConvRung direct, implicit_gemm, tensor_core, tma_im2col, persistent, depthwise,
    depthwise_strip, stem, winograd, pointwise;

// The third pass of rungs 2 to 4 and of strips has a file of its own.
void implicit_weight_gradient(const Problem& problem);
void tensor_core_weight_gradient(const Problem& problem);
void tma_weight_gradient(const Problem& problem);
void strip_weight_gradient(const Problem& problem);

// Calls f(Type<E>{}) for the types that tensor cores multiply; float stands for tf32.
template <class F>
void visit_tensor_type(DType dtype, F&& f) {
  if (dtype == DType::bf16)
    f(Type<bf16>{});
  else if (dtype == DType::f16)
    f(Type<f16>{});
  else
    f(Type<float>{});
}

// What the rungs' rules are made of.
bool has_zero(const ConvShape& shape);            // some size is 0
bool fits_int(const ConvShape& shape);            // pixels, and elements of an image, below 2^31
bool aligned(const Problem& problem, int bytes);  // all operands that are there
bool normalises_input(const ConvNorm& norm);

}  // namespace conv
}  // namespace strata::gpu

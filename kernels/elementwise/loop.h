// The loop nest that all elementwise kernels share. A kernel supplies a Row: the innermost loop,
// specialised by stride inside; run() does the rest (joining axes, tiles, conversion, threads).
#pragma once

#include "kernels/elementwise/elementwise.h"

namespace strata::cpu {

// One innermost run of n elements.
struct Run {
  char* data[max_operands];
  int64_t stride[max_operands];  // in elements
  const double* parameter;
};
using Row = void (*)(int64_t n, const Run& run);

struct Kernel {
  Row row;
  DType types[max_operands];  // what the row reads and writes, operand by operand
};

// Below this many elements starting a second thread costs more than it saves.
inline constexpr int64_t serial_limit = 32768;

void run(const Kernel& kernel, ElementwiseArgs& args);

template <class T>
T* as(char* data) {
  return reinterpret_cast<T*>(data);
}

// out[i] = f(in[i]) with the loop specialised for the strides that matter.
template <class In, class Out, class F>
void unary_loop(int64_t n, const Run& run, F f) {
  Out* out = as<Out>(run.data[0]);
  const In* in = as<In>(run.data[1]);
  int64_t step = run.stride[1], out_step = run.stride[0];
  if (step == 1 && out_step == 1) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i] = f(in[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) out[i * out_step] = f(in[i * step]);
  }
}

template <class In, class Out, class F>
void binary_loop(int64_t n, const Run& run, F f) {
  Out* out = as<Out>(run.data[0]);
  const In *a = as<In>(run.data[1]), *b = as<In>(run.data[2]);
  int64_t a_step = run.stride[1], b_step = run.stride[2], out_step = run.stride[0];
  if (out_step == 1 && a_step == 1 && b_step == 1) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i] = f(a[i], b[i]);
  } else if (out_step == 1 && a_step == 1 && b_step == 0) {
    const In y = *b;
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i] = f(a[i], y);
  } else if (out_step == 1 && a_step == 0 && b_step == 1) {
    const In x = *a;
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i] = f(x, b[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) out[i * out_step] = f(a[i * a_step], b[i * b_step]);
  }
}

}  // namespace strata::cpu

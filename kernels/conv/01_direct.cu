// Rung 1: the sum as it is written, one thread an element of the result.
//
// Takes any stride, dilation, padding, groups, element type and size, with 64-bit indices: it is
// the fallback. Neighbouring threads compute neighbouring channels, so the reads of x are
// broadcasts and the stores are whole sectors; the weight is read with a stride of R S C / groups.
// Every factor comes from memory: 2 loads for 2 operations, about a tenth of what rung 2 reaches
// at best. The weight gradient has one thread for each element of the weight, which walks all
// pixels: a small weight leaves most of the machine idle.
//
// Registers: 56 to 78, no shared memory. Run on an H200 by its tests, not timed.
#include "kernels/conv/epilogue.h"
#include "kernels/gpu/gpu.h"

namespace strata::gpu::conv {
namespace {

struct Normalise {  // of the input, see ConvNorm
  const float* scale;
  const float* shift;
  bool relu;
  template <class Sum>
  DEVICE Sum operator()(Sum value, int64_t channel) const {
    if (scale) value *= static_cast<Sum>(scale[channel]);
    if (shift) value += static_cast<Sum>(shift[channel]);
    return relu && value < 0 ? Sum(0) : value;
  }
};

template <class T>
__global__ void direct_forward_kernel(ConvShape k, Normalise normalise, const T* x, const T* weight,
                                      Epilogue<T> epilogue) {
  using Sum = Compute<T>;
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= k.N * k.P * k.Q * k.O) return;
  const int64_t o = i % k.O, q = i / k.O % k.Q, p = i / k.O / k.Q % k.P, n = i / k.O / k.Q / k.P;
  const int64_t C = k.C / k.groups, first = o / (k.O / k.groups) * C;
  Sum sum = 0;
  for (int64_t r = 0; r < k.R; ++r) {
    const int64_t h = p * k.stride_h - k.top + r * k.dilation_h;
    if (h < 0 || h >= k.H) continue;
    for (int64_t s = 0; s < k.S; ++s) {
      const int64_t w = q * k.stride_w - k.left + s * k.dilation_w;
      if (w < 0 || w >= k.W) continue;
      const T* pixel = x + ((n * k.H + h) * k.W + w) * k.C + first;
      const T* taps = weight + ((o * k.R + r) * k.S + s) * C;
      for (int64_t c = 0; c < C; ++c)
        sum += normalise(static_cast<Sum>(pixel[c]), first + c) * static_cast<Sum>(taps[c]);
    }
  }
  epilogue.store(sum, static_cast<int>(o), i);
}

template <class T>
__global__ void direct_input_gradient_kernel(ConvShape k, const T* gradient, const T* weight,
                                             Epilogue<T> epilogue) {
  using Sum = Compute<T>;
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= k.N * k.H * k.W * k.C) return;
  const int64_t c = i % k.C, w = i / k.C % k.W, h = i / k.C / k.W % k.H, n = i / k.C / k.W / k.H;
  const int64_t C = k.C / k.groups, O = k.O / k.groups, first = c / C * O;
  Sum sum = 0;
  for (int64_t r = 0; r < k.R; ++r) {
    const int64_t rows = h + k.top - r * k.dilation_h, p = rows / k.stride_h;
    if (rows < 0 || rows % k.stride_h != 0 || p >= k.P) continue;
    for (int64_t s = 0; s < k.S; ++s) {
      const int64_t columns = w + k.left - s * k.dilation_w, q = columns / k.stride_w;
      if (columns < 0 || columns % k.stride_w != 0 || q >= k.Q) continue;
      const T* pixel = gradient + ((n * k.P + p) * k.Q + q) * k.O + first;
      const T* taps = weight + ((first * k.R + r) * k.S + s) * C + c % C;
      for (int64_t o = 0; o < O; ++o)
        sum += static_cast<Sum>(pixel[o]) * static_cast<Sum>(taps[o * k.R * k.S * C]);
    }
  }
  epilogue.store(sum, 0, i);
}

template <class T>
__global__ void direct_weight_gradient_kernel(ConvShape k, const T* x, const T* gradient,
                                              Epilogue<T> epilogue) {
  using Sum = Compute<T>;
  const int64_t C = k.C / k.groups;
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= k.O * k.R * k.S * C) return;
  const int64_t c = i % C, s = i / C % k.S, r = i / C / k.S % k.R, o = i / C / k.S / k.R;
  const int64_t channel = o / (k.O / k.groups) * C + c;
  Sum sum = 0;
  for (int64_t n = 0; n < k.N; ++n) {
    for (int64_t p = 0; p < k.P; ++p) {
      const int64_t h = p * k.stride_h - k.top + r * k.dilation_h;
      if (h < 0 || h >= k.H) continue;
      for (int64_t q = 0; q < k.Q; ++q) {
        const int64_t w = q * k.stride_w - k.left + s * k.dilation_w;
        if (w < 0 || w >= k.W) continue;
        sum += static_cast<Sum>(gradient[((n * k.P + p) * k.Q + q) * k.O + o]) *
               static_cast<Sum>(x[((n * k.H + h) * k.W + w) * k.C + channel]);
      }
    }
  }
  epilogue.store(sum, 0, i);
}

LaunchConfig one_thread_each(int64_t elements) {
  return {.grid = divide_up(elements, 128), .block = 128};
}

template <class T>
void run_typed(const Problem& problem) {
  const ConvShape& k = problem.shape;
  const Epilogue<T> epilogue = epilogue_of<T>(problem);
  const T* x = static_cast<const T*>(problem.x);
  const T* weight = static_cast<const T*>(problem.weight);
  const T* gradient = static_cast<const T*>(problem.gradient);
  switch (problem.pass) {
    case Pass::forward:
      return launch<direct_forward_kernel<T>>(
          one_thread_each(k.N * k.P * k.Q * k.O), k,
          Normalise{problem.norm.input_scale, problem.norm.input_shift, problem.norm.input_relu}, x,
          weight, epilogue);
    case Pass::input_gradient:
      return launch<direct_input_gradient_kernel<T>>(one_thread_each(k.N * k.H * k.W * k.C), k,
                                                     gradient, weight, epilogue);
    case Pass::weight_gradient:
      return launch<direct_weight_gradient_kernel<T>>(
          one_thread_each(k.O * k.R * k.S * (k.C / k.groups)), k, x, gradient, epilogue);
  }
}

bool supports(const Problem& problem) { return problem.norm.sums == nullptr; }
void run(const Problem& problem) {
  visit_float(problem.shape.dtype, [&]<class T>(Type<T>) { run_typed<T>(problem); });
}

}  // namespace

const ConvRung direct = {"01_direct", "the sum as it is written, a thread an element", supports,
                         run};

}  // namespace strata::gpu::conv

// The entry points of the convolutions on the GPU: checked, and given to the rung that ladder.cpp
// chooses.
#include "kernels/conv/conv.h"

#include <algorithm>
#include <string>

#include "kernels/conv/partials.h"
#include "kernels/conv/rung.h"
#include "kernels/gpu/gpu.h"

namespace strata::gpu {
namespace conv {
namespace {

std::string text(const Problem& problem) {
  const ConvShape& k = problem.shape;
  auto list = [](std::initializer_list<int64_t> sizes) {
    std::string joined;
    for (int64_t size : sizes) joined += (joined.empty() ? "" : ",") + std::to_string(size);
    return "[" + joined + "]";
  };
  return std::string(name_of(k.dtype)) + list({k.N, k.H, k.W, k.C}) + " with weight " +
         list({k.O, k.R, k.S, k.C / k.groups}) + ", result " + list({k.N, k.P, k.Q, k.O});
}

void check(const Problem& problem) {
  const ConvShape& k = problem.shape;
  if (!is_float(k.dtype))
    throw Error("gpu convolution: the type is " + std::string(name_of(k.dtype)) +
                "; it takes f64, f32, bf16 and f16");
  if (k.groups < 1 || k.C % k.groups || k.O % k.groups)
    throw Error("gpu convolution of " + text(problem) + ": " + std::to_string(k.groups) +
                " groups do not divide the channels");
  if (problem.norm.sums && k.dtype == DType::f64)
    throw Error("gpu convolution of " + text(problem) +
                ": statistics are for f32, bf16 and f16; compute those of f64 with a reduction");
}

void run(const Problem& problem) {
  check(problem);
  const ConvRung& chosen = choose(problem);
  if (!chosen.supports(problem))
    throw Error("gpu convolution of " + text(problem) + ": no kernel computes statistics of it");
  chosen.run(problem);
}

}  // namespace
}  // namespace conv

void conv2d_norm(const ConvShape& shape, const ConvNorm& norm, const void* x, const void* weight,
                 const void* bias, const void* residual, bool relu, void* out) {
  conv::run({.pass = conv::Pass::forward,
             .shape = shape,
             .x = x,
             .weight = weight,
             .out = out,
             .bias = bias,
             .residual = residual,
             .relu = relu,
             .norm = norm});
}

void conv2d(const ConvShape& shape, const void* x, const void* weight, const void* bias,
            const void* residual, bool relu, void* out) {
  conv2d_norm(shape, {}, x, weight, bias, residual, relu, out);
}

void conv2d_input_gradient(const ConvShape& shape, const void* gradient, const void* weight,
                           void* out) {
  conv::run({.pass = conv::Pass::input_gradient,
             .shape = shape,
             .weight = weight,
             .gradient = gradient,
             .out = out});
}

void conv2d_weight_gradient(const ConvShape& shape, const void* x, const void* gradient, void* out,
                            void* bias_out) {
  conv::run({.pass = conv::Pass::weight_gradient,
             .shape = shape,
             .x = x,
             .gradient = gradient,
             .out = out});
  if (bias_out)
    conv::channel_sums(shape.dtype, gradient, shape.N * shape.P * shape.Q, shape.O, bias_out);
}

namespace conv {
namespace {

template <class T>
__global__ void relu_gradient_kernel(int64_t count, const T* out, const T* gradient, T* masked) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
       i += step)
    masked[i] = static_cast<Compute<T>>(out[i]) > 0 ? gradient[i] : T(0.0f);
}

}  // namespace
}  // namespace conv

void relu_gradient(DType dtype, int64_t count, const void* out, const void* gradient,
                   void* masked) {
  visit_float(dtype, [&]<class T>(Type<T>) {
    const unsigned blocks = std::min(divide_up(count, 256), 65535u);
    launch<conv::relu_gradient_kernel<T>>({.grid = blocks, .block = 256}, count,
                                          static_cast<const T*>(out),
                                          static_cast<const T*>(gradient), static_cast<T*>(masked));
  });
}

}  // namespace strata::gpu

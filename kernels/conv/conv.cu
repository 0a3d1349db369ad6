// The launcher of the convolutions: which rung runs what.
#include "kernels/conv/conv.h"

#include <algorithm>
#include <string>

#include "kernels/conv/partials.h"
#include "kernels/conv/rung.h"
#include "kernels/gpu/gpu.h"
#include "kernels/gpu/tf32.h"

namespace strata::gpu {
namespace conv {
namespace {

// Products with fewer channels a group than this fill too little of a tile of 64.
constexpr int64_t few_channels = 8;

bool narrow_groups(const Problem& problem) {
  const ConvShape& k = problem.shape;
  return k.groups > 1 && std::min(k.O, k.C) / k.groups < few_channels;
}

}  // namespace

// The first line that holds.
const ConvRung& choose(const Problem& problem) {
  const ConvShape& k = problem.shape;
  const bool f32 = k.dtype == DType::f32;
  if (has_zero(k)) return direct;
  if (depthwise.supports(problem)) return depthwise;
  if (narrow_groups(problem) && direct.supports(problem)) return direct;
  if (stem.supports(problem)) return stem;
  if (tma_im2col.supports(problem)) return tma_im2col;
  if ((!f32 || tf32_allowed()) && tensor_core.supports(problem)) return tensor_core;
  if (winograd.supports(problem) && std::min(k.C, k.O) >= 2 * few_channels) return winograd;
  if (implicit_gemm.supports(problem)) return implicit_gemm;
  return direct;
}

bool has_zero(const ConvShape& k) {
  return std::min({k.N, k.H, k.W, k.C, k.O, k.R, k.S, k.P, k.Q}) == 0;
}
bool fits_int(const ConvShape& k) {
  constexpr int64_t limit = int64_t{1} << 30;  // leaves room for the ragged end of a tile
  return k.N * k.H * k.W < limit && k.N * k.P * k.Q < limit && k.R * k.S * k.C < limit &&
         k.R * k.S * k.O < limit && k.H * k.W * k.C < limit && k.P * k.Q * k.O < limit;
}
bool aligned(const Problem& problem, int bytes) {
  uintptr_t all = 0;
  for (const void* p : {problem.x, problem.weight, problem.gradient, problem.residual,
                        static_cast<const void*>(problem.out)})
    all |= reinterpret_cast<uintptr_t>(p);
  return all % static_cast<uintptr_t>(bytes) == 0;
}
bool uses_norm(const ConvNorm& norm) {
  return norm.input_scale || norm.input_shift || norm.input_relu || norm.scale || norm.sums;
}

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

std::span<const ConvRung> conv_rungs() {
  using namespace conv;
  static const ConvRung all[] = {direct,    implicit_gemm, tensor_core, tma_im2col,
                                 depthwise, stem,          winograd};
  return all;
}

const ConvRung& conv_rung(const char* name) {
  std::string names;
  for (const ConvRung& rung : conv_rungs()) {
    if (std::string_view(rung.name) == name) return rung;
    names += std::string(names.empty() ? "" : ", ") + rung.name;
  }
  throw Error("no convolution kernel is called '" + std::string(name) + "'; there are " + names);
}

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

// The ladder of convolutions: which rung runs what, and all of them by name.
#include <algorithm>
#include <string>

#include "kernels/conv/rung.h"
#include "kernels/gpu/runtime.h"
#include "kernels/gpu/tf32.h"

namespace strata::gpu {
namespace conv {
namespace {

// Products with fewer channels a group than this fill too little of a tile of 64.
constexpr int64_t few_channels = 8;

// The weight gradient is not among them: rung 1 would walk all pixels in a few threads.
bool too_narrow(const Problem& problem) {
  const ConvShape& k = problem.shape;
  return k.groups > 1 && std::min(k.O, k.C) / k.groups < few_channels &&
         problem.pass != Pass::weight_gradient;
}

// A weight gradient of few channels is a sum over very many pixels for very few tiles; rung 4 cuts
// the pixels finer than the products do. The limit was measured on an H200.
bool thin_weight(const Problem& problem) {
  const ConvShape& k = problem.shape;
  return problem.pass == Pass::weight_gradient && k.O * k.C <= 512 * 512 &&
         tma_im2col.supports(problem);
}

// The tiles of products that the copy engine feeds are 128 or 256 columns wide, those of rung 5
// also 64.
bool narrow(const Problem& problem) {
  const ConvShape& k = problem.shape;
  return (problem.pass == Pass::forward ? k.O : k.C) <= 64 && persistent.supports(problem);
}

}  // namespace

// The first line that holds.
const ConvRung& choose(const Problem& problem) {
  const ConvShape& k = problem.shape;
  const bool f32 = k.dtype == DType::f32;
  if (has_zero(k)) return direct;
  if (depthwise_strip.supports(problem)) return depthwise_strip;
  if (depthwise.supports(problem)) return depthwise;
  if (too_narrow(problem) && direct.supports(problem)) return direct;
  if (stem.supports(problem)) return stem;
  if (pointwise.supports(problem) && !thin_weight(problem) && !narrow(problem)) return pointwise;
  if (persistent.supports(problem)) return persistent;
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
bool normalises_input(const ConvNorm& norm) {
  return norm.input_scale || norm.input_shift || norm.input_relu;
}

}  // namespace conv

std::span<const ConvRung> conv_rungs() {
  using namespace conv;
  static const ConvRung all[] = {direct,    implicit_gemm,   tensor_core, tma_im2col, persistent,
                                 depthwise, depthwise_strip, stem,        winograd,   pointwise};
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

}  // namespace strata::gpu

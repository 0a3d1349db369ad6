// Convolutions as tests see them: shapes, data, a float64 oracle with the magnitudes that bound its
// rounding, and a call of one kernel.
#pragma once

#include "kernels/conv/rung.h"
#include "tests/kernels/support/gpu_test.h"

namespace strata::test {

using gpu::ConvRung;
using gpu::conv::Pass;
using gpu::conv::Problem;
using Doubles = std::vector<double>;

struct Window {
  int64_t stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
  int64_t top = 0, bottom = 0, left = 0, right = 0, groups = 1;
};
// x [N, H, W, C], weight [O, R, S, C / groups].
inline ConvShape shape_of(DType dtype, std::array<int64_t, 4> x, std::array<int64_t, 3> weight,
                          Window window = {}) {
  ConvShape k;
  k.dtype = dtype;
  k.N = x[0], k.H = x[1], k.W = x[2], k.C = x[3];
  k.O = weight[0], k.R = weight[1], k.S = weight[2];
  k.stride_h = window.stride_h, k.stride_w = window.stride_w;
  k.dilation_h = window.dilation_h, k.dilation_w = window.dilation_w;
  k.top = window.top, k.bottom = window.bottom, k.left = window.left, k.right = window.right;
  k.groups = window.groups;
  const int64_t height = k.H + k.top + k.bottom - k.dilation_h * (k.R - 1) - 1;
  const int64_t width = k.W + k.left + k.right - k.dilation_w * (k.S - 1) - 1;
  k.P = height < 0 ? 0 : height / k.stride_h + 1;
  k.Q = width < 0 ? 0 : width / k.stride_w + 1;
  return k;
}
inline std::string text(const ConvShape& k) {
  std::string out = name_of(k.dtype);
  for (int64_t value : {k.N, k.H, k.W, k.C, k.O, k.R, k.S, k.stride_h, k.stride_w, k.dilation_h,
                        k.dilation_w, k.top, k.bottom, k.left, k.right, k.groups})
    out += " " + std::to_string(value);
  return out;
}

inline size_t size_of_x(const ConvShape& k) { return static_cast<size_t>(k.N * k.H * k.W * k.C); }
inline size_t size_of_out(const ConvShape& k) { return static_cast<size_t>(k.N * k.P * k.Q * k.O); }
inline size_t size_of_weight(const ConvShape& k) {
  return static_cast<size_t>(k.O * k.R * k.S * (k.C / k.groups));
}

template <class T>
struct ConvData {
  std::vector<T> x, weight, gradient, bias, residual;

  enum class Kind { random, integers };
  ConvData(const ConvShape& k, Kind kind, uint64_t seed = 1) {
    auto values = [&](size_t n, uint64_t which) {
      return kind == Kind::random ? random_values<T>(n, seed * 10 + which)
                                  : small_integers<T>(n, seed * 10 + which, 2);
    };
    x = values(size_of_x(k), 0);
    weight = values(size_of_weight(k), 1);
    gradient = values(size_of_out(k), 2);
    bias = values(static_cast<size_t>(k.O), 3);
    residual = values(size_of_out(k), 4);
  }
};

// Calls body(index in out, in x, in weight) for every product of the convolution.
template <class Body>
void for_each_product(const ConvShape& k, Body&& body) {
  const int64_t C = k.C / k.groups, O = k.O / k.groups;
  int64_t i = 0;
  for (int64_t n = 0; n < k.N; ++n)
    for (int64_t p = 0; p < k.P; ++p)
      for (int64_t q = 0; q < k.Q; ++q)
        for (int64_t o = 0; o < k.O; ++o, ++i)
          for (int64_t r = 0; r < k.R; ++r)
            for (int64_t s = 0; s < k.S; ++s) {
              const int64_t h = p * k.stride_h - k.top + r * k.dilation_h;
              const int64_t w = q * k.stride_w - k.left + s * k.dilation_w;
              if (h < 0 || h >= k.H || w < 0 || w >= k.W) continue;
              const int64_t first = ((n * k.H + h) * k.W + w) * k.C + o / O * C;
              const int64_t tap = ((o * k.R + r) * k.S + s) * C;
              for (int64_t c = 0; c < C; ++c)
                body(static_cast<size_t>(i), static_cast<size_t>(first + c),
                     static_cast<size_t>(tap + c));
            }
}

struct Expected {
  Doubles value, magnitude;  // sums, and sums of absolute values
  int64_t terms = 1;
};

// `extras`: bias and residual are added and the ReLU is applied, forward only.
template <class T>
Expected oracle(Pass pass, const ConvShape& k, const ConvData<T>& data, bool extras) {
  Expected e;
  const size_t sizes[] = {size_of_out(k), size_of_x(k), size_of_weight(k)};
  const int64_t terms[] = {k.R * k.S * k.C / k.groups, k.R * k.S * k.O / k.groups, k.N * k.P * k.Q};
  e.terms = terms[static_cast<int>(pass)];
  e.value.assign(sizes[static_cast<int>(pass)], 0);
  e.magnitude = e.value;
  auto number = [](T value) { return static_cast<double>(value); };
  for_each_product(k, [&](size_t out, size_t x, size_t weight) {
    double product = 0;
    size_t target = 0;
    switch (pass) {
      case Pass::forward:
        product = number(data.x[x]) * number(data.weight[weight]), target = out;
        break;
      case Pass::input_gradient:
        product = number(data.gradient[out]) * number(data.weight[weight]), target = x;
        break;
      case Pass::weight_gradient:
        product = number(data.gradient[out]) * number(data.x[x]), target = weight;
        break;
    }
    e.value[target] += product;
    e.magnitude[target] += std::abs(product);
  });
  if (!extras || pass != Pass::forward) return e;
  for (size_t i = 0; i < e.value.size(); ++i) {
    const double bias = number(data.bias[i % static_cast<size_t>(k.O)]),
                 residual = number(data.residual[i]);
    e.value[i] += bias + residual;
    e.magnitude[i] += std::abs(bias) + std::abs(residual);
    if (e.value[i] < 0) e.value[i] = 0;
  }
  return e;
}

// Runs one kernel, or what the launcher chooses where `rung` is null. `misalign` shifts every
// buffer by that many elements.
template <class T>
std::vector<T> run_conv(const ConvRung* rung, Pass pass, const ConvShape& k,
                        const ConvData<T>& data, bool extras, size_t misalign = 0) {
  DeviceBuffer<T> x(data.x, misalign), weight(data.weight, misalign),
      gradient(data.gradient, misalign), bias(data.bias, misalign),
      residual(data.residual, misalign);
  const size_t sizes[] = {size_of_out(k), size_of_x(k), size_of_weight(k)};
  DeviceBuffer<T> out(std::vector<T>(sizes[static_cast<int>(pass)], T(NAN)), misalign);
  extras = extras && pass == Pass::forward;
  Problem problem{.pass = pass,
                  .shape = k,
                  .x = pass == Pass::input_gradient ? nullptr : x.data(),
                  .weight = pass == Pass::weight_gradient ? nullptr : weight.data(),
                  .gradient = pass == Pass::forward ? nullptr : gradient.data(),
                  .out = out.data(),
                  .bias = extras ? bias.data() : nullptr,
                  .residual = extras ? residual.data() : nullptr,
                  .relu = extras};
  const ConvRung& chosen = rung ? *rung : gpu::conv::choose(problem);
  if (!chosen.supports(problem)) return {};
  chosen.run(problem);
  return out.host();
}

}  // namespace strata::test

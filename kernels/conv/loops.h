// Our own convolutions: sums of strided matrix products, one for each image row and kernel place.
//
// For a fixed row p of the output and place (r, s) of the kernel, the pixels q of the row and the
// pixels of x that they meet both lie at even distances. So
//
//   forward          out row [Q, O]     += x row [Q, C]   times w[:, r, s, :]^T [C, O]
//   input gradient   x row   [Q, C]     += g row [Q, O]   times w[:, r, s, :]   [O, C]
//   weight gradient  w[:, r, s, :] [O, C] += (g row)^T [O, Q] times x row [Q, C]
//
// are matrix products whose operands only need row strides: no patches are copied. Groups take
// slices of the channels. Sums run in a fixed order whatever the thread count.
#pragma once

#include <vector>

#include "kernels/conv/conv.h"
#include "kernels/gemm/loops.h"

namespace strata::cpu::loops {

// The output columns q in [begin, end) for which kernel column s falls inside the image.
struct Span {
  int64_t begin, end;
};
inline Span valid_outputs(int64_t outputs, int64_t inputs, int64_t stride, int64_t offset) {
  // 0 <= q stride + offset < inputs
  auto ceil_div = [](int64_t a, int64_t b) { return a <= 0 ? -(-a / b) : (a + b - 1) / b; };
  int64_t begin = std::max<int64_t>(0, ceil_div(-offset, stride));
  int64_t end = std::min(outputs, ceil_div(inputs - offset, stride));
  return {begin, std::max(begin, end)};
}

// Calls body(group, q begin, q end, first pixel of x, s) for the places of kernel row r, where row
// p of the output meets row h of the image.
template <class Body>
void for_each_place(const ConvShape& k, Body&& body) {
  for (int64_t s = 0; s < k.S; ++s) {
    int64_t offset = s * k.dilation_w - k.left;
    Span span = valid_outputs(k.Q, k.W, k.stride_w, offset);
    if (span.begin == span.end) continue;
    for (int64_t group = 0; group < k.groups; ++group) {
      body(group, span.begin, span.end, span.begin * k.stride_w + offset, s);
    }
  }
}

template <class T>
void conv2d(const ConvShape& k, const T* x, const T* weight, const T* bias, const T* residual,
            bool relu, T* out) {
  int64_t C = k.C / k.groups, O = k.O / k.groups, kernel = k.R * k.S * C;
  int64_t row_cost = k.Q * k.O * kernel;
  parallel_for(
      k.N * k.P, (1 << 18) / std::max<int64_t>(row_cost, 1) + 1, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
          int64_t n = row / k.P, p = row % k.P;
          T* out_row = out + row * k.Q * k.O;
          for (int64_t i = 0; i < k.Q * k.O; ++i) out_row[i] = bias ? bias[i % k.O] : T(0);
          for (int64_t r = 0; r < k.R; ++r) {
            int64_t h = p * k.stride_h - k.top + r * k.dilation_h;
            if (h < 0 || h >= k.H) continue;
            const T* x_row = x + (n * k.H + h) * k.W * k.C;
            for_each_place(k, [&](int64_t group, int64_t q0, int64_t q1, int64_t w0, int64_t s) {
              Strided<T> a{x_row + w0 * k.C + group * C, k.stride_w * k.C, 1};
              Strided<T> b{weight + group * O * kernel + (r * k.S + s) * C, 1, kernel};
              multiply_any(q1 - q0, O, C, a, b, out_row + q0 * k.O + group * O, k.O, true);
            });
          }
          const T* residual_row = residual ? residual + row * k.Q * k.O : nullptr;
          if (!residual && !relu) continue;
          for (int64_t i = 0; i < k.Q * k.O; ++i) {
            T value = out_row[i] + (residual_row ? residual_row[i] : T(0));
            out_row[i] = relu ? std::max(value, T(0)) : value;
          }
        }
      });
}

template <class T>
void conv2d_input_gradient(const ConvShape& k, const T* gradient, const T* weight, T* out) {
  int64_t C = k.C / k.groups, O = k.O / k.groups, kernel = k.R * k.S * C;
  int64_t row_cost = k.Q * k.O * kernel;
  parallel_for(
      k.N * k.H, (1 << 18) / std::max<int64_t>(row_cost, 1) + 1, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
          int64_t n = row / k.H, h = row % k.H;
          T* out_row = out + row * k.W * k.C;
          std::fill(out_row, out_row + k.W * k.C, T(0));
          for (int64_t r = 0; r < k.R; ++r) {
            int64_t steps = h + k.top - r * k.dilation_h, p = steps / k.stride_h;
            if (steps < 0 || steps % k.stride_h != 0 || p >= k.P) continue;
            const T* g_row = gradient + (n * k.P + p) * k.Q * k.O;
            for_each_place(k, [&](int64_t group, int64_t q0, int64_t q1, int64_t w0, int64_t s) {
              Strided<T> a{g_row + q0 * k.O + group * O, k.O, 1};
              Strided<T> b{weight + group * O * kernel + (r * k.S + s) * C, kernel, 1};
              multiply_any(q1 - q0, C, O, a, b, out_row + w0 * k.C + group * C, k.stride_w * k.C,
                           true);
            });
          }
        }
      });
}

// Rows of the gradient are summed in chunks, each with a weight gradient of its own, and the chunks
// in order. Their number depends on the shape only, so the order does not depend on the thread
// count.
template <class T>
void conv2d_weight_gradient(const ConvShape& k, const T* x, const T* gradient, T* out,
                            T* bias_out) {
  int64_t C = k.C / k.groups, O = k.O / k.groups, kernel = k.R * k.S * C;
  int64_t size = k.O * kernel, rows = k.N * k.P;
  int64_t chunks = std::clamp<int64_t>(rows * k.Q * size >> 18, 1, 16);
  std::vector<T> partial(static_cast<size_t>(chunks * (size + k.O)), T(0));
  parallel_chunks(
      rows, std::max<int64_t>(1, (rows + chunks - 1) / chunks),
      [&](int64_t chunk, int64_t begin, int64_t end) {
        T* sum = partial.data() + chunk * (size + k.O);
        T* bias_sum = sum + size;
        for (int64_t row = begin; row < end; ++row) {
          int64_t n = row / k.P, p = row % k.P;
          const T* g_row = gradient + row * k.Q * k.O;
          for (int64_t i = 0; i < k.Q * k.O; ++i) bias_sum[i % k.O] += g_row[i];
          for (int64_t r = 0; r < k.R; ++r) {
            int64_t h = p * k.stride_h - k.top + r * k.dilation_h;
            if (h < 0 || h >= k.H) continue;
            const T* x_row = x + (n * k.H + h) * k.W * k.C;
            for_each_place(k, [&](int64_t group, int64_t q0, int64_t q1, int64_t w0, int64_t s) {
              Strided<T> a{g_row + q0 * k.O + group * O, 1, k.O};
              Strided<T> b{x_row + w0 * k.C + group * C, k.stride_w * k.C, 1};
              multiply_any(O, C, q1 - q0, a, b, sum + group * O * kernel + (r * k.S + s) * C,
                           kernel, true);
            });
          }
        }
      });
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const T* sum = partial.data() + chunk * (size + k.O);
    for (int64_t i = 0; i < size; ++i) out[i] = chunk ? out[i] + sum[i] : sum[i];
    for (int64_t o = 0; o < k.O && bias_out; ++o) {
      bias_out[o] = chunk ? bias_out[o] + sum[size + o] : sum[size + o];
    }
  }
}

}  // namespace strata::cpu::loops

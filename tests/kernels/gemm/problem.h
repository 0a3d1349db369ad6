// A product on the device with its operands, and the same in float64.
#pragma once

#include <memory>
#include <string>

#include "kernels/gemm/gemm.h"
#include "tests/kernels/support/gpu_test.h"

namespace strata::test {

// How an operand is laid out: contiguous along its columns, along its rows, along neither; `pad` is
// added to the other stride, `misalign` to the address, in elements.
struct Layout {
  enum class Axis { columns, rows, neither } axis = Axis::columns;
  int64_t pad = 0, misalign = 0;
};

struct ProblemOptions {
  int64_t M = 1, N = 1, K = 1;
  std::vector<int64_t> batch = {};
  bool share_a = false, share_b = false;  // one matrix for the whole innermost batch axis
  Layout a = {}, b = {};
  int64_t c_misalign = 0;
  double alpha = 1, beta = 1;
  Activation activation = Activation::none;
  bool gradient = false, bias = false, residual = false, preactivation = false;
  bool accumulate = false;  // the residual is C itself
  bool tf32 = false;
  bool exact = false;  // small integers, whose sums have no rounding
  uint64_t seed = 1;
};

inline std::string to_string(const ProblemOptions& o) {
  auto layout = [](const Layout& l) {
    return std::to_string(static_cast<int>(l.axis)) + "+" + std::to_string(l.pad) + "@" +
           std::to_string(l.misalign);
  };
  std::string text = std::to_string(o.M) + "x" + std::to_string(o.K) + " times " +
                     std::to_string(o.K) + "x" + std::to_string(o.N);
  for (int64_t size : o.batch) text += " batch " + std::to_string(size);
  text += " layouts " + layout(o.a) + " " + layout(o.b);
  text += " activation " + std::to_string(static_cast<int>(o.activation));
  for (auto [set, name] : {std::pair{o.bias, " bias"},
                           {o.gradient, " gradient"},
                           {o.residual, " residual"},
                           {o.accumulate, " accumulate"},
                           {o.preactivation, " preactivation"},
                           {o.tf32, " tf32"}})
    if (set) text += name;
  return text;
}

inline double activate(Activation activation, double x) {
  const double inner = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
  switch (activation) {
    case Activation::relu:
      return x < 0 ? 0 : x;
    case Activation::gelu:
      return 0.5 * x * std::erfc(-x * std::sqrt(0.5));
    case Activation::gelu_tanh:
      return 0.5 * x * (1 + std::tanh(inner));
    case Activation::none:
      break;
  }
  return x;
}
inline double activation_slope(Activation activation, double x) {
  const double inner = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
  const double inner_slope = std::sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x * x);
  switch (activation) {
    case Activation::relu:
      return x <= 0 ? 0 : 1;
    case Activation::gelu:
      return 0.5 * std::erfc(-x * std::sqrt(0.5)) + x * std::exp(-x * x / 2) / std::sqrt(2 * M_PI);
    case Activation::gelu_tanh:
      return 0.5 * (1 + std::tanh(inner)) +
             0.5 * x * inner_slope / (std::cosh(inner) * std::cosh(inner));
    case Activation::none:
      break;
  }
  return 1;
}

// The operands on the host and on the device. Run a kernel on arguments(), then check().
template <class T>
class Problem {
 public:
  explicit Problem(const ProblemOptions& o) : o_(o) {
    GemmArguments& g = arguments_;
    g.dtype = dtype_of<T>();
    g.allow_tf32 = o.tf32;
    g.M = o.M, g.N = o.N, g.K = o.K;
    int64_t a_span = lay_out(o.a, o.M, o.K, &g.a_row, &g.a_column);
    int64_t b_span = lay_out(o.b, o.K, o.N, &g.b_row, &g.b_column);
    g.batch_rank = static_cast<int>(o.batch.size());
    for (int i = g.batch_rank - 1; i >= 0; --i) {
      const bool innermost = i == g.batch_rank - 1;
      g.batch[i] = o.batch[static_cast<size_t>(i)];
      g.a_batch[i] = innermost && o.share_a ? 0 : a_span;
      g.b_batch[i] = innermost && o.share_b ? 0 : b_span;
      if (g.a_batch[i]) a_span *= g.batch[i];
      if (g.b_batch[i]) b_span *= g.batch[i];
    }
    a = values(a_span, 1), b = values(b_span, 2), bias = values(o.N, 3);
    residual = values(count(), 4), preactivation = values(count(), 5), c = values(count(), 6);
    upload();
  }

  const GemmArguments& arguments() const { return arguments_; }
  int64_t count() const { return batch_count(arguments_) * o_.M * o_.N; }

  // Brings the host's values to the device: again, after a change.
  void upload() {
    auto move = [](const std::vector<T>& host, int64_t misalign) {
      return std::make_unique<DeviceBuffer<T>>(host, static_cast<size_t>(misalign));
    };
    device_a_ = move(a, o_.a.misalign), device_b_ = move(b, o_.b.misalign);
    device_bias_ = move(bias, 0), device_residual_ = move(residual, 0);
    device_preactivation_ = move(preactivation, 0), device_c_ = move(c, o_.c_misalign);
    GemmArguments& g = arguments_;
    g.a = device_a_->data(), g.b = device_b_->data(), g.c = device_c_->data();
    Epilogue& e = g.epilogue;
    e.alpha = o_.alpha, e.beta = o_.beta, e.activation = o_.activation, e.gradient = o_.gradient;
    e.bias = o_.bias ? device_bias_->data() : nullptr;
    e.residual = o_.accumulate ? g.c : o_.residual ? device_residual_->data() : nullptr;
    e.preactivation = o_.preactivation || o_.gradient ? device_preactivation_->data() : nullptr;
  }

  // C; the guard bands of all operands are checked.
  std::vector<T> result() {
    for (auto* buffer : {&device_a_, &device_b_, &device_bias_, &device_residual_})
      (*buffer)->host();
    return device_c_->host();
  }

  void check() {
    const auto size = static_cast<size_t>(count());
    std::vector<double> expected(size), magnitude(size), before(size);
    compute(&expected, &magnitude, &before);
    check(result(), expected, magnitude, "c");
    if (o_.preactivation && !o_.gradient)
      check(device_preactivation_->host(), before, magnitude, "preactivation");
  }

  std::vector<T> a, b, bias, residual, preactivation, c;

 private:
  // Returns how many elements the matrix spans.
  static int64_t lay_out(const Layout& layout, int64_t rows, int64_t columns, int64_t* row,
                         int64_t* column) {
    switch (layout.axis) {
      case Layout::Axis::columns:
        *row = columns + layout.pad, *column = 1;
        return std::max<int64_t>(rows * *row, 1);
      case Layout::Axis::rows:
        *row = 1, *column = rows + layout.pad;
        return std::max<int64_t>(columns * *column, 1);
      case Layout::Axis::neither:
        break;
    }
    *row = 2 * columns + 1, *column = 2;
    return std::max<int64_t>(rows * *row, 1);
  }
  std::vector<T> values(int64_t count, uint64_t seed) const {
    const auto size = static_cast<size_t>(count);
    return o_.exact || std::is_integral_v<T> ? small_integers<T>(size, o_.seed * 10 + seed)
                                             : random_values<T>(size, o_.seed * 10 + seed);
  }

  // Sums, magnitudes of what they are made of, and what the activation got.
  void compute(std::vector<double>* expected, std::vector<double>* magnitude,
               std::vector<double>* before) const {
    const GemmArguments& g = arguments_;
    auto at = [](const std::vector<T>& x, int64_t i) {
      return static_cast<double>(x[static_cast<size_t>(i)]);
    };
    for (int64_t index = 0; index < count(); ++index) {
      const int64_t j = index % g.N, i = index / g.N % g.M;
      int64_t rest = index / g.N / g.M, a_at = i * g.a_row, b_at = j * g.b_column;
      for (int axis = g.batch_rank - 1; axis >= 0; --axis) {
        a_at += rest % g.batch[axis] * g.a_batch[axis];
        b_at += rest % g.batch[axis] * g.b_batch[axis];
        rest /= g.batch[axis];
      }
      double sum = 0, size = 0;
      for (int64_t k = 0; k < g.K; ++k) {
        const double product = at(a, a_at + k * g.a_column) * at(b, b_at + k * g.b_row);
        sum += product;
        size += std::abs(product);
      }
      const double shift = o_.bias ? at(bias, j) : 0;
      const double p = o_.alpha * sum + shift;
      const double other = o_.accumulate ? o_.beta * at(c, index)
                           : o_.residual ? o_.beta * at(residual, index)
                                         : 0;
      const double value = o_.gradient
                               ? p * activation_slope(o_.activation, at(preactivation, index))
                               : activate(o_.activation, p);
      constexpr double steepest = 1.13;  // slope of gelu
      const auto to = static_cast<size_t>(index);
      (*before)[to] = p;
      (*expected)[to] = value + other;
      (*magnitude)[to] = steepest * (std::abs(o_.alpha) * size + std::abs(shift)) + std::abs(other);
    }
  }

  // |error| <= 8 sqrt(K + 4) u magnitude + u_T |value|, the 4 for the epilogue; for tf32 also what
  // rounding the operands does. Sums of small integers are exact, so C is too unless a 16-bit type
  // or an activation rounds it.
  void check(const std::vector<T>& actual, const std::vector<double>& expected,
             const std::vector<double>& magnitude, const char* what) {
    const bool exact = o_.exact && o_.activation == Activation::none;
    const double u = sizeof(T) == 8 ? 0x1p-53 : 0x1p-24;
    const double sums = 8 * std::sqrt(static_cast<double>(o_.K + 4)) * u + (o_.tf32 ? 0x1p-10 : 0);
    expect_within<T>(
        actual, expected,
        [&](size_t i) {
          if (std::is_integral_v<T>) return 0.0;
          const double rounding = sizeof(T) == 2 || !exact ? unit_roundoff<T>() : 0;
          return (exact ? 0 : sums * magnitude[i] + 1e-30) +
                 1.01 * rounding * std::abs(expected[i]);
        },
        what);
  }

  ProblemOptions o_;
  GemmArguments arguments_;
  std::unique_ptr<DeviceBuffer<T>> device_a_, device_b_, device_bias_, device_residual_,
      device_preactivation_, device_c_;
};

}  // namespace strata::test

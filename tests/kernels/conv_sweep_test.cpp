// Convolution kernels against the sum as it is written, over random shapes: strides, uneven
// padding, dilation, groups, sizes that are no multiple of anything; f32 (oneDNN) and f64 (our
// loops).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "kernels/conv/conv.h"
#include "kernels/dnnl/primitive.h"

namespace strata::test {
namespace {

using Values = std::vector<double>;

class Sweep {
 public:
  int64_t integer(int64_t low, int64_t high) {  // both included
    return low + static_cast<int64_t>(engine_() % static_cast<uint64_t>(high - low + 1));
  }
  bool chance(int64_t one_in) { return integer(1, one_in) == 1; }
  Values values(int64_t count) {
    Values out(static_cast<size_t>(count));
    for (double& v : out) v = static_cast<double>(integer(-64, 64)) / 64;
    return out;
  }
  // A shape whose output is not empty.
  ConvShape shape() {
    while (true) {
      ConvShape k;
      k.N = integer(1, 3);
      k.H = integer(1, 12);
      k.W = integer(1, 12);
      k.groups = chance(3) ? integer(1, 4) : 1;
      int64_t wide = chance(4) ? 8 : 1;
      k.C = k.groups * wide * integer(1, 6);
      k.O = k.groups * wide * integer(1, 6);
      if (chance(6)) k.groups = k.O = k.C = integer(1, 20);  // depthwise
      k.R = integer(1, 4);
      k.S = integer(1, 4);
      k.stride_h = integer(1, 3);
      k.stride_w = integer(1, 3);
      k.dilation_h = integer(1, 2);
      k.dilation_w = integer(1, 3);
      k.top = integer(0, 2);
      k.bottom = integer(0, 2);
      k.left = integer(0, 2);
      k.right = integer(0, 3);
      int64_t height = k.H + k.top + k.bottom - k.dilation_h * (k.R - 1) - 1;
      int64_t width = k.W + k.left + k.right - k.dilation_w * (k.S - 1) - 1;
      if (height < 0 || width < 0) continue;
      k.P = height / k.stride_h + 1;
      k.Q = width / k.stride_w + 1;
      return k;
    }
  }

 private:
  std::mt19937_64 engine_{2024};
};

std::string text(const ConvShape& k) {
  auto pair = [](int64_t a, int64_t b) { return std::to_string(a) + "," + std::to_string(b); };
  return "x " + std::to_string(k.N) + "," + pair(k.H, k.W) + "," + std::to_string(k.C) + " O " +
         std::to_string(k.O) + " kernel " + pair(k.R, k.S) + " stride " +
         pair(k.stride_h, k.stride_w) + " dilation " + pair(k.dilation_h, k.dilation_w) + " pad " +
         pair(k.top, k.bottom) + "," + pair(k.left, k.right) + " groups " +
         std::to_string(k.groups);
}

struct Data {
  Values x, weight, bias, residual, gradient;
};
struct Results {
  Values out, x_gradient, weight_gradient, bias_gradient;
};

Results naive(const ConvShape& k, const Data& d, bool bias, bool residual, bool relu) {
  int64_t C = k.C / k.groups, group = k.O / k.groups;
  Results r;
  r.out.resize(d.residual.size());
  r.x_gradient.resize(d.x.size());
  r.weight_gradient.resize(d.weight.size());
  r.bias_gradient.resize(d.bias.size());
  for (int64_t i = 0; i < static_cast<int64_t>(r.out.size()); ++i) {
    int64_t o = i % k.O, q = i / k.O % k.Q, p = i / k.O / k.Q % k.P, n = i / k.O / k.Q / k.P;
    double sum = (bias ? d.bias[o] : 0) + (residual ? d.residual[i] : 0), g = d.gradient[i];
    r.bias_gradient[o] += g;
    for (int64_t tap = 0; tap < k.R * k.S * C; ++tap) {
      int64_t c = tap % C, s = tap / C % k.S, row = tap / C / k.S;
      int64_t h = p * k.stride_h - k.top + row * k.dilation_h;
      int64_t w = q * k.stride_w - k.left + s * k.dilation_w;
      if (h < 0 || h >= k.H || w < 0 || w >= k.W) continue;
      int64_t xi = ((n * k.H + h) * k.W + w) * k.C + o / group * C + c;
      int64_t wi = ((o * k.R + row) * k.S + s) * C + c;
      sum += d.x[xi] * d.weight[wi];
      r.x_gradient[xi] += g * d.weight[wi];
      r.weight_gradient[wi] += g * d.x[xi];
    }
    r.out[i] = relu ? std::max(sum, 0.0) : sum;
  }
  return r;
}

template <class T>
Results computed(ConvShape k, const Data& d, bool bias, bool residual, bool relu) {
  k.dtype = dtype_of<T>();
  auto typed = [](const Values& v) { return std::vector<T>(v.begin(), v.end()); };
  auto x = typed(d.x), weight = typed(d.weight), b = typed(d.bias), res = typed(d.residual),
       g = typed(d.gradient);
  // NaN wherever a kernel forgets to write.
  auto blank = [](size_t n) { return std::vector<T>(n, static_cast<T>(NAN)); };
  auto out = blank(g.size()), gx = blank(x.size()), gw = blank(weight.size()), gb = blank(b.size());
  cpu::conv2d(k, x.data(), weight.data(), bias ? b.data() : nullptr,
              residual ? res.data() : nullptr, relu, out.data());
  cpu::conv2d_input_gradient(k, g.data(), weight.data(), gx.data());
  cpu::conv2d_weight_gradient(k, x.data(), g.data(), gw.data(), gb.data());
  auto wide = [](const std::vector<T>& v) { return Values(v.begin(), v.end()); };
  return {wide(out), wide(gx), wide(gw), wide(gb)};
}

double largest_error(const Values& got, const Values& want) {
  double error = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    double e = std::abs(got[i] - want[i]) / (1 + std::abs(want[i]));
    error = std::isnan(e) ? INFINITY : std::max(error, e);
  }
  return error;
}
double largest_error(const Results& got, const Results& want) {
  return std::max({largest_error(got.out, want.out), largest_error(got.x_gradient, want.x_gradient),
                   largest_error(got.weight_gradient, want.weight_gradient),
                   largest_error(got.bias_gradient, want.bias_gradient)});
}

Data random_data(Sweep& sweep, const ConvShape& k) {
  int64_t outputs = k.N * k.P * k.Q * k.O;
  return {sweep.values(k.N * k.H * k.W * k.C), sweep.values(k.O * k.R * k.S * k.C / k.groups),
          sweep.values(k.O), sweep.values(outputs), sweep.values(outputs)};
}

TEST(ConvKernels, EqualTheSumOverRandomShapes) {
  Sweep sweep;
  for (int i = 0; i < 300; ++i) {
    ConvShape k = sweep.shape();
    Data data = random_data(sweep, k);
    bool bias = sweep.chance(2), residual = sweep.chance(2), relu = sweep.chance(2);
    Results want = naive(k, data, bias, residual, relu);
    EXPECT_LT(largest_error(computed<float>(k, data, bias, residual, relu), want), 2e-5) << text(k);
    EXPECT_LT(largest_error(computed<double>(k, data, bias, residual, relu), want), 1e-12)
        << text(k);
  }
}

TEST(ConvKernels, OwnLoopsGiveTheSameBitsWithAnyThreadCount) {
  Sweep sweep;
  ConvShape k;
  k.N = 5, k.H = k.P = 13, k.W = k.Q = 11, k.C = 24, k.O = 20, k.R = k.S = 3;
  k.top = k.bottom = k.left = k.right = 1;
  Data data = random_data(sweep, k);
  int before = thread_count();
  set_thread_count(1);
  Results one = computed<double>(k, data, true, false, false);
  set_thread_count(3);
  Results three = computed<double>(k, data, true, false, false);
  set_thread_count(before);
  EXPECT_EQ(one.out, three.out);
  EXPECT_EQ(one.x_gradient, three.x_gradient);
  EXPECT_EQ(one.weight_gradient, three.weight_gradient);
  EXPECT_EQ(one.bias_gradient, three.bias_gradient);
}

TEST(ConvKernels, ASecondCallMakesNoPrimitive) {
  Sweep sweep;
  ConvShape k;
  k.N = 2, k.H = k.P = 9, k.W = k.Q = 9, k.C = 16, k.O = 16, k.R = k.S = 3;
  k.top = k.bottom = k.left = k.right = 1;
  Data data = random_data(sweep, k);
  uint64_t start = onednn::primitives_made();
  Results first = computed<float>(k, data, true, true, true);
  uint64_t after_first = onednn::primitives_made();
  Results second = computed<float>(k, data, true, true, true);
  EXPECT_GT(after_first, start);
  EXPECT_EQ(onednn::primitives_made(), after_first);
  EXPECT_EQ(first.out, second.out);
  EXPECT_EQ(first.weight_gradient, second.weight_gradient);
  computed<float>(k, data, false, true, true);  // another epilogue is another primitive
  EXPECT_GT(onednn::primitives_made(), after_first);
}

}  // namespace
}  // namespace strata::test

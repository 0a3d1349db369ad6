// Every kernel of every pass, over shapes that break what can be broken, against float64; exact on
// small integers; under seeded schedules; equal bits from run to run; NaN.
#include <map>

#include "tests/kernels/conv/conv_support.h"

namespace strata::test {
namespace {

constexpr Pass passes[] = {Pass::forward, Pass::input_gradient, Pass::weight_gradient};
const char* name_of(Pass pass) {
  constexpr const char* names[] = {"forward", "input gradient", "weight gradient"};
  return names[static_cast<int>(pass)];
}

// Each about one feature; sizes that are no multiple of a tile.
std::vector<ConvShape> shapes(DType dtype) {
  return {
      shape_of(dtype, {1, 1, 1, 1}, {1, 1, 1}),
      shape_of(dtype, {2, 5, 6, 16}, {24, 1, 1}),
      shape_of(dtype, {1, 7, 9, 8}, {16, 3, 3}, {.top = 1, .bottom = 1, .left = 1, .right = 1}),
      shape_of(dtype, {2, 11, 13, 64}, {72, 3, 3}, {.top = 1, .bottom = 1, .left = 1, .right = 1}),
      shape_of(dtype, {1, 9, 8, 16}, {8, 3, 2},
               {.stride_h = 2, .stride_w = 3, .top = 1, .left = 2, .right = 1}),
      shape_of(dtype, {2, 8, 8, 16}, {16, 1, 1}, {.stride_h = 2, .stride_w = 2}),
      shape_of(dtype, {1, 10, 9, 8}, {8, 3, 3},
               {.dilation_h = 2, .dilation_w = 3, .top = 2, .bottom = 1, .left = 3, .right = 3}),
      shape_of(dtype, {1, 12, 11, 8}, {16, 3, 3},
               {.stride_h = 2, .stride_w = 2, .dilation_h = 2, .top = 2, .bottom = 2, .left = 1}),
      shape_of(dtype, {1, 6, 7, 32}, {48, 3, 3},
               {.top = 1, .bottom = 1, .left = 1, .right = 1, .groups = 2}),
      shape_of(dtype, {1, 6, 5, 12}, {18, 3, 3}, {.top = 1, .bottom = 1, .groups = 3}),
      shape_of(dtype, {2, 9, 7, 20}, {20, 3, 3},
               {.top = 1, .bottom = 1, .left = 1, .right = 1, .groups = 20}),
      shape_of(dtype, {1, 9, 8, 7}, {7, 5, 3},
               {.stride_h = 2, .stride_w = 2, .top = 2, .left = 1, .right = 2, .groups = 7}),
      shape_of(dtype, {1, 17, 19, 3}, {16, 7, 7},
               {.stride_h = 2, .stride_w = 2, .top = 3, .bottom = 3, .left = 3, .right = 3}),
      shape_of(dtype, {1, 18, 21, 3}, {72, 3, 3}, {.top = 1, .bottom = 1, .left = 1, .right = 1}),
      shape_of(dtype, {1, 31, 27, 3}, {8, 11, 11},
               {.stride_h = 4, .stride_w = 4, .top = 2, .bottom = 2, .left = 2, .right = 2}),
      shape_of(dtype, {2, 13, 12, 1}, {6, 5, 4}, {.dilation_h = 2, .top = 2, .left = 1}),
      shape_of(dtype, {2, 6, 5, 5}, {11, 3, 3}, {.top = 1, .bottom = 1, .left = 1, .right = 1}),
      shape_of(dtype, {1, 3, 3, 4}, {4, 3, 3}, {.top = 4, .bottom = 4, .left = 4, .right = 4}),
  };
}

// Products of tensor cores in f32 have factors of 10 bits of mantissa.
bool rounds_to_tf32(const ConvRung& rung) {
  return std::string(rung.name).find("tensor_core") == 3;
}
// Adds and subtracts neighbours before and after the products: 4 more digits lost at most.
bool transforms(const ConvRung& rung) { return std::string(rung.name) == "winograd"; }

template <class T>
void expect_close(const ConvRung& rung, const std::vector<T>& actual, const Expected& expected) {
  if (std::is_same_v<T, float> && rounds_to_tf32(rung)) {
    expect_within(actual, expected.value,
                  [&](size_t i) { return 0x1p-10 * expected.magnitude[i] + 1e-30; });
  } else if (transforms(rung)) {
    double largest = 0;
    for (double magnitude : expected.magnitude) largest = std::max(largest, magnitude);
    expect_within(actual, expected.value, [&](size_t) {
      return 16 * std::sqrt(static_cast<double>(expected.terms)) * 0x1p-24 * largest;
    });
  } else {
    expect_sum_of_products(actual, expected.value, expected.magnitude, expected.terms);
  }
}

// Sums of products of -2..2 stay below the type's whole numbers? f16 to 2048, bf16 to 256.
template <class T>
bool exact(const Expected& expected) {
  const double limit = std::is_same_v<T, bf16> ? 256 : std::is_same_v<T, f16> ? 2048 : 1 << 24;
  for (double value : expected.value)
    if (std::abs(value) > limit) return false;
  return true;
}

template <class T>
class ConvRungsOf : public ::testing::Test {};
using Types = ::testing::Types<float, double, bf16, f16>;
TYPED_TEST_SUITE(ConvRungsOf, Types);

// How many of the shapes each kernel took, so that none is left out unseen.
using Taken = std::map<std::string, int>;

TYPED_TEST(ConvRungsOf, EqualFloat64) {
  using T = TypeParam;
  Taken taken;
  for (const ConvShape& k : shapes(dtype_of<T>())) {
    const ConvData<T> random(k, ConvData<T>::Kind::random),
        integers(k, ConvData<T>::Kind::integers);
    for (Pass pass : passes) {
      const Expected close = oracle(pass, k, random, true), whole = oracle(pass, k, integers, true);
      for (const ConvRung& rung : gpu::conv_rungs()) {
        SCOPED_TRACE(std::string(rung.name) + ", " + name_of(pass) + ", " + text(k));
        const std::vector<T> result = run_conv(&rung, pass, k, random, true);
        if (result.empty()) continue;
        ++taken[rung.name];
        expect_close(rung, result, close);
        if (exact<T>(whole))
          expect_within(run_conv(&rung, pass, k, integers, true), whole.value,
                        [](size_t) { return 0.0; });
        if (this->HasFailure()) return;
      }
    }
  }
  const bool f32 = std::is_same_v<T, float>, f64 = std::is_same_v<T, double>;
  for (const ConvRung& rung : gpu::conv_rungs()) {
    const std::string name = rung.name;
    const bool expected = name == "winograd"          ? f32
                          : name == "03_tensor_core"  ? !f64
                          : name == "depthwise_strip" ? !f64
                          : name == "04_tma_im2col" || name == "05_persistent" || name == "stem"
                              ? !f32 && !f64
                              : true;
    EXPECT_EQ(taken[name] > 0, expected) << name << " took " << taken[name] << " shapes";
  }
}

// One small shape for each kernel that exercises its ring, its split and its ragged ends.
std::vector<ConvShape> schedule_shapes(DType dtype) {
  const Window same{.top = 1, .bottom = 1, .left = 1, .right = 1};
  Window each = same;
  each.groups = 8;
  return {shape_of(dtype, {1, 6, 7, 24}, {16, 3, 3}, same),
          shape_of(dtype, {1, 5, 5, 8}, {8, 3, 3}, each),
          shape_of(dtype, {1, 6, 6, 3}, {8, 3, 3}, same)};
}

template <class T>
void expect_the_same_under_every_schedule() {
  for (const ConvShape& k : schedule_shapes(dtype_of<T>())) {
    const ConvData<T> data(k, ConvData<T>::Kind::random);
    for (Pass pass : passes) {
      for (const ConvRung& rung : gpu::conv_rungs()) {
        SCOPED_TRACE(std::string(rung.name) + ", " + name_of(pass) + ", " + text(k));
        const std::vector<T> first = run_conv(&rung, pass, k, data, true);
        if (first.empty()) continue;
        for_each_schedule([&] { expect_same_bits(run_conv(&rung, pass, k, data, true), first); });
        if (::testing::Test::HasFailure()) return;
      }
    }
  }
}

TEST(ConvRungs, EqualBitsUnderEverySchedule) {
  expect_the_same_under_every_schedule<float>();
  expect_the_same_under_every_schedule<bf16>();
}

// Tiles as wide as they come: many channels, and a device that is full with one block.
TEST(ConvRungs, WideTiles) {
  gpu::DeviceInfo device = gpu::h100();
  device.multiprocessors = 1;
  Pretend pretend(device);
  const Window same{.top = 1, .bottom = 1, .left = 1, .right = 1};
  for (auto [C, O] : {std::pair<int64_t, int64_t>{72, 136}, {136, 72}}) {
    const ConvShape k = shape_of(DType::f16, {1, 12, 11, C}, {O, 3, 2}, same);
    const ConvData<f16> data(k, ConvData<f16>::Kind::integers);
    for (Pass pass : passes) {
      const Expected expected = oracle(pass, k, data, true);
      ASSERT_TRUE(exact<f16>(expected));
      for (const ConvRung& rung : gpu::conv_rungs()) {
        if (std::string(rung.name) == "01_direct") continue;
        SCOPED_TRACE(std::string(rung.name) + ", " + name_of(pass));
        const std::vector<f16> result = run_conv(&rung, pass, k, data, true);
        if (!result.empty()) expect_within(result, expected.value, [](size_t) { return 0.0; });
      }
    }
  }
}

// A sum of several blocks: the pixels of a weight gradient split until the machine is full.
TEST(ConvRungs, SplitSumsGiveTheSameBits) {
  const ConvShape k = shape_of(DType::bf16, {5, 16, 17, 8}, {16, 3, 3}, {.top = 1, .left = 1});
  const ConvData<bf16> data(k, ConvData<bf16>::Kind::random);
  const Expected expected = oracle(Pass::weight_gradient, k, data, false);
  for (const ConvRung& rung : gpu::conv_rungs()) {
    SCOPED_TRACE(rung.name);
    const auto first = run_conv(&rung, Pass::weight_gradient, k, data, false);
    if (first.empty()) continue;
    expect_close(rung, first, expected);
    for_each_schedule(
        [&] { expect_same_bits(run_conv(&rung, Pass::weight_gradient, k, data, false), first); },
        2);
  }
}

// A NaN reaches what depends on it and nothing else; Winograd's tiles spread it to their pixels.
TEST(ConvRungs, NanReachesWhatDependsOnIt) {
  const ConvShape k =
      shape_of(DType::f32, {1, 9, 9, 16}, {16, 3, 3}, {.top = 1, .bottom = 1, .left = 1});
  ConvData<float> data(k, ConvData<float>::Kind::integers);
  data.x[(4 * 9 + 5) * 16 + 3] = NAN;
  data.x[(7 * 9 + 1) * 16 + 9] = INFINITY;
  data.gradient[(4 * 8 + 4) * 16 + 5] = NAN;  // far from the padding, which counts as zeros
  data.bias[2] = NAN;
  for (Pass pass : passes) {
    const Expected expected = oracle(pass, k, data, true);
    for (const ConvRung& rung : gpu::conv_rungs()) {
      SCOPED_TRACE(std::string(rung.name) + ", " + name_of(pass));
      const std::vector<float> result = run_conv(&rung, pass, k, data, true);
      if (result.empty()) continue;
      for (size_t i = 0; i < result.size(); ++i) {
        if (std::isnan(expected.value[i])) {
          ASSERT_TRUE(std::isnan(result[i])) << i;
        } else if (!transforms(rung)) {
          ASSERT_EQ(result[i], expected.value[i]) << i;
        }
      }
    }
  }
}

// Few channels: what a kernel pads its sum with are other pixels, which may be NaN. Here all of x
// is, but what the outputs that are looked at meet.
TEST(ConvRungs, NanOfOtherPixelsStaysThere) {
  for (int64_t stride : {1, 2}) {
    const ConvShape k = shape_of(DType::bf16, {1, 12, 40, 3}, {8, 3, 3},
                                 {.stride_h = stride, .stride_w = stride, .top = 1, .left = 1});
    ConvData<bf16> data(k, ConvData<bf16>::Kind::integers);
    const int64_t first = 8;  // pixels from here on in a row are NaN
    for (int64_t i = 0; i < k.N * k.H * k.W * k.C; ++i)
      if (i / k.C % k.W >= first) data.x[static_cast<size_t>(i)] = bf16(NAN);
    const Expected expected = oracle(Pass::forward, k, data, true);
    for (const ConvRung& rung : gpu::conv_rungs()) {
      SCOPED_TRACE(std::string(rung.name) + ", stride " + std::to_string(stride));
      const std::vector<bf16> result = run_conv(&rung, Pass::forward, k, data, true);
      for (size_t i = 0; i < result.size(); ++i)
        ASSERT_EQ(std::isnan(expected.value[i]), std::isnan(static_cast<float>(result[i]))) << i;
    }
  }
}

// The same of a sum over pixels: those that the filter skips, behind the last output, may be NaN.
TEST(ConvRungs, NanBehindTheLastPixelStaysThere) {
  const ConvShape k =
      shape_of(DType::bf16, {1, 10, 13, 3}, {8, 3, 3}, {.stride_h = 4, .stride_w = 5});
  ASSERT_EQ(k.Q, 3);
  ASSERT_EQ(k.P, 2);
  ConvData<bf16> data(k, ConvData<bf16>::Kind::integers);
  for (int64_t h = 0; h < k.H; ++h)
    for (int64_t w = 0; w < k.W; ++w)
      if (h % 4 == 3 || h >= 7 || w % 5 >= 3)
        for (int64_t c = 0; c < k.C; ++c)
          data.x[static_cast<size_t>((h * k.W + w) * k.C + c)] = bf16(NAN);
  const Expected expected = oracle(Pass::weight_gradient, k, data, false);
  for (const ConvRung& rung : gpu::conv_rungs()) {
    SCOPED_TRACE(rung.name);
    const std::vector<bf16> result = run_conv(&rung, Pass::weight_gradient, k, data, false);
    if (!result.empty()) expect_within(result, expected.value, [](size_t) { return 0.0; });
  }
}

}  // namespace
}  // namespace strata::test

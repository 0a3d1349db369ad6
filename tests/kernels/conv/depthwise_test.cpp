// Strips of depthwise convolutions over all that their walk depends on: filters, strides, padding,
// sizes around a strip's width, channels in one slab and in several, pieces that are parts of an
// image and several images, and what falls back to another kernel.
#include "tests/kernels/conv/conv_support.h"

namespace strata::test {
namespace {

constexpr Pass passes[] = {Pass::forward, Pass::input_gradient, Pass::weight_gradient};

ConvShape depthwise_shape(DType dtype, std::array<int64_t, 4> x, int64_t K, int64_t stride,
                          int64_t padding) {
  return shape_of(dtype, x, {x[3], K, K},
                  {.stride_h = stride,
                   .stride_w = stride,
                   .top = padding,
                   .bottom = padding,
                   .left = padding,
                   .right = padding,
                   .groups = x[3]});
}

// All passes, on integers, by strips or, where `fallback`, by what is chosen instead. `extras`:
// bias, residual and ReLU.
template <class T>
void expect_exact(const ConvShape& k, bool extras, bool fallback = false, size_t misalign = 0) {
  SCOPED_TRACE(text(k));
  const ConvRung& strips = gpu::conv_rung("depthwise_strip");
  const ConvData<T> data(k, ConvData<T>::Kind::integers);
  for (Pass pass : passes) {
    SCOPED_TRACE(static_cast<int>(pass));
    const Expected expected = oracle(pass, k, data, extras);
    std::vector<T> result = run_conv(&strips, pass, k, data, extras, misalign);
    // Weight gradients of rows narrower than a strip fall back, too.
    const bool narrow = pass == Pass::weight_gradient && k.Q < 4;
    if (!narrow) {
      EXPECT_EQ(result.empty(), fallback);
    }
    if (result.empty()) result = run_conv<T>(nullptr, pass, k, data, extras, misalign);
    // Sums of more bits than the type has are rounded once.
    expect_within(result, expected.value,
                  [&](size_t i) { return unit_roundoff<T>() * std::abs(expected.value[i]); });
  }
}

TEST(DepthwiseStrips, EveryFilterStrideAndPadding) {
  for (int64_t K : {3, 5, 7})
    for (int64_t stride : {1, 2})
      for (int64_t padding : {int64_t{0}, int64_t{1}, K / 2, K})
        for (auto [H, W] : {std::pair<int64_t, int64_t>{7, 7}, {10, 12}, {8, 9}}) {
          expect_exact<bf16>(depthwise_shape(DType::bf16, {2, H, W, 8}, K, stride, padding), true);
          expect_exact<float>(depthwise_shape(DType::f32, {2, W, H, 6}, K, stride, padding), false);
          if (HasFailure()) return;
        }
}

TEST(DepthwiseStrips, PaddingThatDiffersOnEachSide) {
  for (int64_t stride : {1, 2})
    for (int64_t top : {0, 1, 2, 3})
      for (int64_t left : {0, 1, 2, 3}) {
        const Window window{.stride_h = stride,
                            .stride_w = stride,
                            .top = top,
                            .bottom = 3 - top,
                            .left = left,
                            .right = 2,
                            .groups = 4};
        expect_exact<f16>(shape_of(DType::f16, {1, 9, 10, 4}, {4, 3, 3}, window), true);
        if (HasFailure()) return;
      }
}

// Sizes from one pixel on: strips that stick out on both sides, images of fewer rows than a filter.
TEST(DepthwiseStrips, SmallImages) {
  for (int64_t H : {1, 2, 5})
    for (int64_t W = 1; W <= 10; ++W)
      for (int64_t stride : {1, 2}) {
        expect_exact<f16>(depthwise_shape(DType::f16, {3, H, W, 4}, 3, stride, 1), false);
        if (HasFailure()) return;
      }
}

// Chunks across a block: 1, few, 32; two and three slabs, of which the last is not full.
TEST(DepthwiseStrips, Channels) {
  for (int64_t C : {4, 12, 128, 132, 144, 268}) {
    expect_exact<bf16>(depthwise_shape(DType::bf16, {1, 5, 6, C}, 3, 1, 1), false);
    expect_exact<float>(depthwise_shape(DType::f32, {1, 5, 6, C / 2}, 3, 2, 1), true);
    expect_exact<bf16>(depthwise_shape(DType::bf16, {1, 5, 6, C}, 5, 1, 2), false);
  }
}

// A small device walks over several images in a piece, a large one over a part of one.
TEST(DepthwiseStrips, PiecesOfTheLine) {
  SKIP_ON_A_GPU();
  for (int multiprocessors : {1, 2, 132}) {
    SCOPED_TRACE(multiprocessors);
    gpu::DeviceInfo device = gpu::h100();
    device.multiprocessors = multiprocessors;
    Pretend pretend(device);
    for (int64_t stride : {1, 2}) {
      expect_exact<f16>(depthwise_shape(DType::f16, {9, 5, 40, 128}, 3, stride, 1), true);
      expect_exact<f16>(depthwise_shape(DType::f16, {2, 23, 9, 40}, 3, stride, 1), false);
      expect_exact<float>(depthwise_shape(DType::f32, {4, 11, 9, 6}, 5, stride, 2), false);
    }
  }
}

// Channels in no chunks, odd addresses, filters and strides of two sizes, dilation.
TEST(DepthwiseStrips, OthersFallBack) {
  const bool fallback = true;
  expect_exact<bf16>(depthwise_shape(DType::bf16, {1, 6, 7, 6}, 3, 1, 1), true, fallback);
  expect_exact<bf16>(depthwise_shape(DType::bf16, {1, 6, 7, 8}, 3, 1, 1), true, fallback, 1);
  expect_exact<bf16>(depthwise_shape(DType::bf16, {1, 6, 7, 8}, 3, 1, 1), true, fallback, 2);
  expect_exact<float>(depthwise_shape(DType::f32, {1, 6, 7, 4}, 3, 1, 1), false, fallback, 1);
  expect_exact<float>(depthwise_shape(DType::f32, {1, 6, 7, 4}, 4, 1, 1), false, fallback);
  expect_exact<float>(depthwise_shape(DType::f32, {1, 8, 12, 4}, 3, 3, 1), false, fallback);
  expect_exact<float>(
      shape_of(DType::f32, {1, 8, 9, 4}, {4, 3, 3}, {.stride_h = 2, .top = 1, .groups = 4}), false,
      fallback);
  expect_exact<float>(
      shape_of(DType::f32, {1, 8, 9, 4}, {4, 3, 3}, {.dilation_w = 2, .left = 2, .groups = 4}),
      true, fallback);
}

TEST(DepthwiseStrips, EqualBitsUnderEverySchedule) {
  const ConvShape k = depthwise_shape(DType::bf16, {2, 13, 18, 132}, 3, 1, 1);
  const ConvData<bf16> data(k, ConvData<bf16>::Kind::random);
  for (Pass pass : passes) {
    const Expected expected = oracle(pass, k, data, true);
    const std::vector<bf16> first = run_conv<bf16>(nullptr, pass, k, data, true);
    expect_sum_of_products(first, expected.value, expected.magnitude, expected.terms);
    for_each_schedule(
        [&] { expect_same_bits(run_conv<bf16>(nullptr, pass, k, data, true), first); }, 3);
  }
}

// Products with rows and columns of the gradient that are none are not added, not even as zeros:
// here the pixels that no output meets are NaN, in and between the strips.
TEST(DepthwiseStrips, NanOfPixelsThatNoOutputMeets) {
  const ConvShape k =
      shape_of(DType::bf16, {2, 10, 14, 8}, {8, 3, 3}, {.stride_h = 2, .stride_w = 2, .groups = 8});
  ASSERT_EQ(k.Q, 6);
  ConvData<bf16> data(k, ConvData<bf16>::Kind::integers);
  for (size_t i = 0; i < data.x.size(); ++i)
    if (i / 8 % 14 == 13 || i / 8 / 14 % 10 == 9) data.x[i] = bf16(NAN);
  for (Pass pass : {Pass::forward, Pass::weight_gradient}) {
    const Expected expected = oracle(pass, k, data, false);
    expect_within(run_conv<bf16>(nullptr, pass, k, data, false), expected.value,
                  [](size_t) { return 0.0; });
  }
}

// The same at the edges: what a NaN of x makes of the sums is what the formula makes of them.
TEST(DepthwiseStrips, NanReachesTheTapsThatMeetIt) {
  const ConvShape k = depthwise_shape(DType::f32, {2, 6, 7, 4}, 3, 1, 1);
  for (int64_t h : {0, 3, 5})
    for (int64_t w : {0, 2, 6}) {
      ConvData<float> data(k, ConvData<float>::Kind::integers);
      data.x[static_cast<size_t>(((1 * 6 + h) * 7 + w) * 4 + 2)] = NAN;
      for (Pass pass : {Pass::forward, Pass::weight_gradient}) {
        SCOPED_TRACE(std::to_string(h) + "," + std::to_string(w));
        expect_within(run_conv<float>(nullptr, pass, k, data, false),
                      oracle(pass, k, data, false).value, [](size_t) { return 0.0; });
      }
    }
}

}  // namespace
}  // namespace strata::test

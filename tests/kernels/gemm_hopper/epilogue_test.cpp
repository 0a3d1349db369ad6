// Epilogues of the Hopper rungs against float64, through plain stores (13_persistent), through the
// copy engine (16_tma_store) and on sums of parts of K (19_hopper_skinny); C of 16 and of 32 bits.
#include "kernels/gemm/hopper.h"
#include "tests/kernels/gemm_hopper/hopper_product.h"

namespace strata::gpu {
namespace {

using test::ProductShape;
using test::TestProduct;

double activate(Activation activation, double p) {
  switch (activation) {
    case Activation::relu:
      return p > 0 ? p : 0;
    case Activation::gelu:
      return p * 0.5 * std::erfc(-p / std::sqrt(2.0));
    case Activation::gelu_tanh:
      return 0.5 * p * (1 + std::tanh(std::sqrt(2 / M_PI) * (p + 0.044715 * p * p * p)));
    case Activation::none:
      break;
  }
  return p;
}
// By differences: the oracle shares no formula with the kernels.
double slope(Activation activation, double p) {
  constexpr double h = 1e-5;
  if (activation == Activation::relu) return p > 0;
  return (activate(activation, p + h) - activate(activation, p - h)) / (2 * h);
}

struct Parts {
  bool bias = false, preactivation = false, residual = false, in_place = false, gradient = false;
  Activation activation = Activation::none;
  double alpha = 1, beta = 1;
};

// `misalign` shifts what the epilogue reads by an element, so that it cannot be read in pairs.
template <class T>
void expect_epilogue(const GemmRung& rung, const Parts& parts, const ProductShape& shape,
                     size_t misalign = 0) {
  TestProduct<T> product(shape, 7);
  const int64_t N = shape.N;
  const size_t count = product.count();
  auto values = [](size_t n, uint64_t seed) { return test::random_values<T>(n, seed); };
  test::DeviceBuffer<T> bias(values(static_cast<size_t>(N), 11), misalign),
      preactivation(values(count, 12), misalign), residual(values(count, 13), misalign);
  const std::vector<T> saved = preactivation.host(), biases = bias.host(),
                       residuals = residual.host();
  GemmArguments g = product.arguments;
  g.allow_tf32 = std::is_same_v<T, float>;
  g.epilogue.alpha = parts.alpha;
  g.epilogue.beta = parts.beta;
  g.epilogue.activation = parts.activation;
  g.epilogue.gradient = parts.gradient;
  if (parts.bias) g.epilogue.bias = bias.data();
  if (parts.preactivation || parts.gradient) g.epilogue.preactivation = preactivation.data();
  if (parts.residual) g.epilogue.residual = residual.data();
  if (parts.in_place) {
    product.c.upload(residuals);
    g.epilogue.residual = product.c.data();
  }
  ASSERT_TRUE(rung.supports(g));
  rung.run(g);
  const std::vector<T> c = product.c.host(), p_stored = preactivation.host();

  std::vector<double> expected(count), before(count), bound(count);
  // tf32 cuts 13 bits off each operand.
  const double operand = std::is_same_v<T, float>
                             ? 2 * 0x1p-10
                             : 8 * std::sqrt(static_cast<double>(shape.K)) * 0x1p-24;
  for (size_t i = 0; i < count; ++i) {
    double p = parts.alpha * product.sums[i];
    if (parts.bias) p += static_cast<double>(biases[i % static_cast<size_t>(N)]);
    before[i] = p;
    expected[i] = parts.gradient ? p * slope(parts.activation, static_cast<double>(saved[i]))
                                 : activate(parts.activation, p);
    double scale = std::abs(p);
    if (parts.residual || parts.in_place) {
      expected[i] += parts.beta * static_cast<double>(residuals[i]);
      scale += std::abs(parts.beta);
    }
    // No slope is larger than 1.13.
    bound[i] = 1.2 * operand * std::abs(parts.alpha) * product.magnitudes[i] +
               16 * 0x1p-24 * scale + 1.01 * test::unit_roundoff<T>() * std::abs(expected[i]) +
               1e-9;
  }
  test::expect_within(c, expected, [&](size_t i) { return bound[i]; });
  if (parts.preactivation && !parts.gradient)
    test::expect_within(
        p_stored, before,
        [&](size_t i) {
          return operand * std::abs(parts.alpha) * product.magnitudes[i] + 1e-6 +
                 1.01 * test::unit_roundoff<T>() * std::abs(before[i]);
        },
        "preactivation");
  else
    test::expect_same_bits(p_stored, saved, "preactivation, which is only read");
}

const Parts all_parts[] = {
    {.bias = true},
    {.alpha = 0.25},
    {.bias = true, .activation = Activation::relu},
    {.bias = true, .preactivation = true, .activation = Activation::gelu},
    {.residual = true, .activation = Activation::gelu_tanh, .alpha = -2, .beta = 0.5},
    {.in_place = true},
    {.bias = true, .preactivation = true, .residual = true, .activation = Activation::relu},
    {.gradient = true, .activation = Activation::relu},
    {.residual = true, .gradient = true, .activation = Activation::gelu, .alpha = 3},
    {.gradient = true, .activation = Activation::gelu_tanh}};

ProductShape two_of(int64_t N) {
  return {.M = 72, .N = N, .K = 24, .batches = 2, .integers = false};
}

template <class T>
void expect_all(const GemmRung& rung, const ProductShape& shape, size_t misalign = 0) {
  SCOPED_TRACE(::testing::Message() << rung.name << ", " << name_of(dtype_of<T>()));
  for (size_t i = 0; i < std::size(all_parts); ++i) {
    SCOPED_TRACE(::testing::Message() << "all_parts[" << i << "]");
    expect_epilogue<T>(rung, all_parts[i], shape, misalign);
  }
}
template <class T>
void expect_all(const GemmRung& rung, int64_t N, size_t misalign = 0) {
  expect_all<T>(rung, two_of(N), misalign);
}

class HopperEpilogue : public test::OnHopper {};

TEST_F(HopperEpilogue, PlainStores) {
  expect_all<bf16>(gemm_ladder::persistent, 136);
  expect_all<f16>(gemm_ladder::two_consumers, 40);
}
TEST_F(HopperEpilogue, PlainStoresOfOddColumns) { expect_all<f16>(gemm_ladder::persistent, 37); }
TEST_F(HopperEpilogue, ThroughTheCopyEngine) {
  expect_all<bf16>(gemm_ladder::tma_store, 136);
  expect_all<f16>(gemm_ladder::tma_store, 40);
}
TEST_F(HopperEpilogue, WhatItReadsMayBeMisaligned) {
  expect_all<bf16>(gemm_ladder::ping_pong, 40, 1);
  expect_all<bf16>(gemm_ladder::tma_store, 40, 1);
}
TEST_F(HopperEpilogue, OnSumsOfPartsOfK) {
  test::Pretend pretend(h100());
  const GemmRung& rung = gemm_ladder::hopper_skinny;
  const ProductShape four_parts{.M = 20, .N = 136, .K = 1032, .integers = false};
  expect_all<bf16>(rung, four_parts);
  expect_all<f16>(rung, {.M = 100, .N = 37, .K = 520, .integers = false});
  expect_all<bf16>(rung, four_parts, 1);
}
TEST_F(HopperEpilogue, Tf32) { expect_all<float>(gemm_ladder::tf32_tma_store, 140); }

TEST_F(HopperEpilogue, EverySchedule) {
  test::for_each_schedule([] {
    expect_epilogue<bf16>(gemm_ladder::tma_store, all_parts[6], two_of(136));
    expect_epilogue<bf16>(gemm_ladder::ping_pong, all_parts[6], two_of(136));
  });
}

}  // namespace
}  // namespace strata::gpu

// Occlusion, feature ablation and Shapley values against closed forms and axioms.
#include "tools/introspect/attribution/perturbation.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/tensor/allocator.h"
#include "tests/introspect/attribution/models.h"
#include "tests/support/expect.h"
#include "tools/introspect/attribution/gradient.h"
#include "tools/introspect/attribution/group_values.h"

namespace strata::introspect {
namespace {

using namespace test;
using strata::test::values;
using strata::test::vector_of;

Tensor numbers(std::vector<int64_t> values, const Dims& shape) {
  return from_vector(values, shape);
}
// A function of 7 inputs without structure.
Tensor tangled(const Tensor& x) {
  static const Tensor inner = random({9, 7}, 81), outer = random({1, 9}, 82);
  return linear(tanh(linear(x, inner)), outer);
}

TEST(Occlusion, OfALinearFunctionIsTheWeightsTimesWhatWasHidden) {
  LinearModel model;
  Tensor x = random({2, 4, 4, 2}, 1), baseline = random({4, 4, 2}, 2);
  Tensor terms = sum(model.weights({2, 0}, x) * (x - baseline), {3});
  Tensor pixels = occlusion(model, x, {2, 0}, {.window = 1, .baseline = baseline});
  EXPECT_LT(largest_difference(pixels, terms), 1e-12);
  // Tiles: every pixel shows its tile's sum.
  Tensor tiles = occlusion(model, x, {2, 0}, {.window = 2, .baseline = baseline});
  Tensor sums = terms.reshape({2, 2, 2, 2, 2}).permute({0, 1, 3, 2, 4});
  sums = sum(sums, {3, 4});
  EXPECT_LT(largest_difference(tiles, upsample_nearest2d(sums.unsqueeze(3), 4, 4).squeeze(3)),
            1e-12);
}

TEST(Occlusion, AveragesTheWindowsThatCoverAPlace) {
  Tensor weight = vector_of({1, 10, 100, 1000, 10000}).reshape({1, 5});
  Scores model = [&](const Tensor& x) { return linear(x.flatten(1), weight); };
  Tensor x = ones({1, 5, 1}, DType::f64);
  // Windows 0-2, 1-3, 2-4; each drops the sum of its weights.
  auto found = values(occlusion(model, x, {}, {.window = 3, .stride = 1}));
  double a = 111, b = 1110, c = 11100;
  std::vector<double> expected{a, (a + b) / 2, (a + b + c) / 3, (b + c) / 2, c};
  for (size_t i = 0; i < 5; ++i) EXPECT_NEAR(found[i], expected[i], 1e-10);
  // Windows at 0 and 2 and, cut, at 4.
  found = values(occlusion(model, x, {}, {.window = 2}));
  expected = {11, 11, 1100, 1100, 10000};
  for (size_t i = 0; i < 5; ++i) EXPECT_NEAR(found[i], expected[i], 1e-10);
  EXPECT_FAILS(occlusion(model, x, {}, {.window = 2, .stride = 3}), "stride of 1 to the window");
}

TEST(Occlusion, ShiftsWithTheImage) {
  // Convolution and a mean: a bright spot moved by 2 moves the map.
  ConvNetwork model;
  auto scores = [&](const Tensor& x) {
    return mean(relu(conv2d(x, model.kernel1, {}, {.padding = 1})), {1, 2});
  };
  Tensor patch = random({1, 3, 3, 2}, 3);
  Tensor x = pad(patch, {0, 4, 4, 0}, {0, 9, 9, 0});
  Tensor moved = pad(patch, {0, 6, 4, 0}, {0, 7, 9, 0});
  Tensor map = occlusion(scores, x, {1}, {.window = 2, .stride = 1});
  Tensor after = occlusion(scores, moved, {1}, {.window = 2, .stride = 1});
  EXPECT_LT(largest_difference(map.slice(1, 0, 14), after.slice(1, 2, 16)), 1e-12);
  EXPECT_GT(max(abs(map)).item(), 1e-3);
}

TEST(FeatureAblation, OfALinearFunctionIsEachGroupsTerm) {
  LinearModel model;
  Tensor x = random({2, 4, 4, 2}, 1), baseline = random({4, 4, 2}, 2);
  Tensor terms = model.weights({1, 2}, x) * (x - baseline);
  auto channels =
      feature_ablation(model, x, {1, 2}, {.groups = numbers({0, 1}, {2}), .baseline = baseline});
  EXPECT_LT(largest_difference(channels.values, sum(terms, {1, 2})), 1e-12);
  auto rows = feature_ablation(model, x, {1, 2},
                               {.groups = numbers({0, 0, 1, 2}, {4, 1, 1}), .baseline = baseline});
  Tensor by_row = sum(terms, {2, 3});
  EXPECT_LT(largest_difference(rows.values.select(1, 0), by_row.select(1, 0) + by_row.select(1, 1)),
            1e-12);
  EXPECT_LT(largest_difference(rows.values.select(1, 2), by_row.select(1, 3)), 1e-12);
  auto each = feature_ablation(model, x, {1, 2}, {.baseline = baseline});
  EXPECT_LT(largest_difference(each.values, terms.flatten(1)), 1e-12);
  Tensor spread = spread_to_elements(rows.values, numbers({0, 0, 1, 2}, {4, 1, 1}), x);
  EXPECT_EQ(spread.shape(), x.shape());
  EXPECT_LT(
      largest_difference(spread.select(1, 3).select(2, 1).select(1, 2), rows.values.select(1, 2)),
      1e-12);
}

TEST(Shapley, OfALinearFunctionIsEachTerm) {
  Tensor weight = random({3, 8}, 11), bias = random({3}, 12), x = random({2, 8}, 13);
  Tensor baseline = random({8}, 14);
  Scores model = [&](const Tensor& in) { return linear(in, weight, bias); };
  Tensor expected = stack({weight.select(0, 2), weight.select(0, 0)}) * (x - baseline);
  GroupOptions options{.baseline = baseline};
  EXPECT_LT(largest_difference(shapley_values(model, x, {2, 0}, options).values, expected), 1e-12);
  for (bool antithetic : {false, true}) {
    auto sampled = sampled_shapley_values(model, x, {2, 0}, options,
                                          {.permutations = 4, .antithetic = antithetic});
    EXPECT_LT(largest_difference(sampled.values, expected), 1e-12);
    EXPECT_LT(max(sampled.standard_errors).item(), 1e-12);
  }
}

TEST(Shapley, APairSharesItsProduct) {
  Scores model = [](const Tensor& x) { return x.select(1, 0) * x.select(1, 1) + x.select(1, 2); };
  Tensor x = vector_of({3, 5, 7, 2}).reshape({1, 4});
  auto found = values(shapley_values(model, x, {}).values);
  EXPECT_NEAR(found[0], 7.5, 1e-12);
  EXPECT_NEAR(found[1], 7.5, 1e-12);
  EXPECT_NEAR(found[2], 7, 1e-12);
  EXPECT_EQ(found[3], 0);  // dummy
  // A permutation and its reverse together are exact for functions of pairs.
  auto pairs = sampled_shapley_values(model, x, {}, {}, {.permutations = 4, .antithetic = true});
  EXPECT_NEAR(values(pairs.values)[0], 7.5, 1e-12);
  EXPECT_LT(max(pairs.standard_errors).item(), 1e-12);
}

TEST(Shapley, IsEfficientAndLinearAndTheMeanOverAllOrders) {
  Tensor x = random({3, 7}, 21), baseline = random({7}, 22);
  GroupOptions options{.baseline = baseline};
  Scores other = [](const Tensor& in) { return prod(in, 1); };
  Scores both = [&](const Tensor& in) {
    return tangled(in).reshape({in.size(0)}) * 2.0 - other(in);
  };
  auto a = shapley_values(tangled, x, {}, options), b = shapley_values(other, x, {}, options);
  auto c = shapley_values(both, x, {}, options);
  EXPECT_LT(largest_difference(c.values, a.values * 2.0 - b.values), 1e-12);
  auto sums = values(sum(a.values, {1}));
  for (size_t n = 0; n < 3; ++n) EXPECT_NEAR(sums[n], a.scores[n] - a.baseline_scores[n], 1e-12);
  // By the definition over orders, for 4 of the inputs as groups of a smaller game.
  Tensor groups = numbers({0, 1, 2, 3, 3, 3, 3}, {7});
  auto game =
      shapley_values(tangled, x.slice(0, 0, 1), {}, {.groups = groups, .baseline = baseline});
  std::vector<int> order{0, 1, 2, 3};
  std::vector<double> mean(4, 0);
  auto worth = [&](int shown) {
    std::vector<double> point = values(baseline), full = values(x.select(0, 0));
    for (size_t i = 0; i < 7; ++i) {
      if ((shown >> std::min<size_t>(i, 3)) & 1) point[i] = full[i];
    }
    return tangled(from_vector(point, {1, 7})).item();
  };
  do {
    int shown = 0;
    for (int group : order) {
      double before = worth(shown);
      shown |= 1 << group;
      mean[static_cast<size_t>(group)] += (worth(shown) - before) / 24;
    }
  } while (std::next_permutation(order.begin(), order.end()));
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(values(game.values)[i], mean[i], 1e-12);
}

TEST(Shapley, SampledLiesWithinItsStandardErrors) {
  Tensor x = random({2, 7}, 31) * 2.0;
  Tensor exact = shapley_values(tangled, x, {}).values;
  for (bool antithetic : {false, true}) {
    auto sampled =
        sampled_shapley_values(tangled, x, {}, {}, {.permutations = 400, .antithetic = antithetic});
    auto off = values(abs(sampled.values - exact) / sampled.standard_errors);
    double squares = 0;
    for (double sigmas : off) {
      EXPECT_LT(sigmas, 4);
      squares += sigmas * sigmas;
    }
    EXPECT_GT(squares / 14, 0.1);  // the errors are not overstated either
    EXPECT_LT(squares / 14, 3);
    auto sums = values(sum(sampled.values, {1}));
    for (size_t n = 0; n < 2; ++n) {
      EXPECT_NEAR(sums[n], sampled.scores[n] - sampled.baseline_scores[n], 1e-12);
    }
  }
}

TEST(Perturbation, ABatchIsItsExamplesWhateverThePass) {
  for (auto& f : families()) {
    Tensor one = f.x.slice(0, 1, 2);
    std::vector<int64_t> parts(static_cast<size_t>(f.x.size(1)));
    for (size_t i = 0; i < parts.size(); ++i) parts[i] = static_cast<int64_t>(i % 4);
    Dims grid = Dims::filled(f.x.rank() - 1, 1);
    grid[0] = f.x.size(1);
    GroupOptions options{.groups = numbers(parts, grid)};
    auto whole = shapley_values(f.model, f.x, {0, 1}, options);
    auto total = values(sum(whole.values, {1}));
    EXPECT_NEAR(total[1], whole.scores[1] - whole.baseline_scores[1], 1e-12) << f.name;
    options.limit.examples = 3;
    EXPECT_LT(
        largest_difference(shapley_values(f.model, f.x, {0, 1}, options).values, whole.values),
        1e-12);
    EXPECT_LT(largest_difference(shapley_values(f.model, one, {1}, options).values,
                                 whole.values.slice(0, 1, 2)),
              1e-12);
    auto sampled = sampled_shapley_values(f.model, f.x, {0, 1}, options, {.permutations = 6});
    auto alone = sampled_shapley_values(f.model, one, {1}, options, {.permutations = 6});
    EXPECT_LT(largest_difference(sampled.values.slice(0, 1, 2), alone.values), 1e-12);
    Tensor map = occlusion(f.model, f.x, {0, 1}, {.window = 2});
    Tensor small = occlusion(f.model, one, {1}, {.window = 2, .limit = {.examples = 3}});
    EXPECT_LT(largest_difference(map.slice(0, 1, 2), small), 1e-12) << f.name;
    EXPECT_GT(max(abs(map)).item(), 1e-3) << f.name;
  }
}

TEST(Perturbation, OfTheChannelsOfALayerUnderALinearHead) {
  // Ablation and Shapley values of a channel are its term of the score, gradient x input each
  // place's.
  ConvNetwork model;
  Tensor x = random({3, 8, 8, 2}, 8), a = activation_of(model, x, "conv2");
  Tensor rows = index_select(model.head, 0, numbers({2, 0, 1}, {3}));
  Tensor terms = mean(a, {1, 2}) * rows;
  GroupOptions channels{.groups = arange(0, 5), .limit = {.examples = 4}};
  auto at_layer = [&](const AttributionMethod& method) {
    return attribution_at_layer(model, x, "conv2", {2, 0, 1}, method);
  };
  Tensor ablated = at_layer([&](auto& upper, auto& input, auto& target) {
    return feature_ablation(upper, input, target, channels).values;
  });
  EXPECT_LT(largest_difference(ablated, terms), 1e-12);
  Tensor shapley = at_layer([&](auto& upper, auto& input, auto& target) {
    return shapley_values(upper, input, target, channels).values;
  });
  EXPECT_LT(largest_difference(shapley, terms), 1e-12);
  Tensor product = at_layer(gradient_times_input);
  EXPECT_LT(largest_difference(product, a * rows.reshape({3, 1, 1, 5}) / 16.0), 1e-12);
  EXPECT_FAILS(attribution_at_layer(model, x, "conv9", {2, 0, 1}, gradient_times_input),
               "conv9.*conv1, conv2");
}

TEST(Perturbation, HoldsOnePassAtATime) {
  ConvNetwork model;
  Tensor x = random({2, 8, 8, 2}, 1);
  auto peak = [&](int permutations) {
    size_t before = memory::stats().active;
    memory::reset_peak();
    sampled_shapley_values(model, x, {0, 1}, {.groups = arange(0, 8).reshape({8, 1, 1})},
                           {.permutations = permutations});
    return memory::stats().peak - before;
  };
  EXPECT_EQ(peak(4), peak(40));
}

TEST(Perturbation, RefusesWhatDoesNotFit) {
  Tensor x = random({1, 20}, 1);
  Scores model = [](const Tensor& in) { return sum(in, {1}); };
  EXPECT_FAILS(shapley_values(model, x, {}), "20 groups have 2.20 coalitions");
  EXPECT_FAILS(feature_ablation(model, x, {}, {.groups = numbers({0, 1}, {2})}),
               R"(groups i64\[2\] must be integers that broadcast)");
  EXPECT_FAILS(feature_ablation(model, x, {}, {.groups = numbers({-1}, {1})}), "-1 is among them");
  EXPECT_FAILS(sampled_shapley_values(model, x, {}, {}, {.permutations = 2}), "too few");
  EXPECT_FAILS(occlusion(model, x, {}), "expected .N, H, W, C.");
  EXPECT_FAILS(occlusion(LinearModel{}, random({1, 4, 4, 2}, 1), {3}), "target 3 is outside the 3");
}

}  // namespace
}  // namespace strata::introspect

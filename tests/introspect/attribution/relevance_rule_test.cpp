// Every rule of relevance propagation against plain loops over a dense matrix of weights.
#include "tools/introspect/attribution/relevance_rule.h"

#include <gtest/gtest.h>

#include "engine/ops.h"
#include "tests/introspect/networks.h"
#include "tests/support/expect.h"

namespace strata::introspect {
namespace {

using namespace test;
using strata::test::values;

// A linear map written out: weight[k][j], and which of them exist.
struct Dense {
  std::vector<double> input, bias, out;
  std::vector<std::vector<double>> weight;
  std::vector<std::vector<bool>> present;
};

void complete(Dense& d) {
  for (size_t k = 0; k < d.weight.size(); ++k) {
    double z = d.bias[k];
    for (size_t j = 0; j < d.input.size(); ++j) z += d.input[j] * d.weight[k][j];
    d.out.push_back(z);
  }
}

Dense dense_linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  Dense d;
  d.input = values(x);
  d.bias = values(bias);
  for (int64_t k = 0; k < weight.size(0); ++k) {
    d.weight.push_back(values(weight.select(0, k)));
    d.present.emplace_back(d.input.size(), true);
  }
  complete(d);
  return d;
}

// One image [1, H, W, C].
Dense dense_conv(const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t stride,
                 int64_t padding, int64_t groups) {
  Dense d;
  d.input = values(x);
  std::vector<double> w = values(weight), b = values(bias);
  int64_t H = x.size(1), W = x.size(2), C = x.size(3), O = weight.size(0), R = weight.size(1),
          S = weight.size(2), in = C / groups, out = O / groups;
  for (int64_t p = 0; p * stride + R <= H + 2 * padding; ++p) {
    for (int64_t q = 0; q * stride + S <= W + 2 * padding; ++q) {
      for (int64_t o = 0; o < O; ++o) {
        std::vector<double> row(d.input.size(), 0);
        std::vector<bool> there(d.input.size(), false);
        for (int64_t r = 0; r < R; ++r) {
          for (int64_t s = 0; s < S; ++s) {
            int64_t h = p * stride + r - padding, v = q * stride + s - padding;
            if (h < 0 || h >= H || v < 0 || v >= W) continue;
            for (int64_t c = 0; c < in; ++c) {
              size_t j = static_cast<size_t>((h * W + v) * C + (o / out) * in + c);
              row[j] = w[static_cast<size_t>(((o * R + r) * S + s) * in + c)];
              there[j] = true;
            }
          }
        }
        d.weight.push_back(row);
        d.present.push_back(there);
        d.bias.push_back(b[static_cast<size_t>(o)]);
      }
    }
  }
  complete(d);
  return d;
}

using Contribution = std::function<double(const Dense&, size_t k, size_t j)>;

// Shares relevance[k] in proportion to contribution(k, j), with `rest(k)` in the whole.
std::vector<double> share(const Dense& d, const std::vector<double>& relevance,
                          const Contribution& contribution,
                          const std::function<double(size_t)>& rest) {
  std::vector<double> got(d.input.size(), 0);
  for (size_t k = 0; k < relevance.size(); ++k) {
    double whole = rest(k);
    for (size_t j = 0; j < got.size(); ++j) {
      if (d.present[k][j]) whole += contribution(d, k, j);
    }
    if (whole == 0) continue;
    for (size_t j = 0; j < got.size(); ++j) {
      if (d.present[k][j]) got[j] += contribution(d, k, j) / whole * relevance[k];
    }
  }
  return got;
}

double z_of(const Dense& d, size_t k, size_t j) { return d.input[j] * d.weight[k][j]; }

struct Named {
  const char* name;
  LinearRule rule;
  std::function<std::vector<double>(const Dense&, const std::vector<double>&)> expected;
};

std::vector<Named> rules() {
  auto up = [](double v) { return std::max(v, 0.0); };
  auto down = [](double v) { return std::min(v, 0.0); };
  auto none = [](size_t) { return 0.0; };
  auto positive = [=](const Dense& d, const std::vector<double>& r) {
    return share(
        d, r, [=](const Dense& e, size_t k, size_t j) { return up(z_of(e, k, j)); },
        [&](size_t k) { return up(d.bias[k]); });
  };
  auto epsilon = [](double e) {
    return [e](const Dense& d, const std::vector<double>& r) {
      return share(d, r, z_of, [&](size_t k) { return d.bias[k] + (d.out[k] < 0 ? -e : e); });
    };
  };
  return {
      {"epsilon 0", lrp_epsilon(0), epsilon(0)},
      {"epsilon 0.3", lrp_epsilon(0.3), epsilon(0.3)},
      {"gamma", lrp_gamma(0.7),
       [=](const Dense& d, const std::vector<double>& r) {
         // gamma more of every contribution that has the sign of its output.
         auto more = [=](const Dense& e, size_t k, double v) {
           return v + 0.7 * (e.out[k] < 0 ? down(v) : up(v));
         };
         return share(
             d, r, [=](const Dense& e, size_t k, size_t j) { return more(e, k, z_of(e, k, j)); },
             [&](size_t k) { return more(d, k, d.bias[k]); });
       }},
      {"z+", lrp_z_plus(), positive},
      {"alpha-beta", lrp_alpha_beta(2.5),
       [=](const Dense& d, const std::vector<double>& r) {
         auto a = positive(d, r);
         auto b = share(
             d, r, [=](const Dense& e, size_t k, size_t j) { return down(z_of(e, k, j)); },
             [&](size_t k) { return down(d.bias[k]); });
         for (size_t j = 0; j < a.size(); ++j) a[j] = 2.5 * a[j] - 1.5 * b[j];
         return a;
       }},
      {"z-box", lrp_z_box(-9, 8),
       [=](const Dense& d, const std::vector<double>& r) {
         return share(
             d, r,
             [=](const Dense& e, size_t k, size_t j) {
               return z_of(e, k, j) + 9 * up(e.weight[k][j]) - 8 * down(e.weight[k][j]);
             },
             none);
       }},
      {"w-square", lrp_w_square(),
       [=](const Dense& d, const std::vector<double>& r) {
         return share(
             d, r,
             [](const Dense& e, size_t k, size_t j) { return e.weight[k][j] * e.weight[k][j]; },
             none);
       }},
      {"flat", lrp_flat(),
       [=](const Dense& d, const std::vector<double>& r) {
         return share(
             d, r, [](const Dense&, size_t, size_t) { return 1.0; }, none);
       }},
  };
}

// What the rule makes of the op in `run`, for a relevance drawn at random.
void compare(const char* op, const Tensor& x, const std::function<Tensor(const Tensor&)>& run,
             const Dense& dense) {
  for (auto& [name, rule, expected] : rules()) {
    Tensor input = x.detach().set_requires_grad(), y;
    Tape tape([&] { y = run(input); });
    Tensor relevance = random(y.shape(), 77);
    double absorbed = 0;
    Rules only{.ops = {{op, [&](const Visit& visit, const Tensor& r) {
                          Shares shares = rule(LinearStep(visit), r);
                          absorbed = shares.absorbed;
                          Gradients all(2);
                          all[visit.needs(0) ? 0 : 1] = shares.input;
                          return all;
                        }}}};
    Tensor got = propagate(tape, y, relevance, {input}, only)[0];
    strata::test::expect_near(values(got), expected(dense, values(relevance)), 1e-10);
    double received = sum(relevance).item(), size = sum(abs(got)).item();
    EXPECT_NEAR(received, sum(got).item() + absorbed, 1e-10 * (1 + size)) << op << " " << name;
    EXPECT_GT(size, 0) << op << " " << name;
  }
}

TEST(RelevanceRule, OfALinearLayerAgreesWithLoops) {
  Tensor x = random({1, 6}, 1), weight = random({4, 6}, 2), bias = random({4}, 3);
  compare(
      "linear", x, [&](const Tensor& v) { return linear(v, weight, bias); },
      dense_linear(x, weight, bias));
}

TEST(RelevanceRule, OfAProductOnEitherSideAgreesWithLoops) {
  Tensor x = random({1, 6}, 4), weight = random({4, 6}, 5), none = zeros({4}, DType::f64);
  Dense dense = dense_linear(x, weight, none);
  compare(
      "matmul", x, [&](const Tensor& v) { return matmul(v, weight.transpose(0, 1)); }, dense);
  compare(
      "matmul", x.reshape({6, 1}), [&](const Tensor& v) { return matmul(weight, v); }, dense);
}

TEST(RelevanceRule, OfAConvolutionAgreesWithLoops) {
  Tensor x = random({1, 5, 4, 4}, 6), weight = random({6, 3, 2, 2}, 7), bias = random({6}, 8);
  Conv2dOptions options{.stride = 2, .padding = 1, .groups = 2};
  compare(
      "conv2d", x, [&](const Tensor& v) { return conv2d(v, weight, bias, options); },
      dense_conv(x, weight, bias, 2, 1, 2));
}

TEST(RelevanceRule, OfAConvolutionOverTimeAgreesWithLoops) {
  Tensor x = random({1, 7, 3}, 9), weight = random({4, 3, 3}, 10), bias = random({4}, 11);
  Dense dense = dense_conv(x.unsqueeze(2), weight.unsqueeze(2), bias, 2, 0, 1);
  compare(
      "conv1d", x, [&](const Tensor& v) { return conv1d(v, weight, bias, {.stride = 2}); }, dense);
}

TEST(RelevanceRule, APositiveLayerHasItsTextbookForms) {
  // Inputs and weights positive: z+, gamma and alpha-beta with alpha 1 are the epsilon rule.
  Tensor x = abs(random({1, 5}, 12)), weight = abs(random({3, 5}, 13));
  auto run = [&](const LinearRule& rule) {
    Tensor input = x.detach().set_requires_grad(), y, got;
    Tape tape([&] { y = linear(input, weight); });
    Rules only{.ops = {{"linear", [&](const Visit& visit, const Tensor& r) {
                          return Gradients{rule(LinearStep(visit), r).input};
                        }}}};
    return propagate(tape, y, random({1, 3}, 14), {input}, only)[0];
  };
  Tensor plain = run(lrp_epsilon(0));
  EXPECT_LT(largest_difference(run(lrp_z_plus()), plain), 1e-14);
  EXPECT_LT(largest_difference(run(lrp_gamma(3)), plain), 1e-14);
  EXPECT_LT(largest_difference(run(lrp_alpha_beta(1)), plain), 1e-14);
  EXPECT_GT(largest_difference(run(lrp_flat()), plain), 1e-3);
}

TEST(RelevanceRule, FoldingABatchNormLeavesTheOutputAsItWas) {
  Tensor x = random({2, 5, 5, 3}, 15).set_requires_grad(), weight = random({4, 3, 3, 3}, 16),
         bias = random({4}, 17), scale = random({4}, 18), shift = random({4}, 19);
  Tensor running_mean = random({4}, 20), running_var = square(random({4}, 21)) + 0.1;
  for (bool biased : {true, false}) {
    Tensor plain, normed;
    Tape tape([&] {
      plain = conv2d(x, weight, biased ? bias : Tensor(), {.padding = 1});
      normed = batch_norm(plain, scale, shift, running_mean, running_var, {.training = false});
    });
    bool ran = false;
    Rules rules{.ops = {{"conv2d", [&](const Visit& visit, const Tensor& g) {
                           LinearStep step(visit);
                           Tensor factor = scale * rsqrt(running_var + 1e-5);
                           step.fold(factor, shift - running_mean * factor, normed);
                           Tensor again = step.forward(step.input, step.weight) + step.bias;
                           EXPECT_LT(largest_difference(again, normed), 1e-12);
                           EXPECT_EQ(largest_difference(step.out, normed), 0);
                           step.distribute_bias();
                           EXPECT_FALSE(step.bias.defined());
                           EXPECT_LT(
                               largest_difference(step.out, step.forward(step.input, step.weight)),
                               1e-12);
                           ran = true;
                           return Gradients{step.transpose(g, step.weight)};
                         }}}};
    propagate(tape, normed, random(normed.shape(), 22), {x}, rules);
    EXPECT_TRUE(ran);
  }
}

TEST(RelevanceRule, ARatioIsStabilisedAwayFromZero) {
  Tensor z = strata::test::vector_of({2, -2, 0, 0}), r = strata::test::vector_of({6, 6, 6, 0});
  EXPECT_EQ(values(stabilised_ratio(r, z, 0)), (std::vector<double>{3, -3, 0, 0}));
  EXPECT_EQ(values(stabilised_ratio(r, z, 1)), (std::vector<double>{2, -2, 6, 0}));
}

TEST(RelevanceRule, CompositesChooseByKindAndDepth) {
  // Told apart by what they do to a layer with one positive and one negative contribution.
  auto signature = [](const LinearRule& rule) {
    Tensor input = strata::test::leaf({1, 1}).reshape({1, 2}).detach().set_requires_grad(), y;
    Tensor weight = strata::test::vector_of({3, -1}).reshape({1, 2});
    Tape tape([&] { y = linear(input, weight); });
    Rules only{.ops = {{"linear", [&](const Visit& visit, const Tensor& r) {
                          return Gradients{rule(LinearStep(visit), r).input};
                        }}}};
    return values(propagate(tape, y, ones({1, 1}, DType::f64), {input}, only)[0]);
  };
  auto same = [&](const LinearRule& a, const LinearRule& b) {
    return signature(a) == signature(b);
  };
  LinearPlace first{"conv2d", 0, 5}, middle{"conv1d", 2, 5}, head{"linear", 5, 5};
  Composite box = epsilon_gamma_box(-1, 2, 0.1, 0.5);
  EXPECT_TRUE(same(box(first), lrp_z_box(-1, 2)));
  EXPECT_TRUE(same(box(middle), lrp_gamma(0.5)));
  EXPECT_TRUE(same(box(head), lrp_epsilon(0.1)));
  Composite plus = epsilon_plus(0.1), flat = epsilon_plus(0.1, true);
  EXPECT_TRUE(same(plus(first), lrp_z_plus()));
  EXPECT_TRUE(same(plus(head), lrp_epsilon(0.1)));
  EXPECT_TRUE(same(flat(first), lrp_flat()));
  EXPECT_TRUE(same(epsilon_alpha_beta(0.1, 3)(middle), lrp_alpha_beta(3)));
  EXPECT_TRUE(same(epsilon_alpha_beta(0.1, 3, true)(first), lrp_flat()));
  EXPECT_TRUE(same(everywhere(lrp_w_square())(middle), lrp_w_square()));
  EXPECT_FALSE(same(lrp_gamma(0.5), lrp_epsilon(0.1)));
}

TEST(RelevanceRule, RefusesWhatMakesNoSense) {
  EXPECT_FAILS(lrp_alpha_beta(0.5), "alpha must be 1 or more.*0.5");
  Tensor x = strata::test::leaf({3, 1}).reshape({1, 2}).detach().set_requires_grad(), y;
  Tape tape([&] { y = linear(x, ones({1, 2}, DType::f64)); });
  Rules box{.ops = {{"linear", [](const Visit& visit, const Tensor& r) {
                       return Gradients{lrp_z_box(0, 1)(LinearStep(visit), r).input};
                     }}}};
  EXPECT_FAILS(propagate(tape, y, ones({1, 1}, DType::f64), {x}, box), "from 1 to 3, outside");
  // A bound for each feature, met up to rounding.
  Tensor high = strata::test::vector_of({3 - 1e-7, 1});
  Rules fits{.ops = {{"linear", [&](const Visit& visit, const Tensor& r) {
                        return Gradients{lrp_z_box(scalar(0), high)(LinearStep(visit), r).input};
                      }}}};
  EXPECT_NEAR(sum(propagate(tape, y, ones({1, 1}, DType::f64), {x}, fits)[0]).item(), 1, 1e-12);
}

}  // namespace
}  // namespace strata::introspect

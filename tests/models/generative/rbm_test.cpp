// Restricted Boltzmann machines small enough to be enumerated: probabilities, gradients and
// samples against sums over every state.
#include "models/generative/rbm.h"

#include <cmath>

#include "engine/nn/init.h"
#include "engine/optim.h"
#include "tests/models/model_checks.h"

namespace strata::test {
namespace {

std::unique_ptr<Rbm> machine(int64_t visible, int64_t hidden, double deviation = 0.8) {
  manual_seed(5);
  auto rbm = std::make_unique<Rbm>(RbmOptions{visible, hidden});
  for (auto& [name, tensor] : rbm->named_parameters()) init::normal_(tensor, 0, deviation);
  rbm->to(DType::f64);
  return rbm;
}

// log of the sum over h of exp(b.v + c.h + h.W v), by loops over the states.
double log_weight(const Rbm& rbm, const std::vector<double>& v) {
  const auto parameters = rbm.parameters();
  const auto w = values(parameters[0]), b = values(parameters[1]), c = values(parameters[2]);
  double sum = 0;
  for (size_t h = 0; h < size_t{1} << c.size(); ++h) {
    double energy = 0;
    for (size_t i = 0; i < v.size(); ++i) energy -= b[i] * v[i];
    for (size_t j = 0; j < c.size(); ++j) {
      if (!(h >> j & 1)) continue;
      energy -= c[j];
      for (size_t i = 0; i < v.size(); ++i) energy -= w[j * v.size() + i] * v[i];
    }
    sum += std::exp(-energy);
  }
  return std::log(sum);
}

TEST(Rbm, CountsGradientsStagesState) {
  EXPECT_EQ(rbm_parameter_count({}), 101'264);
  EXPECT_EQ(Rbm().parameter_count(), rbm_parameter_count({}));
  auto tiny = machine(6, 4);
  expect_gradients(*tiny, random({3, 2, 3, 1}, 2));
  expect_stages(*tiny, random({3, 6}, 2), {"hidden", "visible"});
  expect_state_goes_round(
      [] {
        return std::make_unique<Rbm>(RbmOptions{6, 4});
      },
      random({2, 6}, 3).to(DType::f32));
}

TEST(Rbm, FreeEnergyAndLikelihoodAreSumsOverStates) {
  for (auto [visible, hidden] : {std::pair{5, 3}, std::pair{3, 5}}) {
    auto rbm = machine(visible, hidden);
    const Tensor states = binary_states(visible, DType::f64);
    const auto energy = values(rbm->free_energy(states));
    double z = 0;
    for (int64_t row = 0; row < states.size(0); ++row) {
      const double want = log_weight(*rbm, values(states.select(0, row)));
      EXPECT_NEAR(-energy[static_cast<size_t>(row)], want, 1e-10);
      z += std::exp(want);
    }
    EXPECT_NEAR(rbm->log_partition().item(), std::log(z), 1e-10);
    EXPECT_NEAR(sum(exp(rbm->log_likelihood(states))).item(), 1, 1e-10);
  }
}

// The gradient of the exact -log p is the data's gradient of F less the model's, and what CD-k
// estimates with many long chains.
TEST(Rbm, GradientsFollowTheLikelihood) {
  auto rbm = machine(5, 3, 0.5);
  const Tensor data = binary_states(5, DType::f64).slice(0, 3, 9);
  auto gradient = [&](const Tensor& loss) {
    std::vector<Tensor> parts;
    for (const Tensor& g : grad({loss}, rbm->parameters())) parts.push_back(g.flatten());
    return concatenate(parts);
  };
  const Tensor exact = gradient(-mean(rbm->log_likelihood(data)));

  const Tensor states = binary_states(5, DType::f64);
  const Tensor chance = exp(rbm->log_likelihood(states)).detach();
  const Tensor enumerated =
      gradient(mean(rbm->free_energy(data)) - sum(rbm->free_energy(states) * chance));
  expect_near(values(enumerated), values(exact), 1e-10);

  Generator generator(3);
  const Tensor model = rbm->sample(repeat(data, {4000, 1}), 20, &generator);
  const Tensor estimate = gradient(rbm->loss(data, model));
  EXPECT_LT(norm(estimate - exact).item(), 0.03 * norm(exact).item());
}

// Gibbs chains arrive at p(v), state by state.
TEST(Rbm, SamplesFollowTheDistribution) {
  auto rbm = machine(4, 3);
  Generator generator(8);
  constexpr int64_t chains = 40000;
  const Tensor v = rbm->sample(zeros({chains, 4}, DType::f64), 30, &generator);
  const Tensor code = matmul(v, vector_of({1, 2, 4, 8}).reshape({4, 1})).flatten();
  std::vector<double> count(16);
  for (double c : values(code)) count[static_cast<size_t>(c)] += 1;
  const auto p = values(exp(rbm->log_likelihood(binary_states(4, DType::f64))));
  double chi2 = 0;
  for (size_t i = 0; i < 16; ++i) chi2 += std::pow(count[i] - chains * p[i], 2) / (chains * p[i]);
  EXPECT_LT(chi2, 37.7);  // 15 degrees of freedom: one in a thousand is beyond
}

// Three bits, each written twice: CD-1 and persistent CD both raise the exact likelihood from six
// free bits, -6 log 2 = -4.16, towards three, -3 log 2 = -2.08.
TEST(Rbm, LearnsFromContrastiveDivergence) {
  const Tensor bits = repeat(binary_states(3), {8, 1});  // [64, 3]
  const Tensor data = stack({bits, bits}, 2).flatten(1);
  for (bool persistent : {false, true}) {
    manual_seed(6);
    Rbm rbm({6, 4});
    init::normal_(rbm.parameters()[0], 0, 0.1);
    SGD optimizer(rbm.named_parameters(), SGDOptions{.learning_rate = 0.3});
    EXPECT_NEAR(mean(rbm.log_likelihood(data)).item(), -6 * std::log(2.0), 0.1);
    Tensor chain = data;
    for (int step = 0; step < 700; ++step) {
      chain = rbm.sample(persistent ? chain : data, 1);
      optimizer.zero_grad();
      rbm.loss(data, chain).backward();
      optimizer.step();
    }
    EXPECT_GT(mean(rbm.log_likelihood(data)).item(), -3.4) << persistent;
    // A pair that is half known is told from the half.
    const Tensor halves = from_vector<float>({1, 0.5, 0, 0.5, 1, 0.5}, {1, 6});
    const auto told = values(rbm(halves));
    EXPECT_GT(told[1] + told[5], 2 * told[3]);
  }
}

// Without weights the visible units are independent, each on as often as it was said to be.
TEST(Rbm, StartsAtTheSharesOfItsUnits) {
  auto rbm = machine(3, 2);
  init::zeros_(rbm->parameters()[0]);
  rbm->start_at(vector_of({0.2, 0.5, 0.9}));
  const Tensor v = from_vector<double>({1, 0, 1, 0, 1, 0}, {2, 3});
  expect_near(values(rbm->log_likelihood(v)),
              {std::log(0.2 * 0.5 * 0.9), std::log(0.8 * 0.5 * 0.1)}, 1e-10);
}

TEST(Rbm, SaysWhatDoesNotFit) {
  Rbm rbm({6, 4});
  EXPECT_FAILS(rbm(zeros({2, 7})), "6 numbers an example; got f32\\[2,7\\]");
  EXPECT_FAILS(Rbm({30, 40}).log_partition(), "20 units at most; this machine has 30 and 40");
}

}  // namespace
}  // namespace strata::test

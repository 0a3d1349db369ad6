// What every model is tested by: gradients against finite differences on a tiny f64 instance, state
// there and back, and the names its activations are shown under.
#pragma once

#include <cmath>
#include <functional>
#include <memory>

#include "engine/autograd/autograd.h"
#include "engine/nn.h"
#include "engine/ops.h"
#include "models/registry.h"
#include "tests/support/expect.h"

namespace strata::test {

using Names = std::vector<std::string>;

inline Tensor random(const Dims& shape, uint64_t seed) {
  Generator generator(seed);
  return randn(shape, 0, 1, DType::f64, &generator);
}
inline Tensor tokens(int64_t vocabulary, const Dims& shape) {
  Generator generator(11);
  return randint(0, vocabulary, shape, DType::i64, &generator);
}

// The derivative of a scalar of the logits along a random direction of each parameter, against
// central differences.
inline void expect_gradients(Model& model, const Tensor& x) {
  model.to(DType::f64);
  Tensor weights = random(model(x).shape(), 5);
  auto loss = [&] { return sum(tanh(model(x)) * weights); };
  model.zero_grad();
  loss().backward();
  NoGrad off;
  uint64_t seed = 100;
  for (auto& [name, parameter] : model.named_parameters()) {
    Tensor direction = random(parameter.shape(), ++seed);
    ASSERT_TRUE(parameter.grad().defined()) << name;
    double got = sum(parameter.grad() * direction).item();
    constexpr double step = 1e-6;
    auto at = [&](double distance) {
      add_(parameter, direction, distance);
      double value = loss().item();
      add_(parameter, direction, -distance);
      return value;
    };
    double want = (at(step) - at(-step)) / (2 * step);
    EXPECT_NEAR(got, want, 2e-6 * (1 + std::abs(want))) << name;
    EXPECT_NE(got, 0) << name;
  }
}

inline void expect_state_goes_round(const std::function<std::unique_ptr<Model>()>& make,
                                    const Tensor& x) {
  manual_seed(1);
  auto a = make();
  manual_seed(2);
  auto b = make();
  a->eval(), b->eval();
  EXPECT_NE(values((*a)(x)), values((*b)(x)));
  b->load_state_dict(a->state_dict());
  EXPECT_EQ(values((*a)(x)), values((*b)(x)));
}

// The stages are among the activations, in order.
inline void expect_stages(Model& model, const Tensor& x, const Names& stages) {
  EXPECT_EQ(model.stages(), stages);
  Names all = named_activations(model, x);
  size_t place = 0;
  for (auto& stage : stages) {
    while (place < all.size() && all[place] != stage) ++place;
    EXPECT_LT(place, all.size()) << stage << " is not shown, or out of order";
  }
}

}  // namespace strata::test

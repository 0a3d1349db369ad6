// The same network, weights and data as PyTorch: first gradients, the loss of 20 steps, and logits
// and running statistics after them. Fixtures are made by make_*.py, which also convert the
// layouts.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "engine/autograd/autograd.h"
#include "engine/io/npy.h"
#include "engine/ops.h"
#include "engine/optim.h"
#include "models/model.h"
#include "tests/support/expect.h"

namespace strata::test {

inline StateDict fixture(const std::string& name) {
  return io::load_npz(std::string(STRATA_SOURCE_DIR) + "/tests/parity/fixtures/" + name + ".npz");
}

inline double largest(const Tensor& t) { return max(abs(t)).item(); }

// Largest difference, as a part of the largest value wanted, or of `floor` if that is more.
inline double distance(const Tensor& got, const Tensor& want, double floor = 1e-6) {
  EXPECT_EQ(got.shape(), want.shape());
  auto g = values(got), w = values(want);
  double difference = 0;
  for (size_t i = 0; i < g.size() && i < w.size(); ++i) {
    difference = std::max(difference, std::abs(g[i] - w[i]));
  }
  return difference / std::max(largest(want), floor);
}

// Trains `model` as the fixture was made and compares on the way.
template <class Prepare>
void follow(Model& model, Optimizer& optimizer, const StateDict& wanted, Prepare prepare) {
  for (auto& [name, parameter] : model.named_parameters()) {
    ASSERT_TRUE(wanted.count("weight/" + name)) << name;
    NoGrad off;
    ASSERT_EQ(parameter.shape(), wanted.at("weight/" + name).shape()) << name;
    copy_(parameter, wanted.at("weight/" + name));
  }
  const Tensor& inputs = wanted.at("inputs");
  auto losses = values(wanted.at("losses"));
  // A gradient that is zero but for rounding (of a bias before a batch norm) is compared with those
  // of the whole network.
  double rounding = 0;
  for (auto& [name, tensor] : wanted) {
    if (name.starts_with("gradient/")) rounding = std::max(rounding, 1e-3 * largest(tensor));
  }
  model.train();
  for (size_t step = 0; step < losses.size(); ++step) {
    int64_t batch = static_cast<int64_t>(step) % inputs.size(0);
    Tensor logits = model(prepare(inputs.select(0, batch)));
    Tensor loss = cross_entropy(logits, wanted.at("targets").select(0, batch));
    EXPECT_NEAR(loss.item(), losses[step], 1e-4 * losses[step]) << "step " << step;
    optimizer.zero_grad();
    loss.backward();
    for (auto& [name, parameter] : model.named_parameters()) {
      if (step > 0) break;
      ASSERT_TRUE(parameter.grad().defined()) << name;
      EXPECT_LT(distance(parameter.grad(), wanted.at("gradient/" + name), rounding), 1e-3) << name;
    }
    optimizer.step();
  }
  model.eval();
  NoGrad off;
  EXPECT_LT(distance(model(prepare(inputs.select(0, 0))), wanted.at("logits")), 1e-3);
  for (auto& [name, buffer] : model.named_buffers()) {
    ASSERT_TRUE(wanted.count("buffer/" + name)) << name;
    EXPECT_LT(distance(buffer, wanted.at("buffer/" + name)), 1e-3) << name;
  }
}

// Images of the fixtures are u8.
inline Tensor prepare_images(const Tensor& x) {
  return x.contiguous().to(DType::f32) / 127.5 - 1.0;
}

}  // namespace strata::test

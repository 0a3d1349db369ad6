// Checkpointing of activations: the same numbers, less memory.
#include <gtest/gtest.h>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/tensor/allocator.h"
#include "tests/support/expect.h"
#include "tests/support/oracle.h"

namespace strata {
namespace {

using test::expect_near;
using test::leaf;
using test::Random;
using test::values;

Tensor parameter(uint64_t seed, const Dims& shape) {
  return from_vector(Random(seed).uniform(shape, -1, 1).values, shape).set_requires_grad();
}

struct Block {
  Tensor w1 = parameter(1, {4, 8}), w2 = parameter(2, {8, 4});
  double drop = 0;
  Tensor operator()(const std::vector<Tensor>& in) const {
    return in[0] + matmul(dropout(tanh(matmul(in[0], w1)), drop), w2);
  }
};

TEST(Checkpoint, GivesThePlainGradients) {
  Block block;
  Tensor x = parameter(3, {5, 4});
  Tensor plain = block({x});
  auto want = grad({sum(plain * plain)}, {x, block.w1, block.w2});
  Tensor kept = checkpoint([&](const std::vector<Tensor>& in) { return block(in); }, {x},
                           {block.w1, block.w2});
  expect_near(values(kept), values(plain), 0);
  auto got = grad({sum(kept * kept)}, {x, block.w1, block.w2});
  for (size_t i = 0; i < 3; ++i) expect_near(values(got[i]), values(want[i]));
}

TEST(Checkpoint, RepeatsDropoutAndLeavesTheGeneratorAlone) {
  Block block;
  block.drop = 0.5;
  Tensor x = parameter(3, {50, 4});
  auto run = [&](bool checkpointed) {
    manual_seed(5);
    Tensor y = checkpointed ? checkpoint([&](const std::vector<Tensor>& in) { return block(in); },
                                         {x}, {block.w1, block.w2})
                            : block({x});
    auto g = grad({sum(y * y)}, {x, block.w1, block.w2});
    g.push_back(y.detach());
    g.push_back(rand({3}));  // what is drawn afterwards is the same too
    return g;
  };
  auto want = run(false), got = run(true);
  for (size_t i = 0; i < want.size(); ++i) expect_near(values(got[i]), values(want[i]));
}

TEST(Checkpoint, NestsAndChains) {
  Tensor x = leaf({0.3, -0.7});
  auto square_tanh = [](const std::vector<Tensor>& in) { return tanh(in[0] * in[0]); };
  auto twice = [&](const std::vector<Tensor>& in) {
    return checkpoint(square_tanh, {checkpoint(square_tanh, in)});
  };
  Tensor plain = square_tanh({square_tanh({square_tanh({x})})});
  Tensor kept = checkpoint(square_tanh, {checkpoint(twice, {x})});
  expect_near(values(grad(sum(kept), x)), values(grad(sum(plain), x)));
}

TEST(Checkpoint, SecondOrder) {
  Block block;
  Tensor x = parameter(3, {2, 4});
  auto second = [&](bool checkpointed) {
    Tensor y = checkpointed ? checkpoint([&](const std::vector<Tensor>& in) { return block(in); },
                                         {x}, {block.w1, block.w2})
                            : block({x});
    auto g = grad({sum(y * y * y)}, {x, block.w1}, {}, {.create_graph = true});
    return grad({sum(g[0] * g[0]) + sum(g[1] * g[1])}, {x, block.w1, block.w2});
  };
  auto want = second(false), got = second(true);
  for (size_t i = 0; i < 3; ++i) expect_near(values(got[i]), values(want[i]));
}

// The second input is made from the first: each gets its own share, once, in both orders.
TEST(Checkpoint, InputsThatDependOnEachOther) {
  Tensor x = leaf({0.5, -1.5});
  auto f = [](const std::vector<Tensor>& in) { return in[0] * in[0] * in[1]; };
  auto derivatives = [&](bool checkpointed) {
    Tensor y = x * x;
    Tensor out = checkpointed ? checkpoint(f, {x, y}) : f({x, y});
    Tensor first = grad(sum(out), x, {.create_graph = true});
    return std::vector{first, grad(sum(first), x)};
  };
  auto want = derivatives(false), got = derivatives(true);
  expect_near(values(got[0]), values(want[0]));
  expect_near(values(got[1]), values(want[1]));
}

TEST(Checkpoint, ParametersThatAreResults) {
  Tensor raw = leaf({0.5, -1.5}), x = leaf({2, 3});
  Tensor w = raw * raw;  // used inside, made outside
  Tensor y = checkpoint([&](const std::vector<Tensor>& in) { return in[0] * w; }, {x}, {w});
  backward(sum(y));
  expect_near(values(raw.grad()), {2, -9});
}

TEST(Checkpoint, KeepsNoActivations) {
  Tensor x = full({1 << 16}, 0.1).set_requires_grad();
  auto chain = [](const std::vector<Tensor>& in) {
    Tensor y = in[0];
    for (int i = 0; i < 20; ++i) y = tanh(y);
    return y;
  };
  auto held = [&](bool checkpointed) {
    size_t before = memory::stats().active;
    Tensor y = checkpointed ? checkpoint(chain, {x}) : chain({x});
    return memory::stats().active - before;
  };
  EXPECT_GT(held(false), 9 * held(true));
}

TEST(Checkpoint, UnusedParametersGetNothing) {
  Tensor x = leaf({2}), w = leaf({3});
  Tensor y = checkpoint([](const std::vector<Tensor>& in) { return in[0] * 2.0; }, {x}, {w});
  backward(sum(y));
  EXPECT_EQ(x.grad().item(), 2);
  EXPECT_FALSE(w.grad().defined());
}

}  // namespace
}  // namespace strata

// PackedWeights: the same results with weights kept in the kernels' layouts, none of them stale,
// and nothing kept that is no weight.
#include "engine/ops/packed_weights.h"

#include <gtest/gtest.h>

#include <thread>

#include "engine/autograd/autograd.h"
#include "engine/nn.h"
#include "engine/ops.h"
#include "engine/optim.h"
#include "engine/tensor/allocator.h"
#include "kernels/common/parallel.h"

namespace strata {
namespace {

Tensor random(const Dims& shape, uint64_t seed) {
  Generator generator(seed);
  return randn(shape, 0, 1, DType::f32, &generator);
}
Tensor weight(const Dims& shape, uint64_t seed) { return random(shape, seed).set_requires_grad(); }

std::vector<float> values(const Tensor& x) { return x.to_vector<float>(); }

// Sizes that the CPU's vectors do not divide, so that the packed weight is another size than ours.
const Dims image = {2, 9, 8, 19}, kernel = {37, 3, 3, 19};
constexpr int64_t inputs = 75, outputs = 83;

// y = x w^T + b in f64, and the largest error that f32 sums may have.
void expect_linear(const Tensor& y, const Tensor& x, const Tensor& w, const Tensor& b) {
  NoGrad off;
  Tensor right = linear(x.to(DType::f64), w.to(DType::f64), b.to(DType::f64));
  Tensor size = linear(abs(x).to(DType::f64), abs(w).to(DType::f64), abs(b).to(DType::f64));
  EXPECT_LE(max(abs(y.to(DType::f64) - right) / size).item(), 1e-6);
}

TEST(PackedWeights, ConvolutionsGiveTheSameBits) {
  NoGrad off;
  Tensor x = random(image, 1), bias = random({37}, 3), sequence = random({2, 20, 19}, 4);
  Tensor w = weight(kernel, 2), grouped = weight({38, 3, 3, 1}, 5), flat = weight({37, 3, 19}, 6);
  Tensor back = random({2, 9, 8, 37}, 7), residual = random({2, 7, 6, 37}, 8);
  auto all = [&] {
    Conv2dOptions depthwise;
    depthwise.groups = 19;
    depthwise.padding = 1;
    Conv2dOptions fused;
    fused.relu = true;
    return std::vector<std::vector<float>>{
        values(conv2d(x, w, bias)), values(conv2d(x, w, bias, fused, residual)),
        values(conv2d(x, grouped, {}, depthwise)), values(conv1d(sequence, flat, bias)),
        values(conv_transpose2d(back, w))};
  };
  auto without = all();
  PackedWeights packed;
  EXPECT_EQ(all(), without) << "when packed";
  const size_t bytes = PackedWeights::bytes();
  EXPECT_GE(bytes, static_cast<size_t>(w.numel()) * sizeof(float));
  EXPECT_EQ(all(), without) << "from what is kept";
  EXPECT_EQ(PackedWeights::bytes(), bytes) << "the second call packs nothing";
}

TEST(PackedWeights, ProductsAgreeUpToRoundingAndRepeat) {
  NoGrad off;
  Tensor w = weight({outputs, inputs}, 1), b = random({outputs}, 2);
  PackedWeights packed;
  for (int64_t rows : {1, 3, 4, 5, 16, 64, 200}) {
    Tensor x = random({rows, inputs}, 3), y = linear(x, w, b);
    expect_linear(y, x, w, b);
    EXPECT_EQ(values(linear(x, w, b)), values(y)) << rows << " rows";
    Tensor images = x.reshape({rows, 1, inputs});
    EXPECT_EQ(values(linear(images, w, b)), values(y)) << rows << " images of a row";
  }
  EXPECT_GT(PackedWeights::bytes(), 0u);
  Tensor c = weight({inputs, outputs}, 4), x = random({5, inputs}, 5);
  expect_linear(matmul(x, c), x, c.transpose(0, 1), zeros({outputs}));
}

// Two views of one storage are two weights, and so is a view at another place.
TEST(PackedWeights, ViewsAreKeptApart) {
  NoGrad off;
  Tensor w = weight({2, 64, 64}, 1), x = random({16, 64}, 2), none = zeros({64});
  PackedWeights packed;
  for (int pass = 0; pass < 2; ++pass) {
    for (int64_t i : {0, 1}) {
      Tensor part = w.select(0, i);
      expect_linear(linear(x, part), x, part, none);
      expect_linear(matmul(x, part), x, part.transpose(0, 1), none);
    }
  }
  EXPECT_EQ(PackedWeights::bytes(), 4 * 64 * 64 * sizeof(float));
}

// Each of these changes the weight of a convolution and of a product that were packed.
TEST(PackedWeights, AWrittenWeightIsPackedAnew) {
  struct Net : Module {
    Conv2d& conv = add<Conv2d>("conv", 19, 37, 3);
    Linear& head = add<Linear>("head", 37, 83);
    std::string kind() const override { return "Net"; }
    Tensor operator()(const Tensor& x) { return head(max(conv(x), {1, 2})); }
  } net, other;
  Tensor x = random({16, 9, 8, 19}, 1);
  SGD optimizer(net.named_parameters(), {.learning_rate = 0.1});
  MovingAverage average(net, 0.5);
  const std::vector<std::pair<const char*, std::function<void()>>> changes = {
      {"nothing", [] {}},
      {"an optimizer's step",
       [&] {
         EnableGrad on;
         sum(square(net(x))).backward();
         optimizer.step();
       }},
      {"loading", [&] { net.load_state_dict(other.state_dict()); }},
      {"in place", [&] { mul_(net.head.weight, 2), add_(net.conv.weight, net.conv.weight, 0.5); }},
      {"a part in place", [&] { fill_(net.head.weight.slice(0, 0, 1), 3); }},
      {"another type and back", [&] { net.to(DType::f64), net.to(DType::f32); }},
      {"values of another place",
       [&] {
         rebind(net.head.weight, random({83, 37}, 9));
       }},
  };
  auto check = [&](const char* change) {
    Tensor kept = net(x), plain;
    {  // packing is off where gradients are recorded
      EnableGrad on;
      plain = net(x);
    }
    EXPECT_LE(max(abs(kept - plain) / max(abs(plain))).item(), 1e-5) << "after " << change;
  };
  NoGrad off;
  PackedWeights packed;
  check("the start");
  const size_t bytes = PackedWeights::bytes();
  ASSERT_GT(bytes, 0u);
  for (auto& [name, change] : changes) {
    Tensor before = net.head.weight.clone();
    change();
    check(name);
    EXPECT_EQ(PackedWeights::bytes(), bytes) << "what was stale is given back after " << name;
  }
  {
    MovingAverage::Scope averaged(average);
    check("the averages in");
  }
  check("the averages out");
}

TEST(PackedWeights, FoldedNormsAreKeptAndFoldedAgain) {
  ConvNorm block(19, 37, 3);
  block.eval();
  Tensor x = random(image, 1);
  auto unfolded = [&] {
    NoGrad off;
    block.fold(false);
    Tensor out = block(x);
    block.fold();
    return out;
  };
  NoGrad off;
  block.fold();
  auto before = values(block(x));
  PackedWeights packed;
  EXPECT_EQ(values(block(x)), before);
  const size_t bytes = PackedWeights::bytes();
  EXPECT_GT(bytes, 0u);
  fill_(block.norm.running_var, 3);
  Tensor out = block(x);
  EXPECT_LE(max(abs(out - unfolded())).item(), 1e-5);
  block(x);
  EXPECT_LE(PackedWeights::bytes(), 2 * bytes) << "the folded weight, and conv's own";
}

TEST(PackedWeights, TemporariesAreNotKept) {
  NoGrad off;
  Tensor a = random({16, 64}, 1), b = random({64, 64}, 2), w = weight({64, 64}, 3);
  PackedWeights packed;
  matmul(a, b);
  matmul(a, w * 2);
  linear(a, w.clone());
  conv2d(random(image, 4), random(kernel, 5));
  EXPECT_EQ(PackedWeights::bytes(), 0u);
  matmul(w, b);  // a parameter, but the first operand
  EXPECT_EQ(PackedWeights::bytes(), 0u);
  linear(a.to(DType::f64), w.to(DType::f64));
  EXPECT_EQ(PackedWeights::bytes(), 0u);
}

TEST(PackedWeights, NothingHappensWhileGradientsAreRecorded) {
  Tensor x = random({16, 64}, 1), w = weight({64, 64}, 2), k = weight(kernel, 3),
         m = random(image, 4);
  auto run = [&] {
    Tensor loss = sum(square(linear(x, w))) + sum(square(conv2d(m, k)));
    auto gradients = grad(std::vector<Tensor>{loss}, {w, k});
    return std::vector{values(loss), values(gradients[0]), values(gradients[1])};
  };
  auto without = run();
  PackedWeights packed;
  EXPECT_EQ(run(), without);
  EXPECT_EQ(PackedWeights::bytes(), 0u);
  Tensor input = random({16, 64}, 5).set_requires_grad();
  grad(sum(square(linear(input, w))), input);  // a product with w in the backward pass
  EXPECT_EQ(PackedWeights::bytes(), 0u);
}

TEST(PackedWeights, MemoryIsGivenBackAtTheEndOfTheOutermost) {
  NoGrad off;
  Tensor x = random({16, 64}, 1), w = weight({64, 64}, 2);
  const size_t active = memory::stats().active;
  {
    PackedWeights outer;
    {
      PackedWeights inner;
      linear(x, w);
    }
    EXPECT_TRUE(PackedWeights::active());
    EXPECT_EQ(PackedWeights::bytes(), 64 * 64 * sizeof(float));
    EXPECT_GE(memory::stats().active, active + PackedWeights::bytes()) << "the allocator knows";
  }
  EXPECT_FALSE(PackedWeights::active());
  EXPECT_EQ(PackedWeights::bytes(), 0u);
  EXPECT_EQ(memory::stats().active, active);
}

TEST(PackedWeights, ADeadWeightGoesWhenTheNextIsPacked) {
  NoGrad off;
  Tensor x = random({16, 64}, 1), other = weight({64, 64}, 2);
  PackedWeights packed;
  for (uint64_t i = 0; i < 5; ++i) {
    Tensor w = weight({64, 64}, 3 + i);
    expect_linear(linear(x, w), x, w, zeros({64}));
  }
  linear(x, other);
  EXPECT_EQ(PackedWeights::bytes(), 64 * 64 * sizeof(float));
}

TEST(PackedWeights, BatchSizesAndThreadCountsWork) {
  NoGrad off;
  const int threads = thread_count();
  Tensor w = weight(kernel, 1), v = weight({outputs, inputs}, 2), b = zeros({outputs});
  auto run = [&](int64_t count) {
    Tensor x = random({count, 9, 8, 19}, 3), rows = random({4 * count, inputs}, 4);
    expect_linear(linear(rows, v), rows, v, b);
    return values(conv2d(x, w));
  };
  for (int count : {1, 2}) {
    set_thread_count(count);
    auto one = run(1), five = run(5), forty = run(40);
    PackedWeights packed;
    for (int pass = 0; pass < 2; ++pass) {
      EXPECT_EQ(run(1), one);
      EXPECT_EQ(run(5), five);
      EXPECT_EQ(run(40), forty);
    }
  }
  set_thread_count(threads);
}

TEST(PackedWeights, BelongToTheirThread) {
  Tensor x = random(image, 1), w = weight(kernel, 2);
  PackedWeights packed;
  std::vector<float> there;
  std::thread([&] {
    NoGrad off;
    EXPECT_FALSE(PackedWeights::active());
    conv2d(x, w);
    EXPECT_EQ(PackedWeights::bytes(), 0u);
    PackedWeights own;
    there = values(conv2d(x, w));
    EXPECT_GT(PackedWeights::bytes(), 0u);
  }).join();
  EXPECT_EQ(PackedWeights::bytes(), 0u);
  NoGrad off;
  EXPECT_EQ(values(conv2d(x, w)), there);
}

}  // namespace
}  // namespace strata

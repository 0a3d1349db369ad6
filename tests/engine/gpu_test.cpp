// Device::gpu: tensors that live there, what moves between devices, and that networks compute the
// same on both. In a build without CUDA the device is simulated.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/io/safetensors.h"
#include "engine/nn.h"
#include "engine/ops.h"
#include "engine/optim.h"
#include "engine/optim/clip.h"
#include "engine/tensor/allocator.h"
#include "kernels/gpu/launch.h"
#include "tests/support/expect.h"

namespace strata {
namespace {

TEST(Gpu, TensorsMoveThereAndBack) {
  Tensor x = randn({3, 4});
  Tensor moved = x.to(Device::gpu);
  EXPECT_EQ(moved.device(), Device::gpu);
  EXPECT_EQ(moved.to_vector<float>(), x.to_vector<float>());
  EXPECT_EQ(moved.to(Device::cpu).to_vector<float>(), x.to_vector<float>());
  // Views move as what they show.
  EXPECT_EQ(moved.transpose(0, 1).to_vector<float>(), x.transpose(0, 1).to_vector<float>());
  EXPECT_EQ(x.transpose(0, 1).to(Device::gpu).to_vector<float>(),
            x.transpose(0, 1).to_vector<float>());
  EXPECT_EQ(flip(moved, {1}).to_vector<float>(), flip(x, {1}).to_vector<float>());
  EXPECT_EQ(empty({0, 3}, DType::f32, Device::gpu).to_vector<float>().size(), 0u);
}

TEST(Gpu, TheHostDoesNotReadDeviceMemory) {
  Tensor x = ones({2}, DType::f32, Device::gpu);
  EXPECT_FAILS(x.data<float>(), "is on the gpu, where the host cannot read it");
  EXPECT_EQ(sum(x).item(), 2);
}

TEST(Gpu, OperandsMustBeOnOneDevice) {
  Tensor here = ones({2, 2}), there = ones({2, 2}, DType::f32, Device::gpu);
  EXPECT_FAILS(here + there, "is on cpu but f32\\[2,2\\] is on gpu");
  EXPECT_FAILS(matmul(here, there), "on");
  // A scalar of the cpu is a number.
  EXPECT_EQ((there + scalar(2)).to_vector<float>(), std::vector<float>(4, 3));
  EXPECT_EQ((scalar(2) * there).device(), Device::gpu);
}

TEST(Gpu, GradientsCrossDevices) {
  Tensor x = randn({4}).set_requires_grad();
  Tensor y = square(x.to(Device::gpu));
  sum(y).backward();
  ASSERT_EQ(x.grad().device(), Device::cpu);
  EXPECT_EQ(x.grad().to_vector<float>(), (x.detach() * 2.0).to_vector<float>());
}

TEST(Gpu, MemoryIsCountedApart) {
  const size_t before = memory::stats(Device::gpu).active, host = memory::stats().active;
  Tensor x = empty({1 << 16}, DType::f32, Device::gpu);
  EXPECT_EQ(memory::stats(Device::gpu).active, before + (size_t{1} << 18));
  EXPECT_EQ(memory::stats().active, host);
  memory::set_limit(memory::stats(Device::gpu).active + 4096, Device::gpu);
  EXPECT_FAILS(empty({1 << 20}, DType::f32, Device::gpu), "out of gpu memory");
  memory::set_limit(0, Device::gpu);
}

// A small network with what networks have: convolution, batch norm, pooling, dropout, linear.
struct Net : Layer {
  Conv2d& conv;
  BatchNorm& norm;
  Linear& head;
  Net()
      : conv(add<Conv2d>("conv", 3, 8, Pair{3, 3}, Conv2dOptions{})),
        norm(add<BatchNorm>("norm", 8)),
        head(add<Linear>("head", 8, 5)) {}
  Tensor forward(const Tensor& x) override {
    return head(global_avg_pool2d(max_pool2d(relu(norm(conv(x))), {})));
  }
};

std::vector<double> losses_on(Device device,
                              const std::function<std::unique_ptr<Optimizer>(Module&)>& make) {
  manual_seed(5);
  Net net;
  net.to(device);
  net.train();
  auto optimizer = make(net);
  Tensor images = randn({4, 8, 8, 3}), labels = randint(0, 5, {4});
  std::vector<double> losses;
  for (int step = 0; step < 4; ++step) {
    Tensor loss =
        cross_entropy(net(images.to(device)), labels.to(device), {.label_smoothing = 0.1});
    losses.push_back(loss.item());
    optimizer->zero_grad();
    loss.backward();
    clip_grad_norm(net.parameters(), 1.0);
    optimizer->step();
  }
  return losses;
}

TEST(Gpu, TrainingGivesTheLossesOfTheCpu) {
  const std::function<std::unique_ptr<Optimizer>(Module&)> optimizers[] = {
      [](Module& m) {
        return std::make_unique<SGD>(m.named_parameters(),
                                     SGDOptions{.learning_rate = 0.1, .momentum = 0.9});
      },
      [](Module& m) {
        return std::make_unique<AdamW>(m.named_parameters(), AdamOptions{.learning_rate = 0.01});
      },
      [](Module& m) {
        return std::make_unique<RMSprop>(m.named_parameters(),
                                         RMSpropOptions{.learning_rate = 0.01});
      },
  };
  for (const auto& make : optimizers) {
    const std::vector<double> cpu = losses_on(Device::cpu, make),
                              gpu = losses_on(Device::gpu, make);
    EXPECT_LT(cpu.back(), cpu.front());
    for (size_t i = 0; i < cpu.size(); ++i)
      EXPECT_NEAR(gpu[i], cpu[i], 1e-4 * cpu[i]) << "step " << i;
    EXPECT_EQ(gpu, losses_on(Device::gpu, make)) << "the same bits twice";
  }
}

TEST(Gpu, StateIsSavedAndLoadedAcrossDevices) {
  manual_seed(6);
  Net here, there;
  there.to(Device::gpu);
  there.load_state_dict(here.state_dict());
  EXPECT_EQ(there.head.weight.device(), Device::gpu);
  here.eval();
  there.eval();
  Tensor x = randn({2, 8, 8, 3});
  NoGrad off;
  const auto a = here(x).to_vector<float>(), b = there(x.to(Device::gpu)).to_vector<float>();
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-5);
}

std::string launched;
void note_launch(std::string_view kernel, const gpu::LaunchConfig&) {
  launched += std::string(kernel) + "\n";
}

TEST(Gpu, SixteenBitProductsRunOnTensorCores) {
  manual_seed(8);
  for (DType dtype : {DType::bf16, DType::f16}) {
    Tensor a = randn({128, 64}).to(dtype), b = randn({64, 128}).to(dtype);
    launched.clear();
    gpu::observe_launches(note_launch);
    Tensor product = matmul(a.to(Device::gpu), b.to(Device::gpu));
    gpu::observe_launches(nullptr);
    EXPECT_EQ(product.dtype(), dtype);
    // On the H100 that is pretended: a rung of wgmma, or of mma.sync, not the general one.
    EXPECT_NE(launched, "");
    EXPECT_EQ(launched.find("register_tile"), launched.npos) << launched;
    const auto got = product.to_vector<double>();
    const auto want = matmul(a.to(DType::f64), b.to(DType::f64)).to_vector<double>();
    const double u = dtype == DType::bf16 ? 0x1p-8 : 0x1p-11;
    for (size_t i = 0; i < got.size(); ++i)
      ASSERT_NEAR(got[i], want[i], u * std::abs(want[i]) + 1e-4);
  }
}

TEST(Gpu, SixteenBitAttentionRunsOnTensorCores) {
  manual_seed(9);
  for (DType dtype : {DType::bf16, DType::f16}) {
    std::vector<Tensor> narrow, wide;
    for (int i = 0; i < 3; ++i) {
      Tensor x = randn({2, 20, 2, 32}).to(dtype);
      narrow.push_back(x.to(Device::gpu).clone().set_requires_grad());
      wide.push_back(x.to(DType::f64).set_requires_grad());
    }
    launched.clear();
    gpu::observe_launches(note_launch);
    auto attend = [](std::vector<Tensor>& x) {
      Tensor out = scaled_dot_product_attention(x[0], x[1], x[2], {.causal = true});
      sum(out * out).backward();
      return out;
    };
    Tensor got = attend(narrow), want = attend(wide);
    gpu::observe_launches(nullptr);
    EXPECT_EQ(got.dtype(), dtype);
    // On the H100 that is pretended, forward and backward.
    EXPECT_NE(launched.find("flash3_kernel"), launched.npos) << launched;
    EXPECT_NE(launched.find("flash3_key_gradient_kernel"), launched.npos) << launched;
    const double u = dtype == DType::bf16 ? 0x1p-8 : 0x1p-11;
    auto expect_near = [&](const Tensor& a, const Tensor& b) {
      const auto x = a.to_vector<double>(), y = b.to_vector<double>();
      for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(x[i], y[i], 16 * u) << i;
    };
    expect_near(got, want);
    for (size_t i = 0; i < 3; ++i) expect_near(narrow[i].grad(), wide[i].grad());
  }
}

TEST(Gpu, AStepIsCapturedAndReplayed) {
  manual_seed(7);
  Tensor x = randn({8, 6}).to(Device::gpu), w = randn({6, 6}).to(Device::gpu),
         out = zeros({8, 6}, DType::f32, Device::gpu);
  gpu::Stream stream = gpu::create_stream();
  gpu::set_current_stream(stream);
  auto step = [&] { copy_(out, relu(matmul(x, w)) + out); };
  {
    NoGrad off;
    step();  // once in the open, so that memory and scratch are there
    const auto once = out.to_vector<float>();
    gpu::Graph graph = gpu::capture(stream, step);
    gpu::replay(graph, stream);
    gpu::replay(graph, stream);
    const auto thrice = out.to_vector<float>();
    for (size_t i = 0; i < once.size(); ++i) EXPECT_NEAR(thrice[i], 3 * once[i], 1e-5);
    gpu::destroy_graph(graph);
  }
  gpu::set_current_stream(nullptr);
  gpu::destroy_stream(stream);
}

}  // namespace
}  // namespace strata

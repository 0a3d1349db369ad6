// CLIP with either tower beside PyTorch: gradients of the first step, the loss of 20 steps with a
// learned temperature, and embeddings and running statistics after them (fixtures: make_clip.py).
#include <gtest/gtest.h>

#include "engine/autograd/autograd.h"
#include "engine/io/npy.h"
#include "engine/ops.h"
#include "engine/optim.h"
#include "models/multimodal/clip.h"
#include "tests/support/expect.h"

namespace strata {
namespace {

using test::values;

// Largest difference, as a part of the largest value wanted; of 1e-3 where all should be zero, as
// the gradient of the keys' bias, which a softmax does not see.
double distance(const Tensor& got, const Tensor& want) {
  EXPECT_EQ(got.shape(), want.shape());
  const auto g = values(got), w = values(want);
  double difference = 0, largest = 0;
  for (size_t i = 0; i < g.size() && i < w.size(); ++i) {
    difference = std::max(difference, std::abs(g[i] - w[i]));
    largest = std::max(largest, std::abs(w[i]));
  }
  return difference / std::max(largest, 1e-3);
}

void follow(const std::string& name, const ClipOptions& options) {
  const StateDict wanted =
      io::load_npz(std::string(STRATA_SOURCE_DIR) + "/tests/parity/fixtures/" + name + ".npz");
  Clip clip(options);
  for (auto& [key, parameter] : clip.named_parameters()) {
    ASSERT_TRUE(wanted.count("weight/" + key)) << key;
    NoGrad off;
    copy_(parameter, wanted.at("weight/" + key));
  }
  AdamW optimizer(clip.named_parameters(), {.learning_rate = 1e-3, .weight_decay = 0.1});
  auto images = [&](int64_t batch) {
    return wanted.at("images").select(0, batch).contiguous().to(DType::f32) / 127.5 - 1.0;
  };
  const auto losses = values(wanted.at("losses"));
  for (size_t step = 0; step < losses.size(); ++step) {
    const int64_t batch = static_cast<int64_t>(step) % 2;
    Tensor loss = clip.loss(images(batch), wanted.at("tokens").select(0, batch));
    EXPECT_NEAR(loss.item(), losses[step], 1e-4 * losses[step]) << "step " << step;
    optimizer.zero_grad();
    loss.backward();
    for (auto& [key, parameter] : clip.named_parameters()) {
      if (step > 0) break;
      EXPECT_LT(distance(parameter.grad(), wanted.at("gradient/" + key)), 1e-3) << key;
    }
    optimizer.step();
  }
  clip.eval();
  NoGrad off;
  EXPECT_LT(distance(clip(images(0)), wanted.at("image_embeddings")), 1e-3);
  EXPECT_LT(
      distance(clip.encode_text(wanted.at("tokens").select(0, 0)), wanted.at("text_embeddings")),
      1e-3);
  for (auto& [key, buffer] : clip.named_buffers())
    EXPECT_LT(distance(buffer, wanted.at("buffer/" + key)), 1e-3) << key;
}

constexpr ClipTextOptions text = {
    .vocabulary = 30, .context = 10, .width = 16, .layers = 2, .heads = 2};

TEST(Parity, ClipWithVit) {
  follow("clip_vit", {.image_size = 16,
                      .embedding = 12,
                      .image = ClipVitOptions{.patch = 4, .width = 16, .layers = 2, .heads = 2},
                      .text = text});
}

TEST(Parity, ClipWithResNet) {
  follow("clip_resnet",
         {.image_size = 16,
          .embedding = 12,
          .image = ClipResNetOptions{.blocks = {2, 1}, .width = 8, .heads = 4, .stem_stride = 1},
          .text = text});
}

}  // namespace
}  // namespace strata

// Tasks without labels: an autoencoder that tells terrace images from a part of them, and a
// restricted Boltzmann machine of their outlines, small enough for its exact likelihood.
#include <array>
#include <cmath>

#include "engine/data/terrace.h"
#include "engine/ops.h"
#include "kernels/common/parallel.h"
#include "models/generative/autoencoder.h"
#include "models/generative/rbm.h"
#include "models/registry.h"
#include "tools/train/domains.h"

namespace strata::train {
namespace {

using nlohmann::json;

constexpr int64_t batch_size = 128, scored_images = 1024;
constexpr int64_t validation_first = int64_t{1} << 40, test_first = int64_t{1} << 41;

json merged(json defaults, const json& given) {
  if (!given.is_null()) defaults.update(given);
  return defaults;
}

Tensor images(const Terrace& data, int64_t first, int64_t count) {
  std::vector<int64_t> indices(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) indices[static_cast<size_t>(i)] = first + i;
  return data.fill(indices).images;
}

// The pixels of the part above, 1 or 0, in the middle of the upper half: [count, 256].
constexpr int64_t outline_side = 16;
Tensor outlines(const Terrace& data, int64_t first, int64_t count) {
  Tensor out = empty({count, outline_side * outline_side});
  float* to = out.data<float>();
  parallel_for(count, 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      std::array<uint8_t, terrace::image_bytes> pixels;
      terrace::Masks masks;
      render(data.scene(first + i), pixels.data(), &masks);
      for (int64_t y = 0; y < outline_side; ++y)
        for (int64_t x = 0; x < outline_side; ++x)
          to[(i * outline_side + y) * outline_side + x] =
              masks.part_above[static_cast<size_t>(y * terrace::side + x + 8)] >= 128;
    }
  });
  return out;
}

class DenoiseTask : public Task {
 public:
  explicit DenoiseTask(const TaskOptions& o)
      : options_(o),
        data_({}, o.seed, int64_t{1} << 62),
        model_(
            make_model("autoencoder",
                       merged({{"code", 256}, {"tied", true}, {"corruption", hidden}}, o.model))),
        net_(dynamic_cast<Autoencoder&>(*model_)) {}

  Model& model() override { return *model_; }
  int64_t total_steps() const override { return options_.steps.value_or(1000); }
  std::unique_ptr<Optimizer> optimizer() override {
    return std::make_unique<Adam>(model_->named_parameters(),
                                  AdamOptions{options_.learning_rate.value_or(1e-3)});
  }
  Schedule schedule() const override { return one_cycle(total_steps(), 0.1); }
  int64_t evaluate_every() const override { return std::max<int64_t>(50, total_steps() / 10); }
  Tensor loss(int64_t step) override {
    return net_.loss(images(data_, step * batch_size, batch_size).to(options_.device));
  }

  // The same numbers are hidden at each evaluation.
  std::vector<Score> evaluate(bool final) override {
    const Tensor x =
        images(data_, final ? test_first : validation_first, scored_images).to(options_.device);
    Generator generator(options_.seed);
    const Tensor missing = bernoulli(x.shape(), hidden, &generator).to(x.dtype()).to(x.device());
    const double count = sum(missing).item();
    auto error = [&](const Tensor& told) { return sum(square(told - x) * missing).item() / count; };
    return {{.name = "squared error of hidden numbers",
             .value = error(net_(x * (1 - missing))),
             .unit = "",
             .higher_is_better = false,
             .yardstick_name = "the mean image",
             .yardstick = error(mean(x, {0}, true))}};
  }

 private:
  static constexpr double hidden = 0.3;  // share of the numbers

  TaskOptions options_;
  Terrace data_;
  std::unique_ptr<Model> model_;
  Autoencoder& net_;
};

class RbmTask : public Task {
 public:
  explicit RbmTask(const TaskOptions& o)
      : options_(o),
        data_({}, o.seed, int64_t{1} << 62),
        model_(make_model("rbm", merged({{"channels", 1},
                                         {"height", outline_side},
                                         {"width", outline_side},
                                         {"hidden", 14}},
                                        o.model))),
        rbm_(dynamic_cast<Rbm&>(*model_)),
        share_(clamp(mean(outlines(data_, 0, scored_images), {0}), 1e-3, 1 - 1e-3)) {
    rbm_.start_at(share_);
  }

  Model& model() override { return *model_; }
  int64_t total_steps() const override { return options_.steps.value_or(2000); }
  std::unique_ptr<Optimizer> optimizer() override {
    return std::make_unique<SGD>(model_->named_parameters(),
                                 SGDOptions{options_.learning_rate.value_or(0.2)});
  }
  Schedule schedule() const override { return linear_decay(total_steps()); }
  int64_t evaluate_every() const override { return std::max<int64_t>(50, total_steps() / 10); }
  Tensor loss(int64_t step) override {
    const Tensor data = outlines(data_, step * batch_size, batch_size).to(options_.device);
    return rbm_.loss(data, rbm_.sample(data, gibbs_steps));
  }

  std::vector<Score> evaluate(bool final) override {
    const Tensor x = outlines(data_, final ? test_first : validation_first, scored_images);
    const Tensor alone = sum(x * log(share_) + (1 - x) * log(1 - share_), {1});
    return {{.name = "log-likelihood of an outline",
             .value = mean(rbm_.log_likelihood(x.to(options_.device))).item(),
             .unit = "nats",
             .yardstick_name = "independent pixels",
             .yardstick = mean(alone).item()}};
  }

 private:
  static constexpr int64_t gibbs_steps = 5;

  TaskOptions options_;
  Terrace data_;
  std::unique_ptr<Model> model_;
  Rbm& rbm_;
  Tensor share_;  // of training images in which each pixel is on
};

template <class T>
TaskEntry entry(std::string name, std::string about) {
  return {std::move(name), std::move(about), "",
          [](const TaskOptions& options) { return std::make_unique<T>(options); }};
}

}  // namespace

std::vector<TaskEntry> generative_tasks() {
  return {entry<DenoiseTask>("denoise", "denoising autoencoder on terrace; error of hidden pixels"),
          entry<RbmTask>("rbm", "Boltzmann machine of terrace outlines; exact log-likelihood")};
}

}  // namespace strata::train

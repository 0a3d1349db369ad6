// What holds for every model of the registry: it takes its example, shows its stages, trains, and
// goes on to the same bits after it was saved and loaded.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "engine/io/checkpoint.h"
#include "engine/optim.h"
#include "tests/models/model_checks.h"

namespace strata::test {
namespace {

using nlohmann::json;

class EveryModel : public testing::TestWithParam<size_t> {
 protected:
  const ModelEntry& entry() const { return model_entries()[GetParam()]; }
  json options() const {
    json all = entry().defaults;
    all.update(entry().tiny);
    return all;
  }
  std::unique_ptr<Model> make(uint64_t seed) const {
    manual_seed(seed);
    return make_model(entry().name, entry().tiny);
  }
  static io::TrainingState parts(Model& model, Optimizer& optimizer) {
    io::TrainingState state;
    state.model = &model;
    state.optimizer = &optimizer;
    return state;
  }
  // Parameters that forward() does not use: CLIP's is the image tower alone.
  bool stands_aside(const std::string& parameter) const {
    return entry().name == "clip" && !parameter.starts_with("image.");
  }
  Tensor example(uint64_t seed) const {
    Generator generator(seed);
    return entry().example(options(), 2, generator);
  }
};

TEST_P(EveryModel, IsListedWithWhatTestsNeed) {
  EXPECT_FALSE(entry().about.empty());
  for (auto& [key, value] : entry().tiny.items())
    EXPECT_TRUE(entry().defaults.contains(key)) << key;
  EXPECT_LT(make(1)->parameter_count(), 200'000);
}

TEST_P(EveryModel, ShowsItsStagesInOrder) {
  auto model = make(1);
  model->eval();
  ASSERT_FALSE(model->stages().empty());
  expect_stages(*model, example(1), model->stages());
}

// A step changes every parameter; steps after a checkpoint are the same bits as without one.
TEST_P(EveryModel, TrainsAndGoesOnToTheSameBits) {
  const std::string path = (std::filesystem::temp_directory_path() /
                            ("strata_every_model_" + std::to_string(getpid()) + ".safetensors"))
                               .string();
  Tensor weights;
  auto step = [&](Model& model, Optimizer& optimizer, uint64_t seed) {
    model.train();
    Tensor out = model(example(seed));
    if (!weights.defined()) weights = random(out.shape(), 3).to(DType::f32);
    optimizer.zero_grad();
    mean(square(out - weights)).backward();
    optimizer.step();
  };
  auto straight = make(1);
  AdamW a(straight->named_parameters());
  const StateDict before = [&] {
    StateDict copy;
    for (auto& [name, tensor] : straight->named_parameters()) copy[name] = tensor.detach().clone();
    return copy;
  }();
  step(*straight, a, 1);
  for (auto& [name, tensor] : straight->named_parameters()) {
    if (stands_aside(name)) continue;
    EXPECT_NE(values(tensor), values(before.at(name))) << name << " does not take part";
  }
  io::save_checkpoint(path, parts(*straight, a));
  step(*straight, a, 2);

  auto resumed = make(2);
  AdamW b(resumed->named_parameters());
  io::TrainingState state = parts(*resumed, b);
  io::load_checkpoint(path, state);
  step(*resumed, b, 2);
  std::filesystem::remove(path);
  const StateDict got = resumed->state_dict();
  for (auto& [name, tensor] : straight->state_dict())
    EXPECT_EQ(values(tensor), values(got.at(name))) << name;
}

INSTANTIATE_TEST_SUITE_P(Registry, EveryModel, testing::Range<size_t>(0, model_entries().size()),
                         [](const testing::TestParamInfo<size_t>& info) {
                           std::string name = model_entries()[info.param].name;
                           for (char& c : name)
                             if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
                           return name;
                         });

}  // namespace
}  // namespace strata::test

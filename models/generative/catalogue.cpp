// The models that learn from images alone, by name.
#include "models/generative/autoencoder.h"
#include "models/generative/rbm.h"
#include "models/registry.h"

namespace strata::catalogue {
namespace {

using nlohmann::json;

int64_t pixels_of(const json& o) {
  return o.at("channels").get<int64_t>() * o.at("height").get<int64_t>() *
         o.at("width").get<int64_t>();
}

CodePenalty penalty_named(const std::string& name) {
  if (name == "none") return CodePenalty::none;
  if (name == "l1") return CodePenalty::l1;
  if (name == "kl") return CodePenalty::kl;
  if (name == "contractive") return CodePenalty::contractive;
  fail("Autoencoder", Caller{}, "no penalty is called '{}'; there are none, l1, kl and contractive",
       name);
}

std::unique_ptr<Model> make_autoencoder(const json& o) {
  return std::make_unique<Autoencoder>(AutoencoderOptions{.inputs = pixels_of(o),
                                                          .code = o.at("code"),
                                                          .linear = o.at("linear"),
                                                          .tied = o.at("tied"),
                                                          .corruption = o.at("corruption"),
                                                          .penalty = penalty_named(o.at("penalty")),
                                                          .weight = o.at("penalty_weight"),
                                                          .target = o.at("target")});
}

std::unique_ptr<Model> make_rbm(const json& o) {
  return std::make_unique<Rbm>(RbmOptions{.visible = pixels_of(o), .hidden = o.at("hidden")});
}

}  // namespace

std::vector<ModelEntry> generative() {
  const AutoencoderOptions a;
  const json code = {{"code", a.code},    {"linear", a.linear},
                     {"tied", a.tied},    {"corruption", a.corruption},
                     {"penalty", "none"}, {"penalty_weight", a.weight},
                     {"target", a.target}};
  return {{"autoencoder",
           "a code that the image can be told from: denoising, sparse, contractive",
           Domain::image,
           image_options(code),
           {{"code", 8}, {"height", 6}, {"width", 6}},
           make_autoencoder,
           image_example},
          {"rbm",
           "restricted Boltzmann machine",
           Domain::image,
           image_options({{"hidden", 128}}),
           {{"hidden", 8}, {"height", 6}, {"width", 6}},
           make_rbm,
           image_example}};
}

}  // namespace strata::catalogue

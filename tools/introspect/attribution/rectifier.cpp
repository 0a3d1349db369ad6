#include "tools/introspect/attribution/rectifier.h"

#include "engine/ops.h"
#include "tools/introspect/attribution/target.h"
#include "tools/introspect/tape.h"

namespace strata::introspect {
namespace {

// `relus` counts the ReLUs that were met.
Rules rectifier_rules(Rectifier rectifier, int& relus) {
  return {.ops = {{"relu", [rectifier, &relus](const Visit& visit, const Tensor& g) -> Gradients {
                     ++relus;
                     switch (rectifier) {
                       case Rectifier::gradient:
                         return visit.vjp(g);
                       case Rectifier::guided:
                         return visit.vjp(relu(g));
                       case Rectifier::deconvnet:
                         return {relu(g)};
                     }
                     return {};
                   }}}};
}

void check_places(const std::vector<int64_t>& places, int64_t examples, int64_t size) {
  if (static_cast<int64_t>(places.size()) != examples) {
    fail("project_unit", Caller{}, "{} places given for {} examples", places.size(), examples);
  }
  for (int64_t place : places) {
    if (place >= 0 && place < size) continue;
    fail("project_unit", Caller{}, "place {} is outside the layer's {} places", place, size);
  }
}

}  // namespace

Tensor rectified_gradient(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                          Rectifier rectifier) {
  Tensor input = x.detach().set_requires_grad(), scores;
  Tape tape([&] { scores = target_scores(model(input), target); });
  int relus = 0;
  Tensor signal = propagate(tape, scores, ones_like(scores.detach()), {input},
                            rectifier_rules(rectifier, relus))[0];
  if (relus == 0) {
    fail("rectified_gradient", Caller{},
         "the model runs no 'relu' between x {} and its scores, so guided backprop and deconvnet "
         "are its gradient; ask for the gradient, or for relevance propagation",
         describe(x));
  }
  return signal;
}

UnitProjection project_unit(const Scores& model, const Tensor& x, const std::string& layer,
                            int64_t unit, std::vector<int64_t> places, Rectifier rectifier) {
  Tensor input = x.detach().set_requires_grad();
  Watch watch({layer});
  Tape tape([&] { model(input); });
  Tensor activation = watch[layer].back();
  if (activation.rank() < 2 || unit < 0 || unit >= activation.size(-1)) {
    fail("project_unit", Caller{}, "the activation '{}' {} has no unit {} on its last axis", layer,
         describe(activation), unit);
  }
  int64_t examples = activation.size(0);
  Tensor map = activation.detach().select(-1, unit).reshape({examples, -1});
  if (places.empty()) places = argmax(map, 1).to_vector<int64_t>();
  check_places(places, examples, map.size(1));

  Tensor chosen =
      one_hot(from_vector(places, {examples}), map.size(1), map.dtype()).to(map.device()) * map;
  Dims column = activation.shape();
  column[-1] = 1;
  Tensor channel = one_hot(from_vector(std::vector<int64_t>{unit}, {1}), activation.size(-1),
                           activation.dtype());
  Tensor seed = chosen.reshape(column) * channel.to(activation.device());
  int relus = 0;
  Tensor image = propagate(tape, activation, seed, {input}, rectifier_rules(rectifier, relus))[0];
  return {image, places, sum(chosen, {1})};
}

}  // namespace strata::introspect

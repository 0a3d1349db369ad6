#include "tools/experiments/audio_layers.h"

#include "engine/autograd/autograd.h"
#include "engine/data/terrace_audio.h"
#include "engine/ops.h"
#include "tools/introspect/capture.h"
#include "tools/introspect/representation/features.h"
#include "tools/introspect/representation/probe.h"

namespace strata::experiments {
namespace {

constexpr int64_t dimensions = 32;

// [N, T, C] -> [N, 2 C]
Tensor halves(const Tensor& x) {
  return mean(x.contiguous().reshape({x.size(0), 2, x.size(1) / 2, x.size(2)}), {2})
      .reshape({x.size(0), -1});
}

std::vector<Tensor> layers_of(Layer& network, const Units& units, const UnitShape& shape) {
  NoGrad off;
  const std::vector<std::string> names = {"norm0", "norm1", "norm2"};
  introspect::Capture capture(names);
  network(units.x);
  std::vector<Tensor> layers = {halves(units.x.slice(2, 0, shape.numbers))};
  for (const std::string& name : names) layers.push_back(halves(relu(capture[name])));
  return layers;
}

}  // namespace

AudioLayers audio_layers(const Units& train, const UnitTraining& training, uint64_t seed) {
  constexpr uint64_t fit_first = 3'000'000, score_first = 4'000'000;
  constexpr int64_t fit_count = 800, score_count = 400;
  const UnitShape shape = shape_of(UnitDomain::audio);
  const auto network = train_unit_network(UnitNetwork::cnn, shape, scaled(train, shape, train),
                                          training, training.rates.back(), seed);
  auto layers = [&](uint64_t first, int64_t count) {
    return layers_of(*network,
                     scaled(unit_data(UnitDomain::audio, seed, first, count), shape, train), shape);
  };
  const auto fit = layers(fit_first, fit_count), score = layers(score_first, score_count);
  std::vector<introspect::ProbeTask> tasks;
  for (const int factor :
       {terrace_audio::phoneme_before, terrace_audio::word, terrace_audio::speaker}) {
    introspect::ProbeTask task{terrace_audio::row_of(factor).name, 4, {}, {}};
    for (const auto& [first, count, answers] :
         {std::tuple{fit_first, fit_count, &task.train},
          std::tuple{score_first, score_count, &task.validation}}) {
      const TerraceAudio data({}, seed, count, first);
      for (int64_t i = 0; i < count; ++i)
        answers->push_back(data.phrase(i).record[static_cast<size_t>(factor)]);
    }
    tasks.push_back(task);
  }
  AudioLayers found;
  for (size_t l = 0; l < fit.size(); ++l) {
    const auto components = introspect::principal_components(fit[l], dimensions);
    const auto probes =
        introspect::fit_probes(introspect::project(fit[l], components, true),
                               introspect::project(score[l], components, true), tasks);
    found.phoneme.push_back(probes[0].validation_accuracy);
    found.word.push_back(probes[1].validation_accuracy);
    found.speaker.push_back(probes[2].validation_accuracy);
  }
  return found;
}

}  // namespace strata::experiments

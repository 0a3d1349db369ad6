#include "tools/train/view_audio.h"

#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/data/wav.h"
#include "engine/ops.h"
#include "tools/introspect/attribution/gradient.h"
#include "tools/introspect/attribution/target.h"
#include "tools/report/png_encode.h"
#include "tools/report/sprite_sheet.h"

namespace strata::train {
namespace {

using nlohmann::json;

struct Tile {
  size_t index = 0;
  float low = 0, high = 0;
};

// A map [F, M] as a picture: time to the right, frequency upwards. From `low` or its own smallest
// value to its largest.
Tile add_map(report::SpriteSheet& sheet, const Tensor& map, std::optional<float> low = {}) {
  const Tensor picture = flip(map.transpose(0, 1), {0}).contiguous();
  Tile tile;
  tile.low = low.value_or(static_cast<float>(min(picture).item()));
  tile.high = static_cast<float>(max(picture).item());
  if (!(tile.high > tile.low))  // all the same: the lowest colour
    tile.high = tile.low + std::max(1e-6f, std::abs(tile.low) * 1e-6f);
  tile.index =
      sheet.add({picture.data<float>(), static_cast<size_t>(picture.numel())}, tile.low, tile.high);
  return tile;
}

// What a network makes of features [1, F, M].
struct Heard {
  std::string answer;
  double confidence = 0;        // of a pooled network; else NaN
  Tensor saliency;              // [F, M]
  std::vector<float> activity;  // of the layer, by its steps
};

// The last layer whose activation has steps, [1, steps, C], before the answer.
std::string layer_with_steps(Model& model, const Tensor& x) {
  const std::vector<std::string> stages = model.stages();
  introspect::Capture capture(stages);
  model(x);
  for (size_t i = stages.size() - 1; i-- > 0;)
    if (capture[stages[i]].rank() == 3) return stages[i];
  fail("audio_panels", Caller{}, "{} has no layer with steps before its last", model.kind());
}

// How far from zero the layer is at each step: the root of the mean square over its channels.
std::vector<float> activity_of(Model& model, const Tensor& x, const std::string& layer) {
  introspect::Capture capture({layer});
  model(x);
  return sqrt(mean(square(capture[layer].select(0, 0)), {1})).to(Device::cpu).to_vector<float>();
}

Heard listen(const AudioView& view, Model& model, const Tensor& features,
             const std::string& layer) {
  const Tensor x = features.to(view.device);
  Heard heard;
  const Tensor logits = model(x).to(Device::cpu);
  heard.answer = view.answer(logits);
  heard.confidence = logits.rank() == 2 ? max(softmax(logits)).item() : std::nan("");
  auto score = [&](const Tensor& input) { return view.score(model(input)); };
  heard.saliency =
      abs(introspect::gradient_saliency(score, x, {})).select(0, 0).to(Device::cpu).contiguous();
  heard.activity = activity_of(model, x, layer);
  return heard;
}

json sound_of(const AudioView& view, const HeardSound& sound, Model& trained, Model& untrained,
              report::SpriteSheet& sheet) {
  const Tensor features = view.features(sound.wave.unsqueeze(0)).to(Device::cpu);
  const std::string layer = layer_with_steps(trained, features.to(view.device));
  const Heard after = listen(view, trained, features, layer);
  const Heard before = listen(view, untrained, features, layer);
  const Tile spectrogram = add_map(sheet, features.select(0, 0));
  const Tile map = add_map(sheet, after.saliency, 0.0f);
  const Tile control = add_map(sheet, before.saliency, 0.0f);
  const auto samples = static_cast<size_t>(sound.wave.numel());
  json entry = {
      {"wav", "data:audio/wav;base64," +
                  report::base64_encode(wav_bytes({sound.wave.data<float>(), samples}, view.rate))},
      {"seconds", static_cast<double>(samples) / static_cast<double>(view.rate)},
      {"label", sound.label},
      {"predicted", after.answer},
      {"untrained_predicted", before.answer},
      {"spectrogram",
       {{"sprite", "spectra"},
        {"tile", spectrogram.index},
        {"low", spectrogram.low},
        {"high", spectrogram.high}}}};
  if (!std::isnan(after.confidence)) entry["confidence"] = after.confidence;
  entry["maps"] = json::array({{{"method", "Saliency"},
                                {"sprite", "spectra"},
                                {"tile", map.index},
                                {"low", map.low},
                                {"high", map.high},
                                {"untrained", control.index},
                                {"untrained_high", control.high}}});
  entry["activity"] = {
      {"layer", layer}, {"values", after.activity}, {"untrained", before.activity}};
  return entry;
}

}  // namespace

std::vector<double> band_frequencies(const LogMelOptions& options) {
  const Tensor filters = mel_filters(options);  // [mels, bins]
  const std::vector<double> weight = filters.to_vector<double>();
  const auto bins = static_cast<size_t>(filters.size(1));
  std::vector<double> middles;
  for (size_t m = 0; m < static_cast<size_t>(filters.size(0)); ++m) {
    double sum = 0, all = 0;
    for (size_t k = 0; k < bins; ++k) {
      sum += weight[m * bins + k] * static_cast<double>(k) * options.rate /
             static_cast<double>(options.fft);
      all += weight[m * bins + k];
    }
    middles.push_back(sum / all);
  }
  return middles;
}

json audio_panels(const AudioView& view, Model& trained, Model& untrained) {
  NoGrad off;
  const Tensor first = view.features(view.sounds.at(0).wave.unsqueeze(0));
  report::SpriteSheet sheet(static_cast<size_t>(first.size(2)), static_cast<size_t>(first.size(1)),
                            1, "map");
  json sounds = json::array();
  for (const HeardSound& sound : view.sounds) {
    sounds.push_back(sound_of(view, sound, trained, untrained, sheet));
    sounds.back()["title"] = fmt::format("{}: {}", sounds.size(), sound.label);
  }
  return {
      {"audio",
       {{"frequencies", view.frequencies},
        {"scale",
         "Spectrograms: standardised log mel, as the network takes it. Saliency: size of the "
         "gradient of the answer's score, from 0."},
        {"sounds", sounds}}},
      {"definitions",
       {{"mel",
         "A scale of pitch: equal steps sound equally far apart. The bands are evenly spaced on "
         "it."},
        {"saliency",
         "How much the score of the answer changes with each number of the input: the size of "
         "its gradient."}}},
      {"sprites", {{"spectra", sheet.to_json()}}}};
}

}  // namespace strata::train

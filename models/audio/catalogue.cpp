// The audio models, by name.
#include "models/audio/conformer.h"
#include "models/audio/wavenet.h"
#include "models/registry.h"

namespace strata::catalogue {
namespace {

using nlohmann::json;

std::unique_ptr<Model> make_wavenet(const json& o) {
  return std::make_unique<WaveNet>(WaveNetOptions{.inputs = o.at("inputs"),
                                                  .classes = o.at("classes"),
                                                  .channels = o.at("channels"),
                                                  .skip = o.at("skip"),
                                                  .kernel = o.at("kernel"),
                                                  .layers = o.at("layers"),
                                                  .repeats = o.at("repeats"),
                                                  .pooled = o.at("pooled"),
                                                  .dropout = o.at("dropout")});
}

json wavenet_options(const WaveNetOptions& o) {
  return {{"inputs", o.inputs},   {"classes", o.classes}, {"channels", o.channels},
          {"skip", o.skip},       {"kernel", o.kernel},   {"layers", o.layers},
          {"repeats", o.repeats}, {"pooled", o.pooled},   {"dropout", o.dropout}};
}

// A waveform [n, 24], or 24 steps of features.
Tensor wavenet_example(const json& o, int64_t n, Generator& generator) {
  if (o.at("inputs") == 1) return rand({n, 24}, -1, 1, DType::f32, &generator);
  return randn({n, 24, o.at("inputs")}, 0, 1, DType::f32, &generator);
}

std::unique_ptr<Model> make_conformer(const json& o) {
  return std::make_unique<Conformer>(ConformerOptions{.mels = o.at("mels"),
                                                      .classes = o.at("classes"),
                                                      .width = o.at("width"),
                                                      .heads = o.at("heads"),
                                                      .blocks = o.at("blocks"),
                                                      .kernel = o.at("kernel"),
                                                      .pooled = o.at("pooled"),
                                                      .dropout = o.at("dropout")});
}

json conformer_options(const ConformerOptions& o) {
  return {{"mels", o.mels},     {"classes", o.classes}, {"width", o.width},
          {"heads", o.heads},   {"blocks", o.blocks},   {"kernel", o.kernel},
          {"pooled", o.pooled}, {"dropout", o.dropout}};
}

Tensor conformer_example(const json& o, int64_t n, Generator& generator) {
  return randn({n, 24, o.at("mels")}, 0, 1, DType::f32, &generator);
}

ModelEntry conformer(const char* size, const ConformerOptions& options) {
  return {fmt::format("conformer-{}", size),
          fmt::format("convolution and attention for speech, {} blocks of width {}", options.blocks,
                      options.width),
          Domain::audio,
          conformer_options(options),
          {{"mels", 10}, {"classes", 5}, {"width", 8}, {"heads", 2}, {"blocks", 2}, {"kernel", 5}},
          make_conformer,
          conformer_example};
}

}  // namespace

std::vector<ModelEntry> audio() {
  const WaveNetOptions classifier{.inputs = 40,
                                  .classes = 10,
                                  .channels = 48,
                                  .skip = 96,
                                  .layers = 5,
                                  .repeats = 2,
                                  .pooled = true,
                                  .dropout = 0.3};
  return {{"wavenet",
           "dilated causal convolutions that predict the next sample",
           Domain::audio,
           wavenet_options({}),
           {{"classes", 16}, {"channels", 6}, {"skip", 8}, {"layers", 3}, {"repeats", 2}},
           make_wavenet,
           wavenet_example},
          {"wavenet-classifier",
           "WaveNet over features with a pooled head",
           Domain::audio,
           wavenet_options(classifier),
           {{"inputs", 5}, {"classes", 4}, {"channels", 6}, {"skip", 8}, {"layers", 3}},
           make_wavenet,
           wavenet_example},
          conformer("s", conformer_s()),
          conformer("m", conformer_m()),
          conformer("l", conformer_l())};
}

}  // namespace strata::catalogue

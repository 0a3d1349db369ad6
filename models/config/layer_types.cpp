#include "models/config/layer_types.h"

#include "engine/nn.h"
#include "models/config/blocks.h"

namespace strata::config {
namespace {

using enum InputKind;

// Positions of a window along an axis.
int64_t places(const Site& site, int64_t size, int64_t window, int64_t stride, int64_t padding) {
  if (size + padding < window)
    site.refuse(
        fmt::format("a window of {} does not fit; want a smaller one, or more padding", window));
  return (size + padding - window) / stride + 1;
}

// A share of values that dropout takes away.
double share(Site& site, const char* key, double fallback) {
  const double p = site.number(key, fallback);
  if (!(p >= 0 && p < 1)) site.refuse(key, fmt::format("is {}; it must be in [0, 1)", p));
  return p;
}

// A convolution over images or sequences; with `norm`, followed by batch norm and ReLU in one.
struct Convolution {
  int64_t width, kernel, stride, padding, groups;

  explicit Convolution(Site& site)
      : width(site.count("width")),
        kernel(site.count("kernel", 3)),
        stride(site.count("stride", 1)),
        padding(site.count("padding", (kernel - 1) / 2, 0)),
        groups(site.count("groups", 1)) {
    if (site.in.channels() % groups != 0 || width % groups != 0)
      site.refuse("groups", fmt::format("is {}; it must divide both the channels that come in ({}) "
                                        "and width ({})",
                                        groups, site.in.channels(), width));
  }
  Conv2dOptions options() const { return {.stride = stride, .padding = padding, .groups = groups}; }
  // The result and its cost: a product of every input of every window.
  Made made(const Site& site, std::shared_ptr<Layer> layer) const {
    Shape out = site.in;
    int64_t products = width * site.in.channels() / groups;
    for (size_t axis = 0; axis + 1 < out.dims.size(); ++axis) {
      out.dims[axis] = places(site, out.dims[axis], kernel, stride, 2 * padding);
      products *= out.dims[axis] * kernel;
    }
    out.dims.back() = width;
    return {std::move(layer), out, products};
  }
};

Made make_conv(Site& site) {
  site.takes({image, sequence}, "a convolution wants an image [H, W, C] or a sequence [T, C]");
  const Convolution conv(site);
  const bool bias = site.flag("bias", true), causal = site.flag("causal", false);
  if (site.in.kind == image) {
    if (causal) site.refuse("causal", "is for sequences; an image has no time");
    return conv.made(site, std::make_shared<Conv2d>(site.in.channels(), conv.width, conv.kernel,
                                                    conv.options(), bias));
  }
  if (causal && site.text.settings.contains("padding"))
    site.refuse("padding",
                "cannot be chosen with causal = true, which pads the past by kernel - 1");
  Conv1dOptions options{.stride = conv.stride,
                        .padding_left = causal ? conv.kernel - 1 : conv.padding,
                        .padding_right = causal ? 0 : conv.padding,
                        .groups = conv.groups};
  Made made;
  made.layer = std::make_shared<Conv1d>(site.in.channels(), conv.width, conv.kernel, options, bias);
  const int64_t steps = places(site, site.in.dims[0], conv.kernel, conv.stride,
                               options.padding_left + options.padding_right);
  made.out = {sequence, {steps, conv.width}};
  made.multiply_adds = steps * conv.kernel * conv.width * site.in.channels() / conv.groups;
  return made;
}

Made make_conv_norm(Site& site) {
  site.takes({image}, "it wants an image [H, W, C]");
  const Convolution conv(site);
  const ConvNormOptions options{.conv = conv.options(), .relu = site.flag("relu", true)};
  return conv.made(
      site, std::make_shared<ConvNorm>(site.in.channels(), conv.width, conv.kernel, options));
}

Made make_linear(Site& site) {
  site.takes({vectors, sequence},
             site.in.kind == tokens
                 ? "it wants numbers; put an embedding before it"
                 : "it wants a vector [C] or a sequence [T, C]; put flatten or global_pool before "
                   "it");
  const int64_t width = site.count("width");
  Shape out = site.in;
  out.dims.back() = width;
  const int64_t rows = out.kind == sequence ? out.dims[0] : 1;
  auto layer = std::make_shared<Linear>(site.in.channels(), width, site.flag("bias", true));
  return {layer, out, rows * site.in.channels() * width};
}

Made make_pool(Site& site) {
  site.takes({image}, "it wants an image [H, W, C]");
  PoolOptions options;
  const int64_t window = site.count("window", 2), stride = site.count("stride", window);
  const int64_t padding = site.count("padding", 0, 0);
  if (padding >= window)
    site.refuse("padding",
                fmt::format("is {}; it must be less than the window {}", padding, window));
  options.window = window, options.stride = stride, options.padding = padding;
  Shape out = site.in;
  for (size_t axis : {0, 1})
    out.dims[axis] = places(site, out.dims[axis], window, stride, 2 * padding);
  if (site.text.type == "max_pool") return {std::make_shared<MaxPool2d>(options), out};
  return {std::make_shared<AvgPool2d>(options), out};
}

Made make_global_pool(Site& site) {
  site.takes({image, sequence}, "it wants an image [H, W, C] or a sequence [T, C]");
  const Shape out{vectors, {site.in.channels()}};
  if (site.in.kind == image) return {std::make_shared<GlobalAvgPool>(), out};
  return {std::make_shared<MeanOverTime>(), out};
}

Made make_upsample(Site& site) {
  site.takes({image}, "it wants an image [H, W, C]");
  const int64_t factor = site.count("factor", 2);
  const bool nearest = site.word("interpolation", {"nearest", "bilinear"}) == "nearest";
  Shape out = site.in;
  out.dims[0] *= factor, out.dims[1] *= factor;
  return {std::make_shared<Upsample>(factor,
                                     nearest ? Interpolation::nearest : Interpolation::bilinear),
          out};
}

Made make_flatten(Site& site) {
  site.takes({image, sequence, vectors}, "it wants numbers; put an embedding before it");
  int64_t count = 1;
  for (int64_t size : site.in.dims) count *= size;
  return {std::make_shared<Flatten>(), {vectors, {count}}};
}

Made make_to_sequence(Site& site) {
  site.takes({image}, "it wants an image [H, W, C]");
  const auto& d = site.in.dims;
  return {std::make_shared<ToSequence>(), {sequence, {d[0] * d[1], d[2]}}};
}

Made make_last(Site& site) {
  site.takes({sequence}, "it wants a sequence [T, C]");
  return {std::make_shared<LastStep>(), {vectors, {site.in.channels()}}};
}

Made make_embedding(Site& site) {
  site.takes({tokens}, "an embedding wants tokens: kind = \"tokens\" in [input]");
  const int64_t vocabulary = site.count("vocabulary", site.size("vocabulary"));
  const int64_t width = site.count("width");
  auto layer = std::make_shared<Embedding>(vocabulary, width);
  const double deviation = site.number("deviation", 1);
  if (deviation != 1) init::normal_(layer->weight, 0, deviation);
  return {layer, {sequence, {site.in.dims[0], width}}};
}

Made make_positions(Site& site) {
  site.takes({sequence}, "it wants a sequence [T, C]");
  return {std::make_shared<Positions>(site.in.dims[0], site.in.channels()), site.in};
}

Made make_attention(Site& site) {
  site.takes({sequence}, "it wants a sequence [T, C]; of an image, to_sequence makes one");
  const int64_t heads = site.count("heads"), width = site.in.channels(), time = site.in.dims[0];
  if (width % heads != 0)
    site.refuse("heads", fmt::format("is {}; it must divide the width {}", heads, width));
  const AttentionOptions options{.causal = site.flag("causal", false)};
  return {std::make_shared<MultiheadAttention>(width, heads, options), site.in,
          4 * time * width * width + 2 * time * time * width};
}

Made make_recurrent(Site& site) {
  site.takes({sequence}, site.in.kind == tokens ? "it wants numbers; put an embedding before it"
                                                : "it wants a sequence [T, C]");
  const bool lstm = site.text.type == "lstm", gru = site.text.type == "gru";
  const RecurrentCell cell = lstm  ? RecurrentCell::lstm
                             : gru ? RecurrentCell::gru
                                   : RecurrentCell::rnn;
  const int64_t width = site.count("width"), layers = site.count("layers", 1);
  RecurrentOptions options;
  options.layers = layers;
  options.bidirectional = site.flag("bidirectional", false);
  options.dropout = share(site, "dropout", 0);
  const int64_t directions = options.bidirectional ? 2 : 1, gates = lstm ? 4 : gru ? 3 : 1;
  int64_t products = 0, inputs = site.in.channels();
  for (int64_t i = 0; i < layers; ++i) {
    products += site.in.dims[0] * directions * gates * width * (inputs + width);
    inputs = directions * width;
  }
  return {std::make_shared<Recurrent>(cell, site.in.channels(), width, options),
          {sequence, {site.in.dims[0], inputs}},
          products};
}

Made make_group_norm(Site& site) {
  const int64_t groups = site.count("groups"), channels = site.in.channels();
  if (channels % groups != 0)
    site.refuse("groups", fmt::format("is {}; it must divide the channels {}", groups, channels));
  return {std::make_shared<GroupNorm>(groups, channels), site.in};
}

Made make_dropout(Site& site) {
  return {std::make_shared<Dropout>(share(site, "p", 0.5)), site.in};
}

// One that keeps the shape and has no settings.
template <class L>
LayerType plain(const char* name, const char* about) {
  return {name, "", about, true, [](Site& site) { return Made{std::make_shared<L>(), site.in}; }};
}
template <class L>
LayerType norm(const char* name, const char* about) {
  return {name, "", about, true, [](Site& site) {
            return Made{std::make_shared<L>(site.in.channels()), site.in};
          }};
}

LayerType with_numbers(LayerType type) {
  type.make = [make = type.make](Site& site) {
    site.takes({image, sequence, vectors}, "it wants numbers; put an embedding before it");
    return make(site);
  };
  return type;
}

}  // namespace

const std::vector<LayerType>& layer_types() {
  static const std::vector<LayerType> all = {
      {"conv",
       "width, kernel = 3, stride = 1, padding = (kernel - 1) / 2, groups = 1, bias = true, "
       "causal = false",
       "convolution of an image or a sequence", false, make_conv},
      {"conv_norm",
       "width, kernel = 3, stride = 1, padding = (kernel - 1) / 2, groups = 1, "
       "relu = true",
       "convolution, batch norm and ReLU in one, shown as one", false, make_conv_norm},
      {"linear", "width, bias = true", "weighted sums of a vector, or of each step", false,
       make_linear},
      with_numbers(norm<BatchNorm>("batch_norm", "normalises a channel over the batch")),
      with_numbers(norm<LayerNorm>("layer_norm", "normalises the channels of each place")),
      with_numbers(norm<RMSNorm>("rms_norm", "the same without taking away the mean")),
      with_numbers({"group_norm", "groups", "normalises groups of channels of each example", true,
                    make_group_norm}),
      with_numbers(plain<ReLU>("relu", "max(0, x)")),
      with_numbers({"leaky_relu", "slope = 0.01", "x, or slope x below 0", true,
                    [](Site& site) {
                      return Made{std::make_shared<LeakyReLU>(site.number("slope", 0.01)), site.in};
                    }}),
      with_numbers(plain<ELU>("elu", "x, or exp(x) - 1 below 0")),
      with_numbers({"gelu", "tanh = false", "x times the normal distribution's share below x", true,
                    [](Site& site) {
                      return Made{std::make_shared<GELU>(site.flag("tanh", false)), site.in};
                    }}),
      with_numbers(plain<SiLU>("silu", "x sigmoid(x)")),
      with_numbers(plain<HardSwish>("hard_swish", "the same in straight pieces")),
      with_numbers(plain<Tanh>("tanh", "hyperbolic tangent")),
      with_numbers(plain<Sigmoid>("sigmoid", "1 / (1 + exp(-x))")),
      with_numbers(plain<Softplus>("softplus", "log(1 + exp(x))")),
      with_numbers(plain<Softmax>("softmax", "shares over the channels")),
      with_numbers(
          {"dropout", "p = 0.5", "zeroes a share of the values in training", false, make_dropout}),
      {"max_pool", "window = 2, stride = window, padding = 0", "maximum of each window", false,
       make_pool},
      {"avg_pool", "window = 2, stride = window, padding = 0", "mean of each window", false,
       make_pool},
      {"global_pool", "", "mean over the image or the time: a vector", false, make_global_pool},
      {"upsample", "factor = 2, interpolation = \"nearest\" or \"bilinear\"", "larger images",
       false, make_upsample},
      {"flatten", "", "all values as one vector", false, make_flatten},
      {"to_sequence", "", "the pixels of an image as a sequence", false, make_to_sequence},
      {"last", "", "the last step of a sequence: a vector", false, make_last},
      {"embedding", "width, vocabulary = \"vocabulary\", deviation = 1", "a vector for each token",
       false, make_embedding},
      {"positions", "", "adds a learned vector to each step", false, make_positions},
      {"attention", "heads, causal = false", "multi-head self-attention", false, make_attention},
      {"rnn", "width, layers = 1, bidirectional = false, dropout = 0", "recurrent, tanh", false,
       make_recurrent},
      {"lstm", "width, layers = 1, bidirectional = false, dropout = 0",
       "recurrent, long short-term memory", false, make_recurrent},
      {"gru", "width, layers = 1, bidirectional = false, dropout = 0", "recurrent, gated units",
       false, make_recurrent},
      {"block", "layer = [...]", "layers of its own under one name", false, nullptr},
      {"residual", "layer = [...], shortcut = \"identity\", \"projection\" or \"subsample\"",
       "x plus what its layers make of x", false, nullptr}};
  return all;
}

}  // namespace strata::config

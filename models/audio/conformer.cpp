#include "models/audio/conformer.h"

#include <cmath>

#include "engine/nn/init.h"
#include "engine/ops.h"

namespace strata {
namespace {

ConformerOptions sized(int64_t width, int64_t heads, int64_t blocks) {
  ConformerOptions options;
  options.width = width;
  options.heads = heads;
  options.blocks = blocks;
  return options;
}

int64_t halved(int64_t size) { return (size + 1) / 2; }

// Sines and cosines of the distances T - 1 down to 1 - T (Vaswani et al. 2017): [2 T - 1, C].
Tensor distances(int64_t time, int64_t width, const Tensor& like) {
  Tensor distance = linspace(static_cast<double>(time - 1), static_cast<double>(1 - time),
                             2 * time - 1, DType::f64);
  Tensor rate = exp(arange(0, static_cast<double>(width), 2, DType::f64) *
                    (-std::log(10000.0) / static_cast<double>(width)));
  Tensor angle = outer(distance, rate);
  return stack({sin(angle), cos(angle)}, 2)
      .flatten(1)
      .slice(1, 0, width)
      .to(like.dtype())
      .to(like.device());
}

}  // namespace

ConformerOptions conformer_s() { return sized(144, 4, 16); }
ConformerOptions conformer_m() { return sized(256, 4, 16); }
ConformerOptions conformer_l() { return sized(512, 8, 17); }

int64_t conformer_parameter_count(const ConformerOptions& o) {
  const int64_t c = o.width;
  const int64_t subsampling = 9 * c + c + 9 * c * c + c + c * c * conformer_steps(o.mels) + c;
  const int64_t block = 24 * c * c + (7 + 8 + o.kernel + 8 + 7 + 2) * c;
  return subsampling + o.blocks * block + c * o.classes + o.classes;
}

int64_t conformer_steps(int64_t frames) { return halved(halved(frames)); }

ConvSubsampling::ConvSubsampling(int64_t mels, int64_t width)
    : conv1_(add<Conv2d>("conv1", 1, width, 3,
                         Conv2dOptions{.stride = 2, .padding = 1, .relu = true})),
      conv2_(add<Conv2d>("conv2", width, width, 3,
                         Conv2dOptions{.stride = 2, .padding = 1, .relu = true})),
      projection_(add<Linear>("projection", width * conformer_steps(mels), width)) {}

Tensor ConvSubsampling::forward(const Tensor& x) {
  return projection_(conv2_(conv1_(x.unsqueeze(-1))).flatten(2));
}

FeedForwardModule::FeedForwardModule(int64_t width, double dropout)
    : norm_(add<LayerNorm>("norm", width)),
      expand_(add<Linear>("expand", width, 4 * width)),
      contract_(add<Linear>("contract", 4 * width, width)),
      dropout_(add<Dropout>("dropout", dropout)) {}

Tensor FeedForwardModule::forward(const Tensor& x) {
  return dropout_(contract_(dropout_(silu(expand_(norm_(x))))));
}

RelativeAttention::RelativeAttention(int64_t width, int64_t heads, double dropout)
    : heads_(heads),
      norm_(add<LayerNorm>("norm", width)),
      qkv_(add<Linear>("qkv", width, 3 * width)),
      position_(add<Linear>("position", width, width, false)),
      projection_(add<Linear>("projection", width, width)),
      dropout_(add<Dropout>("dropout", dropout)) {
  if (heads < 1 || width % heads != 0)
    fail("RelativeAttention", Caller{}, "width {} does not divide into {} heads", width, heads);
  content_bias_ = add_parameter("content_bias", zeros({heads, width / heads}));
  position_bias_ = add_parameter("position_bias", zeros({heads, width / heads}));
  init::xavier_uniform_(qkv_.weight);
  init::xavier_uniform_(content_bias_);
  init::xavier_uniform_(position_bias_);
}

std::string RelativeAttention::kind() const {
  return fmt::format("RelativeAttention({} heads)", heads_);
}

Tensor RelativeAttention::forward(const Tensor& x) {
  const int64_t count = x.size(0), time = x.size(1), head = x.size(2) / heads_;
  Tensor all = qkv_(norm_(x)).reshape({count, time, 3, heads_, head});
  Tensor q = named("queries", all.select(2, 0)), k = named("keys", all.select(2, 1));
  Tensor v = named("values", all.select(2, 2));
  Tensor p = position_(distances(time, x.size(2), x)).reshape({2 * time - 1, heads_, head});
  // What depends on distance alone is a mask of scores for the attention over contents.
  Tensor far = matmul((q + position_bias_).permute({0, 2, 1, 3}), p.permute({1, 2, 0}));
  Tensor mask = relative_shift(far) / std::sqrt(static_cast<double>(head));
  const bool pattern_asked =
      ActivationObserver::active() && ActivationObserver::asked(path_of("pattern"));
  Tensor out =
      pattern_asked
          ? attention_mix(named("pattern", attention_pattern(q + content_bias_, k, {}, mask)), v)
          : scaled_dot_product_attention(q + content_bias_, k, v, {}, mask);
  return dropout_(projection_(out.flatten(2)));
}

// Row i wants its columns from T - 1 - i on. With a column of zeros in front, rows of 2 T, read as
// rows of 2 T - 1 from element T on, start there.
Tensor relative_shift(const Tensor& scores) {
  const int64_t count = scores.size(0), heads = scores.size(1), time = scores.size(2);
  Tensor padded = pad(scores, {0, 0, 0, 1}, {0, 0, 0, 0});
  return padded.reshape({count, heads, 2 * time * time})
      .slice(2, time, 2 * time * time)
      .reshape({count, heads, time, 2 * time - 1})
      .slice(3, 0, time);
}

ConvolutionModule::ConvolutionModule(int64_t width, int64_t kernel, double dropout)
    : norm_(add<LayerNorm>("norm", width)),
      expand_(add<Linear>("expand", width, 2 * width)),
      depthwise_(add<Conv1d>(
          "depthwise", width, width, kernel,
          Conv1dOptions{
              .padding_left = (kernel - 1) / 2, .padding_right = kernel / 2, .groups = width})),
      batch_norm_(add<BatchNorm>("batch_norm", width)),
      contract_(add<Linear>("contract", width, width)),
      dropout_(add<Dropout>("dropout", dropout)) {}

Tensor ConvolutionModule::forward(const Tensor& x) {
  Tensor both = expand_(norm_(x));
  const int64_t width = x.size(2);
  Tensor gated = named("gated", both.slice(2, 0, width) * sigmoid(both.slice(2, width, 2 * width)));
  return dropout_(contract_(silu(batch_norm_(depthwise_(gated)))));
}

ConformerBlock::ConformerBlock(const ConformerOptions& o)
    : first_(add<FeedForwardModule>("first", o.width, o.dropout)),
      attention_(add<RelativeAttention>("attention", o.width, o.heads, o.dropout)),
      convolution_(add<ConvolutionModule>("convolution", o.width, o.kernel, o.dropout)),
      second_(add<FeedForwardModule>("second", o.width, o.dropout)),
      norm_(add<LayerNorm>("norm", o.width)) {}

Tensor ConformerBlock::forward(const Tensor& given) {
  Tensor x = given + first_(given) * 0.5;
  x = x + attention_(x);
  x = x + convolution_(x);
  x = x + second_(x) * 0.5;
  return norm_(x);
}

Conformer::Conformer(const ConformerOptions& options)
    : options_(options),
      subsampling_(add<ConvSubsampling>("subsampling", options.mels, options.width)),
      dropout_(add<Dropout>("dropout", options.dropout)),
      blocks_(add<Sequential>("blocks")),
      head_(add<Linear>("head", options.width, options.classes)) {
  for (int64_t i = 0; i < options.blocks; ++i) blocks_.push<ConformerBlock>(options);
}

std::string Conformer::kind() const {
  return fmt::format("Conformer({} x {}{})", options_.blocks, options_.width,
                     options_.pooled ? ", pooled" : "");
}

Tensor Conformer::forward(const Tensor& x) {
  if (x.rank() != 3 || x.size(1) < 1 || x.size(2) != options_.mels)
    fail("Conformer", Caller{}, "takes features [N, T, {}] with T of at least 1; got {}",
         options_.mels, describe(x));
  Tensor steps = blocks_(dropout_(subsampling_(x)));
  return head_(options_.pooled ? mean(steps, {1}) : steps);
}

std::vector<std::string> Conformer::stages() const {
  std::vector<std::string> names = {"subsampling"};
  for (int64_t i = 0; i < options_.blocks; ++i) names.push_back(fmt::format("blocks.{}", i));
  names.push_back("head");
  return names;
}

}  // namespace strata

#include "models/audio/wavenet.h"

#include "engine/autograd/autograd.h"
#include "engine/nn/init.h"
#include "engine/ops.h"
#include "models/audio/mu_law.h"

namespace strata {
namespace {

Conv1dOptions causal(int64_t kernel, int64_t dilation) {
  return {.padding_left = (kernel - 1) * dilation, .dilation = dilation};
}

}  // namespace

int64_t wavenet_parameter_count(const WaveNetOptions& o) {
  const int64_t c = o.channels, s = o.skip, blocks = o.layers * o.repeats;
  return o.kernel * o.inputs * c + c + blocks * (2 * o.kernel * c * c + 2 * c + c * s + s) +
         (blocks - 1) * (c * c + c) + s * s + s + s * o.classes + o.classes;
}

int64_t wavenet_receptive_field(const WaveNetOptions& o) {
  return 1 + (o.kernel - 1) * (1 + o.repeats * ((int64_t{1} << o.layers) - 1));
}

Tensor ConvHistory::step(const Tensor& x) {
  const int64_t kernel = conv_->weight.size(1), dilation = conv_->options.dilation;
  if (past_.empty()) past_.assign(static_cast<size_t>((kernel - 1) * dilation), zeros_like(x));
  past_.push_back(x);
  std::vector<Tensor> taps;
  for (int64_t i = 0; i < kernel; ++i) taps.push_back(past_[static_cast<size_t>(i * dilation)]);
  past_.pop_front();
  return linear(concatenate(taps, 1), conv_->weight.flatten(1), conv_->bias);
}

WaveNetBlock::WaveNetBlock(const WaveNetOptions& o, int64_t dilation, bool last)
    : conv(add<Conv1d>("conv", o.channels, 2 * o.channels, o.kernel, causal(o.kernel, dilation))),
      residual_(last ? nullptr : &add<Linear>("residual", o.channels, o.channels)),
      skip_(add<Linear>("skip", o.channels, o.skip)) {}

std::string WaveNetBlock::kind() const {
  return fmt::format("WaveNetBlock(dilation {})", conv.options.dilation);
}

Tensor WaveNetBlock::spread(const Tensor& x, const Tensor& convolved, Tensor& skips) {
  const int64_t c = convolved.size(-1) / 2;
  Tensor z =
      named("gated", tanh(convolved.slice(-1, 0, c)) * sigmoid(convolved.slice(-1, c, 2 * c)));
  Tensor skip = skip_(z);
  skips = skips.defined() ? skips + skip : skip;
  return residual_ ? x + (*residual_)(z) : z;
}

Tensor WaveNetBlock::operator()(const Tensor& x, Tensor& skips) {
  return run(x, [&] { return spread(x, conv(x), skips); });
}

Tensor WaveNetBlock::step(const Tensor& x, Tensor& skips, ConvHistory& history) {
  return spread(x, history.step(x), skips);
}

Tensor WaveNetBlock::forward(const Tensor& x) {
  Tensor skips;
  return spread(x, conv(x), skips);
}

WaveNet::WaveNet(const WaveNetOptions& options)
    : options_(options),
      input_(add<Conv1d>("input", options.inputs, options.channels, options.kernel,
                         causal(options.kernel, 1))),
      blocks_([&] {
        if (options.layers < 1 || options.layers > 30 || options.repeats < 1 || options.kernel < 1)
          fail("WaveNet", Caller{},
               "needs 1 to 30 layers, and repeats and a kernel of at least 1; got {}, "
               "{} and {}",
               options.layers, options.repeats, options.kernel);
        std::vector<WaveNetBlock*> blocks;
        Sequential& list = add<Sequential>("blocks");
        const int64_t count = options.layers * options.repeats;
        for (int64_t i = 0; i < count; ++i)
          blocks.push_back(&list.push<WaveNetBlock>(options, int64_t{1} << (i % options.layers),
                                                    i == count - 1));
        return blocks;
      }()),
      hidden_(add<Linear>("hidden", options.skip, options.skip)),
      dropout_(add<Dropout>("dropout", options.dropout)),
      head_(add<Linear>("head", options.skip, options.classes)) {
  // Glorot and Bengio 2010; twice as much before the gates, which are about half open at first.
  for (auto& [name, tensor] : named_parameters())
    if (tensor.rank() >= 2) init::xavier_uniform_(tensor, name.ends_with("conv.weight") ? 2 : 1);
}

std::string WaveNet::kind() const {
  return fmt::format("WaveNet({} steps{})", wavenet_receptive_field(options_),
                     options_.pooled ? ", pooled" : "");
}

Tensor WaveNet::head(const Tensor& skips) {
  Tensor total = relu(named("skips", skips));
  if (options_.pooled) total = dropout_(mean(total, {1}));
  return head_(relu(hidden_(total)));
}

Tensor WaveNet::forward(const Tensor& given) {
  Tensor x = given.rank() == 2 && options_.inputs == 1 ? given.unsqueeze(-1) : given;
  if (x.rank() != 3 || x.size(2) != options_.inputs || x.size(1) < 1)
    fail("WaveNet", Caller{}, "takes {}[N, T, {}] with T of at least 1; got {}",
         options_.inputs == 1 ? "[N, T] or " : "", options_.inputs, describe(given));
  Tensor skips;
  x = input_(x);
  for (WaveNetBlock* block : blocks_) x = (*block)(x, skips);
  return head(skips);
}

std::vector<std::string> WaveNet::stages() const {
  std::vector<std::string> names = {"input"};
  for (size_t i = 0; i < blocks_.size(); ++i) names.push_back(fmt::format("blocks.{}", i));
  names.insert(names.end(), {"skips", "hidden", "head"});
  return names;
}

WaveNetStepper::WaveNetStepper(WaveNet& model, Caller at) : model_(model), input_(model.input_) {
  if (model.options().pooled)
    fail("WaveNetStepper", at, "a pooled WaveNet classifies whole sequences and has no next step");
  for (WaveNetBlock* block : model.blocks_) blocks_.emplace_back(block->conv);
}

Tensor WaveNetStepper::step(const Tensor& x) {
  if (x.rank() != 2 || x.size(1) != model_.options().inputs)
    fail("WaveNetStepper", Caller{}, "takes one step [N, {}]; got {}", model_.options().inputs,
         describe(x));
  Tensor skips, value = input_.step(x);
  for (size_t i = 0; i < blocks_.size(); ++i)
    value = model_.blocks_[i]->step(value, skips, blocks_[i]);
  return model_.head(skips);
}

Tensor wavenet_generate(WaveNet& model, const Tensor& start, int64_t steps, double temperature,
                        Generator& generator, Caller at) {
  const char* op = "wavenet_generate";
  if (start.rank() != 2 || start.size(1) < 1 || model.options().inputs != 1)
    fail(op, at, "takes waveforms [N, T], T at least 1, and a WaveNet of one input; got {} and {}",
         describe(start), model.options().inputs);
  if (!(temperature > 0)) fail(op, at, "temperature is {}; expected more than 0", temperature);
  NoGrad off;
  WaveNetStepper stepper(model, at);
  Tensor logits;
  for (int64_t t = 0; t < start.size(1); ++t) logits = stepper.step(start.slice(1, t, t + 1));
  std::vector<Tensor> samples;
  while (static_cast<int64_t>(samples.size()) < steps) {
    Tensor codes = multinomial(softmax(logits / temperature), &generator);
    Tensor sample = mu_law_decode(codes, model.options().classes).unsqueeze(1);
    samples.push_back(sample);
    if (static_cast<int64_t>(samples.size()) < steps)
      logits = stepper.step(sample.to(start.dtype()));
  }
  return samples.empty() ? empty({start.size(0), 0}) : concatenate(samples, 1);
}

}  // namespace strata

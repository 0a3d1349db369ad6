// WaveNet: van den Oord et al. 2016, "WaveNet: a generative model for raw audio". A stack of gated
// causal convolutions whose dilations double, 1, 2, 4, ..., and start again with each repetition:
//   a, b = conv(x);  z = tanh(a) sigmoid(b);  x = x + residual(z);  total = total + skip(z)
//   logits = out(relu(hidden(relu(total))))
// As a generative model it says at each step which mu-law class (models/audio/mu_law.h) the next
// sample has; with `pooled` it is a classifier: the mean of relu(total) over time goes to the head
// (section 3.4 of the paper), and x may be features, a log-mel spectrogram for example.
//
//   layer             result           parameters                multiply-adds a step
//   input             [N, T, C]        k I C + C                 k I C
//   blocks.i.conv     [N, T, 2 C]      2 k C^2 + 2 C             2 k C^2
//   blocks.i.gated    [N, T, C]        (z)
//   blocks.i.residual [N, T, C]        C^2 + C (none in the last) C^2
//   blocks.i.skip     [N, T, S]        C S + S                   C S
//   skips             [N, T, S]        (total)
//   hidden            [N, T, S]        S^2 + S                   S^2
//   head              [N, T, classes]  S classes + classes       S classes     (pooled: [N,
//   classes])
// for I inputs, C channels, S skip channels, a kernel of k.
//
// A step sees 1 + (k - 1) (1 + repeats (2^layers - 1)) steps, itself included:
//   kernel 2     layers 4   6    8     10       10 dilations are 1 to 512
//   1 repeat         17    65   257   1025
//   3 repeats        47   191   767   3071
//
// The paper gives no widths. Default here (kernel 2, 10 layers, 3 repeats, 32 channels, 128 skip):
// 331,776 parameters.
#pragma once

#include <deque>
#include <vector>

#include "engine/nn/activation.h"
#include "engine/nn/conv.h"
#include "engine/nn/linear.h"
#include "engine/nn/sequential.h"
#include "engine/ops/random.h"
#include "models/model.h"

namespace strata {

struct WaveNetOptions {
  int64_t inputs = 1;     // features a step; 1 is a waveform
  int64_t classes = 256;  // of the next sample; or of the whole, when pooled
  int64_t channels = 32, skip = 128;
  int64_t kernel = 2;
  int64_t layers = 10, repeats = 3;
  bool pooled = false;
  double dropout = 0;  // of the pooled features
};

int64_t wavenet_parameter_count(const WaveNetOptions& options);
// Steps that a result depends on, itself included.
int64_t wavenet_receptive_field(const WaveNetOptions& options);

// The last inputs of a convolution, oldest first, so that a step costs one product.
class ConvHistory {
 public:
  explicit ConvHistory(const Conv1d& conv) : conv_(&conv) {}
  // x [N, C], the next step -> the convolution's result there. Before the first step lie zeros.
  Tensor step(const Tensor& x);

 private:
  const Conv1d* conv_;
  std::deque<Tensor> past_;  // (kernel - 1) dilation of them
};

class WaveNetBlock : public Layer {
 public:
  // The last block has no residual convolution: nothing would read it.
  WaveNetBlock(const WaveNetOptions& options, int64_t dilation, bool last);
  std::string kind() const override;
  // x [N, T, C] -> x + residual(z); `skips` grows by skip(z).
  Tensor operator()(const Tensor& x, Tensor& skips);
  // The same of one step, x [N, C].
  Tensor step(const Tensor& x, Tensor& skips, ConvHistory& history);
  Tensor forward(const Tensor& x) override;

  Conv1d& conv;

 private:
  Tensor spread(const Tensor& x, const Tensor& convolved, Tensor& skips);
  Linear* residual_ = nullptr;
  Linear& skip_;
};

// x [N, T] (for one input) or [N, T, inputs] -> logits [N, T, classes], at t those of step t + 1;
// or [N, classes] when pooled.
class WaveNet : public Model {
 public:
  explicit WaveNet(const WaveNetOptions& options = {});
  std::string kind() const override;
  Tensor forward(const Tensor& x) override;
  // input, blocks.0, ..., skips, hidden, head.
  std::vector<std::string> stages() const override;
  const WaveNetOptions& options() const { return options_; }

 private:
  friend class WaveNetStepper;
  Tensor head(const Tensor& skips);

  WaveNetOptions options_;
  Conv1d& input_;
  std::vector<WaveNetBlock*> blocks_;
  Linear& hidden_;
  Dropout& dropout_;
  Linear& head_;
};

// A generative WaveNet one step at a time, with what its convolutions saw kept (Paine et al. 2016,
// "Fast WaveNet generation algorithm"): a step costs what the table says, whatever came before.
class WaveNetStepper {
 public:
  // The model must outlive it; a pooled one is an error.
  explicit WaveNetStepper(WaveNet& model, Caller at = Caller::here());
  // x [N, inputs] -> logits [N, classes]; the same as the whole sequence gives there, up to
  // rounding.
  Tensor step(const Tensor& x);

 private:
  WaveNet& model_;
  ConvHistory input_;
  std::vector<ConvHistory> blocks_;
};

// Continues waveforms [N, T], T at least 1, by `steps` samples drawn from softmax(logits /
// temperature): f32 [N, steps].
Tensor wavenet_generate(WaveNet& model, const Tensor& start, int64_t steps, double temperature,
                        Generator& generator, Caller at = Caller::here());

}  // namespace strata

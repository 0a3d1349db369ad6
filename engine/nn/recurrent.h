// Recurrent layers over engine/ops/recurrent.h: RNN (tanh; Elman 1990), LSTM (Hochreiter and
// Schmidhuber 1997) and GRU (Cho et al. 2014), stacked, in one direction or two (Schuster and
// Paliwal 1997), with dropout between the layers.
//
// Parameters are PyTorch's, in its order and with its gates: for each layer and direction, in a
// child "layer0", "layer0_reverse", "layer1", ..., weight_ih [G H, inputs], weight_hh [G H, H],
// bias_ih and bias_hh [G H] (PyTorch's weight_ih_l0, weight_ih_l0_reverse, ...), with G = 1, 4
// (i f g o), 3 (r z n). All start uniform within 1 / sqrt(H).
//
// Shown by name: the hidden states of each child, [N, T, H], in the order of time; and for an
// observer that lists it "layer0.cell", those of an LSTM's cells. What is put in the place of
// hidden states is what the next layer and the final state get; it does not change the recurrence.
#pragma once

#include "engine/nn/activation.h"
#include "engine/nn/layer.h"

namespace strata {

enum class RecurrentCell { rnn, lstm, gru };

struct RecurrentOptions {
  int64_t layers = 1;
  bool bidirectional = false;
  double dropout = 0;  // on the result of every layer but the last
  bool bias = true;
};

// States of all layers and directions at one end of the sequences, [layers directions, N, H], in
// the order of the children. cell is for LSTM only. Undefined: zeros.
struct RecurrentState {
  Tensor hidden, cell;
};
struct RecurrentResult {
  Tensor output;         // [N, T, directions H]: of the last layer, forward then reverse
  RecurrentState final;  // after the last step of each sequence (the first one, in reverse)
};

// One direction of one layer.
class RecurrentPass : public Layer {
 public:
  RecurrentPass(RecurrentCell cell, int64_t inputs, int64_t width, bool bias, bool reverse);
  std::string kind() const override;
  // From zeros: x [N, T, inputs] -> hidden states [N, T, width].
  Tensor forward(const Tensor& x) override;

  struct Sequence {
    Tensor states;                    // [N, T, width]
    Tensor final_hidden, final_cell;  // [N, width]
  };
  // hidden, cell [N, width]; lengths as below, each undefined if there are none.
  Sequence sequence(const Tensor& x, const Tensor& hidden, const Tensor& cell,
                    const Tensor& lengths);

  Tensor weight_ih, weight_hh, bias_ih, bias_hh;

 private:
  RecurrentCell cell_;
  bool reverse_;
};

class Recurrent : public Layer {
 public:
  Recurrent(RecurrentCell cell, int64_t inputs, int64_t width,
            const RecurrentOptions& options = {});
  std::string kind() const override;
  // From zeros: x [N, T, inputs] -> output [N, T, directions width].
  Tensor forward(const Tensor& x) override;
  using Layer::operator();
  // lengths: i64 [N] on the cpu, the steps of each sequence, 1 to T; what stands behind them is
  // padding that nothing depends on, and gives zeros. Undefined: all are T long.
  RecurrentResult operator()(const Tensor& x, const RecurrentState& first,
                             const Tensor& lengths = {});

  const int64_t inputs, width;
  const RecurrentOptions options;

 private:
  RecurrentResult compute(const Tensor& x, const RecurrentState& first, const Tensor& lengths);

  RecurrentCell cell_;
  std::vector<RecurrentPass*> passes_;  // layer by layer, forward before reverse
  Dropout* dropout_ = nullptr;
};

struct RNN : Recurrent {
  RNN(int64_t inputs, int64_t width, const RecurrentOptions& options = {})
      : Recurrent(RecurrentCell::rnn, inputs, width, options) {}
};
struct LSTM : Recurrent {
  LSTM(int64_t inputs, int64_t width, const RecurrentOptions& options = {})
      : Recurrent(RecurrentCell::lstm, inputs, width, options) {}
};
struct GRU : Recurrent {
  GRU(int64_t inputs, int64_t width, const RecurrentOptions& options = {})
      : Recurrent(RecurrentCell::gru, inputs, width, options) {}
};

}  // namespace strata

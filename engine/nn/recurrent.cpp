#include "engine/nn/recurrent.h"

#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/nn/init.h"
#include "engine/ops.h"

namespace strata {
namespace {

struct CellFacts {
  const char* name;
  int64_t gates;
};
CellFacts facts(RecurrentCell cell) {
  static constexpr CellFacts all[] = {{"RNN", 1}, {"LSTM", 4}, {"GRU", 3}};
  return all[static_cast<size_t>(cell)];
}

// Where step t of each sequence lies among the rows of [N T, C] when the steps before its length
// are turned round; padding stays where it is. Its own inverse.
Tensor turned_rows(const std::vector<int64_t>& lengths, int64_t T, Device device) {
  std::vector<int64_t> rows;
  for (size_t n = 0; n < lengths.size(); ++n)
    for (int64_t t = 0; t < T; ++t)
      rows.push_back(static_cast<int64_t>(n) * T + (t < lengths[n] ? lengths[n] - 1 - t : t));
  const int64_t count = static_cast<int64_t>(rows.size());
  return from_vector(rows, {count}).to(device);
}

Tensor turned(const Tensor& x, const std::vector<int64_t>& lengths) {
  if (lengths.empty()) return flip(x, {1});
  Tensor rows = turned_rows(lengths, x.size(1), x.device());
  return index_select(x.flatten(0, 1), 0, rows).reshape(x.shape());
}

// The state after the last step of each sequence, in the order in which the steps were made.
Tensor last(const Tensor& states, const std::vector<int64_t>& lengths) {
  const int64_t T = states.size(1);
  if (lengths.empty()) return states.select(1, T - 1);
  std::vector<int64_t> rows;
  for (size_t n = 0; n < lengths.size(); ++n)
    rows.push_back(static_cast<int64_t>(n) * T + lengths[n] - 1);
  return index_select(states.flatten(0, 1), 0,
                      from_vector(rows, {states.size(0)}).to(states.device()));
}

// 1 at the steps of each sequence and 0 behind: [N, T, 1].
Tensor step_mask(const std::vector<int64_t>& lengths, int64_t T, const Tensor& like) {
  std::vector<float> mask;
  for (int64_t length : lengths)
    for (int64_t t = 0; t < T; ++t) mask.push_back(t < length ? 1.0f : 0.0f);
  Tensor values = from_vector(mask, {static_cast<int64_t>(lengths.size()), T, 1});
  return values.to(like.dtype()).to(like.device());
}

}  // namespace

RecurrentPass::RecurrentPass(RecurrentCell cell, int64_t inputs, int64_t width, bool bias,
                             bool reverse)
    : cell_(cell), reverse_(reverse) {
  const int64_t rows = facts(cell).gates * width;
  weight_ih = add_parameter("weight_ih", empty({rows, inputs}));
  weight_hh = add_parameter("weight_hh", empty({rows, width}));
  if (bias) {
    bias_ih = add_parameter("bias_ih", empty({rows}));
    bias_hh = add_parameter("bias_hh", empty({rows}));
  }
  const double bound = 1 / std::sqrt(static_cast<double>(width));
  for (const Tensor& parameter : parameters()) init::uniform_(parameter, -bound, bound);
}

std::string RecurrentPass::kind() const {
  return fmt::format("{}({} -> {}{}{})", facts(cell_).name, weight_ih.size(1), weight_hh.size(1),
                     bias_ih.defined() ? "" : ", no bias", reverse_ ? ", reverse" : "");
}

Tensor RecurrentPass::forward(const Tensor& x) { return sequence(x, {}, {}, {}).states; }

RecurrentPass::Sequence RecurrentPass::sequence(const Tensor& x, const Tensor& hidden,
                                                const Tensor& cell, const Tensor& lengths) {
  const std::vector<int64_t> steps =
      lengths.defined() ? lengths.to_vector<int64_t>() : std::vector<int64_t>();
  Sequence result;
  result.states = run(x, [&] {
    Tensor gates = linear(reverse_ ? turned(x, steps) : x, weight_ih, bias_ih), states;
    if (cell_ == RecurrentCell::rnn) {
      states = rnn(gates, weight_hh, bias_hh, hidden);
    } else if (cell_ == RecurrentCell::gru) {
      states = gru(gates, weight_hh, bias_hh, hidden);
    } else {
      LstmStates both = lstm(gates, weight_hh, bias_hh, hidden, cell);
      states = both.hidden;
      result.final_cell = last(both.cell, steps);
      if (ActivationObserver::active() && ActivationObserver::asked(path_of("cell")))
        named("cell", reverse_ ? turned(both.cell, steps) : both.cell);
    }
    if (!steps.empty()) states = states * step_mask(steps, x.size(1), states);
    return reverse_ ? turned(states, steps) : states;
  });
  result.final_hidden = reverse_ ? result.states.select(1, 0) : last(result.states, steps);
  return result;
}

Recurrent::Recurrent(RecurrentCell cell, int64_t inputs, int64_t width,
                     const RecurrentOptions& options)
    : inputs(inputs), width(width), options(options), cell_(cell) {
  if (inputs < 1 || width < 1 || options.layers < 1)
    fail(facts(cell).name, Caller{}, "inputs {}, width {} and layers {} must be positive", inputs,
         width, options.layers);
  const int64_t directions = options.bidirectional ? 2 : 1;
  for (int64_t i = 0; i < options.layers; ++i) {
    for (int64_t reverse = 0; reverse < directions; ++reverse) {
      const std::string name = fmt::format("layer{}{}", i, reverse ? "_reverse" : "");
      passes_.push_back(&add<RecurrentPass>(name, cell, i == 0 ? inputs : directions * width, width,
                                            options.bias, reverse == 1));
    }
  }
  if (options.layers > 1 && options.dropout > 0)
    dropout_ = &add<Dropout>("dropout", options.dropout);
}

std::string Recurrent::kind() const {
  std::string more = options.layers > 1 ? fmt::format(", {} layers", options.layers) : "";
  if (options.bidirectional) more += ", bidirectional";
  return fmt::format("{}({} -> {}{})", facts(cell_).name, inputs, width, more);
}

Tensor Recurrent::forward(const Tensor& x) { return compute(x, {}, {}).output; }

RecurrentResult Recurrent::operator()(const Tensor& x, const RecurrentState& first,
                                      const Tensor& lengths) {
  RecurrentResult result;
  Tensor output = run(x, [&] {
    result = compute(x, first, lengths);
    return result.output;
  });
  result.output = std::move(output);
  return result;
}

RecurrentResult Recurrent::compute(const Tensor& x, const RecurrentState& first,
                                   const Tensor& lengths) {
  const char* op = facts(cell_).name;
  if (!x.defined() || x.rank() != 3 || x.size(2) != inputs || x.size(1) == 0)
    fail(op, Caller{}, "takes [N, T, {}] with at least one step; got {}", inputs,
         x.defined() ? describe(x) : "an undefined tensor");
  const int64_t N = x.size(0), count = static_cast<int64_t>(passes_.size());
  for (const Tensor* state : {&first.hidden, &first.cell})
    if (state->defined() && state->shape() != Dims{count, N, width})
      fail(op, Caller{}, "a first state {} does not fit; expected {}", describe(*state),
           to_string(Dims{count, N, width}));
  if (first.cell.defined() && cell_ != RecurrentCell::lstm)
    fail(op, Caller{}, "has no cell state; give first.hidden only");
  if (lengths.defined()) {
    if (lengths.shape() != Dims{N})
      fail(op, Caller{}, "lengths {} do not fit {}; expected [{}]", describe(lengths), describe(x),
           N);
    for (int64_t length : lengths.to_vector<int64_t>())
      if (length < 1 || length > x.size(1))
        fail(op, Caller{}, "a length is {}; sequences of {} have 1 to {} steps", length,
             describe(x), x.size(1));
  }
  auto of = [](const Tensor& states, size_t i) {
    return states.defined() ? states.select(0, static_cast<int64_t>(i)) : Tensor();
  };
  RecurrentResult result{.output = x, .final = {}};
  std::vector<Tensor> hidden, cell;
  const size_t directions = options.bidirectional ? 2 : 1;
  for (size_t i = 0; i < passes_.size(); i += directions) {
    if (i > 0 && dropout_) result.output = (*dropout_)(result.output);
    std::vector<Tensor> sides;
    for (size_t side = i; side < i + directions; ++side) {
      RecurrentPass::Sequence s = passes_[side]->sequence(result.output, of(first.hidden, side),
                                                          of(first.cell, side), lengths);
      sides.push_back(s.states);
      hidden.push_back(s.final_hidden);
      if (s.final_cell.defined()) cell.push_back(s.final_cell);
    }
    result.output = directions == 1 ? sides[0] : concatenate(sides, 2);
  }
  result.final.hidden = stack(hidden);
  if (!cell.empty()) result.final.cell = stack(cell);
  return result;
}

}  // namespace strata

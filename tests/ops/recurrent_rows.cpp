// Rows of engine/ops/recurrent.h.
#include "tests/support/op_table.h"

namespace strata::test {
namespace {

struct Sizes {
  const char* label;
  int64_t N, T, H;
  bool bias = true, states = true;
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// Inputs in the order of the ops: x_gates, weight, bias, hidden, cell.
double h_part(const Arrays& in, const std::vector<double>& hidden, int64_t gate) {
  double total = in[2].undefined ? 0 : in[2][{gate}];
  for (size_t k = 0; k < hidden.size(); ++k)
    total += in[1][{gate, static_cast<int64_t>(k)}] * hidden[k];
  return total;
}
std::vector<double> first(const Array& state, int64_t n, int64_t H) {
  std::vector<double> row(static_cast<size_t>(H), 0);
  if (!state.undefined)
    for (int64_t h = 0; h < H; ++h) row[static_cast<size_t>(h)] = state[{n, h}];
  return row;
}

// step(x, h, hidden, cell) -> new hidden of one unit, given both parts of its gates; may change
// cell.
template <class Step>
Arrays run(const Arrays& in, int64_t gates, Step step) {
  const int64_t N = in[0].shape[0], T = in[0].shape[1], H = in[1].shape[1];
  Array hiddens = array({N, T, H}), cells = array({N, T, H});
  for (int64_t n = 0; n < N; ++n) {
    auto hidden = first(in[3], n, H);
    auto cell = in.size() > 4 ? first(in[4], n, H) : std::vector<double>(hidden.size(), 0);
    for (int64_t t = 0; t < T; ++t) {
      auto next = hidden;
      for (int64_t h = 0; h < H; ++h) {
        std::vector<double> x, y;
        for (int64_t g = 0; g < gates; ++g) {
          x.push_back(in[0][{n, t, g * H + h}]);
          y.push_back(h_part(in, hidden, g * H + h));
        }
        const size_t i = static_cast<size_t>(h);
        hiddens[{n, t, h}] = next[i] = step(x, y, hidden[i], cell[i]);
        cells[{n, t, h}] = cell[i];
      }
      hidden = next;
    }
  }
  return {hiddens, cells};
}

Array rnn_oracle(const Arrays& in) {
  return run(in, 1, [](auto& x, auto& y, double, double&) { return std::tanh(x[0] + y[0]); })[0];
}
Arrays lstm_oracle(const Arrays& in) {
  return run(in, 4, [](auto& x, auto& y, double, double& cell) {
    cell = sigmoid(x[1] + y[1]) * cell + sigmoid(x[0] + y[0]) * std::tanh(x[2] + y[2]);
    return sigmoid(x[3] + y[3]) * std::tanh(cell);
  });
}
Array gru_oracle(const Arrays& in) {
  return run(in, 3, [](auto& x, auto& y, double hidden, double&) {
    const double z = sigmoid(x[1] + y[1]);
    const double n = std::tanh(x[2] + sigmoid(x[0] + y[0]) * y[2]);
    return (1 - z) * n + z * hidden;
  })[0];
}

Arrays inputs_of(const Sizes& s, int64_t gates, int states) {
  Random random(71);
  Arrays in{random.uniform({s.N, s.T, gates * s.H}), random.uniform({gates * s.H, s.H}, -1, 1),
            s.bias ? random.uniform({gates * s.H}, -1, 1) : none()};
  for (int i = 0; i < states; ++i)
    in.push_back(s.states ? random.uniform({s.N, s.H}, -1, 1) : none());
  return in;
}

const std::vector<Sizes> cases = {
    {"typical", 2, 4, 3},    {"one step", 3, 1, 2}, {"no bias, from zeros", 2, 3, 2, false, false},
    {"no samples", 0, 2, 3}, {"no steps", 2, 0, 3}, {"threaded", 300, 2, 20}};

template <class Call>
std::vector<BadCall> bad_calls(int64_t gates, Call call) {
  const int64_t H = 4;
  Tensor x = empty({2, 3, gates * H}), w = empty({gates * H, H}), b = empty({gates * H});
  auto calls = [=](Tensor x, Tensor w, Tensor b, Tensor h) { return [=] { call(x, w, b, h); }; };
  return {{"undefined", calls({}, w, b, {}), "x_gates is undefined", ""},
          {"integer", calls(x.to(DType::i64), w, b, {}), "floating", ""},
          {"weight", calls(x, empty({gates * H, 5}), b, {}), "weight f32.* expected", ""},
          {"x_gates", calls(empty({2, gates * H}), w, b, {}), R"(x_gates f32.*\[N, T, \d+\])", ""},
          {"bias", calls(x, w, empty({1}), {}), "bias f32.*does not fit", ""},
          {"hidden", calls(x, w, b, empty({3, H})), R"(hidden f32\[3,4\].*\[2,4\])", ""}};
}

}  // namespace

OP_ROW(rnn) {
  for (const Sizes& s : cases)
    row.add(
        s.label, inputs_of(s, 1, 1),
        [](const Tensors& in) { return rnn(in[0], in[1], in[2], in[3]); }, rnn_oracle);
  row.no_scalar = "x_gates have rank 3";
  row.tolerance = row.gradient_tolerance = 20;
  row.errors = bad_calls(1, [](auto& x, auto& w, auto& b, auto& h) { rnn(x, w, b, h); });
}

OP_ROW(lstm) {
  for (const Sizes& s : cases)
    row.add(
        s.label, inputs_of(s, 4, 2),
        [](const Tensors& in) {
          LstmStates states = lstm(in[0], in[1], in[2], in[3], in[4]);
          return Tensors{states.hidden, states.cell};
        },
        lstm_oracle);
  row.no_scalar = "x_gates have rank 3";
  row.tolerance = row.gradient_tolerance = 20;
  row.errors = bad_calls(4, [](auto& x, auto& w, auto& b, auto& h) { lstm(x, w, b, h); });
}

OP_ROW(gru) {
  for (const Sizes& s : cases)
    row.add(
        s.label, inputs_of(s, 3, 1),
        [](const Tensors& in) { return gru(in[0], in[1], in[2], in[3]); }, gru_oracle);
  row.no_scalar = "x_gates have rank 3";
  row.tolerance = row.gradient_tolerance = 20;
  row.errors = bad_calls(3, [](auto& x, auto& w, auto& b, auto& h) { gru(x, w, b, h); });
}

}  // namespace strata::test

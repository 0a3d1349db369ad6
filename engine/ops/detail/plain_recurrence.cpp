#include "engine/ops/detail/plain_recurrence.h"

#include "engine/ops.h"
#include "engine/ops/detail/kernel_inputs.h"

namespace strata::detail {
namespace {

// Gate number i of [N, G H].
Tensor gate(const Tensor& gates, int64_t i, int64_t H) {
  return gates.slice(1, i * H, (i + 1) * H);
}
Tensor first_state(const Tensor& state, const Tensor& x, int64_t H) {
  return state.defined() ? state : zeros({x.size(0), H}, x.dtype(), x.device());
}

}  // namespace

Tensor plain_rnn(const std::vector<Tensor>& in) {
  Tensor h = first_state(in[3], in[0], in[1].size(1));
  std::vector<Tensor> states;
  for (int64_t t = 0; t < in[0].size(1); ++t)
    states.push_back(h = tanh(in[0].select(1, t) + linear(h, in[1], in[2])));
  return stack(states, 1);
}

Tensor plain_lstm(const std::vector<Tensor>& in) {
  const int64_t H = in[1].size(1);
  Tensor h = first_state(in[3], in[0], H), c = first_state(in[4], in[0], H);
  std::vector<Tensor> hidden, cell;
  for (int64_t t = 0; t < in[0].size(1); ++t) {
    Tensor gates = in[0].select(1, t) + linear(h, in[1], in[2]);
    c = sigmoid(gate(gates, 1, H)) * c + sigmoid(gate(gates, 0, H)) * tanh(gate(gates, 2, H));
    h = sigmoid(gate(gates, 3, H)) * tanh(c);
    hidden.push_back(h), cell.push_back(c);
  }
  return stack({stack(hidden, 1), stack(cell, 1)});
}

Tensor plain_gru(const std::vector<Tensor>& in) {
  const int64_t H = in[1].size(1);
  Tensor h = first_state(in[3], in[0], H);
  std::vector<Tensor> states;
  for (int64_t t = 0; t < in[0].size(1); ++t) {
    Tensor x = in[0].select(1, t), y = linear(h, in[1], in[2]);
    Tensor both = sigmoid(x.slice(1, 0, 2 * H) + y.slice(1, 0, 2 * H)), z = gate(both, 1, H);
    Tensor n = tanh(gate(x, 2, H) + gate(both, 0, H) * gate(y, 2, H));
    states.push_back(h = n + z * (h - n));
  }
  return stack(states, 1);
}

// Each operand gets a node of its own, so that what one operand owes to another stays out of it.
Gradients plain_gradient(PlainRecurrence plain, const Tensor& g, const Saved& s, int inputs) {
  const DType compute = compute_type(g.dtype());
  std::vector<Tensor> own, wanted;
  for (int i = 0; i < inputs; ++i) {
    Tensor operand = s[i];
    if (operand.defined()) operand = operand.to(compute);
    own.push_back(s.needs(i) ? operand * 1.0 : operand);
    if (s.needs(i)) wanted.push_back(own.back());
  }
  std::vector<Tensor> found =
      grad({plain(own)}, wanted, {g.to(compute)}, {.create_graph = true, .allow_unused = true});
  Gradients gradients(static_cast<size_t>(inputs));
  for (size_t i = 0, next = 0; i < gradients.size(); ++i)
    if (s.needs(static_cast<int>(i))) gradients[i] = found[next++];
  return gradients;
}

}  // namespace strata::detail

#include "engine/ops/recurrent.h"

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/ops/detail/check.h"
#include "engine/ops/detail/kernel_inputs.h"
#include "engine/ops/detail/plain_recurrence.h"
#include "kernels/gemm/gemm.h"
#include "kernels/recurrent/recurrent.h"

namespace strata {
namespace {

using namespace detail;

// The operands as the kernels read them: dense, of one type, absent states zeros.
struct Operands {
  const char* op;
  Caller at;
  int64_t N, T, H, G;  // G H wide
  DType dtype, compute;
  Device device;
  Tensor x, weight, bias, hidden, cell;

  Operands(const char* op, int64_t gates, const Tensor& x_gates, const Tensor& w, const Tensor& b,
           const Tensor& first_hidden, const Tensor& first_cell, Caller at)
      : op(op), at(at), G(gates) {
    check(x_gates, w, b, first_hidden, first_cell);
    dtype = promote(x_gates.dtype(), w.dtype());
    for (const Tensor* part : {&b, &first_hidden, &first_cell})
      if (part->defined()) dtype = promote(dtype, part->dtype());
    compute = compute_type(dtype);
    device = x_gates.device();
    x = dense(x_gates, compute);
    weight = dense(w, compute);
    bias = dense(b, compute);
    hidden = first(first_hidden);
    cell = first(first_cell);
  }

  // The h part of the gates from a state [N, H] whose rows lie `stride` apart, into `out` [N, G H].
  void product(const void* state, int64_t stride, const Tensor& out) const {
    GemmArguments g;
    g.dtype = compute;
    g.M = N, g.N = G * H, g.K = H;
    g.a = state, g.a_row = stride, g.a_column = 1;
    g.b = weight.raw(), g.b_row = 1, g.b_column = H;
    g.c = out.raw();
    g.epilogue.bias = raw_or_null(bias);
    on(device, op, at, cpu::gemm, gpu::gemm, g);
  }
  Tensor make(const Dims& shape) const { return empty(shape, compute, device); }
  // 4 H a row and step for the gradient; undefined where nothing is recorded.
  Tensor make_kept() const { return grad_enabled() ? make({N, T, 4 * H}) : Tensor(); }

 private:
  void check(const Tensor& x_gates, const Tensor& w, const Tensor& b, const Tensor& first_hidden,
             const Tensor& first_cell) {
    check_floating(op, "x_gates", x_gates, at);
    check_floating(op, "weight", w, at);
    check_one_device(op, {&x_gates, &w, &b, &first_hidden, &first_cell}, at);
    if (w.rank() != 2 || w.size(0) != G * w.size(1))
      fail(op, at, "weight {} has the wrong shape; expected [{}H, H]", describe(w),
           G == 1 ? "" : std::to_string(G) + " ");
    H = w.size(1);
    if (x_gates.rank() != 3 || x_gates.size(2) != G * H)
      fail(op, at, "x_gates {} do not fit weight {}; expected [N, T, {}]", describe(x_gates),
           describe(w), G * H);
    N = x_gates.size(0), T = x_gates.size(1);
    auto has_shape = [&](const char* name, const Tensor& part, const Dims& shape) {
      if (!part.defined()) return;
      check_floating(op, name, part, at);
      if (part.shape() != shape)
        fail(op, at, "{} {} does not fit x_gates {}; expected {}", name, describe(part),
             describe(x_gates), to_string(shape));
    };
    has_shape("bias", b, {G * H});
    has_shape("hidden", first_hidden, {N, H});
    has_shape("cell", first_cell, {N, H});
  }
  Tensor first(const Tensor& state) const {
    return state.defined() ? dense(state, compute) : zeros({N, H}, compute, device);
  }
};

void* at_step(const Tensor& sequence, int64_t t) {
  return static_cast<char*>(sequence.raw()) + t * sequence.size(2) * size_of(sequence.dtype());
}
// Step t of a dense [N, T, C], if it is there; and a dense [N, C].
Rows rows(const Tensor& sequence, int64_t t) {
  if (!sequence.defined()) return {};
  return {at_step(sequence, t), sequence.size(1) * sequence.size(2)};
}
Rows rows(const Tensor& matrix) { return {matrix.raw(), matrix.size(1)}; }
// The state before step t, of a sequence of states that began with `first`.
Rows before(const Tensor& states, const Tensor& first, int64_t t) {
  return t == 0 ? rows(first) : rows(states, t - 1);
}

// What one step hands back to the one before; undefined: nothing yet.
Tensor plus(const Tensor& a, const Tensor& carried) { return carried.defined() ? a + carried : a; }

// [N, T, C] -> dense [T, N, C], so that the gradient of a step is a matrix.
Tensor time_major(const Tensor& x, DType dtype) { return dense(x.permute({1, 0, 2}), dtype); }

// Gradients of what the steps share, given those of the h part of the gates [N, T, G H].
void shared_gradients(const Operands& o, const Tensor& gates, const Tensor& hidden, const Saved& s,
                      Gradients& gradients) {
  if (s.needs(1)) {
    Tensor earlier = concatenate({o.hidden.unsqueeze(1), hidden.slice(1, 0, o.T - 1)}, 1);
    gradients[1] = matmul(gates.reshape({o.N * o.T, o.G * o.H}).transpose(0, 1),
                          earlier.reshape({o.N * o.T, o.H}));
  }
  if (s.needs(2)) gradients[2] = sum(gates, {0, 1});
}

Gradients zero_gradients(const Saved& s, int inputs) {
  Gradients gradients(static_cast<size_t>(inputs));
  for (int i = 0; i < inputs; ++i)
    if (s.needs(i)) gradients[static_cast<size_t>(i)] = zeros_like(s[i]);
  return gradients;
}

Gradients rnn_gradient(const Tensor& g, const Saved& s) {
  Operands o("rnn", 1, s[0], s[1], s[2], s[3], {}, Caller{});
  Tensor hidden = dense(s[4], o.compute), of_states = time_major(g, o.compute), carried;
  std::vector<Tensor> gates(static_cast<size_t>(o.T));
  for (int64_t t = o.T; t-- > 0;) {
    Tensor& step = gates[static_cast<size_t>(t)];
    step = plus(of_states.select(0, t), carried) * (1.0 - square(hidden.select(1, t)));
    carried = matmul(step, o.weight);
  }
  Tensor all = stack(gates, 1);
  Gradients gradients{all, {}, {}, carried};
  shared_gradients(o, all, hidden, s, gradients);
  return gradients;
}

Gradients lstm_gradient(const Tensor& g, const Saved& s) {
  Operands o("lstm", 4, s[0], s[1], s[2], s[3], s[4], Caller{});
  Tensor states = dense(s[5], o.compute), hidden = states.select(0, 0), cell = states.select(0, 1);
  Tensor of_hidden = time_major(g.select(0, 0), o.compute);
  Tensor of_cell = time_major(g.select(0, 1), o.compute);
  Tensor gates = o.make({o.N, o.T, 4 * o.H}), carried_hidden, carried_cell;
  for (int64_t t = o.T; t-- > 0;) {
    Tensor hidden_gradient = plus(of_hidden.select(0, t), carried_hidden);
    Tensor cell_gradient = plus(of_cell.select(0, t), carried_cell);
    carried_cell = o.make({o.N, o.H});
    LstmGradientArgs args;
    args.N = o.N, args.H = o.H, args.dtype = o.compute;
    args.kept = rows(s[6], t);
    args.cell = before(cell, o.cell, t);
    args.new_cell = rows(cell, t);
    args.hidden_gradient = rows(hidden_gradient);
    args.cell_gradient = rows(cell_gradient);
    args.gates_gradient = rows(gates, t);
    args.old_cell_gradient = rows(carried_cell);
    on(o.device, o.op, o.at, cpu::lstm_step_gradient, gpu::lstm_step_gradient, args);
    carried_hidden = matmul(gates.select(1, t), o.weight);
  }
  Gradients gradients{gates, {}, {}, carried_hidden, carried_cell};
  shared_gradients(o, gates, hidden, s, gradients);
  return gradients;
}

Gradients gru_gradient(const Tensor& g, const Saved& s) {
  Operands o("gru", 3, s[0], s[1], s[2], s[3], {}, Caller{});
  Tensor hidden = dense(s[4], o.compute), of_states = time_major(g, o.compute), carried;
  Tensor of_x = o.make({o.N, o.T, 3 * o.H}), of_h = o.make({o.N, o.T, 3 * o.H});
  for (int64_t t = o.T; t-- > 0;) {
    Tensor gradient = plus(of_states.select(0, t), carried), direct = o.make({o.N, o.H});
    GruGradientArgs args;
    args.N = o.N, args.H = o.H, args.dtype = o.compute;
    args.kept = rows(s[5], t);
    args.hidden = before(hidden, o.hidden, t);
    args.new_hidden_gradient = rows(gradient);
    args.x_gates_gradient = rows(of_x, t);
    args.h_gates_gradient = rows(of_h, t);
    args.hidden_gradient = rows(direct);
    on(o.device, o.op, o.at, cpu::gru_step_gradient, gpu::gru_step_gradient, args);
    carried = direct + matmul(of_h.select(1, t), o.weight);
  }
  Gradients gradients{of_x, {}, {}, carried};
  shared_gradients(o, of_h, hidden, s, gradients);
  return gradients;
}

// The vjp of an op with `inputs` operands.
Vjp vjp_of(Gradients (*fused)(const Tensor&, const Saved&), PlainRecurrence plain, int inputs) {
  return [=](const Tensor& g, const Saved& s) {
    if (g.numel() == 0) return zero_gradients(s, inputs);
    return grad_enabled() ? plain_gradient(plain, g, s, inputs) : fused(g, s);
  };
}

bool run_plain(const Operands& o) { return PlainOps::active() && o.N * o.T * o.H > 0; }

}  // namespace

Tensor rnn(const Tensor& x_gates, const Tensor& weight, const Tensor& bias, const Tensor& hidden,
           Caller at) {
  Operands o("rnn", 1, x_gates, weight, bias, hidden, {}, at);
  if (run_plain(o)) return plain_rnn({x_gates, weight, bias, hidden});
  Tensor states = o.make({o.N, o.T, o.H}), h_part = o.make({o.N, o.H});
  for (int64_t t = 0; t < o.T; ++t) {
    NoGrad off;
    const Rows last = before(states, o.hidden, t);
    o.product(last.data, last.stride, h_part);
    copy_(states.select(1, t), tanh(o.x.select(1, t) + h_part), at);
  }
  Tensor out = dense(states, o.dtype);
  return record(out, "rnn", at, {x_gates, weight, bias, hidden},
                {x_gates, weight, bias, hidden, out}, vjp_of(rnn_gradient, plain_rnn, 4));
}

LstmStates lstm(const Tensor& x_gates, const Tensor& weight, const Tensor& bias,
                const Tensor& hidden, const Tensor& cell, Caller at) {
  Operands o("lstm", 4, x_gates, weight, bias, hidden, cell, at);
  if (run_plain(o)) {
    Tensor both = plain_lstm({x_gates, weight, bias, hidden, cell});
    return {both.select(0, 0), both.select(0, 1)};
  }
  Tensor both = o.make({2, o.N, o.T, o.H}), h_part = o.make({o.N, 4 * o.H});
  Tensor kept = o.make_kept();
  const Tensor hiddens = both.select(0, 0), cells = both.select(0, 1);
  for (int64_t t = 0; t < o.T; ++t) {
    const Rows last = before(hiddens, o.hidden, t);
    o.product(last.data, last.stride, h_part);
    LstmArgs args;
    args.N = o.N, args.H = o.H, args.dtype = o.compute;
    args.x_gates = rows(o.x, t);
    args.h_gates = rows(h_part);
    args.cell = before(cells, o.cell, t);
    args.new_cell = rows(cells, t);
    args.hidden = rows(hiddens, t);
    args.kept = rows(kept, t);
    on(o.device, "lstm", at, cpu::lstm_step, gpu::lstm_step, args);
  }
  Tensor out = dense(both, o.dtype);
  out = record(out, "lstm", at, {x_gates, weight, bias, hidden, cell},
               {x_gates, weight, bias, hidden, cell, out, kept},
               vjp_of(lstm_gradient, plain_lstm, 5));
  return {out.select(0, 0, at), out.select(0, 1, at)};
}

Tensor gru(const Tensor& x_gates, const Tensor& weight, const Tensor& bias, const Tensor& hidden,
           Caller at) {
  Operands o("gru", 3, x_gates, weight, bias, hidden, {}, at);
  if (run_plain(o)) return plain_gru({x_gates, weight, bias, hidden});
  Tensor states = o.make({o.N, o.T, o.H}), h_part = o.make({o.N, 3 * o.H});
  Tensor kept = o.make_kept();
  for (int64_t t = 0; t < o.T; ++t) {
    const Rows last = before(states, o.hidden, t);
    o.product(last.data, last.stride, h_part);
    GruArgs args;
    args.N = o.N, args.H = o.H, args.dtype = o.compute;
    args.x_gates = rows(o.x, t);
    args.h_gates = rows(h_part);
    args.hidden = last;
    args.new_hidden = rows(states, t);
    args.kept = rows(kept, t);
    on(o.device, "gru", at, cpu::gru_step, gpu::gru_step, args);
  }
  Tensor out = dense(states, o.dtype);
  return record(out, "gru", at, {x_gates, weight, bias, hidden},
                {x_gates, weight, bias, hidden, out, kept}, vjp_of(gru_gradient, plain_gru, 4));
}

}  // namespace strata

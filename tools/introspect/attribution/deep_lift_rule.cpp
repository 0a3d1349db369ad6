#include "tools/introspect/attribution/deep_lift_rule.h"

#include <string_view>

#include "engine/ops.h"
#include "tools/introspect/attribution/op_kind.h"
#include "tools/introspect/attribution/relevance_rule.h"

namespace strata::introspect {
namespace {

// How close two values count as one, in parts of their size: beyond it a quotient of differences
// has digits, within it the gradient is as good.
double closeness(DType dtype) { return dtype == DType::f64 ? 1e-11 : 1e-5; }

// change / (a - b), and `limit` where a and b meet (or are both infinite).
Tensor slope(const Tensor& change, const Tensor& a, const Tensor& b, const Tensor& limit) {
  Tensor difference = a - b;
  Tensor apart = greater(abs(difference), (abs(a) + abs(b)) * closeness(a.dtype()));
  return where(apart, change / where(apart, difference, scalar(1, a.dtype())), limit);
}

Tensor middle(const Tensor& a, const Tensor& b) { return (a + b) * 0.5; }

bool same_memory(const Tensor& a, const Tensor& b) {
  return a.storage().get() == b.storage().get() && a.offset() == b.offset() &&
         a.shape() == b.shape() && a.strides() == b.strides();
}
bool same_values(const Tensor& a, const Tensor& b) {
  if (same_memory(a, b)) return true;
  return a.shape() == b.shape() && all(equal(a.detach(), b.detach())).item() != 0;
}

// One op in both runs.
class Both {
 public:
  Both(const Visit& visit, const Tape& baseline)
      : here(visit),
        step(visit.step()),
        step0(baseline.steps()[static_cast<size_t>(visit.position())]),
        there(baseline, Ref<Node>(step0.out.node()), needed(visit)) {}

  Tensor in(size_t i) const { return step.inputs[i].detach(); }
  Tensor in0(size_t i) const { return step0.inputs[i].detach(); }
  Tensor out() const { return step.out.detach(); }
  Tensor out0() const { return step0.out.detach(); }

  const Visit& here;
  const Step &step, &step0;
  Visit there;

 private:
  static std::vector<bool> needed(const Visit& visit) {
    std::vector<bool> needs;
    for (size_t i = 0; i < visit.step().inputs.size(); ++i) needs.push_back(visit.needs(i));
    return needs;
  }
};

[[noreturn]] void refuse(const Visit& visit, const char* why) {
  fail("deep_lift", visit.node().at, "'{}' {}", visit.node().name, why);
}

// What no multiplier can account for: operands outside the graph, conditions and indices that
// differ.
void check_constants(const Both& both, bool switches_may_differ) {
  auto check = [&](const Tensor& a, const Tensor& b) {
    if (!a.defined() || same_values(a, b)) return;
    if (is_float(a.dtype())) {
      refuse(both.here,
             "has an operand that does not come from the input, yet differs between x and the "
             "baseline (was part of the model run under NoGrad, or is it random?)");
    }
    refuse(both.here,
           "chooses other elements for x than for the baseline (a condition or an index worked out "
           "from the input), which no rule covers; use relu, maximum or max pooling where that is "
           "meant");
  };
  for (size_t i = 0; i < both.step.inputs.size(); ++i) {
    if (!both.here.needs(i)) check(both.step.inputs[i], both.step0.inputs[i]);
  }
  const auto &saved = both.step.out.node()->saved, &saved0 = both.step0.out.node()->saved;
  for (size_t i = 0; i < saved.size() && !switches_may_differ; ++i) {
    bool floating = saved[i].tensor.defined() && is_float(saved[i].tensor.dtype());
    if (!floating) check(saved[i].tensor, saved0[i].tensor);
  }
}

// Each factor with the mean of the other's two values.
Gradients bilinear(const Both& both, const Tensor& m) {
  const auto &saved = both.step.out.node()->saved, &saved0 = both.step0.out.node()->saved;
  std::vector<Tensor> instead(saved.size());
  for (size_t i = 0; i < saved.size(); ++i) {
    const Tensor &a = saved[i].tensor, &b = saved0[i].tensor;
    if (a.defined() && !same_memory(a, b)) instead[i] = middle(a.detach(), b.detach());
  }
  return both.here.vjp(m, instead);
}

// a / b with a' the mean of a, and so on: m mean(1/b), and -m a' / (b b0).
Gradients quotient(const Both& both, const Tensor& m) {
  Tensor b = both.in(1), b0 = both.in0(1);
  return {m * middle(reciprocal(b), reciprocal(b0)),
          neg(m * middle(both.in(0), both.in0(0)) / (b * b0))};
}

Gradients rescale(const Both& both, const Tensor& m) {
  Tensor gradient = middle(both.here.vjp(m)[0], both.there.vjp(m)[0]);
  return {slope(m * (both.out() - both.out0()), both.in(0), both.in0(0), gradient)};
}

// For a maximum, a rise from out0 to out lies with what wins now, a fall with what won before:
// there the inputs moved at least as far. For a minimum the other way round.
Gradients extreme(const Both& both, const Tensor& m, bool largest) {
  Tensor out = both.out(), out0 = both.out0();
  Tensor turn = largest ? maximum(out, out0) : minimum(out, out0);
  Gradients now = both.here.vjp(m * (turn - out0)), before = both.there.vjp(m * (out - turn));
  Gradients limit = both.here.vjp(m), all(now.size());
  for (size_t i = 0; i < all.size(); ++i) {
    if (now[i].defined()) all[i] = slope(now[i] + before[i], both.in(i), both.in0(i), limit[i]);
  }
  return all;
}

// Sums along the axis of a softmax or log-softmax, spread over it again: with 1 (or log 1) in place
// of the result its gradient is g - sum g.
Tensor axis_sum(const Visit& visit, const Tensor& g, bool log) {
  return g - visit.vjp(g, {log ? zeros_like(g) : ones_like(g)})[0];
}

// How much of a change of the log-sum-exp l each input owns: (l - l0) / (total - total0) from the
// logarithm, (e - e0) / (in - in0) from the exponential. Positive, and at most 1 in sum. The shift
// cancels; this one keeps everything at most 1.
Tensor log_sum_exp_weights(const Tensor& x, const Tensor& x0, const Tensor& l, const Tensor& l0) {
  Tensor shift = maximum(l, l0);
  Tensor e = exp(x - shift), e0 = exp(x0 - shift), total = exp(l - shift), total0 = exp(l0 - shift);
  return slope(l - l0, total, total0, reciprocal(total)) * slope(e - e0, x, x0, middle(e, e0));
}

// log sum exp along the axis, spread over it: in - log softmax is that number everywhere, and the
// softmax has the sum 1.
Tensor log_total(const Visit& visit, const Tensor& x, const Tensor& out, bool log) {
  Tensor share = log ? exp(out) : out, log_share = log ? out : strata::log(out);
  Tensor zero = scalar(0, x.dtype());
  return axis_sum(visit, where(greater(share, zero), share * (x - log_share), zero), log);
}

// log softmax = in - l; softmax is its exponential.
Gradients softmax(const Both& both, const Tensor& m, bool log) {
  Tensor l = log_total(both.here, both.in(0), both.out(), log);
  Tensor l0 = log_total(both.there, both.in0(0), both.out0(), log);
  Tensor x = both.in(0), x0 = both.in0(0), inner = m;
  if (!log) {
    inner = m * slope(both.out() - both.out0(), x - l, x0 - l0, middle(both.out(), both.out0()));
  }
  return {inner - axis_sum(both.here, inner, log) * log_sum_exp_weights(x, x0, l, l0)};
}

Gradients log_sum_exp(const Both& both, const Tensor& m) {
  Tensor zeros_in = zeros_like(both.in(0)), zeros_out = zeros_like(both.out());
  auto spread = [&](const Tensor& t) { return both.here.vjp(t, {zeros_in, zeros_out})[0]; };
  return {spread(m) *
          log_sum_exp_weights(both.in(0), both.in0(0), spread(both.out()), spread(both.out0()))};
}

// out = c r scale + shift with c = x - mean (x for RMS norm) and r = 1 / sqrt(mean(c^2) + epsilon):
// a product, and r - r0 = -(r r0)^2 / (r + r0) mean((c + c0) (c - c0)).
Gradients row_norm(const Both& both, const Tensor& m) {
  const auto &saved = both.step.out.node()->saved, &saved0 = both.step0.out.node()->saved;
  if (both.here.needs(1) || both.here.needs(2)) {
    refuse(both.here, "has a scale or shift worked out from the input, which no rule covers");
  }
  bool centred = saved[2].tensor.defined();
  Tensor x = both.in(0), x0 = both.in0(0);
  Dims rows = x.shape();
  rows[-1] = 1;
  Tensor r = saved[3].tensor.to(x.dtype()).reshape(rows);
  Tensor r0 = saved0[3].tensor.to(x.dtype()).reshape(rows);
  Tensor c = centred ? middle(x - mean(x, {-1}, true), x0 - mean(x0, {-1}, true)) : middle(x, x0);
  Tensor u = both.step.inputs[1].defined() ? m * both.in(1) : m;
  Tensor of_root = sum(u * c, {-1}, true) * square(r * r0) / (r + r0);
  Tensor direct = u * middle(r, r0) - c * of_root * (2.0 / static_cast<double>(x.size(-1)));
  return {centred ? direct - mean(direct, {-1}, true) : direct};
}

OpKind known_kind(const Visit& visit) {
  std::optional<OpKind> kind = op_kind(visit.node().name);
  if (!kind) refuse(visit, "is an op that no rule covers; ask for a layer that comes after it");
  return *kind;
}

}  // namespace

Gradients deep_lift_multipliers(const Visit& visit, const Tensor& m, const Tape& baseline) {
  Both both(visit, baseline);
  std::string_view op = visit.node().name;
  OpKind kind = known_kind(visit);
  check_constants(both, kind == OpKind::extreme);
  switch (kind) {
    case OpKind::sum:
    case OpKind::move:
      return visit.vjp(m);
    case OpKind::weighted:
    case OpKind::product:
      return bilinear(both, m);
    case OpKind::extreme:
      return extreme(both, m, op != "min" && op != "minimum");
    case OpKind::activation:
    case OpKind::function:
      if (both.step.inputs.size() > 1) refuse(visit, "of two activations is not covered");
      return rescale(both, m);
    case OpKind::quotient:
      return both.step.inputs.size() > 1 ? quotient(both, m) : rescale(both, m);
    case OpKind::softmax:
      return op == "logsumexp" ? log_sum_exp(both, m) : softmax(both, m, op == "log_softmax");
    case OpKind::row_norm:
      return row_norm(both, m);
    case OpKind::batch_norm:
      fixed_batch_norm(visit, "deep_lift");
      return visit.vjp(m);
  }
  return {};
}

}  // namespace strata::introspect

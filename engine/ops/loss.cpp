// Losses as compositions of public ops; the two binary cross entropies carry gradients of their
// own, which stay finite where the composition's would not. (Cross entropy: cross_entropy.cpp.)
#include "engine/ops/loss.h"

#include <limits>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/ops/detail/kernel_inputs.h"

namespace strata {
namespace {

using detail::check_floating;

constexpr double infinity = std::numeric_limits<double>::infinity();

Tensor reduced(const Tensor& values, Reduction reduction, Caller at) {
  if (reduction == Reduction::none) return values;
  return reduction == Reduction::sum ? sum(values, {}, false, at) : mean(values, {}, false, at);
}

void check_pair(const char* op, const char* a_name, const Tensor& a, const char* b_name,
                const Tensor& b, Caller at) {
  check_floating(op, a_name, a, at);
  check_floating(op, b_name, b, at);
  if (a.shape() != b.shape()) {
    fail(op, at, "{} {} and {} {} must have the same shape", a_name, describe(a), b_name,
         describe(b));
  }
}

// max(z, 0) - z t + log(1 + exp(-|z|)); the gradient is sigmoid(z) - t, also at the kink.
Tensor bce_with_logits_values(const Tensor& z, const Tensor& t, Caller at) {
  Tensor out;
  {
    NoGrad off;
    out = relu(z) - z * t + log1p(exp(neg(abs(z))));
  }
  return record(out, "bce_with_logits", at, {z, t}, {z, t}, [](const Tensor& g, const Saved& s) {
    return Gradients{s.needs(0) ? g * (sigmoid(s[0]) - s[1]) : Tensor(),
                     s.needs(1) ? neg(g * s[0]) : Tensor()};
  });
}

// log p and log(1 - p), no lower than -100 (as PyTorch), so that a certain but wrong answer costs
// much instead of everything.
Tensor bounded_log(const Tensor& p) { return clamp(log(p), -100, infinity); }
Tensor bounded_log1m(const Tensor& p) { return clamp(log1p(neg(p)), -100, infinity); }

Tensor bce_values(const Tensor& p, const Tensor& t, Caller at) {
  Tensor out;
  {
    NoGrad off;
    out = neg(t * bounded_log(p) + (1.0 - t) * bounded_log1m(p));
  }
  return record(out, "bce", at, {p, t}, {p, t}, [](const Tensor& g, const Saved& s) {
    Gradients gradients(2);
    const Tensor p = s[0], t = s[1];
    if (s.needs(0)) gradients[0] = g * (p - t) / clamp(p * (1.0 - p), 1e-12, infinity);
    if (s.needs(1)) gradients[1] = g * (bounded_log1m(p) - bounded_log(p));
    return gradients;
  });
}

}  // namespace

Tensor bce_with_logits(const Tensor& logits, const Tensor& target, Reduction reduction, Caller at) {
  check_pair("bce_with_logits", "logits", logits, "target", target, at);
  return reduced(bce_with_logits_values(logits, target, at), reduction, at);
}

Tensor bce(const Tensor& probabilities, const Tensor& target, Reduction reduction, Caller at) {
  check_pair("bce", "probabilities", probabilities, "target", target, at);
  return reduced(bce_values(probabilities, target, at), reduction, at);
}

Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction, Caller at) {
  check_pair("mse_loss", "x", x, "target", target, at);
  return reduced(square(sub(x, target, at), at), reduction, at);
}

Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction, Caller at) {
  check_pair("l1_loss", "x", x, "target", target, at);
  return reduced(abs(sub(x, target, at), at), reduction, at);
}

Tensor huber_loss(const Tensor& x, const Tensor& target, double delta, Reduction reduction,
                  Caller at) {
  check_pair("huber_loss", "x", x, "target", target, at);
  if (!(delta > 0)) fail("huber_loss", at, "delta is {}; expected more than 0", delta);
  // Inside delta d^2 / 2, outside delta (|d| - delta / 2): with c = d clamped, c (d - c / 2).
  Tensor d = sub(x, target, at), c = clamp(d, -delta, delta, at);
  return reduced(c * (d - c * 0.5), reduction, at);
}

Tensor kl_divergence(const Tensor& log_probabilities, const Tensor& target, Reduction reduction,
                     Caller at) {
  const char* op = "kl_divergence";
  check_pair(op, "log_probabilities", log_probabilities, "target", target, at);
  if (target.rank() < 1) fail(op, at, "a scalar has no axis of classes; expected [..., classes]");
  // t log t is 0 at t = 0: the logarithm of 1 stands in for that of 0.
  Tensor some = greater(target, scalar(0, target.dtype()));
  Tensor safe = where(some, target, scalar(1, target.dtype()));
  Tensor values = target * (log(safe, at) - log_probabilities);
  return reduced(sum(values, {-1}, false, at), reduction, at);
}

Tensor cosine_similarity(const Tensor& a, const Tensor& b, int axis, double epsilon, Caller at) {
  const char* op = "cosine_similarity";
  check_pair(op, "a", a, "b", b, at);
  if (a.rank() < 1) fail(op, at, "scalars have no axis to compare along");
  axis = normalize_axis(op, axis, a.rank(), at);
  Tensor lengths = clamp(norm(a, {axis}, false, at), epsilon, infinity, at) *
                   clamp(norm(b, {axis}, false, at), epsilon, infinity, at);
  return div(sum(mul(a, b, at), {axis}, false, at), lengths, at);
}

Tensor contrastive_loss(const Tensor& a, const Tensor& b, double temperature, Caller at) {
  const char* op = "contrastive_loss";
  check_pair(op, "a", a, "b", b, at);
  if (a.rank() != 2) fail(op, at, "a {} must be [N, C], one row an example", describe(a));
  if (!(temperature > 0)) fail(op, at, "temperature is {}; expected more than 0", temperature);
  auto unit = [&](const Tensor& x) {
    return div(x, clamp(norm(x, {1}, true, at), 1e-8, infinity, at), at);
  };
  Tensor similarity = mul(matmul(unit(a), unit(b).transpose(0, 1), at), 1 / temperature, at);
  Tensor pairs = arange(0, static_cast<double>(a.size(0)), 1, DType::i64, at).to(a.device());
  return (cross_entropy(similarity, pairs, {}, at) +
          cross_entropy(similarity.transpose(0, 1), pairs, {}, at)) *
         0.5;
}

}  // namespace strata

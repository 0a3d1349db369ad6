#include "tools/introspect/attribution/relevance_rule.h"

#include "engine/ops.h"

namespace strata::introspect {
namespace {

Tensor positive(const Tensor& x) { return relu(x); }
Tensor negative(const Tensor& x) { return x - relu(x); }
Tensor positive_or_none(const Tensor& x) { return x.defined() ? positive(x) : x; }
Tensor negative_or_none(const Tensor& x) { return x.defined() ? negative(x) : x; }

// Contributions input_j weight_jk.
struct Term {
  Tensor input, weight;
};

// Shares `relevance` in proportion to the sum of the terms' contributions; `bias` has its part in
// the whole.
Shares share(const LinearStep& step, const Tensor& relevance, const std::vector<Term>& terms,
             const Tensor& bias) {
  std::vector<Term> active;
  Tensor contributed = zeros_like(relevance);
  for (const Term& term : terms) {
    if (max(abs(term.input)).item() == 0) continue;
    active.push_back(term);
    contributed = contributed + step.forward(term.input, term.weight);
  }
  Tensor ratio = stabilised_ratio(relevance, bias.defined() ? contributed + bias : contributed, 0);
  Shares shares{zeros_like(step.input), sum(relevance - ratio * contributed).item()};
  for (const Term& term : active) {
    shares.input = shares.input + term.input * step.transpose(ratio, term.weight);
  }
  return shares;
}

Shares share_positive(const LinearStep& step, const Tensor& relevance) {
  return share(step, relevance,
               {{positive(step.input), positive(step.weight)},
                {negative(step.input), negative(step.weight)}},
               positive_or_none(step.bias));
}

Shares share_negative(const LinearStep& step, const Tensor& relevance) {
  return share(step, relevance,
               {{positive(step.input), negative(step.weight)},
                {negative(step.input), positive(step.weight)}},
               negative_or_none(step.bias));
}

}  // namespace

LinearStep::LinearStep(const Visit& visit)
    : visit_(visit), input_index_(visit.needs(0) ? 0 : 1), weight_index_(1 - input_index_) {
  const Step& step = visit.step();
  input = step.inputs[input_index_].detach();
  weight = step.inputs[weight_index_].detach();
  out = step.out.detach();
  if (step.inputs.size() > 2 && step.inputs[2].defined()) bias = step.inputs[2].detach();
}

void LinearStep::fold(const Tensor& scale, const Tensor& shift, const Tensor& normed) {
  // Weights have their output channels first.
  Dims rows = Dims::filled(weight.rank(), 1);
  rows[0] = scale.size(0);
  weight = weight * scale.reshape(rows);
  bias = bias.defined() ? bias * scale + shift : shift;
  out = normed.detach().reshape(out.shape());
}

void LinearStep::distribute_bias() {
  if (!bias.defined()) return;
  out = out - bias;
  bias = Tensor();
}

Gradients LinearStep::with_weights(const Tensor& gradient, const Tensor& weights) const {
  std::vector<Tensor> instead(weight_index_ + 1);
  instead[weight_index_] = weights;
  return visit_.vjp(gradient, instead);
}

Tensor LinearStep::transpose(const Tensor& values, const Tensor& weights) const {
  NoGrad off;
  return with_weights(values, weights)[input_index_];
}

// The transpose is linear in what it is given, so its own transpose is the op.
Tensor LinearStep::forward(const Tensor& values, const Tensor& weights) const {
  EnableGrad on;
  Tensor point = zeros_like(out).set_requires_grad();
  return grad({with_weights(point, weights)[input_index_]}, {point}, {values})[0];
}

ChannelAffine fixed_batch_norm(const Visit& visit, const char* method) {
  const Step& step = visit.step();
  Tensor stats = visit.node().saved[3].tensor;  // mean and inverse deviation
  DType dtype = step.out.dtype();
  Tensor scale = stats.select(0, 1).to(dtype);
  if (step.inputs[1].defined()) scale = scale * step.inputs[1].detach();
  // The gradient of a sum is the scale; through a batch's own statistics it would be 0.
  Tensor slope = visit.vjp(ones_like(step.out.detach()))[0];
  if (max(abs(slope - scale)).item() > 1e-3 * max(abs(scale)).item()) {
    fail(method, visit.node().at,
         "batch_norm uses the batch's own statistics, so each example's score depends on the "
         "others; put the model in eval mode");
  }
  Tensor shift = neg(stats.select(0, 0).to(dtype) * scale);
  if (step.inputs[2].defined()) shift = shift + step.inputs[2].detach();
  return {scale, shift};
}

Tensor stabilised_ratio(const Tensor& relevance, const Tensor& z, double epsilon) {
  Tensor zero = scalar(0, z.dtype()), side = scalar(epsilon, z.dtype());
  Tensor whole = epsilon > 0 ? z + where(less(z, zero), neg(side), side) : z;
  Tensor none = equal(whole, zero);
  return where(none, zero, relevance / where(none, scalar(1, z.dtype()), whole));
}

LinearRule lrp_epsilon(double epsilon) {
  return [epsilon](const LinearStep& step, const Tensor& relevance) {
    Tensor ratio = stabilised_ratio(relevance, step.out, epsilon);
    Tensor contributed = step.bias.defined() ? step.out - step.bias : step.out;
    return Shares{step.input * step.transpose(ratio, step.weight),
                  sum(relevance - ratio * contributed).item()};
  };
}

LinearRule lrp_gamma(double gamma) {
  return [gamma](const LinearStep& step, const Tensor& relevance) {
    Tensor more = step.weight + positive(step.weight) * gamma;
    Tensor less_of = step.weight + negative(step.weight) * gamma;
    Tensor zero = scalar(0, relevance.dtype()), below = less(step.out, zero);
    auto bias = [&](const Tensor& part) {
      return step.bias.defined() ? step.bias + part * gamma : Tensor();
    };
    Shares up = share(step, where(below, zero, relevance),
                      {{positive(step.input), more}, {negative(step.input), less_of}},
                      bias(positive_or_none(step.bias)));
    Tensor rest = where(below, relevance, zero);
    if (max(abs(rest)).item() == 0) return up;
    Shares down = share(step, rest, {{positive(step.input), less_of}, {negative(step.input), more}},
                        bias(negative_or_none(step.bias)));
    return Shares{up.input + down.input, up.absorbed + down.absorbed};
  };
}

LinearRule lrp_z_plus() { return share_positive; }

LinearRule lrp_alpha_beta(double alpha) {
  if (!(alpha >= 1)) {
    fail("lrp_alpha_beta", Caller{}, "alpha must be 1 or more (beta is alpha - 1); got {}", alpha);
  }
  return [alpha](const LinearStep& step, const Tensor& relevance) {
    Shares up = share_positive(step, relevance), down = share_negative(step, relevance);
    double beta = alpha - 1;
    return Shares{up.input * alpha - down.input * beta, up.absorbed * alpha - down.absorbed * beta};
  };
}

LinearRule lrp_z_box(const Tensor& low, const Tensor& high) {
  return [low, high](const LinearStep& step, const Tensor& relevance) {
    auto like_input = [&](const Tensor& bound) {
      return bound.to(step.input.dtype()).to(step.input.device()).expand(step.input.shape());
    };
    Tensor l = like_input(low), h = like_input(high), rounding = (h - l) * 1e-5;
    Tensor below = less(step.input, l - rounding), above = greater(step.input, h + rounding);
    if (any(logical_or(below, above)).item() != 0) {
      fail("lrp_z_box", Caller{},
           "the input {} of the first layer has values from {:.4g} to {:.4g}, outside the box "
           "given: "
           "low and high bound the values that the layer sees, after any standardisation",
           describe(step.input), min(step.input).item(), max(step.input).item());
    }
    return share(step, relevance,
                 {{step.input, step.weight},
                  {neg(l), positive(step.weight)},
                  {neg(h), negative(step.weight)}},
                 Tensor());
  };
}

LinearRule lrp_z_box(double low, double high) {
  return lrp_z_box(scalar(low, DType::f64), scalar(high, DType::f64));
}

LinearRule lrp_w_square() {
  return [](const LinearStep& step, const Tensor& relevance) {
    return share(step, relevance, {{ones_like(step.input), square(step.weight)}}, Tensor());
  };
}

LinearRule lrp_flat() {
  return [](const LinearStep& step, const Tensor& relevance) {
    return share(step, relevance, {{ones_like(step.input), ones_like(step.weight)}}, Tensor());
  };
}

Composite everywhere(LinearRule rule) {
  return [rule = std::move(rule)](const LinearPlace&) { return rule; };
}

Composite epsilon_gamma_box(const Tensor& low, const Tensor& high, double epsilon, double gamma) {
  return [=](const LinearPlace& place) {
    if (place.depth == 0) return lrp_z_box(low, high);
    return place.convolution() ? lrp_gamma(gamma) : lrp_epsilon(epsilon);
  };
}

Composite epsilon_gamma_box(double low, double high, double epsilon, double gamma) {
  return epsilon_gamma_box(scalar(low, DType::f64), scalar(high, DType::f64), epsilon, gamma);
}

Composite epsilon_plus(double epsilon, bool flat) {
  return [=](const LinearPlace& place) {
    if (flat && place.depth == 0) return lrp_flat();
    return place.convolution() ? lrp_z_plus() : lrp_epsilon(epsilon);
  };
}

Composite epsilon_alpha_beta(double epsilon, double alpha, bool flat) {
  return [=](const LinearPlace& place) {
    if (flat && place.depth == 0) return lrp_flat();
    return place.convolution() ? lrp_alpha_beta(alpha) : lrp_epsilon(epsilon);
  };
}

}  // namespace strata::introspect

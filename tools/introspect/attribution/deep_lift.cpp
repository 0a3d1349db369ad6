#include "tools/introspect/attribution/deep_lift.h"

#include <algorithm>
#include <string_view>

#include "engine/ops.h"
#include "tools/introspect/attribution/deep_lift_rule.h"
#include "tools/introspect/attribution/target.h"

namespace strata::introspect {
namespace {

// The two tapes must show the same ops.
void check_alignment(const Tape& x, const Tape& baseline) {
  size_t count = std::min(x.steps().size(), baseline.steps().size());
  for (size_t i = 0; i < count; ++i) {
    const Step &a = x.steps()[i], &b = baseline.steps()[i];
    if (std::string_view(a.op) == b.op && a.out.shape() == b.out.shape() &&
        a.out.requires_grad() == b.out.requires_grad()) {
      continue;
    }
    fail("deep_lift", a.at,
         "the model takes another way for the baseline: op {} is '{}' {} for x and '{}' {} for it; "
         "the ways must not depend on the values",
         i, a.op, describe(a.out), b.op, describe(b.out));
  }
  if (x.steps().size() != baseline.steps().size()) {
    fail("deep_lift", Caller{}, "the model runs {} ops for x and {} for the baseline",
         x.steps().size(), baseline.steps().size());
  }
}

Tensor broadcast_baseline(const Tensor& baseline, const Tensor& x) {
  Dims joint;
  if (!baseline.defined() || baseline.dtype() != x.dtype() ||
      !broadcast(baseline.shape(), x.shape(), &joint) || joint != x.shape()) {
    fail("deep_lift", Caller{}, "the baseline {} must broadcast to x {} and have its type",
         baseline.defined() ? describe(baseline) : "(undefined)", describe(x));
  }
  return baseline.detach().expand(x.shape()).contiguous();
}

// Sum over all axes but the first.
Tensor per_example(const Tensor& t) {
  return t.rank() > 1 ? sum(t.reshape({t.size(0), -1}), {1}) : t;
}

// One forward pass, and the values whose contributions are wanted: x's if it is floating, then each
// layer's, one for each use.
struct Run {
  Tape tape;
  Tensor scores;  // [N]
  std::vector<std::vector<Tensor>> values;
};
Run run(const Scores& model, Tensor x, const std::vector<int64_t>& target,
        const std::vector<std::string>& layers) {
  bool floating = is_float(x.dtype());
  if (floating) x.set_requires_grad();
  Watch watch(layers);
  Tensor scores;
  Tape tape([&] { scores = target_scores(model(x), target); });
  std::vector<std::vector<Tensor>> values;
  if (floating) values.push_back({x});
  for (auto& layer : layers) values.push_back(watch[layer]);
  return {std::move(tape), scores, values};
}

}  // namespace

DeepLift deep_lift(const Scores& model, const Tensor& x, const Tensor& baseline,
                   const std::vector<int64_t>& target, const std::vector<std::string>& layers) {
  bool floating = is_float(x.dtype());
  if (!floating && layers.empty()) {
    fail("deep_lift", Caller{},
         "x {} is integers, whose differences mean nothing; name a layer, as the embedding",
         describe(x));
  }
  Run here = run(model, x.detach(), target, layers);
  Run there = run(model, broadcast_baseline(baseline, x), target, layers);
  check_alignment(here.tape, there.tape);

  std::vector<Tensor> wanted;
  for (auto& uses : here.values) wanted.insert(wanted.end(), uses.begin(), uses.end());
  Rules rules{.otherwise = [&](const Visit& visit, const Tensor& m) {
    return deep_lift_multipliers(visit, m, there.tape);
  }};
  std::vector<Tensor> found =
      propagate(here.tape, here.scores, ones_like(here.scores.detach()), wanted, rules);

  std::vector<std::vector<Tensor>> contributions(here.values.size());
  auto next = found.begin();
  for (size_t i = 0; i < here.values.size(); ++i) {
    for (size_t use = 0; use < here.values[i].size(); ++use, ++next) {
      Tensor change = here.values[i][use].detach() - there.values[i].at(use).detach();
      contributions[i].push_back(*next * change);
    }
  }
  DeepLift result;
  result.delta = here.scores.detach() - there.scores.detach();
  for (auto& part : contributions[0]) result.delta = result.delta - per_example(part);
  if (floating) result.input = contributions[0][0];
  for (size_t i = 0; i < layers.size(); ++i) {
    result.layers[layers[i]] = contributions[i + (floating ? 1 : 0)];
  }
  return result;
}

}  // namespace strata::introspect

#include "tools/introspect/attribution/relevance.h"

#include <algorithm>
#include <string_view>

#include "engine/ops.h"
#include "tools/introspect/attribution/op_kind.h"
#include "tools/introspect/attribution/target.h"

namespace strata::introspect {
namespace {

// A batch norm that goes into the op before it.
struct Folded {
  Tensor scale, shift, normed;
};

class Propagation {
 public:
  Propagation(const Tape& tape, const RelevanceOptions& options, const std::vector<Tensor>& sources)
      : tape_(tape),
        options_(options),
        depths_(weighted_depths(tape, sources)),
        uses_(count_uses(tape)) {
    for (auto& [at, depth] : depths_) deepest_ = std::max(deepest_, depth);
  }

  Gradients visit(const Visit& visit, const Tensor& relevance) {
    double absorbed = 0;
    Gradients shares = distribute(visit, relevance, &absorbed);
    double received = sum(relevance).item(), passed = 0;
    for (size_t i = 0; i < shares.size(); ++i) {
      if (visit.needs(i) && shares[i].defined()) passed += sum(shares[i]).item();
    }
    balance.push_back({visit.node().name, visit.node().at, received, passed, absorbed});
    return shares;
  }

  std::vector<RelevanceBalance> balance;

 private:
  Gradients distribute(const Visit& visit, const Tensor& relevance, double* absorbed) {
    const char* op = visit.node().name;
    if (auto own = options_.rules.find(std::string_view(op)); own != options_.rules.end()) {
      return own->second(visit, relevance);
    }
    bool both = visit.needs(0) && visit.needs(1);
    switch (op_kind(op).value_or(OpKind::function)) {
      case OpKind::weighted:
        return both ? product(visit, relevance, absorbed) : weighted(visit, relevance, absorbed);
      case OpKind::sum:
        return in_proportion(visit, relevance, absorbed);
      case OpKind::move:
      case OpKind::extreme:
        return carry(visit, relevance, absorbed);
      case OpKind::activation:
        return {relevance};
      case OpKind::product:
        return both ? product(visit, relevance, absorbed) : hand_on(relevance, visit.needs(0));
      case OpKind::quotient:
        if (visit.needs(0) && visit.step().inputs.size() == 2) return {relevance};
        break;
      case OpKind::row_norm:
        return row_norm(visit, relevance, absorbed);
      case OpKind::batch_norm:
        return batch_norm(visit, relevance, absorbed);
      case OpKind::softmax:
      case OpKind::function:
        break;
    }
    fail("relevance_propagation", visit.node().at,
         "no rule covers '{}'. Give it one in options.rules[\"{}\"], or ask from scores that come "
         "before it, or for a layer that comes after it",
         op, op);
  }

  Gradients weighted(const Visit& visit, const Tensor& relevance, double* absorbed) {
    LinearStep step(visit);
    auto norm = folded_.find(visit.position());
    if (norm != folded_.end()) {
      step.fold(norm->second.scale, norm->second.shift, norm->second.normed);
    }
    if (options_.bias == Bias::distributed) step.distribute_bias();
    auto depth = depths_.find(visit.position());
    LinearPlace place{visit.node().name, depth == depths_.end() ? 0 : depth->second, deepest_};
    Shares shares = options_.composite(place)(step, relevance);
    *absorbed = shares.absorbed;
    Gradients gradients(2);
    gradients[visit.needs(0) ? 0 : 1] = shares.input;
    return gradients;
  }

  // Relevance for each unit of the result, of which the inputs contributed a part; the rest
  // (biases, constants, the stabiliser) absorbs its own.
  Tensor ratio(const Tensor& relevance, const Tensor& contributed, const Tensor& out,
               double* absorbed) const {
    Tensor whole = options_.bias == Bias::distributed ? contributed : out.detach();
    Tensor each = stabilised_ratio(relevance, whole, options_.epsilon);
    *absorbed = sum(relevance - each * contributed).item();
    return each;
  }

  // For an op that is linear in all inputs needed at once; what is not theirs in the result is
  // constant.
  Gradients in_proportion(const Visit& visit, const Tensor& relevance, double* absorbed) {
    const Step& step = visit.step();
    Gradients shares = visit.vjp(ratio(relevance, contribution(visit), step.out, absorbed));
    for (size_t i = 0; i < shares.size(); ++i) {
      if (shares[i].defined()) shares[i] = shares[i] * step.inputs[i].detach();
    }
    return shares;
  }

  // The linear part of the result, by the transpose of its transpose.
  static Tensor contribution(const Visit& visit) {
    const Step& step = visit.step();
    EnableGrad on;
    Tensor point = zeros_like(step.out.detach()).set_requires_grad();
    Gradients transposed = visit.vjp(point);
    std::vector<Tensor> outputs, values;
    for (size_t i = 0; i < transposed.size(); ++i) {
      if (!transposed[i].defined()) continue;
      outputs.push_back(transposed[i]);
      values.push_back(step.inputs[i].detach());
    }
    return grad(outputs, {point}, values)[0];
  }

  static Gradients carry(const Visit& visit, const Tensor& relevance, double* absorbed) {
    Gradients shares = visit.vjp(relevance);
    double passed = 0;
    for (auto& share : shares) passed += share.defined() ? sum(share).item() : 0;
    *absorbed = sum(relevance).item() - passed;  // what constants supplied
    return shares;
  }

  static Gradients hand_on(const Tensor& relevance, bool to_first) {
    return to_first ? Gradients{relevance, Tensor()} : Gradients{Tensor(), relevance};
  }

  Gradients product(const Visit& visit, const Tensor& relevance, double* absorbed) {
    const Step& step = visit.step();
    auto only = [&](bool first) {
      return Visit(tape_, Ref<Node>(step.out.node()), {first, !first});
    };
    bool gate0 = is_gate(tape_, step.inputs[0]), gate1 = is_gate(tape_, step.inputs[1]);
    if (gate0 != gate1) {
      if (op_kind(step.op) == OpKind::product) return hand_on(relevance, gate1);
      return in_proportion(only(gate1), relevance, absorbed);
    }
    Gradients shares = visit.vjp(ratio(relevance, contribution(only(true)), step.out, absorbed));
    for (size_t i = 0; i < 2; ++i) shares[i] = shares[i] * step.inputs[i].detach() * 0.5;
    return shares;
  }

  // out = (x - mean) r scale + shift with r = 1 / deviation held fixed; without mean for RMS norm.
  Gradients row_norm(const Visit& visit, const Tensor& relevance, double* absorbed) {
    const Step& step = visit.step();
    const auto& saved = visit.node().saved;
    Tensor x = step.inputs[0].detach();
    Dims rows = x.shape();
    rows[-1] = 1;
    Tensor slope = saved[3].tensor.to(x.dtype()).reshape(rows);
    if (step.inputs[1].defined()) slope = slope * step.inputs[1].detach();
    bool centred = saved[2].tensor.defined();
    Tensor centre = centred ? x - mean(x, {-1}, true) : x;
    Tensor back = ratio(relevance, centre * slope, step.out, absorbed) * slope;
    return {x * (centred ? back - mean(back, {-1}, true) : back)};
  }

  Gradients batch_norm(const Visit& visit, const Tensor& relevance, double* absorbed) {
    const Step& step = visit.step();
    auto [scale, shift] = fixed_batch_norm(visit, "relevance_propagation");
    int before = producer(step.inputs[0]);
    if (before >= 0) {
      folded_[before] = {scale, shift, step.out.detach()};
      return {relevance};
    }
    Tensor contributed = step.inputs[0].detach() * scale;
    return {ratio(relevance, contributed, step.out, absorbed) * contributed};
  }

  // Position of the convolution or product whose only use is `x` (conv1d squeezes an axis), or -1.
  int producer(const Tensor& x) const {
    Tensor value = x;
    while (value.requires_grad() && uses_.at(value.node().get()) == 1) {
      int at = tape_.find(value.node().get());
      if (at < 0 || options_.rules.count(value.node()->name)) return -1;
      const Step& step = tape_.steps()[static_cast<size_t>(at)];
      std::string_view op = step.op;
      if (op == "conv2d" || op == "conv1d" || op == "linear") return at;
      if (op != "squeeze") return -1;
      value = step.inputs[0];
    }
    return -1;
  }

  const Tape& tape_;
  const RelevanceOptions& options_;
  std::map<int, int> depths_;  // by position on the tape
  std::unordered_map<const Node*, int> uses_;
  int deepest_ = 0;
  std::map<int, Folded> folded_;  // by position of the op they go into
};

}  // namespace

Relevance relevance_propagation(const Scores& model, const Tensor& x,
                                const std::vector<int64_t>& target,
                                const RelevanceOptions& options) {
  Tensor input = x.detach(), scores;
  bool floating = is_float(x.dtype());
  if (floating) input.set_requires_grad();
  if (!floating && options.layers.empty()) {
    fail("relevance_propagation", Caller{},
         "x {} is integers, which carry no relevance; name a layer in options.layers, as the "
         "embedding",
         describe(x));
  }
  Watch watch(options.layers);
  Tape tape([&] { scores = target_scores(model(input), target); });

  std::vector<Tensor> wanted;
  if (floating) wanted.push_back(input);
  for (auto& layer : options.layers) {
    wanted.insert(wanted.end(), watch[layer].begin(), watch[layer].end());
  }
  Propagation propagation(tape, options, wanted);
  Rules rules{.otherwise = [&](const Visit& visit, const Tensor& r) {
    return propagation.visit(visit, r);
  }};
  std::vector<Tensor> received = propagate(tape, scores, scores.detach(), wanted, rules);

  Relevance relevance;
  auto next = received.begin();
  if (floating) relevance.input = *next++;
  for (auto& layer : options.layers) {
    auto& uses = relevance.layers[layer];
    for (size_t i = 0; i < watch[layer].size(); ++i) uses.push_back(*next++);
  }
  relevance.balance = std::move(propagation.balance);
  return relevance;
}

}  // namespace strata::introspect

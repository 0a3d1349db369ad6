#include "tools/introspect/scores/sanity.h"

#include <algorithm>
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/nn/init.h"
#include "engine/ops.h"

namespace strata::introspect {
namespace {

// Copies of tensors, written back when it goes.
class Kept {
 public:
  explicit Kept(const std::vector<NamedTensor>& tensors) {
    for (const auto& named : tensors) {
      live_.push_back(named.tensor);
      copies_.push_back(named.tensor.detach().clone());
    }
  }
  Kept(const Kept&) = delete;
  ~Kept() {
    NoGrad off;
    for (size_t i = 0; i < live_.size(); ++i) copy_(live_[i], copies_[i]);
  }

 private:
  std::vector<Tensor> live_, copies_;
};

struct Group {
  std::string layer;
  std::vector<NamedTensor> parameters;
};

std::string owner_of(const std::string& parameter) {
  size_t dot = parameter.rfind('.');
  return dot == std::string::npos ? "" : parameter.substr(0, dot);
}

std::vector<Group> by_owner(const std::vector<NamedTensor>& parameters) {
  std::vector<Group> groups;
  for (const auto& named : parameters) {
    std::string owner = owner_of(named.name);
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const Group& g) { return g.layer == owner; });
    if (group == groups.end()) group = groups.insert(groups.end(), {owner, {}});
    group->parameters.push_back(named);
  }
  return groups;
}

std::vector<Group> groups_of(const Module& network, const std::vector<std::string>& layers) {
  std::vector<NamedTensor> parameters = network.named_parameters();
  std::vector<Group> owners = by_owner(parameters);
  if (layers.empty()) {
    std::reverse(owners.begin(), owners.end());
    return owners;
  }
  std::vector<Group> groups;
  for (const auto& layer : layers) {
    Group group{layer, {}};
    for (const auto& named : parameters) {
      if (layer.empty() || named.name.starts_with(layer + ".")) group.parameters.push_back(named);
    }
    if (group.parameters.empty()) {
      std::vector<std::string> names;
      for (const auto& owner : owners) names.push_back(owner.layer);
      fail("randomise", Caller{}, "'{}' has no parameters; those that have: {}", layer,
           listed(names));
    }
    groups.push_back(std::move(group));
  }
  return groups;
}

Tensor drawn(const NamedTensor& parameter, Redraw redraw, Generator& generator) {
  const Tensor& old = parameter.tensor;
  if (redraw == Redraw::permutation) {
    Tensor order = randperm(old.numel(), &generator).to(old.device());
    return index_select(old.detach().reshape({old.numel()}), 0, order).reshape(old.shape());
  }
  if (old.rank() < 2) {
    bool scale = parameter.name == "weight" || parameter.name.ends_with(".weight");
    return full(old.shape(), scale ? 1 : 0, old.dtype(), old.device());
  }
  double deviation = std::sqrt(2 / init::fans_of(old).in);
  return randn(old.shape(), 0, deviation, DType::f64, &generator).to(old.dtype()).to(old.device());
}

void redraw_all(const Group& group, Redraw redraw, Generator& generator) {
  NoGrad off;
  for (const auto& named : group.parameters) copy_(named.tensor, drawn(named, redraw, generator));
}

}  // namespace

Verdict verdict_of(const Similarity& similarity) {
  double correlation = std::abs(similarity.rank);
  if (correlation < passes_below) return Verdict::passes;
  return correlation > fails_above ? Verdict::fails : Verdict::unclear;
}

Verdict Randomisation::verdict() const {
  if (order != Order::cascade || steps.empty()) {
    fail("randomise", Caller{},
         "only a cascade has a verdict: independent randomisation of a layer "
         "that does not matter rightly changes nothing");
  }
  return verdict_of(steps.back().similarity);
}

Randomisation randomise(Module& network, const Scores& model, const Method& method, const Tensor& x,
                        const std::vector<int64_t>& target, const RandomisationOptions& options) {
  std::vector<Group> groups = groups_of(network, options.layers);
  if (groups.empty()) fail("randomise", Caller{}, "the network has no parameters to randomise");
  Kept parameters(network.named_parameters()), buffers(network.named_buffers());
  Generator generator(options.seed);
  Tensor original = method(model, x, target).detach();
  Randomisation out{options.order, {}};
  auto compare = [&](const Group& group) {
    out.steps.push_back({group.layer, similarity(original, method(model, x, target))});
  };
  for (const Group& group : groups) {
    if (options.order == Order::cascade) {
      redraw_all(group, options.redraw, generator);
      compare(group);
    } else {
      Kept own(group.parameters);
      redraw_all(group, options.redraw, generator);
      compare(group);
    }
  }
  return out;
}

Similarity shuffled_label_control(const Scores& trained, const Scores& shuffled,
                                  const Method& method, const Tensor& x,
                                  const std::vector<int64_t>& target) {
  return similarity(method(trained, x, target), method(shuffled, x, target));
}

}  // namespace strata::introspect

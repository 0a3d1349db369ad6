#include "tools/transfer/frozen.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/capture.h"

namespace strata::transfer {
namespace {

// Modes of all modules, put back at the end: looking at a network must not change it.
class Looking {
 public:
  explicit Looking(Model& model) {
    for (auto& [path, module] : model.named_modules())
      modes_.emplace_back(module, module->training());
    model.eval();
  }
  // train() reaches all below, so parents come first, as they are listed.
  ~Looking() {
    for (auto& [module, training] : modes_) module->train(training);
  }
  Looking(const Looking&) = delete;
  Looking& operator=(const Looking&) = delete;

 private:
  std::vector<std::pair<Module*, bool>> modes_;
};

// Names of the parameters that each of `layers` depends on.
std::vector<std::set<std::string>> dependences(Model& model, const std::vector<std::string>& layers,
                                               const Tensor& example, Caller at) {
  Looking looking(model);
  EnableGrad on;
  std::vector<NamedTensor> named = model.named_parameters();
  std::vector<Tensor> parameters;
  std::vector<bool> wanted;
  for (NamedTensor& p : named) {
    wanted.push_back(p.tensor.requires_grad());
    p.tensor.set_requires_grad();
    parameters.push_back(p.tensor);
  }
  std::vector<std::set<std::string>> found;
  {
    introspect::Capture capture;
    model(example);
    for (const std::string& layer : layers) {
      const auto& names = capture.names();
      if (std::find(names.begin(), names.end(), layer) == names.end())
        fail("transfer", at, "the network shows no layer '{}'; its stages are {}", layer,
             listed(model.stages()));
      const std::vector<Tensor> gradients =
          grad({sum(capture[layer])}, parameters, {}, {.retain_graph = true, .allow_unused = true});
      std::set<std::string>& reached = found.emplace_back();
      for (size_t i = 0; i < named.size(); ++i)
        if (gradients[i].defined()) reached.insert(named[i].name);
    }
  }
  for (size_t i = 0; i < named.size(); ++i) named[i].tensor.set_requires_grad(wanted[i]);
  return found;
}

// Paths of the layers that ran up to and including `layer`.
std::set<std::string> seen_up_to(Model& model, const std::string& layer, const Tensor& example) {
  Looking looking(model);
  const std::vector<std::string> names = named_activations(model, example);
  const auto end = std::find(names.begin(), names.end(), layer);
  return {names.begin(), end == names.end() ? end : end + 1};
}

bool equal_bits(const Tensor& a, const Tensor& b) {
  const Tensor x = a.detach().to(Device::cpu).contiguous(), y = b.to(Device::cpu).contiguous();
  return x.shape() == y.shape() && x.dtype() == y.dtype() &&
         std::memcmp(x.raw(), y.raw(), static_cast<size_t>(x.numel()) * size_of(x.dtype())) == 0;
}

}  // namespace

Part part_up_to(Model& model, const std::string& layer, const Tensor& example, Caller at) {
  const std::set<std::string> reached = dependences(model, {layer}, example, at).front();
  const std::set<std::string> seen = seen_up_to(model, layer, example);
  Part part{{}, {reached.begin(), reached.end()}};
  for (auto& [path, module] : model.named_modules()) {
    const std::string prefix = path.empty() ? "" : path + ".";
    const std::vector<NamedTensor> own = module->named_parameters();
    const bool inside =
        own.empty() ? seen.contains(path) : std::all_of(own.begin(), own.end(), [&](const auto& p) {
          return reached.contains(prefix + p.name);
        });
    if (!inside) continue;
    part.modules.push_back(path);
    for (const NamedTensor& buffer : module->named_buffers()) {
      const std::string name = prefix + buffer.name;
      if (std::find(part.tensors.begin(), part.tensors.end(), name) == part.tensors.end())
        part.tensors.push_back(name);
    }
  }
  return part;
}

Frozen::Frozen(Model& model, const Part& part) {
  for (const std::string& path : part.modules)
    modules_.push_back(path.empty() ? &model : &model.find(path));
  const std::set<std::string> names(part.tensors.begin(), part.tensors.end());
  auto take = [&](std::vector<NamedTensor> all, bool parameters) {
    for (NamedTensor& tensor : all) {
      if (!names.contains(tensor.name)) continue;
      if (parameters) tensor.tensor.set_requires_grad(false);
      copies_.push_back({tensor, tensor.tensor.detach().clone()});
    }
  };
  take(model.named_parameters(), true);
  take(model.named_buffers(), false);
  hold();
}

void Frozen::hold() {
  for (Module* module : modules_) module->eval();
}

std::vector<std::string> Frozen::moved() const {
  std::vector<std::string> names;
  for (const Copy& copy : copies_)
    if (!equal_bits(copy.now.tensor, copy.before)) names.push_back(copy.now.name);
  return names;
}

void Frozen::check(Caller at) const {
  const std::vector<std::string> names = moved();
  if (!names.empty())
    fail("transfer", at, "{} of {} frozen tensors moved while the rest was trained: {}",
         names.size(), copies_.size(), listed(names));
}

std::vector<ParameterGroup> groups_by_depth(Model& model, const Tensor& example, double rate,
                                            double decay, Caller at) {
  if (!(decay > 0 && decay <= 1))
    fail("transfer", at,
         "the factor of the learning rate from a layer to the one below is {}; give one above 0 "
         "and at most 1",
         decay);
  // The result of the root, often the last stage, is not shown; what no other stage reaches is its.
  std::vector<std::string> stages = model.stages();
  stages.pop_back();
  const auto reached = dependences(model, stages, example, at);
  std::vector<ParameterGroup> groups(stages.size() + 1);
  for (size_t depth = 0; depth < groups.size(); ++depth)
    groups[depth].learning_rate =
        rate * std::pow(decay, static_cast<double>(groups.size() - 1 - depth));
  for (NamedTensor& p : model.named_parameters()) {
    if (!p.tensor.requires_grad()) continue;
    size_t depth = 0;
    while (depth < reached.size() && !reached[depth].contains(p.name)) ++depth;
    groups[depth].parameters.push_back(p);
  }
  std::erase_if(groups, [](const ParameterGroup& group) { return group.parameters.empty(); });
  return groups;
}

}  // namespace strata::transfer

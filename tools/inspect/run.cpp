// From a request to an answer: what was left open is filled in, and what does not apply is refused.
#include <algorithm>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/inspect/method.h"
#include "tools/introspect/capture.h"

namespace strata::inspect {
namespace {

// Letters in common at the start.
int64_t common_start(const std::string& a, const std::string& b) {
  auto [end, other] = std::mismatch(
      a.begin(), a.begin() + static_cast<int64_t>(std::min(a.size(), b.size())), b.begin());
  return end - a.begin();
}

// The names nearest to what was meant, at most three.
std::vector<std::string> near(const std::string& name) {
  std::vector<std::string> names;
  for (const Method& method : methods()) {
    if (common_start(method.name, name) >= 3) names.push_back(method.name);
  }
  std::stable_sort(names.begin(), names.end(),
                   [&](auto& a, auto& b) { return common_start(a, name) > common_start(b, name); });
  if (names.size() > 3) names.resize(3);
  return names;
}

std::vector<std::string> layers_with_maps(const Request& request) {
  introspect::Capture capture(request.subject.model->stages());
  NoGrad off;
  request.subject.scores()(request.inputs.x.slice(0, 0, 1));
  std::vector<std::string> layers;
  for (auto& name : capture.names()) {
    if (capture[name].rank() == 4) layers.push_back(name);
  }
  return layers;
}

}  // namespace

const std::vector<Method>& methods() {
  static const std::vector<Method> all = [] {
    std::vector<Method> list;
    for (auto part : {attribution_methods, explanation_methods, unit_methods, population_methods,
                      representation_methods, map_methods, curvature_methods, language_methods}) {
      for (auto& method : part()) list.push_back(std::move(method));
    }
    // A group's methods stand together, in the order in which the groups come up.
    std::vector<std::string> groups;
    for (auto& method : list) {
      if (std::find(groups.begin(), groups.end(), method.group) == groups.end())
        groups.push_back(method.group);
    }
    std::stable_sort(list.begin(), list.end(), [&](const Method& a, const Method& b) {
      return std::find(groups.begin(), groups.end(), a.group) <
             std::find(groups.begin(), groups.end(), b.group);
    });
    return list;
  }();
  return all;
}

const Method& find_method(const std::string& name) {
  for (const Method& method : methods()) {
    if (method.name == name) return method;
  }
  auto names = near(name);
  fail("inspect", Caller{}, "there is no method '{}'{}; `strata inspect --list` shows all {}", name,
       names.empty() ? "" : fmt::format(" (near it: {})", fmt::join(names, ", ")),
       methods().size());
}

std::string layer_of(const Request& request, bool map) {
  auto known = map ? layers_with_maps(request) : request.subject.model->stages();
  if (request.layer.empty()) {
    if (known.empty()) {
      fail("inspect", Caller{}, "{} has no layer whose activation is a map [N, H, W, C]",
           request.subject.model_name);
    }
    return map ? known.back() : known[known.size() > 1 ? known.size() - 2 : 0];
  }
  auto all = named_activations(*request.subject.model, request.inputs.x.slice(0, 0, 1));
  if (std::find(all.begin(), all.end(), request.layer) == all.end()) {
    fail("inspect", Caller{}, "{} has no layer '{}'; its stages are {} (and inside them {})",
         request.subject.model_name, request.layer,
         fmt::join(request.subject.model->stages(), ", "), listed(all));
  }
  return request.layer;
}

Answer run_method(const Method& method, Request request) {
  bool images = request.subject.reads_images();
  if ((method.reads == Reads::images && !images) || (method.reads == Reads::tokens && images)) {
    fail("inspect", Caller{}, "{} does not apply: it is for networks that read {}, and {} reads {}",
         method.name, images ? "tokens" : "images", request.subject.model_name,
         images ? "images" : "tokens");
  }
  if (!request.layer.empty()) layer_of(request, false);
  if (!request.units.empty() && request.layer.empty() && !method.needs_layer) {
    fail("inspect", Caller{}, "--unit is a unit of a layer; say which by --layer");
  }
  if (request.target.empty()) {
    NoGrad off;
    request.target = argmax(request.subject.scores()(request.inputs.x), 1).to_vector<int64_t>();
    request.target_from = "predicted";
  }
  return method.run(request);
}

}  // namespace strata::inspect

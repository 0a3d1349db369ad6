// The table of attribution methods.
#include "engine/ops.h"
#include "tools/inspect/attribution.h"
#include "tools/introspect/attribution/cam.h"
#include "tools/introspect/attribution/deep_lift.h"
#include "tools/introspect/attribution/full_gradient.h"
#include "tools/introspect/attribution/gradient.h"
#include "tools/introspect/attribution/group_values.h"
#include "tools/introspect/attribution/path.h"
#include "tools/introspect/attribution/perturbation.h"
#include "tools/introspect/attribution/rectifier.h"
#include "tools/introspect/attribution/relevance.h"

namespace strata::inspect {
namespace {

using namespace introspect;
using Method = AttributionMethod;

SmoothGradOptions smooth(const Request& r) {
  SmoothGradOptions options{.seed = r.seed};
  if (r.samples > 0) options.samples = static_cast<int>(r.samples);
  return options;
}

std::vector<Method> gradients() {
  return {
      {.name = "gradient",
       .about = "How the score changes with each pixel: the largest over channels",
       .paper = "Simonyan et al. 2013",
       .explain = [](auto& r, auto& f, auto& x) -> Explained {
         return {gradient_saliency(f, x, r.target), {}};
       },
       .magnitude = true},
      {.name = "gradient-x-input",
       .about = "Gradient times input: exact shares where the network is linear",
       .paper = "Shrikumar et al. 2016",
       .explain = [](auto& r, auto& f, auto& x) -> Explained {
         return {gradient_times_input(f, x, r.target), {}};
       }},
      {.name = "smoothgrad",
       .about = "Mean of the gradients around the input",
       .paper = "Smilkov et al. 2017",
       .explain = [](auto& r, auto& f, auto& x) -> Explained {
         return {smooth_grad(f, x, r.target, smooth(r)), {}};
       },
       .magnitude = true},
      {.name = "smoothgrad-squared",
       .about = "Mean of their squares",
       .paper = "Hooker et al. 2019",
       .explain = [](auto& r, auto& f, auto& x) -> Explained {
         return {smooth_grad_squared(f, x, r.target, smooth(r)), {}};
       }},
      {.name = "vargrad",
       .about = "Their variance",
       .paper = "Adebayo et al. 2018",
       .explain = [](auto& r, auto& f, auto& x) -> Explained {
         return {var_grad(f, x, r.target, smooth(r)), {}};
       }},
      {.name = "guided-backprop",
       .about = "Gradient that only positive signals pass at each ReLU",
       .paper = "Springenberg et al. 2015",
       .explain = [](auto& r, auto& f, auto& x) -> Explained {
         return {rectified_gradient(f, x, r.target, Rectifier::guided), {}};
       },
       .magnitude = true},
      {.name = "deconvnet",
       .about = "The score sent back through transposed filters and pooling switches",
       .paper = "Zeiler and Fergus 2013",
       .explain = [](auto& r, auto& f, auto& x) -> Explained {
         return {rectified_gradient(f, x, r.target, Rectifier::deconvnet), {}};
       },
       .magnitude = true},
  };
}

// Completeness of each input's attribution.
Json completeness(const PathAttribution& path) {
  Json entries = Json::array();
  for (size_t i = 0; i < path.gap.size(); ++i) {
    entries.push_back({{"score", path.scores[i]},
                       {"baseline_score", path.baseline_scores[i]},
                       {"completeness_gap", path.gap[i]}});
  }
  return entries;
}

Explained path_of(const Request& r, const Scores& f, const Tensor& x, Quadrature quadrature) {
  PathOptions options{.quadrature = quadrature};
  if (r.steps > 0) options.steps = static_cast<int>(r.steps);
  PathAttribution path = integrated_gradients(f, x, r.target, options);
  return {path.attribution, completeness(path)};
}

Method integrated(const char* name, const char* about, Quadrature quadrature) {
  return {.name = name,
          .about = about,
          .paper = "Sundararajan et al. 2017",
          .explain = [quadrature](const Request& r, const Scores& f,
                                  const Tensor& x) { return path_of(r, f, x, quadrature); },
          .sanity = quadrature != Quadrature::exact};
}

std::vector<Method> paths() {
  return {
      integrated("integrated-gradients",
                 "Gradients along the way from grey (0 after normalising), Gauss-Legendre nodes",
                 Quadrature::gauss_legendre),
      integrated("ig-midpoint", "The same by midpoints", Quadrature::midpoint),
      integrated("ig-exact",
                 "The same without error: a node in each linear piece (slow: give a --layer)",
                 Quadrature::exact),
      {.name = "conductance",
       .about = "The part of integrated gradients that flows through each place of a layer",
       .paper = "Dhamdhere et al. 2018",
       .explain = [](auto& r, auto& f, auto& x) -> Explained {
         auto path = conductance(f, x, layer_of(r, true), r.target,
                                 {.steps = r.steps > 0 ? static_cast<int>(r.steps) : 50});
         return {path.attribution, completeness(path)};
       },
       .needs_layer = true},
      {.name = "fullgrad",
       .about = "What the input and every bias contribute, at the places they stand for",
       .paper = "Srinivas and Fleuret 2019",
       .explain = [](auto& r, auto& f, auto& x) -> Explained {
         FullGradient terms = full_gradient(f, x, r.target);
         Json gaps = Json::array();
         for (double gap : terms.gap) gaps.push_back({{"completeness_gap", gap}});
         return {full_gradient_map(terms), gaps};
       },
       .images = true},
  };
}

// A grid of side x side groups over the image, [H, W, 1].
Tensor grid_groups(const Tensor& x, int64_t side) {
  std::vector<int64_t> groups;
  for (int64_t y = 0; y < x.size(1); ++y) {
    for (int64_t c = 0; c < x.size(2); ++c) {
      groups.push_back(y * side / x.size(1) * side + c * side / x.size(2));
    }
  }
  return from_vector(groups, {x.size(1), x.size(2), 1});
}

// Groups of the input: cells of an image, tokens of a sequence.
GroupOptions groups_of(const Request& r, const Tensor& x, int64_t side) {
  GroupOptions options;
  options.limit.examples = 256;
  if (x.rank() == 4) {
    options.groups = grid_groups(x, std::min({r.steps > 0 ? r.steps : side, x.size(1), x.size(2)}));
  } else {
    options.groups = arange(0, x.size(1)).to(DType::i64).reshape({x.size(1), 1});
  }
  return options;
}

Explained group_answer(const GroupValues& found, const GroupOptions& options, const Tensor& x) {
  Json entries = Json::array();
  for (size_t i = 0; i < found.scores.size(); ++i) {
    entries.push_back(
        {{"score", found.scores[i]}, {"score_with_nothing", found.baseline_scores[i]}});
    if (found.standard_errors.defined()) {
      entries.back()["largest_standard_error"] =
          max(found.standard_errors.select(0, static_cast<int64_t>(i))).item();
    }
  }
  Tensor spread = spread_to_elements(found.values, options.groups, x);
  return {spread.select(spread.rank() - 1, 0), entries};
}

std::vector<Method> perturbations() {
  return {
      {.name = "occlusion",
       .about = "Drop of the score when a window is hidden",
       .paper = "Zeiler and Fergus 2013",
       .explain = [](auto& r, auto& f, auto& x) -> Explained {
         OcclusionOptions options{.window = x.rank() == 4 ? 4 : 1,
                                  .stride = 0,
                                  .baseline = {},
                                  .limit = {.examples = 256}};
         if (r.steps > 0) options.window = r.steps;
         return {occlusion(f, x, r.target, options), {}};
       }},
      {.name = "feature-ablation",
       .about = "Drop of the score when a cell of a grid is hidden",
       .paper = "Kokhlikyan et al. 2020",
       .explain = [](auto& r, auto& f, auto& x) -> Explained {
         GroupOptions options = groups_of(r, x, 8);
         return group_answer(feature_ablation(f, x, r.target, options), options, x);
       }},
      {.name = "shapley",
       .about = "Shapley values of the cells of a grid, all coalitions",
       .paper = "Shapley 1953",
       .explain = [](auto& r, auto& f, auto& x) -> Explained {
         GroupOptions options = groups_of(r, x, 3);
         return group_answer(shapley_values(f, x, r.target, options), options, x);
       },
       .sanity = false},
      {.name = "shapley-sampled",
       .about = "Shapley values of a finer grid, from random orders",
       .paper = "Castro et al. 2009",
       .explain = [](auto& r, auto& f, auto& x) -> Explained {
         GroupOptions options = groups_of(r, x, 8);
         ShapleySampling sampling{.permutations = r.samples > 0 ? static_cast<int>(r.samples) : 10,
                                  .antithetic = true,
                                  .seed = r.seed};
         return group_answer(sampled_shapley_values(f, x, r.target, options, sampling), options, x);
       },
       .sanity = false},
  };
}

// Composites by name, for --rule.
Composite composite_of(const std::string& rule, const Tensor& x) {
  double low = min(x).item(), high = max(x).item();
  if (rule.empty() || rule == "epsilon-plus") return epsilon_plus();
  if (rule == "epsilon-plus-flat") return epsilon_plus(1e-6, true);
  if (rule == "epsilon-alpha-beta") return epsilon_alpha_beta();
  if (rule == "epsilon-gamma-box") return epsilon_gamma_box(low, high);
  if (rule == "epsilon") return everywhere(lrp_epsilon());
  if (rule == "gamma") return everywhere(lrp_gamma());
  if (rule == "z-plus") return everywhere(lrp_z_plus());
  if (rule == "alpha-beta") return everywhere(lrp_alpha_beta());
  if (rule == "w-square") return everywhere(lrp_w_square());
  if (rule == "flat") return everywhere(lrp_flat());
  fail(
      "inspect", Caller{},
      "there is no --rule '{}'; there are epsilon-plus, epsilon-plus-flat, epsilon-alpha-beta, "
      "epsilon-gamma-box (chosen by layer), and epsilon, gamma, z-plus, alpha-beta, w-square, flat "
      "(everywhere)",
      rule);
}

Explained relevance_of(const Request& r, const Scores& f, const Tensor& x) {
  RelevanceOptions options{.composite = composite_of(r.rule, x)};
  Relevance relevance = relevance_propagation(f, x, r.target, options);
  double absorbed = 0;
  for (auto& entry : relevance.balance) absorbed += entry.absorbed;
  Json entries = Json::array();
  for (size_t i = 0; i < r.target.size(); ++i) {
    entries.push_back(
        {{"relevance", sum(relevance.input.select(0, static_cast<int64_t>(i))).item()},
         {"absorbed_by_biases_of_all_inputs", absorbed}});
  }
  return {relevance.input, entries};
}

std::vector<Method> relevances() {
  return {{.name = "lrp",
           .about = "Layer-wise relevance propagation (--rule; z+ in convolutions by default)",
           .paper = "Bach et al. 2015",
           .explain = relevance_of},
          {.name = "deeplift",
           .about = "Contributions to the difference from grey (0 after normalising), op by op",
           .paper = "Shrikumar et al. 2017",
           .explain = [](auto& r, auto& f, auto& x) -> Explained {
             DeepLift found = deep_lift(f, x, zeros_like(x.slice(0, 0, 1)), r.target);
             Json gaps = Json::array();
             for (double gap : found.delta.template to_vector<double>()) {
               gaps.push_back({{"completeness_gap", gap}});
             }
             return {found.input, gaps};
           }}};
}

// A class activation map at the request's layer, or the last map.
template <class Map>
Method cam(const char* name, const char* about, const char* paper, Map map, bool sanity = true) {
  return {.name = name,
          .about = about,
          .paper = paper,
          .explain = [map](const Request& r, const Scores& f, const Tensor& x) -> Explained {
            return {map(f, x, r.target, layer_of(r, true)), {}};
          },
          .needs_layer = true,
          .sanity = sanity};
}

std::vector<Method> maps() {
  using Target = std::vector<int64_t>;
  auto of = [](auto method) {
    return [method](const Scores& f, const Tensor& x, const Target& t, const std::string& layer) {
      return method(f, x, t, layer, true);
    };
  };
  auto perturbed = [](auto method) {
    return [method](const Scores& f, const Tensor& x, const Target& t, const std::string& layer) {
      return method(f, x, t, layer, PerturbedCamOptions{});
    };
  };
  return {
      cam("gradcam", "Channels of a layer weighed by their mean gradient", "Selvaraju et al. 2017",
          of(grad_cam)),
      cam("gradcam++", "The same, places weighed by higher derivatives",
          "Chattopadhyay et al. 2018", of(grad_cam_plus_plus)),
      cam("hirescam", "Gradient times activation, place by place", "Draelos and Carin 2020",
          of(hires_cam)),
      cam("layercam", "Positive gradient times activation, place by place", "Jiang et al. 2021",
          of(layer_cam)),
      cam("eigencam", "First principal direction of a layer's activation; looks at no class",
          "Muhammad and Yeasin 2020",
          [](const Scores& f, const Tensor& x, const Target&, const std::string& layer) {
            return eigen_cam(f, x, layer);
          }),
      cam("scorecam", "Channels weighed by the score of the image seen through each",
          "Wang et al. 2020", perturbed(score_cam), false),
      cam("ablationcam", "Channels weighed by the drop of the score without each",
          "Desai and Ramaswamy 2020", perturbed(ablation_cam), false),
  };
}

}  // namespace

std::vector<AttributionMethod> attributions() {
  std::vector<AttributionMethod> list;
  for (auto part : {gradients, paths, relevances, perturbations, maps}) {
    for (auto& method : part()) list.push_back(std::move(method));
  }
  return list;
}

std::vector<inspect::Method> attribution_methods() {
  std::vector<inspect::Method> list;
  for (auto& method : attributions()) list.push_back(as_method(std::move(method)));
  return list;
}

}  // namespace strata::inspect

// Maps of a layer in two dimensions, coloured by class, beside the untrained network's.
#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/inspect/sample.h"
#include "tools/introspect/maps/pca.h"
#include "tools/introspect/maps/quality.h"
#include "tools/introspect/maps/tsne.h"
#include "tools/introspect/maps/umap.h"
#include "tools/introspect/representation/features.h"
#include "tools/introspect/units/atlas.h"

namespace strata::inspect {
namespace {

using namespace introspect;
using MapOf = std::function<Tensor(const Tensor& x, const std::vector<int64_t>& labels)>;

constexpr int64_t points = 1000;

double perplexity_for(const Tensor& x) {
  return std::min(30.0, static_cast<double>(x.size(0) - 1) / 3);
}

Answer map(const Request& r, const std::string& name, const std::string& how, const MapOf& map_of) {
  std::string layer = layer_of(r, false);
  Sample sample = sample_of(r.subject, r.samples > 0 ? r.samples : points);
  Answer answer;
  draw::Row row;
  for (bool trained : {true, false}) {
    Scores model = trained ? r.subject.scores() : r.subject.untrained_scores();
    Tensor x = pooled_features(activations(model, layer, sample.x));
    Tensor placed = map_of(x, sample.labels);
    double trust = trustworthiness(x, placed), same = neighbour_accuracy(placed, sample.labels);
    std::string title = trained ? "trained" : "before training";
    row.panels.push_back(
        {title, draw::Scatter{placed, sample.labels, r.subject.class_names},
         fmt::format("trustworthiness {:.3f}, class by neighbours {:.3f}", trust, same)});
    answer.arrays[trained ? "map" : "untrained"] = placed;
    answer.numbers[title] = {{"trustworthiness", trust},
                             {"continuity", continuity(x, placed)},
                             {"neighbour_accuracy", same}};
  }
  answer.figure.rows.push_back(row);
  answer.figure.panel_size = 300;
  answer.figure.title = fmt::format("{} of {}: {}", name, layer, r.subject.name);
  answer.figure.caption = fmt::format("{} of {} test images. {}", name, sample.size(), how);
  return answer;
}

Answer pca(const Request& r) {
  return map(r, "Principal components", "The two directions of largest variance.",
             [](const Tensor& x, auto&) { return fit_pca(x, 2).transform(x).to(DType::f32); });
}

Answer tsne_map(const Request& r) {
  return map(r, "t-SNE", "Perplexity 30; distances between groups mean little.",
             [](const Tensor& x, auto&) { return tsne(x, {.perplexity = perplexity_for(x)}).map; });
}

Answer umap_map(const Request& r) {
  return map(r, "UMAP", "15 neighbours; distances between groups mean little.",
             [&](const Tensor& x, auto&) {
               return umap(x, {.neighbours = static_cast<int>(std::min<int64_t>(15, x.size(0))),
                               .seed = r.seed});
             });
}

// Stimuli of the mean activation of each region of a map of the layer.
Answer atlas(const Request& r) {
  std::string layer = layer_of(r, true);
  constexpr int64_t cells = 7;
  Sample sample = sample_of(r.subject, points);
  StimulusSpace space =
      space_of(r.subject, sample.pixels.slice(0, 0, std::min<int64_t>(500, sample.size())));
  Answer answer;
  draw::Row row;
  for (bool trained : {true, false}) {
    Scores model = trained ? r.subject.scores() : r.subject.untrained_scores();
    Generator generator(r.seed);
    Tensor x = random_places(activations(model, layer, sample.x), generator).contiguous();
    Atlas found = activation_atlas(x, tsne(x, {.perplexity = perplexity_for(x)}).map, cells, 3);
    Stimulus pictures = direction_stimuli(model, layer, found.directions, space);
    Tensor sheet = contact_sheet(pictures.images, found.row, found.column, cells, cells);
    row.panels.push_back(
        {trained ? "trained" : "before training", draw::Image{draw::to_picture(sheet)}});
    answer.arrays[trained ? "atlas" : "untrained"] = sheet;
  }
  answer.figure.rows.push_back(row);
  answer.figure.panel_size = 340;
  answer.figure.title = fmt::format("Activation atlas of {}: {}", layer, r.subject.name);
  answer.figure.caption = fmt::format(
      "One random place of each of {} images, laid out by t-SNE; each cell shows an image that "
      "points the "
      "layer in the cell's mean direction.",
      sample.size());
  answer.numbers = {{"layer", layer}};
  return answer;
}

}  // namespace

std::vector<Method> map_methods() {
  auto images = Reads::images;
  return {
      {"pca", "maps", "Principal components of a layer", "Pearson 1901", images, true, pca},
      {"tsne", "maps", "A map of a layer in which neighbours stay neighbours",
       "van der Maaten and Hinton 2008", images, true, tsne_map},
      {"umap", "maps", "Another, from a graph of neighbours", "McInnes et al. 2018", images, true,
       umap_map},
      {"atlas", "maps", "What each region of a layer's space stands for", "Carter et al. 2019",
       images, true, atlas},
  };
}

}  // namespace strata::inspect

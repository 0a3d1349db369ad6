#include "tools/experiments/attribution_figures.h"

#include <fmt/format.h>

#include <cmath>

#include "engine/data/terrace_render.h"
#include "engine/ops.h"

namespace strata::experiments {

std::vector<double> over(const std::vector<Json>& seeds, const std::string& path) {
  const Json::json_pointer pointer(path);
  std::vector<double> values;
  for (const Json& seed : seeds)
    values.push_back(seed.contains(pointer) && seed.at(pointer).is_number()
                         ? seed.at(pointer).get<double>()
                         : std::nan(""));
  return values;
}
double mean_of(const std::vector<Json>& seeds, const std::string& path) {
  return mean(over(seeds, path));
}

namespace {

Picture picture_of(const Json& json) {
  return {json.at("height"), json.at("width"), 3, json.at("pixels").get<std::vector<uint8_t>>()};
}

draw::HeatMap heat(const Json& example, const std::string& map) {
  return {.values = from_vector(example.at(map).get<std::vector<double>>(),
                                {terrace::side, terrace::side}),
          .under = picture_of(example.at("picture"))};
}

NamedFigure shortcut_figure(const std::vector<Json>& seeds, const Json& example) {
  NamedFigure named{
      "shortcut",
      "One image, two networks of the same start: one was trained with a mark in the "
      "upper left corner that says the class in 95 % of the images, the other with a "
      "mark that says nothing. Maps share one scale. Below: the share of positive "
      "relevance in the 4 x 4 pixels that hold the mark (.016 of the image), mean over seeds.",
      {}};
  named.figure.title = "What maps say of a planted shortcut";
  named.figure.panel_size = 200;
  named.figure.rows.push_back({.panels = {{"Image", draw::Image{picture_of(example.at("picture"))}},
                                          {"Trained with the shortcut", heat(example, "biased")},
                                          {"Trained without", heat(example, "fair")}},
                               .scale_label = "relevance for the class"});
  std::vector<float> mass;
  for (const char* net : {"biased", "fair"})
    for (const std::string& method : pixel_methods)
      mass.push_back(
          static_cast<float>(mean_of(seeds, fmt::format("/shortcut/{}/{}", method, net))));
  const auto n = static_cast<int64_t>(pixel_methods.size());
  named.figure.rows.push_back(
      {.panels = {{"Share of the map in the mark",
                   draw::Matrix{from_vector(mass, {2, n}), {"with", "without"}, pixel_methods}}}});
  return named;
}

NamedFigure layers_figure(const std::vector<Json>& seeds, const Json& example) {
  NamedFigure named{
      "layers",
      "Positive relevance on the outline that decides, over the outline's share of the image, at "
      "each convolution; means over seeds. 1 is a map that knows nothing, and "
      "the untrained network's curve is what edges and colours alone give.",
      {}};
  named.figure.title = "Where the maps of each layer lie";
  const double area = mean_of(seeds, "/truth/area");
  std::vector<double> x;
  for (size_t i = 0; i < convolutions.size(); ++i) x.push_back(static_cast<double>(i + 1));
  draw::Row row;
  for (const std::string& method : layer_methods) {
    draw::LineChart chart{{}, "convolution", "mass / area"};
    for (const auto& [name, key] : std::vector<std::pair<std::string, std::string>>{
             {"trained", "mass"}, {"untrained", "untrained_mass"}}) {
      std::vector<double> y;
      for (const std::string& layer : convolutions)
        y.push_back(mean_of(seeds, fmt::format("/truth/layers/{}/{}/{}", method, layer, key)) /
                    area);
      chart.curves.push_back({name, x, y});
    }
    chart.curves.push_back({"knows nothing", {1, 5}, {1, 1}});
    row.panels.push_back({method, chart});
  }
  named.figure.rows.push_back(row);
  named.figure.rows.push_back({.panels = {{"Image", draw::Image{picture_of(example.at("picture"))}},
                                          {"Grad-CAM, conv1", heat(example, "conv1")},
                                          {"Grad-CAM, conv5", heat(example, "conv5")}},
                               .shared_scale = false});
  return named;
}

NamedFigure methods_figure(const std::vector<Json>& seeds) {
  NamedFigure named{
      "methods",
      "Maps at the pixels of the network without a shortcut, signs kept, against the outline that "
      "decides; means over seeds. Pointing: the largest value lies on it. Rank: share of the "
      "largest values on it. ROAD: how much lower the score is without the most relevant pixels "
      "than without the least relevant. Infidelity: what the sums of a map miss of the change of "
      "the score when a fifth of the pixels is removed, 1 for a map of zeros; only for methods "
      "that share out the score. Right: rank correlation with the map before layers were redrawn.",
      {}};
  named.figure.title = "Ten methods against the truth";
  auto table = [&](const std::vector<std::string>& rows, const std::vector<std::string>& keys,
                   const std::vector<std::string>& names) {
    std::vector<float> cells;
    for (const std::string& method : rows)
      for (const std::string& key : keys)
        cells.push_back(
            static_cast<float>(mean_of(seeds, fmt::format("/truth/methods/{}/{}", method, key))));
    draw::Matrix matrix{from_vector(cells, {std::ssize(rows), std::ssize(keys)}), rows, names};
    matrix.coloured = false;
    return matrix;
  };
  named.figure.rows.push_back(
      {.panels = {
           {"Scores",
            table(pixel_methods, {"mass", "untrained_mass", "pointing", "rank", "auc", "road"},
                  {"mass", "untr.", "point.", "rank", "AUC", "ROAD"}),
            fmt::format("the outline's share: {:.2f}", mean_of(seeds, "/truth/area"))},
           {"Infidelity", table(sharing_methods, {"infidelity"}, {"infid."})}}});
  draw::LineChart chart{{}, "layers redrawn, from the head down", "rank correlation"};
  for (const std::string& method : cascaded) {
    draw::Curve curve{method, {0}, {1}};
    for (size_t i = 0; i <= convolutions.size(); ++i) {
      curve.x.push_back(static_cast<double>(i + 1));
      curve.y.push_back(mean_of(seeds, fmt::format("/cascade/{}/rank/{}", method, i)));
    }
    chart.curves.push_back(curve);
  }
  named.figure.rows.push_back({.panels = {{"Cascading randomisation", chart}}});
  named.figure.panel_size = 260;
  return named;
}

NamedFigure stimuli_figure(const std::vector<Json>& seeds, const Json& stimuli) {
  NamedFigure named{
      "stimuli",
      "Images made by ascent on units of conv3, and the middle of the nine places of real images "
      "that excite the same unit most. Below: Spearman's correlation of the channel means of each "
      "layer on the way, between made and real images, among the real ones, and between them and "
      "other images; means over units and seeds.",
      {}};
  named.figure.title = "What units answer to, made and found";
  named.figure.panel_size = 96;
  for (size_t i = 0; i < stimuli.at("shown").size(); ++i) {
    const Json& unit = stimuli.at("shown")[i];
    draw::Row row;
    row.label = fmt::format("unit {}", stimuli.at("units").at(i).get<int64_t>());
    row.panels.push_back({fmt::format("{:.1f}", stimuli.at("activation").at(i).get<double>()),
                          draw::Image{picture_of(unit.at("image"))}});
    for (const Json& patch : unit.at("top"))
      row.panels.push_back({"", draw::Image{picture_of(patch)}});
    named.figure.rows.push_back(row);
  }
  draw::LineChart chart{{}, "convolution", "correlation"};
  const size_t below = stimuli.at("layers").size();
  for (const char* which : {"stimulus", "real", "other"}) {
    draw::Curve curve{which == std::string("stimulus") ? "made, real"
                      : which == std::string("real")   ? "real, real"
                                                       : "real, other",
                      {},
                      {}};
    for (size_t l = 0; l < below; ++l) {
      curve.x.push_back(static_cast<double>(l + 1));
      curve.y.push_back(mean_of(seeds, fmt::format("/stimuli/{}/{}", which, l)));
    }
    chart.curves.push_back(curve);
  }
  named.figure.rows.push_back({.panels = {{"Along the way", chart}}});
  return named;
}

}  // namespace

std::vector<NamedFigure> attribution_figures(const std::vector<Json>& seeds) {
  for (const Json& seed : seeds)
    if (seed.contains("example"))
      return {shortcut_figure(seeds, seed.at("example")), layers_figure(seeds, seed.at("example")),
              methods_figure(seeds), stimuli_figure(seeds, seed.at("stimuli"))};
  return {};
}

}  // namespace strata::experiments

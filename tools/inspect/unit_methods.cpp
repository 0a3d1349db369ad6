// What units of a layer stand for: pictures of what excites them, in the data and at best.
#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/inspect/sample.h"
#include "tools/introspect/attribution/target.h"
#include "tools/introspect/units/atlas.h"
#include "tools/introspect/units/factors.h"
#include "tools/introspect/units/inversion.h"
#include "tools/introspect/units/objective.h"
#include "tools/introspect/units/projections.h"
#include "tools/introspect/units/stimulus.h"

namespace strata::inspect {
namespace {

using namespace introspect;

constexpr int64_t images_used = 1000, units_shown = 6;
constexpr int patches_shown = 6;

// Everything the pictures of a layer's units need.
struct LayerView {
  std::string layer;
  Sample sample;
  StimulusSpace space;
  TopExcitations top{patches_shown};
  ReceptiveField field;
  std::vector<int64_t> units;
};

LayerView look(const Request& r, bool map = false) {
  LayerView view{layer_of(r, map),
                 sample_of(r.subject, images_used),
                 {},
                 TopExcitations(patches_shown),
                 {},
                 {}};
  view.space = space_of(r.subject,
                        view.sample.pixels.slice(0, 0, std::min<int64_t>(500, view.sample.size())));
  Scores model = r.subject.scores();
  view.top.add(activations(model, view.layer, view.sample.x), 0);
  view.field = receptive_field(
      [&](const Tensor& x) {
        Capture capture({view.layer});
        model(x);
        return capture[view.layer];
      },
      view.sample.x.slice(0, 0, 16));
  view.units = units_of(r, view.top, units_shown);
  return view;
}

StimulusOptions stimulus_options(const Request& r) {
  StimulusOptions options{.seed = r.seed};
  if (r.steps > 0) options.steps = static_cast<int>(r.steps);
  return options;
}

draw::Panel patch(const LayerView& view, const Excitation& e) {
  auto w = view.field.window(e.row, e.column);
  Tensor crop =
      view.sample.pixels.select(0, e.image).slice(0, w.top, w.bottom).slice(1, w.left, w.right);
  return {fmt::format("{:.2f}", e.activation), draw::Image{draw::to_picture(crop)}};
}

Answer top_patches(const Request& r) {
  LayerView view = look(r);
  Answer answer;
  Json entries = Json::array();
  for (int64_t unit : view.units) {
    draw::Row row{{}, fmt::format("unit {}", unit)};
    Json places = Json::array();
    for (auto& e : view.top.of(unit)) {
      row.panels.push_back(patch(view, e));
      places.push_back(
          {{"image", e.image}, {"row", e.row}, {"column", e.column}, {"activation", e.activation}});
    }
    answer.figure.rows.push_back(row);
    entries.push_back({{"unit", unit}, {"strongest", places}});
  }
  answer.figure.panel_size = 96;
  answer.figure.title = fmt::format("Top patches of {}: {}", view.layer, r.subject.name);
  answer.figure.caption = fmt::format(
      "The places of {} test images that excite a unit most, one an image, in the window "
      "the unit can see ({} x {} pixels), with its activation.",
      view.sample.size(), view.field.height, view.field.width);
  answer.numbers = {{"layer", view.layer}, {"units", entries}};
  return answer;
}

// The strongest answer of unit n to image n anywhere in the map.
std::vector<double> answers(const Request& r, const LayerView& view, const Tensor& pixels,
                            const std::vector<int64_t>& units) {
  NoGrad off;
  Tensor a =
      introspect::activation_of(r.subject.scores(), normalised(pixels, view.space), view.layer);
  if (a.rank() == 4) a = max(a, {1, 2});
  std::vector<double> values;
  for (size_t i = 0; i < units.size(); ++i) {
    values.push_back(a.select(0, static_cast<int64_t>(i)).select(0, units[i]).item());
  }
  return values;
}

// One stimulus a unit, beside the unit's best patches and the same for the untrained network.
Answer stimuli(const Request& r, bool everywhere) {
  LayerView view = look(r);
  auto count = static_cast<int64_t>(view.units.size());
  auto objective = [&] {
    return everywhere ? channel(view.layer, view.units) : unit(view.layer, view.units);
  };
  auto climb = [&](const Scores& model) {
    return optimal_stimuli(response_of(model, objective()), view.space, count, stimulus_options(r));
  };
  Stimulus best = climb(r.subject.scores()), control = climb(r.subject.untrained_scores());
  auto reached = answers(r, view, best.images, view.units);
  Answer answer;
  draw::Row rows[3] = {{{}, "stimulus"}, {{}, "best patch"}, {{}, "untrained"}};
  Json entries = Json::array();
  for (int64_t i = 0; i < count; ++i) {
    auto n = static_cast<size_t>(i);
    int64_t u = view.units[n];
    double percentile = 100 * view.top.percentile(u, reached[n]);
    rows[0].panels.push_back({fmt::format("unit {}: {:.1f}", u, reached[n]),
                              picture_of(best.images, i),
                              fmt::format("above {:.1f} % of images", percentile)});
    rows[1].panels.push_back(patch(view, view.top.of(u).front()));
    rows[2].panels.push_back({"", picture_of(control.images, i)});
    entries.push_back({{"unit", u},
                       {"activation", reached[n]},
                       {"percentile", percentile},
                       {"best_image_activation", view.top.of(u).front().activation}});
  }
  for (auto& row : rows) answer.figure.rows.push_back(row);
  answer.figure.title =
      fmt::format("{} of {}: {}", everywhere ? "Channel stimuli" : "Optimal stimuli", view.layer,
                  r.subject.name);
  answer.figure.caption = fmt::format(
      "Images found by gradient ascent that excite {}, and the strongest patch of {} test "
      "images. Below: the same ascent on the network before training.",
      everywhere ? "a channel everywhere" : "a unit at the centre", view.sample.size());
  answer.arrays = {{"stimuli", best.images}, {"untrained", control.images}};
  answer.numbers = {{"layer", view.layer}, {"units", entries}};
  return answer;
}

Answer class_stimuli(const Request& r) {
  if (r.subject.class_names.empty())
    fail("inspect", Caller{}, "{} gives no scores of classes whose images could be climbed to",
         r.subject.name);
  Sample sample = sample_of(r.subject, 500);
  StimulusSpace space = space_of(r.subject, sample.pixels);
  auto classes = std::min<int64_t>(static_cast<int64_t>(r.subject.class_names.size()), 10);
  std::vector<int64_t> targets;
  for (int64_t c = 0; c < classes; ++c) targets.push_back(c);
  StimulusOptions options = stimulus_options(r);
  auto climb = [&](const Scores& model) {
    return optimal_stimuli(response_of(model, class_score(targets)), space, classes, options);
  };
  Stimulus best = climb(r.subject.scores()), control = climb(r.subject.untrained_scores());
  NoGrad off;
  Tensor probability = softmax(r.subject.scores()(normalised(best.images, space)), 1);
  Answer answer;
  draw::Row rows[2] = {{{}, "trained"}, {{}, "untrained"}};
  Json entries = Json::array();
  for (int64_t c = 0; c < classes; ++c) {
    double p = probability.select(0, c).select(0, c).item();
    rows[0].panels.push_back(
        {fmt::format("{}: {:.2f}", r.subject.class_name(c), p), picture_of(best.images, c)});
    rows[1].panels.push_back({"", picture_of(control.images, c)});
    entries.push_back({{"class", r.subject.class_name(c)},
                       {"logit", best.activation[static_cast<size_t>(c)]},
                       {"probability", p}});
  }
  for (auto& row : rows) answer.figure.rows.push_back(row);
  answer.figure.title = fmt::format("Optimal stimuli of the classes: {}", r.subject.name);
  answer.figure.caption =
      "Images that raise a class's logit most, with its probability there. Below: "
      "the same of the network before training.";
  answer.arrays = {{"stimuli", best.images}, {"untrained", control.images}};
  answer.numbers = {{"classes", entries}};
  return answer;
}

// Several stimuli of one unit that differ in what else they show.
Answer diverse_stimuli(const Request& r) {
  LayerView view = look(r);
  if (view.units.size() > 3) view.units.resize(3);
  constexpr int64_t each = 4;
  Answer answer;
  Json entries = Json::array();
  auto below = r.subject.model->stages();
  std::string texture = below[std::min<size_t>(1, below.size() - 1)];
  for (int64_t u : view.units) {
    auto climb = [&](double weight) {
      StimulusObjective objective = unit(view.layer, {u});
      if (weight > 0) objective = objective + weight * diversity(texture);
      return optimal_stimuli(response_of(r.subject.scores(), objective), view.space, each,
                             stimulus_options(r));
    };
    double reach = std::max(view.top.of(u).front().activation, 1e-3);
    Stimulus apart = climb(reach), alike = climb(0);
    draw::Row row{{}, fmt::format("unit {}", u)};
    auto apart_answers = answers(r, view, apart.images, std::vector<int64_t>(each, u));
    for (int64_t i = 0; i < each; ++i) {
      row.panels.push_back({fmt::format("{:.1f}", apart_answers[static_cast<size_t>(i)]),
                            picture_of(apart.images, i)});
    }
    row.panels.push_back({"without diversity", picture_of(alike.images, 0)});
    answer.figure.rows.push_back(row);
    entries.push_back({{"unit", u}, {"activations", apart_answers}});
    answer.arrays[fmt::format("unit_{}", u)] = apart.images;
  }
  answer.figure.title = fmt::format("Diverse stimuli of {}: {}", view.layer, r.subject.name);
  answer.figure.caption = fmt::format(
      "Four images that excite one unit and differ in the Gram matrix of {}; last: without that "
      "term.",
      texture);
  answer.numbers = {{"layer", view.layer}, {"units", entries}};
  return answer;
}

Answer projections(const Request& r) {
  LayerView view = look(r);
  if (view.units.size() > 4) view.units.resize(4);
  Answer answer;
  Json entries = Json::array();
  for (int64_t u : view.units) {
    auto found = project_patches(r.subject.scores(), view.sample.x, view.layer, u, view.top.of(u),
                                 view.field);
    auto control = project_patches(r.subject.untrained_scores(), view.sample.x, view.layer, u,
                                   view.top.of(u), view.field);
    draw::Row patches{{}, fmt::format("unit {}", u)}, maps{{}, "projection"},
        before{{}, "untrained"};
    for (size_t i = 0; i < found.patches.size(); ++i) {
      patches.panels.push_back(patch(view, view.top.of(u)[i]));
      maps.panels.push_back({"", draw::HeatMap{.values = sum(found.projections[i], {2})}});
      before.panels.push_back({"", draw::HeatMap{.values = sum(control.projections[i], {2})}});
    }
    for (auto& row : {patches, maps, before}) answer.figure.rows.push_back(row);
    entries.push_back({{"unit", u}, {"patches", found.patches.size()}});
  }
  answer.figure.panel_size = 84;
  answer.figure.title = fmt::format("Deconvnet projections of {}: {}", view.layer, r.subject.name);
  answer.figure.caption =
      "The strongest patches of a unit, and the unit's value there sent back to the "
      "pixels (summed over colours). Below: through the untrained network.";
  answer.numbers = {{"layer", view.layer}, {"units", entries}};
  return answer;
}

// Non-negative factors of a layer: where each acts on the inputs, and the stimulus of each.
Answer factors(const Request& r) {
  std::string layer = layer_of(r, true);
  Sample sample = sample_of(r.subject, 300);
  StimulusSpace space = space_of(r.subject, sample.pixels);
  int64_t k = r.steps > 0 ? r.steps : 5;
  auto factors_by = [&](const Scores& model) {
    return factorise(relu(activations(model, layer, sample.x)), k);
  };
  Factors found = factors_by(r.subject.scores());
  Stimulus best = direction_stimuli(r.subject.scores(), layer, found.directions, space);
  Tensor a = relu(introspect::activation_of(r.subject.scores(), r.inputs.x, layer));
  Tensor weights = factor_weights(a, found.directions);
  double control_error = factors_by(r.subject.untrained_scores()).error;
  Answer answer;
  draw::Row shown{{}, "stimulus"};
  for (int64_t f = 0; f < k; ++f) {
    shown.panels.push_back({fmt::format("factor {}", f + 1), picture_of(best.images, f)});
  }
  answer.figure.rows.push_back(shown);
  for (int64_t i = 0; i < r.inputs.x.size(0); ++i) {
    draw::Row row{{}, r.inputs.names[static_cast<size_t>(i)]};
    for (int64_t f = 0; f < k; ++f) {
      row.panels.push_back(
          {"", draw::HeatMap{.values = weights.select(0, i).select(2, f),
                             .under = draw::to_picture(r.inputs.pixels.select(0, i)),
                             .smooth = true}});
    }
    answer.figure.rows.push_back(row);
  }
  answer.figure.panel_size = 120;
  answer.figure.title = fmt::format("{} non-negative factors of {}: {}", k, layer, r.subject.name);
  answer.figure.caption = fmt::format(
      "What each factor's direction stands for, and where it acts. They leave {:.0f} % of the "
      "activation unexplained ({:.0f} % in the network before training).",
      100 * found.error, 100 * control_error);
  answer.arrays = {
      {"directions", found.directions}, {"weights", weights}, {"stimuli", best.images}};
  answer.numbers = {{"layer", layer},
                    {"relative_error", found.error},
                    {"relative_error_untrained", control_error}};
  return answer;
}

// What each place of a layer's map stands for, as pictures in a grid.
Answer activation_grid(const Request& r) {
  std::string layer = layer_of(r, true);
  StimulusSpace space = space_of(r.subject, sample_of(r.subject, 500).pixels);
  Answer answer;
  draw::Row rows[3] = {{{}, "input"}, {{}, "trained"}, {{}, "untrained"}};
  int64_t count = std::min<int64_t>(r.inputs.x.size(0), 3);
  auto sheet = [&](const Scores& model, int64_t i) {
    Tensor a = introspect::activation_of(model, r.inputs.x.slice(0, i, i + 1), layer);
    int64_t h = std::min<int64_t>(a.size(1), 4), w = std::min<int64_t>(a.size(2), 4);
    Stimulus cells = direction_stimuli(model, layer, grid_directions(a, h, w), space);
    std::vector<int64_t> row, column;
    for (int64_t c = 0; c < h * w; ++c) row.push_back(c / w), column.push_back(c % w);
    return contact_sheet(cells.images, row, column, h, w);
  };
  for (int64_t i = 0; i < count; ++i) {
    rows[0].panels.push_back(
        {r.inputs.names[static_cast<size_t>(i)], picture_of(r.inputs.pixels, i)});
    Tensor trained = sheet(r.subject.scores(), i), control = sheet(r.subject.untrained_scores(), i);
    rows[1].panels.push_back({"", draw::Image{draw::to_picture(trained)}});
    rows[2].panels.push_back({"", draw::Image{draw::to_picture(control)}});
    answer.arrays[fmt::format("grid_{}", i)] = trained;
  }
  for (auto& row : rows) answer.figure.rows.push_back(row);
  answer.figure.panel_size = 220;
  answer.figure.title = fmt::format("Activation grid of {}: {}", layer, r.subject.name);
  answer.figure.caption =
      "For each place of the layer's map, an image that points the layer in the "
      "direction it took there. Below: the same of the untrained network.";
  answer.numbers = {{"layer", layer}};
  return answer;
}

Answer inversion(const Request& r) {
  StimulusSpace space = space_of(r.subject, sample_of(r.subject, 500).pixels);
  auto stages = r.subject.model->stages();
  if (!r.layer.empty()) stages = {layer_of(r, false)};
  int64_t count = std::min<int64_t>(r.inputs.x.size(0), 3);
  Tensor x = r.inputs.x.slice(0, 0, count);
  InversionOptions options;
  options.ascent.seed = r.seed;
  if (r.steps > 0) options.ascent.steps = static_cast<int>(r.steps);
  Answer answer;
  answer.figure.rows.resize(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    answer.figure.rows[static_cast<size_t>(i)].panels.push_back(
        {r.inputs.names[static_cast<size_t>(i)], picture_of(r.inputs.pixels, i)});
  }
  Json entries = Json::array();
  for (const std::string& layer : stages) {
    Tensor wanted = introspect::activation_of(r.subject.scores(), x, layer);
    Inversion found = invert_features(r.subject.scores(), layer, wanted, space, options);
    Inversion control = invert_features(
        r.subject.untrained_scores(), layer,
        introspect::activation_of(r.subject.untrained_scores(), x, layer), space, options);
    for (int64_t i = 0; i < count; ++i) {
      auto n = static_cast<size_t>(i);
      answer.figure.rows[n].panels.push_back({i == 0 ? layer : "", picture_of(found.images, i),
                                              fmt::format("error {:.3f}", found.error[n])});
    }
    entries.push_back(
        {{"layer", layer}, {"error", found.error}, {"error_untrained", control.error}});
    answer.arrays[layer] = found.images;
    answer.arrays[layer + ".untrained"] = control.images;
  }
  answer.figure.panel_size = 120;
  answer.figure.title = fmt::format("What each layer keeps of an image: {}", r.subject.name);
  answer.figure.caption =
      "Images found by gradient descent whose activation is that of the first; "
      "error: squared distance as a share. The untrained network's are in the "
      "arrays.";
  answer.numbers = {{"layers", entries}};
  return answer;
}

// Whatever a layer sees in the input, more of it.
Answer dream(const Request& r) {
  std::string layer = layer_of(r, true);
  StimulusSpace space = space_of(r.subject, sample_of(r.subject, 500).pixels);
  StimulusOptions options = stimulus_options(r);
  if (r.steps == 0) options.steps = 40;
  int64_t count = r.inputs.x.size(0);
  auto climb = [&](const Scores& model) {
    return optimal_stimuli(response_of(model, energy(layer)), space, count, options,
                           r.inputs.pixels);
  };
  Stimulus found = climb(r.subject.scores()), control = climb(r.subject.untrained_scores());
  Answer answer;
  draw::Row rows[3] = {{{}, "input"}, {{}, "trained"}, {{}, "untrained"}};
  for (int64_t i = 0; i < count; ++i) {
    rows[0].panels.push_back(
        {r.inputs.names[static_cast<size_t>(i)], picture_of(r.inputs.pixels, i)});
    rows[1].panels.push_back({"", picture_of(found.images, i)});
    rows[2].panels.push_back({"", picture_of(control.images, i)});
  }
  for (auto& row : rows) answer.figure.rows.push_back(row);
  answer.figure.title = fmt::format("Deep dream at {}: {}", layer, r.subject.name);
  answer.figure.caption = "The input after gradient ascent on the energy of the layer.";
  answer.arrays = {{"images", found.images}, {"untrained", control.images}};
  answer.numbers = {{"layer", layer}, {"energy", found.activation}};
  return answer;
}

}  // namespace

std::vector<Method> unit_methods() {
  auto images = Reads::images;
  return {
      {"top-patches", "units", "Places of the test images that excite a unit most",
       "Zeiler and Fergus 2013", images, true, top_patches},
      {"projection", "units", "What in those patches excites it, by deconvnet",
       "Zeiler and Fergus 2013", images, true, projections},
      {"stimulus", "units", "Image that excites a unit most, found by ascent", "Olah et al. 2017",
       images, true, [](const Request& r) { return stimuli(r, false); }},
      {"stimulus-channel", "units", "The same for a channel everywhere in the map",
       "Olah et al. 2017", images, true, [](const Request& r) { return stimuli(r, true); }},
      {"stimulus-diverse", "units", "Several images that excite one unit and differ",
       "Olah et al. 2017", images, true, diverse_stimuli},
      {"stimulus-class", "units", "Image that raises a class's score most", "Simonyan et al. 2013",
       images, false, class_stimuli},
      {"dream", "units", "The input, with more of what a layer sees in it",
       "Mordvintsev et al. 2015", images, true, dream},
      {"activation-grid", "units", "What each place of a layer's map stands for",
       "Olah et al. 2018", images, true, activation_grid},
      {"factors", "units", "A layer's activation in a few non-negative parts", "Olah et al. 2018",
       images, true, factors},
      {"inversion", "units", "What each layer keeps of an image", "Mahendran and Vedaldi 2015",
       images, false, inversion},
  };
}

}  // namespace strata::inspect

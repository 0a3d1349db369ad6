// E1: whether deeper layers show higher-level factors (claims 1 and 2). Every factor of the images
// is known with its level, so that the order of the layers can be scored.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/ops.h"
#include "models/vision/convnet.h"
#include "tools/experiments/curve.h"
#include "tools/experiments/list.h"
#include "tools/experiments/training.h"
#include "tools/introspect/representation/features.h"
#include "tools/introspect/representation/scalar_mix.h"
#include "tools/introspect/representation/shape.h"

namespace strata::experiments {
namespace {

// Thresholds, proposed from a prototype with another implementation and the same probes.
constexpr double least_rank = 0.9;  // Spearman of level and centre of gravity
constexpr double own_best = 0.9;    // share of its best at which a factor sets in
constexpr double hue_onset = 1;     // at most
constexpr double outline_onset[] = {3, 4};
constexpr double object_onset = 5;         // at least
constexpr double hue_left = 0.25;          // accuracy at the last layer
constexpr double texture_unneeded = 0.35;  // accuracy, best layer
constexpr double texture_needed = 0.65;    // accuracy, best layer in the middle
constexpr double over_untrained = 0.5;     // of the object, last layer
constexpr double shuffled_excess = 0.06;   // over chance
constexpr double learned = 0.95;           // test accuracy

constexpr int64_t dimensions = 128;

// A task, and the factors whose order its network is scored on, by level.
struct Part {
  const char* task;
  std::vector<std::string> factors;
  std::vector<double> levels;
  int64_t images, steps;
};
const std::vector<std::string> probed_factors = {"hue",           "orientation", "texture_above",
                                                 "outline_above", "part_above",  "object"};
// The object follows from outlines alone; in the chain from parts, each of an outline and a
// texture.
Part object_part(Budget budget) {
  const bool full = budget == Budget::full;
  return {"object",
          {"hue", "orientation", "outline_above", "object"},
          {1, 1, 3, 5},
          full ? 40000 : 20000,
          full ? 3000 : 1250};
}
// The task that needs textures: the texture itself, or all of the chain.
Part texture_part(Budget budget) {
  if (budget == Budget::full) return {"chain", probed_factors, {1, 1, 2, 3, 4, 5}, 40000, 8000};
  return {"texture", {"hue", "orientation", "texture_above"}, {1, 1, 2}, 16000, 250};
}

// Six convolutions that see 3, 5, 10, 14, 24 and 44 pixels: onsets are asked of a network whose
// fourth layer sees 14, about one part. (convnet_for halves sooner, and its fourth sees 26.)
std::unique_ptr<Model> network(int64_t classes, uint64_t seed, Budget budget) {
  manual_seed(seed);
  ConvNetOptions options{.classes = classes, .halve = {2, 4, 5}};
  if (budget == Budget::small) options.widths = {8, 16, 16, 32, 32, 64};
  return std::make_unique<ConvNet>(options);
}

// Accuracies by factor and layer. "shuffled" is the object with the images' objects permuted.
Json probe_layers(const std::map<std::string, Tensor>& features,
                  const std::vector<std::string>& layers, const Images& images, uint64_t seed) {
  const int64_t count = images.count(), train = count * 3 / 5;
  std::vector<introspect::ProbeTask> tasks;
  auto add = [&](const std::string& name, const std::vector<int64_t>& values, int64_t classes) {
    tasks.push_back({name,
                     classes,
                     {values.begin(), values.begin() + train},
                     {values.begin() + train, values.end()}});
  };
  for (const FactorInfo& f : images.factors)
    if (std::count(probed_factors.begin(), probed_factors.end(), f.name))
      add(f.name, images.values(f.name), f.values);
  Generator generator(seed);
  const Tensor objects = from_vector(images.values("object"), {count});
  add("shuffled", index_select(objects, 0, randperm(count, &generator)).to_vector<int64_t>(), 4);
  Json out;
  for (const std::string& layer : layers) {
    const Tensor& x = features.at(layer);
    for (const auto& r :
         probe_features(x.slice(0, 0, train), x.slice(0, train, count), tasks, dimensions))
      out[r.name].push_back(r.validation_accuracy);
  }
  return out;
}

Json run_part(const Context& context, const Part& part, double from) {
  const bool full = context.budget == Budget::full;
  const std::string data = std::string("terrace:") + part.task;
  Images images = load_images(data, Split::train, context.seed, part.images);
  if (context.lie == Lie::shuffled_labels) images = with_shuffled_labels(images, context.seed);
  const Images probed = load_images(data, Split::validation, context.seed, full ? 6000 : 2500);
  const auto model = network(images.classes, context.seed, context.budget);
  const std::vector<std::string> layers = layers_of(*model);
  auto probes = [&](const std::map<std::string, Tensor>& x, const std::vector<std::string>& names) {
    return probe_layers(x, names, probed, context.seed);
  };
  context.say(fmt::format("{}: untrained network", part.task), from);
  Json out;
  out["untrained"] = probes(layer_features(*model, probed.batch.images, layers), layers);
  TrainingOptions options;
  options.steps = context.lie == Lie::untrained ? 0 : part.steps;
  options.batch = 64;
  options.learning_rate = 6e-3;
  options.seed = context.seed;
  options.device = context.device;
  context.say(fmt::format("{}: training", part.task), from + 0.1);
  train(*model, images, options);
  out["test"] = accuracy(*model, load_images(data, Split::test, context.seed, 1000));
  context.say(fmt::format("{}: probes", part.task), from + 0.35);
  auto trained = layer_features(*model, probed.batch.images, layers);
  for (const std::string& layer : layers)
    out["dimensions"].push_back(std::min(dimensions, trained.at(layer).size(1)));
  trained["pixels"] = introspect::pooled_features(probed.batch.images, 16);
  std::vector<std::string> columns = {"pixels"};
  columns.insert(columns.end(), layers.begin(), layers.end());
  out["trained"] = probes(trained, columns);
  out["pooled_to_one"] =
      probes(layer_features(*model, probed.batch.images, layers, 1), {layers[3]});
  out["layers"] = columns;
  for (const FactorInfo& f : probed.factors)
    if (out["trained"].contains(f.name)) out["bounds"][f.name] = {f.chance, f.ceiling};
  return out;
}

Json run_seed(const Context& context) {
  if (context.lie == Lie::moving_layers)
    fail("experiment", Caller::here(), "hierarchy freezes no layers that could move");
  Json out;
  out["object"] = run_part(context, object_part(context.budget), 0);
  out["texture"] = run_part(context, texture_part(context.budget), 0.5);
  return out;
}

// (accuracy - chance) / (ceiling - chance) by layer, pixels first, at least 0.
std::vector<double> normalised(const Json& part, const std::string& factor) {
  const double chance = part.at("bounds").at(factor).at(0),
               ceiling = part.at("bounds").at(factor).at(1);
  std::vector<double> values;
  for (double a : part.at("trained").at(factor).get<std::vector<double>>())
    values.push_back(std::max(0.0, (a - chance) / (ceiling - chance)));
  return values;
}
double gravity(const Json& part, const std::string& factor) {
  return introspect::centre_of_gravity(normalised(part, factor));
}
double onset(const Json& part, const std::string& factor) {
  const std::vector<double> values = normalised(part, factor);
  const double best = *std::max_element(values.begin(), values.end());
  const auto first =
      std::find_if(values.begin(), values.end(), [&](double v) { return v >= own_best * best; });
  return static_cast<double>(first - values.begin());
}
double rank_correlation(const Json& seed, const Part& part) {
  std::vector<double> centres;
  for (const std::string& factor : part.factors) centres.push_back(gravity(seed, factor));
  return introspect::spearman(part.levels, centres);
}
// The largest Spearman there is with ties among the levels: centres in the order of levels.
double attainable(const Part& part) {
  std::vector<double> order(part.levels.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<double>(i);
  return introspect::spearman(part.levels, order);
}

double largest(const Json& list, size_t first, size_t last) {
  double most = 0;
  for (size_t i = first; i < last; ++i) most = std::max(most, list.at(i).get<double>());
  return most;
}

std::vector<double> over(const std::vector<Json>& seeds,
                         const std::function<double(const Json&)>& at) {
  std::vector<double> values;
  for (const Json& seed : seeds) values.push_back(at(seed));
  return values;
}
double mean_over(const std::vector<Json>& seeds, const std::function<double(const Json&)>& at) {
  return mean(over(seeds, at));
}

// Means over seeds, a row a factor; `key` names the part, `column` trained or untrained.
Tensor table(const std::vector<Json>& seeds, const char* key, const char* column,
             const std::vector<std::string>& factors) {
  std::vector<float> values;
  const size_t count = seeds.front().at(key).at(column).at(factors.front()).size();
  for (const std::string& factor : factors)
    for (size_t layer = 0; layer < count; ++layer)
      values.push_back(static_cast<float>(mean_over(seeds, [&](const Json& s) {
        return s.at(key).at(column).at(factor).at(layer).get<double>();
      })));
  return from_vector(values, {static_cast<int64_t>(factors.size()), static_cast<int64_t>(count)});
}

NamedFigure probe_tables(const std::vector<Json>& seeds, const char* key,
                         const std::string& title) {
  std::vector<std::string> factors = probed_factors;
  factors.push_back("shuffled");
  auto columns = seeds.front().at(key).at("layers").get<std::vector<std::string>>();
  NamedFigure out{
      fmt::format("{}-probes", key),
      "Accuracy of linear probes on held-out images, mean over seeds; 128 dimensions of "
      "every layer. Chance is .125 for hue, .167 for orientation, .25 for the rest. "
      "Second row: the same network before training. Shuffled: objects permuted.",
      {}};
  out.figure.title = title;
  out.figure.panel_size = 230;
  for (const char* column : {"trained", "untrained"}) {
    if (std::string(column) == "untrained") columns.erase(columns.begin());  // the pixels
    draw::Matrix matrix{table(seeds, key, column, factors), factors, columns};
    out.figure.rows.push_back(
        {.panels = {{column, matrix}}, .range = draw::Range{0, 1}, .scale_label = "accuracy"});
  }
  return out;
}

NamedFigure curves(const std::vector<Json>& seeds) {
  draw::LineChart chart{{}, "layer (0: pixels)", "normalised accuracy"};
  for (const char* factor : {"hue", "orientation", "outline_above", "object"}) {
    draw::Curve curve{factor, {}, {}, {}, {}};
    for (size_t layer = 0; layer < seeds.front().at("object").at("layers").size(); ++layer) {
      const auto values =
          over(seeds, [&](const Json& s) { return normalised(s.at("object"), factor)[layer]; });
      add_mean(curve, static_cast<double>(layer), values);
    }
    chart.curves.push_back(curve);
  }
  NamedFigure out{"levels",
                  "What each layer of the network trained on objects shows of each factor: 0 is "
                  "chance, 1 the best any reader of the image can do. Bands: 95 % over seeds.",
                  {}};
  out.figure.title = "Colours first, then outlines, then objects";
  out.figure.panel_size = 260;
  out.figure.rows.push_back({.panels = {{"Trained on objects", chart}}});
  return out;
}

std::vector<Measure> measures_of(const std::vector<Json>& seeds, Budget budget) {
  auto part = [&](const char* task, const std::function<double(const Json&)>& at) {
    return over(seeds, [=](const Json& s) { return at(s.at(task)); });
  };
  auto onset_of = [&](const char* task, const char* factor) {
    return part(task, [=](const Json& p) { return onset(p, factor); });
  };
  const Part object = object_part(budget), texture = texture_part(budget);
  auto ranks = [&](const char* key, const Part& p) {
    return in_every_seed(
        fmt::format("order of levels, {}", p.task),
        fmt::format("Spearman of level and centre of gravity of {} factors; ties allow {:.3f}",
                    p.levels.size(), attainable(p)),
        over(seeds, [&](const Json& s) { return rank_correlation(s.at(key), p); }), least_rank);
  };
  std::vector<Measure> m = {
      ranks("object", object),
      at_most_in_every_seed("onset of hue",
                            "first layer with 90 % of its best normalised accuracy "
                            "(0: pixels), object task",
                            onset_of("object", "hue"), hue_onset, "layer"),
      in_every_seed("onset of outline, from", "the same of the outline",
                    onset_of("object", "outline_above"), outline_onset[0], "layer"),
      at_most_in_every_seed("onset of outline, to", "the same", onset_of("object", "outline_above"),
                            outline_onset[1], "layer"),
      in_every_seed("onset of object", "the same of the object", onset_of("object", "object"),
                    object_onset, "layer"),
      at_most_in_every_seed(
          "hue at the last layer", "probe accuracy, object task; chance .125",
          part("object",
               [](const Json& p) { return p.at("trained").at("hue").back().get<double>(); }),
          hue_left),
      at_most_in_every_seed(
          "texture that is not needed",
          "best layer's probe accuracy in the object task; chance .25",
          part("object",
               [](const Json& p) { return largest(p.at("trained").at("texture_above"), 1, 7); }),
          texture_unneeded),
      in_every_seed(
          "texture that is needed",
          fmt::format("best of layers 2 to 5 in the {} task; chance .25", texture.task),
          part("texture",
               [](const Json& p) { return largest(p.at("trained").at("texture_above"), 2, 6); }),
          texture_needed)};
  const auto at_last = [&](const char* column) {
    return part("object",
                [=](const Json& p) { return p.at(column).at("object").back().get<double>(); });
  };
  const std::vector<double> trained = at_last("trained"), untrained = at_last("untrained");
  std::vector<double> gain;
  for (size_t i = 0; i < trained.size(); ++i) gain.push_back(trained[i] - untrained[i]);
  m.push_back(in_every_seed("object by training", "probe at the last layer, trained less untrained",
                            gain, over_untrained));
  const Paired comparison = paired(trained, untrained);
  m.back().effect = comparison.effect;
  m.back().p = comparison.p;
  m[0].published = ".949 in a prototype, all that ties allow";
  m[6].published = ".32 in the prototype";
  m[7].published = ".92 in the prototype, where the class needs all levels";
  if (attainable(texture) > least_rank) m.push_back(ranks("texture", texture));
  for (const std::string& factor : object.factors)
    m.push_back(shown(fmt::format("centre of {}", factor),
                      "centre of gravity of the normalised accuracies over layers, object task",
                      part("object", [=](const Json& p) { return gravity(p, factor); }), "layer"));
  return m;
}

std::vector<Control> controls_of(const std::vector<Json>& seeds) {
  double worst_test = 1, worst_excess = -1, leak = -1;
  bool equal_dimensions = true;
  for (const char* task : {"object", "texture"}) {
    const size_t layers = seeds.front().at(task).at("layers").size();
    for (size_t layer = 0; layer < layers; ++layer)
      worst_excess = std::max(
          worst_excess, mean_over(seeds, [&](const Json& s) {
                          return s.at(task).at("trained").at("shuffled").at(layer).get<double>();
                        }) - 0.25);
    for (const Json& s : seeds) {
      worst_test = std::min(worst_test, s.at(task).at("test").get<double>());
      for (const Json& d : s.at(task).at("dimensions")) equal_dimensions &= d == dimensions;
      for (const auto& [factor, bounds] : s.at(task).at("bounds").items())
        leak = std::max(leak, largest(s.at(task).at("trained").at(factor), 0, layers) -
                                  bounds.at(1).get<double>());
    }
  }
  auto object = [&](const char* column, size_t layer) {
    return mean_over(seeds, [&](const Json& s) {
      return s.at("object").at(column).at("object").at(layer).get<double>();
    });
  };
  auto outline = [&](const char* column, size_t layer) {
    return mean_over(seeds, [&](const Json& s) {
      return s.at("object").at(column).at("outline_above").at(layer).get<double>();
    });
  };
  const double pixels = object("trained", 0), untrained = object("untrained", 5);
  const double one = outline("pooled_to_one", 0), grid = outline("trained", 4);
  return {
      {"a network that has not learned the task", "accuracy on test images, both tasks, every seed",
       fmt::format("at least {:.3f}", worst_test), worst_test >= learned},
      {"probing more dimensions at later layers",
       "every layer is reduced to 128 whitened dimensions",
       equal_dimensions ? "128 of every layer" : "not of every layer", equal_dimensions},
      {"no column for pixels and for the network before training", "both are probed alike",
       fmt::format("object from pixels {:.2f}, from the last layer before training {:.2f}", pixels,
                   untrained),
       pixels <= 0.5 && untrained <= 0.5},
      {"a probe tuned on what it is scored on",
       "one penalty for all, fitted to images the network never saw, scored on others; and again "
       "with the objects permuted",
       fmt::format("permuted: chance {:+.3f} at the worst layer", worst_excess),
       worst_excess <= shuffled_excess},
      {"global pooling, which hides where things are", "features keep a grid of 4 x 4 cells",
       fmt::format("outline above at conv4: {:.2f}, after a mean over the whole image {:.2f}", grid,
                   one),
       grid >= one},
      {"orientation scored on grids that look alike when turned; leaks",
       "accuracies are normalised by the ceiling of each factor, by enumeration, which no probe "
       "may exceed",
       fmt::format("largest accuracy less ceiling {:+.3f}", leak), leak <= 0.05}};
}

Result judge(const std::vector<Json>& seeds, Budget budget) {
  Result r;
  r.measures = measures_of(seeds, budget);
  r.controls = controls_of(seeds);
  const std::vector<double>& ranks = r.measures[0].per_seed;
  const Interval interval = bootstrap_mean(ranks);
  r.answer = fmt::format(
      "The level of a factor and the depth at which it is read rank alike, Spearman {:.2f} "
      "[{:.2f}, {:.2f}] of {:.3f} attainable; the last layer shows the object at {:.2f} before "
      "training and {:.2f} after.",
      mean(ranks), interval.low, interval.high, attainable(object_part(budget)),
      mean_over(seeds,
                [](const Json& s) {
                  return s.at("object").at("untrained").at("object").back().get<double>();
                }),
      mean_over(seeds, [](const Json& s) {
        return s.at("object").at("trained").at("object").back().get<double>();
      }));
  r.pictures = {curves(seeds),
                probe_tables(seeds, "object", "Where the class needs outlines alone"),
                probe_tables(seeds, "texture", "Where the class needs textures")};
  conclude(r);
  if (r.verdict == Verdict::not_supported) r.answer = "Not shown: " + r.why;
  return r;
}

}  // namespace

Experiment hierarchy() {
  Experiment e;
  e.number = 1;
  e.name = "hierarchy";
  e.question = "Do deeper layers represent higher-level features?";
  e.claim =
      "From the first layer to the last, a trained network shows colours and edges, then "
      "textures and outlines, then parts, then objects; pixels show none of the last.";
  e.protocol =
      "Generated images (terrace, 32 x 32) whose factors and levels are known. A network of six "
      "convolutions learns objects, which follow from two outlines whatever the textures; another "
      "learns textures. Linear probes of every factor read every layer, the pixels and the "
      "untrained network through 128 whitened principal components of a 4 x 4 grid of means, "
      "fitted to 1,500 images and scored on 1,000 others. A factor's place is the centre of "
      "gravity over layers (pixels are 0) of accuracy between chance and ceiling. The first four "
      "layers see 3, 5, 10 and 14 pixels, as those of the prototype that the thresholds come "
      "from, and objects are learned for as long as there, 4 times 20,000 images; textures for "
      "250 steps. The small budget has half the width of `strata study`, the full one its width, "
      "40,000 images, 3,000 steps on objects, and 8,000 on the chain, where objects follow from "
      "parts and these from outlines and textures. All batches are of 64. Widths and steps were "
      "chosen on seed 101.";
  e.sources = {
      "Zeiler and Fergus 2013, Visualizing and understanding convolutional networks, table 7",
      "Alain and Bengio 2016, Understanding intermediate layers using linear classifier probes",
      "Bau et al. 2017, Network dissection"};
  e.minutes = 3.4;  // of processor time; the cores were shared
  e.memory_mib = 687;
  e.run_seed = run_seed;
  e.judge = judge;
  return e;
}

}  // namespace strata::experiments

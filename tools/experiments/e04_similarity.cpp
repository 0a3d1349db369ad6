// E4: whether networks that start differently learn the same features layer by layer, and which
// layers settle first (claims 19 and 34), by debiased CKA with its null band.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/ops.h"
#include "models/vision/convnet.h"
#include "tools/experiments/curve.h"
#include "tools/experiments/list.h"
#include "tools/experiments/training.h"
#include "tools/introspect/representation/cca.h"
#include "tools/introspect/representation/shape.h"
#include "tools/introspect/representation/similarity.h"

namespace strata::experiments {
namespace {

// Thresholds as proposed before anything was run here.
constexpr double least_identified = 0.95;  // share of layers whose most similar one is the same
constexpr double settled = 0.9;            // CKA with the end at which a layer counts as settled
constexpr double least_order = 0.7;        // Spearman of depth and settle step
constexpr double least_general = 0.2;      // CKA across tasks, first layer less last
constexpr double most_null = 0.1;          // upper end of the null band
constexpr double learned = 0.95;           // test accuracy

struct Sizes {
  int64_t images, object_steps, texture_steps, batch, watched, compared;
};
Sizes sizes_of(Budget budget) {
  if (budget == Budget::full) return {40000, 3000, 5000, 64, 60, 1000};
  return {20000, 640, 1600, 32, 32, 500};
}

// The network of convnet_for with a seventh convolution.
std::unique_ptr<Model> network(int64_t classes, uint64_t seed, Budget budget) {
  manual_seed(seed);
  ConvNetOptions options{
      .classes = classes, .widths = {16, 32, 32, 64, 64, 128, 128}, .halve = {1, 2, 4, 6}};
  if (budget == Budget::small)
    for (int64_t& width : options.widths) width /= 2;
  return std::make_unique<ConvNet>(options);
}

// 0 and `count` others: layers settle within a few steps of one another, for which looks that are
// evenly spaced in the logarithm are too few.
std::vector<int64_t> evenly_spaced_steps(int64_t last, int64_t count) {
  std::vector<int64_t> steps = {0};
  for (int64_t i = 1; i <= count; ++i)
    if (const int64_t step = i * last / count; step > steps.back()) steps.push_back(step);
  return steps;
}

using Layers = std::vector<Tensor>;  // a matrix a layer, from input to output

Layers features_of(Model& model, const Tensor& images, int64_t grid) {
  const std::vector<std::string> names = layers_of(model);
  const auto found = layer_features(model, images, names, grid);
  Layers out;
  for (const std::string& name : names) out.push_back(found.at(name));
  return out;
}
Layers grams_of(Model& model, const Tensor& images) {
  Layers grams;
  for (const Tensor& x : features_of(model, images, 4)) grams.push_back(introspect::gram(x));
  return grams;
}

Json table_of(const Layers& a, const Layers& b,
              const std::function<double(const Tensor&, const Tensor&)>& similarity) {
  Json rows = Json::array();
  for (const Tensor& x : a) {
    rows.push_back(Json::array());
    for (const Tensor& y : b) rows.back().push_back(similarity(x, y));
  }
  return rows;
}
double cka(const Tensor& k, const Tensor& l) { return introspect::cka_of_grams(k, l); }
double biased_cka(const Tensor& k, const Tensor& l) {
  return introspect::cka_of_grams(k, l, false);
}

Json run_seed(const Context& context) {
  if (context.lie == Lie::moving_layers)
    fail("experiment", Caller::here(), "similarity freezes no layers that could move");
  const Sizes sizes = sizes_of(context.budget);
  // Seen by no network; the same images on both sides of every comparison.
  const Images test = load_images("terrace:object", Split::test, context.seed, sizes.compared);
  const Tensor& pictures = test.batch.images;
  TrainingOptions options;
  options.batch = sizes.batch;
  options.learning_rate = 6e-3;
  options.device = context.device;
  auto steps_of = [&](int64_t steps) { return context.lie == Lie::untrained ? 0 : steps; };
  auto trained = [&](const char* task, uint64_t start, int64_t steps, Json& out) {
    context.say(fmt::format("{}, start {}", task, start), out["test"].size() / 3.0);
    const std::string data = std::string("terrace:") + task;
    Images images = load_images(data, Split::train, context.seed, sizes.images);
    if (context.lie == Lie::shuffled_labels) images = with_shuffled_labels(images, start);
    auto model = network(images.classes, start, context.budget);
    options.seed = start;
    options.steps = steps_of(steps);
    train(*model, images, options);
    out["test"].push_back(
        accuracy(*model, load_images(data, Split::test, context.seed, sizes.compared)));
    return model;
  };
  Json out{{"test", Json::array()}};
  // The first network is watched while it learns.
  std::vector<Layers> during;
  std::unique_ptr<Model> first;
  {
    Images images = load_images("terrace:object", Split::train, context.seed, sizes.images);
    if (context.lie == Lie::shuffled_labels) images = with_shuffled_labels(images, context.seed);
    first = network(images.classes, context.seed, context.budget);
    options.seed = context.seed;
    options.steps = steps_of(sizes.object_steps);
    options.watched = evenly_spaced_steps(options.steps, sizes.watched);
    options.watch = [&](int64_t step) {
      context.say("object, watched", 0.3 * static_cast<double>(step) / sizes.object_steps);
      out["step"].push_back(step);
      during.push_back(grams_of(*first, pictures));
    };
    train(*first, images, options);
    options.watch = nullptr;
    out["test"].push_back(accuracy(*first, test));
  }
  const auto second = trained("object", context.seed + 1000, sizes.object_steps, out);
  const auto other = trained("texture", context.seed + 2000, sizes.texture_steps, out);
  context.say("similarities", 0.9);
  const Layers a = during.back(), b = grams_of(*second, pictures), c = grams_of(*other, pictures);
  out["cka"] = table_of(a, b, cka);
  out["untrained"] = table_of(during.front(), b, cka);
  out["cca"] = table_of(features_of(*first, pictures, 2), features_of(*second, pictures, 2),
                        [](const Tensor& x, const Tensor& y) {
                          return introspect::canonical_correlations(x, y).mean_squared;
                        });
  for (size_t i = 0; i < a.size(); ++i) {
    out["across_tasks"].push_back(cka(a[i], c[i]));
    const introspect::NullBand null = introspect::cka_null_band(a[i], b[i], 40);
    out["null_high"].push_back(null.high);
    // What the plain estimator makes of images paired by chance.
    Generator generator(context.seed);
    const Tensor order = randperm(sizes.compared, &generator);
    const Tensor moved = index_select(index_select(b[i], 0, order), 1, order).contiguous();
    out["null_biased"].push_back(biased_cka(a[i], moved));
    for (const Layers& then : during) out["to_end"][i].push_back(cka(then[i], a[i]));
  }
  return out;
}

std::vector<double> over(const std::vector<Json>& seeds,
                         const std::function<double(const Json&)>& at) {
  std::vector<double> values;
  for (const Json& seed : seeds) values.push_back(at(seed));
  return values;
}

// Share of rows and columns whose largest entry stands on the diagonal.
double identified(const Json& table) {
  const size_t n = table.size();
  double right = 0;
  for (size_t i = 0; i < n; ++i) {
    bool row = true, column = true;
    for (size_t j = 0; j < n; ++j) {
      row &= table[i][j] <= table[i][i];
      column &= table[j][i] <= table[i][i];
    }
    right += row + column;
  }
  return right / static_cast<double>(2 * n);
}

// The first step at which a layer is as similar to the end as counts as settled; between looks in
// a straight line.
std::vector<double> settle_steps(const Json& seed) {
  const auto step = seed.at("step").get<std::vector<double>>();
  std::vector<double> steps;
  for (const Json& layer : seed.at("to_end")) {
    const auto curve = layer.get<std::vector<double>>();
    const auto at = static_cast<size_t>(
        std::find_if(curve.begin(), curve.end() - 1, [](double v) { return v >= settled; }) -
        curve.begin());
    if (at == 0) {
      steps.push_back(step[0]);
      continue;
    }
    const double share = (settled - curve[at - 1]) / (curve[at] - curve[at - 1]);
    steps.push_back(step[at - 1] + share * (step[at] - step[at - 1]));
  }
  return steps;
}
double order_of_settling(const Json& seed) {
  const std::vector<double> steps = settle_steps(seed);
  std::vector<double> depth;
  for (size_t i = 0; i < steps.size(); ++i) depth.push_back(static_cast<double>(i));
  return introspect::spearman(depth, steps);
}

std::vector<NamedFigure> pictures(const std::vector<Json>& seeds) {
  const size_t n = seeds.front().at("cka").size();
  std::vector<std::string> names;
  for (size_t i = 1; i <= n; ++i) names.push_back(fmt::format("conv{}", i));
  auto mean_table = [&](const char* name) {
    std::vector<float> values;
    for (size_t i = 0; i < n; ++i)
      for (size_t j = 0; j < n; ++j)
        values.push_back(static_cast<float>(
            mean(over(seeds, [&](const Json& s) { return s.at(name).at(i).at(j); }))));
    const auto side = static_cast<int64_t>(n);
    return draw::Matrix{from_vector(values, {side, side}), names, names};
  };
  NamedFigure tables{"layers",
                     "Debiased CKA of the layers of two networks that start differently and learn "
                     "the same task, mean over seeds: the diagonal is the same layer. Middle: rows "
                     "of a network that has not been trained. Right: mean squared canonical "
                     "correlation of the trained ones, the score that CKA is to improve on.",
                     {}};
  tables.figure.title = "Trained networks agree layer by layer";
  tables.figure.panel_size = 190;
  tables.figure.rows.push_back({.panels = {{"CKA, trained", mean_table("cka")},
                                           {"CKA, untrained rows", mean_table("untrained")},
                                           {"CCA, trained", mean_table("cca")}},
                                .range = draw::Range{0, 1},
                                .scale_label = "similarity"});
  NamedFigure settling{
      "settling",
      "Left: CKA of each layer with itself at the end of training. Right: CKA of a "
      "layer with the same layer of a network trained on textures, and the upper "
      "end of the null band (images paired by chance).",
      {}};
  draw::LineChart time{{}, "step", "CKA with the end"};
  const auto steps = seeds.front().at("step").get<std::vector<double>>();
  for (size_t layer = 0; layer < n; ++layer) {
    draw::Curve curve{names[layer], {}, {}, {}, {}};
    for (size_t i = 0; i < steps.size(); ++i) {
      curve.x.push_back(steps[i]);
      curve.y.push_back(
          mean(over(seeds, [&](const Json& s) { return s.at("to_end").at(layer).at(i); })));
    }
    time.curves.push_back(curve);
  }
  draw::LineChart tasks{{}, "layer", "CKA"};
  for (const auto& [title, name] : {std::pair{"object and texture network", "across_tasks"},
                                    std::pair{"null band, upper end", "null_high"}}) {
    draw::Curve curve{title, {}, {}, {}, {}};
    for (size_t layer = 0; layer < n; ++layer) {
      const auto values = over(seeds, [&](const Json& s) { return s.at(name).at(layer); });
      add_mean(curve, static_cast<double>(layer + 1), values);
    }
    tasks.curves.push_back(curve);
  }
  settling.figure.title = "When layers settle, and what they share across tasks";
  settling.figure.panel_size = 220;
  settling.figure.rows.push_back({.panels = {{"While learning", time}, {"Across tasks", tasks}}});
  return {tables, settling};
}

Result judge(const std::vector<Json>& seeds, Budget) {
  Result r;
  const auto by_cka = over(seeds, [](const Json& s) { return identified(s.at("cka")); });
  const auto by_cca = over(seeds, [](const Json& s) { return identified(s.at("cca")); });
  std::vector<double> lead;
  for (size_t i = 0; i < seeds.size(); ++i) lead.push_back(by_cka[i] - by_cca[i]);
  const auto untrained = over(seeds, [](const Json& s) { return identified(s.at("untrained")); });
  const auto general = over(seeds, [](const Json& s) {
    return s.at("across_tasks").front().get<double>() - s.at("across_tasks").back().get<double>();
  });
  const auto order = over(seeds, order_of_settling);
  r.measures = {
      on_average("layers identified by CKA",
                 "share of layers whose most similar layer of the other network is the same one, "
                 "both ways; debiased linear CKA",
                 by_cka, least_identified),
      on_average("CKA over CCA", "the same share, CKA less mean squared canonical correlation",
                 lead, 0),
      on_average("order of settling",
                 "Spearman of depth and the first step at which CKA with the end is .9", order,
                 least_order),
      on_average("general first, specific last",
                 "CKA between an object and a texture network, first layer less last", general,
                 least_general),
      shown("layers identified by CCA", "as above", by_cca),
      shown("layers identified, one network untrained", "as above", untrained)};
  const Paired comparison = paired(by_cka, by_cca);
  r.measures[1].effect = comparison.effect;
  r.measures[1].p = comparison.p;
  r.measures[0].published = "99.3 % of the layers of a ten-layer CNN (Kornblith et al. 2019)";
  r.measures[4].published = "CCA and SVCCA 1.4 to 15 % (the same table)";
  double least_test = 1, null = -1, biased = 0;
  for (const Json& s : seeds) {
    for (const Json& v : s.at("test")) least_test = std::min(least_test, v.get<double>());
    for (const Json& v : s.at("null_high")) null = std::max(null, v.get<double>());
    for (const Json& v : s.at("null_biased")) biased = std::max(biased, v.get<double>());
  }
  r.controls = {
      {"networks that have not learned", "accuracy on test images, three networks a seed",
       fmt::format("at least {:.3f}", least_test), least_test >= learned},
      {"an estimator that is high for anything", "debiased CKA, and its null band",
       fmt::format("images paired by chance: upper end at most {:.3f}; the plain estimator gives "
                   "up to {:.3f}",
                   null, biased),
       null <= most_null},
      {"layers told apart by their shape alone", "one network replaced by an untrained one",
       fmt::format("{:.2f} of the layers are identified, {:.2f} when trained", mean(untrained),
                   mean(by_cka)),
       mean(untrained) < mean(by_cka)},
      {"different images on the two sides; before and after ReLU mixed",
       "one batch of held-out images for all; every layer is taken after its ReLU",
       "by construction", true}};
  const Interval interval = bootstrap_mean(by_cka);
  r.answer = fmt::format(
      "By CKA a layer's most similar layer in another network is its own counterpart in {:.0f} % "
      "[{:.0f}, {:.0f}] of cases, by CCA in {:.0f} %; depth and the step at which a layer settles "
      "have a rank correlation of {:.2f}.",
      100 * mean(by_cka), 100 * interval.low, 100 * interval.high, 100 * mean(by_cca), mean(order));
  r.pictures = pictures(seeds);
  conclude(r);
  if (r.verdict == Verdict::not_supported) r.answer = "Not shown: " + r.why;
  return r;
}

}  // namespace

Experiment similarity() {
  Experiment e;
  e.number = 4;
  e.name = "similarity";
  e.question = "Do networks that start differently learn the same features?";
  e.claim =
      "Layer by layer, networks trained on the same task from other starts end alike; early layers "
      "settle first and are shared between tasks, late ones are not.";
  e.protocol =
      "A seed trains three networks of seven convolutions on generated images: two on objects "
      "from different weights and orders, one on textures. Debiased linear CKA compares all "
      "layers, averaged over a 4 x 4 grid, on 500 images that no network has seen (CCA on a 2 x 2 "
      "grid, so that dimensions stay below examples). The first is watched 32 times, evenly "
      "spaced; a layer has settled at the first step at which its CKA with the end is .9. Null "
      "bands come from images paired by chance. Small: half the width of `strata study`, 20,000 "
      "images, 640 steps of 32 on objects and 1,600 on textures, which take longer; full: its "
      "width, 40,000 images, 3,000 and 5,000 steps of 64. Surplus layers of deeper networks are "
      "the business of E9. Steps and looks were chosen on seed 101.";
  e.sources = {"Kornblith et al. 2019, Similarity of neural network representations revisited",
               "Raghu et al. 2017, SVCCA; Morcos, Raghu and Bengio 2018, Insights on "
               "representational similarity"};
  e.seeds = 5;
  e.minutes = 2.0;  // of processor time; the cores were shared
  e.memory_mib = 569;
  e.run_seed = run_seed;
  e.judge = judge;
  return e;
}

}  // namespace strata::experiments

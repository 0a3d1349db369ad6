// E2: how features emerge in training (claims 7 and 8): low ones first, in steps, from the loss
// alone, and not at all where the rule gives no lower step to climb.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/data/terrace.h"
#include "engine/ops.h"
#include "tools/experiments/curve.h"
#include "tools/experiments/deep_linear.h"
#include "tools/experiments/list.h"
#include "tools/experiments/training.h"
#include "tools/introspect/representation/similarity.h"

namespace strata::experiments {
namespace {

// Thresholds as proposed before anything was run here.
constexpr double least_ratio = 1.2;      // half-rise of the object over that of the outline
constexpr double shelf = 0.5;            // what one outline alone tells of the object
constexpr double band = 0.08;            // around it
constexpr double least_shelf = 1.5;      // time there over time in as wide a band half way to 1
constexpr double latin_accuracy = 0.32;  // at most
constexpr double formula = 0.05;         // relative error of the half-rise of linear modes
constexpr double learned = 0.95;         // test accuracy

const std::vector<double> modes = {4, 3, 2, 1};
constexpr double start_strength = 1e-3, linear_rate = 2e-3;

struct Sizes {
  int64_t images, steps, batch, watched, probed;
};
Sizes sizes_of(Budget budget) {
  if (budget == Budget::full) return {40000, 3000, 64, 40, 3000};
  return {4000, 400, 32, 30, 1000};
}

// Objects from outlines by a rule: the same images, another table.
Images objects(terrace::Rule rule, uint64_t seed, int64_t count, uint64_t first) {
  TerraceOptions options = terrace_task("object");
  options.object_rule = rule;
  const Terrace data(options, seed, count, first);
  return {data.head(count), data.factors, data.classes()};
}
constexpr uint64_t held_out = 1000000;  // number of the first image that is not trained on

TrainingOptions training_of(const Context& context, const Sizes& sizes) {
  TrainingOptions o;
  o.steps = context.lie == Lie::untrained ? 0 : sizes.steps;
  o.batch = sizes.batch;
  o.learning_rate = 6e-3;
  o.seed = context.seed;
  o.device = context.device;
  return o;
}

Images lied(const Context& context, Images images) {
  return context.lie == Lie::shuffled_labels ? with_shuffled_labels(images, context.seed) : images;
}

Json watch_emergence(const Context& context) {
  const Sizes sizes = sizes_of(context.budget);
  const auto rule = terrace::Rule::staircase;
  const Images images = lied(context, objects(rule, context.seed, sizes.images, 0));
  const Images probed = objects(rule, context.seed, sizes.probed, held_out);
  const auto model = convnet_for(images.classes, context.seed, context.budget);
  const std::vector<std::string> layers = layers_of(*model);
  const int64_t fitted = sizes.probed * 3 / 5, compared = std::min<int64_t>(300, fitted);
  std::vector<introspect::ProbeTask> tasks;
  for (const char* factor : {"outline_above", "object"}) {
    const std::vector<int64_t> v = probed.values(factor);
    tasks.push_back({factor, 4, {v.begin(), v.begin() + fitted}, {v.begin() + fitted, v.end()}});
  }
  Json out;
  std::map<std::string, std::vector<Tensor>> grams;
  TrainingOptions options = training_of(context, sizes);
  options.watched = log_spaced_steps(options.steps, sizes.watched);
  options.watch = [&](int64_t step) {
    context.say("objects", 0.7 * static_cast<double>(step) / static_cast<double>(sizes.steps));
    const auto features = layer_features(*model, probed.batch.images, layers);
    const Tensor& last = features.at(layers.back());
    out["step"].push_back(step);
    out["test"].push_back(accuracy(*model, probed));
    for (const auto& r :
         probe_features(last.slice(0, 0, fitted), last.slice(0, fitted, sizes.probed), tasks, 64))
      out[r.name].push_back(r.validation_accuracy);
    for (const std::string& layer : layers)
      grams[layer].push_back(introspect::gram(features.at(layer).slice(0, 0, compared)));
  };
  train(*model, images, options);
  Generator generator(context.seed);
  const Tensor order = randperm(compared, &generator);
  for (const auto& [layer, list] : grams) {
    for (const Tensor& g : list)
      out["cka"][layer].push_back(introspect::cka_of_grams(g, list.back()));
    const Tensor moved = index_select(index_select(list.back(), 0, order), 1, order);
    out["cka_null"].push_back(introspect::cka_of_grams(list.back(), moved.contiguous()));
  }
  return out;
}

Json run_seed(const Context& context) {
  if (context.lie == Lie::moving_layers)
    fail("experiment", Caller::here(), "emergence freezes no layers that could move");
  const Sizes sizes = sizes_of(context.budget);
  Json out = watch_emergence(context);
  context.say("latin square", 0.7);
  const auto rule = terrace::Rule::latin;
  const Images images = lied(context, objects(rule, context.seed, sizes.images, 0));
  const auto model = convnet_for(images.classes, context.seed, context.budget);
  train(*model, images, training_of(context, sizes));
  out["latin"] = accuracy(*model, objects(rule, context.seed, sizes.probed, held_out));
  context.say("linear network", 0.9);
  Generator generator(context.seed);
  const double longest = 1.2 * half_rise_time(modes.back(), start_strength);
  const int64_t steps =
      context.lie == Lie::untrained ? 1 : static_cast<int64_t>(longest / linear_rate);
  const ModeCurves curves = train_linear(modes, start_strength, linear_rate, steps, generator);
  for (size_t i = 0; i < modes.size(); ++i) {
    const std::vector<double>& a = curves.strength[i];
    // The middle is that of the limit s, which the weakest mode has not reached yet.
    const auto above =
        std::find_if(a.begin(), a.end(), [&](double v) { return v >= modes[i] / 2; });
    out["linear"]["half_rise"].push_back(
        above == a.end() ? 0.0 : curves.time[static_cast<size_t>(above - a.begin())]);
    for (size_t k = 0; k < a.size(); k += 40) out["linear"]["strength"][i].push_back(a[k]);
  }
  for (size_t k = 0; k < curves.time.size(); k += 40)
    out["linear"]["time"].push_back(curves.time[k]);
  return out;
}

std::vector<double> over(const std::vector<Json>& seeds,
                         const std::function<double(const Json&)>& at) {
  std::vector<double> values;
  for (const Json& seed : seeds) values.push_back(at(seed));
  return values;
}
std::vector<double> list(const Json& seed, const char* name) {
  return seed.at(name).get<std::vector<double>>();
}
double half_rise_of(const Json& seed, const char* name) {
  return half_rise(list(seed, "step"), list(seed, name));
}
double shelf_ratio(const Json& seed) {
  const std::vector<double> step = list(seed, "step"), test = list(seed, "test");
  const double middle = (shelf + 1) / 2;
  const double there = time_between(step, test, shelf - band, shelf + band);
  return there / std::max(1.0, time_between(step, test, middle - band, middle + band));
}
double linear_error(const Json& seed) {
  double worst = 0;
  for (size_t i = 0; i < modes.size(); ++i) {
    const double predicted = half_rise_time(modes[i], start_strength);
    const double found = seed.at("linear").at("half_rise").at(i);
    worst = std::max(worst, std::abs(found / predicted - 1));
  }
  return worst;
}

// log10 of 1 + step against the mean over seeds, with its interval.
draw::Curve curve_of(const std::string& name, const std::vector<Json>& seeds,
                     const std::function<double(const Json&, size_t)>& at) {
  draw::Curve curve{name, {}, {}, {}, {}};
  const std::vector<double> steps = list(seeds.front(), "step");
  for (size_t i = 0; i < steps.size(); ++i) {
    const auto values = over(seeds, [&](const Json& s) { return at(s, i); });
    add_mean(curve, std::log10(1 + steps[i]), values);
  }
  return curve;
}

std::vector<NamedFigure> pictures(const std::vector<Json>& seeds) {
  auto of = [&](const char* title, const char* name) {
    return curve_of(title, seeds, [=](const Json& s, size_t i) { return s.at(name).at(i); });
  };
  NamedFigure emergence{"emergence",
                        "Left: accuracy on held-out images at every step watched, not smoothed: of "
                        "linear probes on the last layer, and of the network. The first point is "
                        "the untrained network. Right: CKA of each layer with itself at the end.",
                        {}};
  draw::LineChart probes{{of("outline, probe", "outline_above"), of("object, probe", "object"),
                          of("object, network", "test")},
                         "log10 of 1 + step",
                         "accuracy"};
  probes.curves.push_back({"one outline tells", {0, probes.curves[0].x.back()}, {shelf, shelf}});
  draw::LineChart cka{{}, "log10 of 1 + step", "CKA with the end"};
  for (const auto& [layer, values] : seeds.front().at("cka").items())
    cka.curves.push_back(curve_of(layer, seeds, [name = layer](const Json& s, size_t i) {
      return s.at("cka").at(name).at(i);
    }));
  emergence.figure.title = "Outlines emerge before objects";
  emergence.figure.panel_size = 220;
  emergence.figure.rows.push_back({.panels = {{"Accuracy", probes}, {"Layers", cka}}});
  NamedFigure linear{"linear-modes",
                     "A linear network of two layers, one seed: the strength of each singular "
                     "direction, and the closed form of gradient flow.",
                     {}};
  draw::LineChart strengths{{}, "learning rate x steps", "strength"};
  const Json& found = seeds.front().at("linear");
  const auto time = found.at("time").get<std::vector<double>>();
  for (size_t i = 0; i < modes.size(); ++i) {
    std::vector<double> predicted;
    for (double t : time) predicted.push_back(mode_strength(modes[i], start_strength, t));
    strengths.curves.push_back({fmt::format("s = {:g}", modes[i]), time,
                                found.at("strength").at(i).get<std::vector<double>>()});
    strengths.curves.push_back({fmt::format("s = {:g}, formula", modes[i]), time, predicted});
  }
  linear.figure.title = "Strong directions first, each in a step";
  linear.figure.panel_size = 220;
  linear.figure.rows.push_back({.panels = {{"Modes", strengths}}});
  return {emergence, linear};
}

Result judge(const std::vector<Json>& seeds, Budget) {
  Result r;
  const auto outline = over(seeds, [](const Json& s) { return half_rise_of(s, "outline_above"); });
  const auto object = over(seeds, [](const Json& s) { return half_rise_of(s, "object"); });
  std::vector<double> ratio;
  for (size_t i = 0; i < seeds.size(); ++i) ratio.push_back(object[i] / std::max(1.0, outline[i]));
  const auto latin = over(seeds, [](const Json& s) { return s.at("latin").get<double>(); });
  const auto untrained =
      over(seeds, [](const Json& s) { return s.at("outline_above").front().get<double>(); });
  r.measures = {
      in_every_seed("object after outline",
                    "step at which the object's probe is half way from its first accuracy to its "
                    "last, over the same of the outline; last layer",
                    ratio, least_ratio),
      in_every_seed("shelf",
                    "steps the test accuracy spends within .08 of .50, which one outline tells, "
                    "over those within .08 of .75",
                    over(seeds, shelf_ratio), least_shelf),
      at_most_in_every_seed("latin square",
                            "test accuracy when no outline alone tells anything, the same budget; "
                            "chance .25",
                            latin, latin_accuracy),
      at_most_in_every_seed("linear modes",
                            "largest relative error of the half-rise of four modes against "
                            "ln(s / a0 - 1) / 2s",
                            over(seeds, linear_error), formula),
      shown("outline, half-rise", "step", outline, "steps"),
      shown("object, half-rise", "step", object, "steps"),
      shown("outline before training", "probe on the last layer at step 0; chance .25", untrained)};
  const Paired comparison = paired(object, outline);
  r.measures[0].effect = comparison.effect;
  r.measures[0].p = comparison.p;
  r.measures[1].published = "shelves at .26 to .35 of a longer chain in a prototype";
  r.measures[2].published = ".285 after 10 epochs of 20,000 images in a prototype";
  double least_test = 1, null_cka = 0, early = 0;
  for (size_t i = 0; i < seeds.size(); ++i) {
    least_test = std::min(least_test, seeds[i].at("test").back().get<double>());
    for (const Json& v : seeds[i].at("cka_null"))
      null_cka = std::max(null_cka, std::abs(v.get<double>()));
    const auto steps = list(seeds[i], "step");
    early += static_cast<double>(std::count_if(steps.begin(), steps.end(),
                                               [&](double s) { return s < object[i]; })) /
             static_cast<double>(seeds.size());
  }
  r.controls = {
      {"a network that has not learned", "accuracy on held-out images at the end, every seed",
       fmt::format("at least {:.3f}", least_test), least_test >= learned},
      {"looking once an epoch, when all is over", "steps are spaced evenly in their logarithm",
       fmt::format("{:.0f} looks before the object's half-rise", early), early >= 8},
      {"smoothing that invents shelves or hides them", "every point is one accuracy, as measured",
       "no smoothing anywhere", true},
      {"CKA that is high for anything", "the same with the images of one side permuted",
       fmt::format("at most {:.3f}", null_cka), null_cka <= 0.1}};
  const Interval interval = bootstrap_mean(ratio);
  r.answer = fmt::format(
      "Outlines are half learned at step {:.0f}, the objects made of them at step {:.0f}, {:.2f} "
      "times as late [{:.2f}, {:.2f}]; by a latin square, of which no outline alone tells "
      "anything, "
      "the same network reaches {:.2f}.",
      mean(outline), mean(object), mean(ratio), interval.low, interval.high, mean(latin));
  r.pictures = pictures(seeds);
  conclude(r);
  if (r.verdict == Verdict::not_supported) r.answer = "Not shown: " + r.why;
  return r;
}

}  // namespace

Experiment emergence() {
  Experiment e;
  e.number = 2;
  e.name = "emergence";
  e.question = "How do features come into being while a network learns?";
  e.claim =
      "From the loss alone, low features first and high ones after, in steps with shelves between "
      "them; a rule without a lower step to climb is not learned.";
  e.protocol =
      "The network of E1 learns objects (a staircase of two outlines: one alone is right half of "
      "the time), watched at steps evenly spaced in their logarithm on images that it never sees: "
      "its accuracy, linear probes of outline and object on 64 whitened components of its last "
      "layer, and CKA of every layer with the end. The same network, images and number of steps "
      "with the table replaced by a latin square is the negative control. A linear network of two "
      "layers with singular values 4, 3, 2, 1 from strength .001 is compared with the closed form. "
      "Small: half width, 4,000 images, 400 steps of 32, 1,000 images watched; full: 40,000 "
      "images, "
      "3,000 steps of 64.";
  e.sources = {
      "Saxe, McClelland and Ganguli 2014, Exact solutions to the nonlinear dynamics of "
      "learning in deep linear neural networks",
      "Abbe, Boix-Adsera and Misiakiewicz 2022, The merged-staircase property",
      "Zeiler and Fergus 2013, Visualizing and understanding convolutional networks, "
      "figure 4"};
  e.minutes = 14.2;
  e.memory_mib = 202;
  e.run_seed = run_seed;
  e.judge = judge;
  return e;
}

}  // namespace strata::experiments

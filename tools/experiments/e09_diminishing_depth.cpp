// E9: what further layers add (claim 32): plain networks get worse, residual ones gain less and
// less, and most of a deep network's blocks change little.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/ops.h"
#include "tools/experiments/curve.h"
#include "tools/experiments/depth_series.h"
#include "tools/experiments/list.h"

namespace strata::experiments {
namespace {

// Thresholds, proposed as relations; the numbers were set before the first run and kept.
constexpr double least_degradation = 0;  // nats of training loss, deepest plain over shallowest
constexpr double most_later_gain = 0;    // second gain over the larger of half the first and .01
constexpr double within_noise = 0.01;    // of accuracy, two standard errors on 2,000 images
constexpr double fails_to_start = 0.95;  // loss over that of a guess, log of the classes
constexpr double least_idle = 0.8;       // CKA between the ends of a block
constexpr double most_skip_cost = 0.1;   // median accuracy lost with one block
constexpr double least_accuracy = 0.6;   // of the shallowest residual network; chance .25

const std::vector<int64_t> depths = {8, 14, 20, 32};
const std::vector<double> rates = {1e-2, 2e-2}, bare_rates = {2e-3, 5e-3};

// Means over 4 x 4 pixels (small) or 2 x 2 (full).
Images small_images(const Context& context, const std::string& task, Split split, int64_t count) {
  Images images = load_images("terrace:" + task, split, context.seed, count);
  images.batch.images =
      avg_pool2d(images.batch.images, {.window = context.budget == Budget::full ? 2 : 4});
  return images;
}

struct Data {
  Images train, seen, validation, test;  // seen: the first 2,000 of train
};
Images first_of(Images images, int64_t count) {
  images.batch.images = images.batch.images.slice(0, 0, count).contiguous();
  images.batch.labels = images.batch.labels.slice(0, 0, count).contiguous();
  return images;
}

struct Trained {
  std::unique_ptr<CifarResNet> model;
  double rate = 0;
  std::vector<double> train_loss;  // on some of the training images, a number a learning rate
};
// The better of two learning rates by the loss on validation images.
Trained train_best(const Context& context, const Data& data, int64_t depth, CifarVariant variant) {
  const bool full = context.budget == Budget::full;
  Trained best;
  double least = HUGE_VAL;
  for (double rate : rates) {
    manual_seed(context.seed);
    auto model = std::make_unique<CifarResNet>(CifarResNetOptions{
        .depth = depth, .classes = data.train.classes, .width = full ? 16 : 8, .variant = variant});
    TrainingOptions options;
    options.steps = context.lie == Lie::untrained ? 0 : full ? 3000 : 300;
    options.learning_rate = rate;
    options.seed = context.seed;
    options.device = context.device;
    train(*model, data.train, options);
    best.train_loss.push_back(mean_loss(*model, data.seen));
    const double loss = mean_loss(*model, data.validation);
    if (best.model && !(loss < least)) continue;
    least = loss;
    best.rate = rate;
    best.model = std::move(model);
  }
  return best;
}

// Training loss over that of a guess after a few steps without normalisation, the better of two
// learning rates.
double start_without_norm(const Context& context, const Images& images, int64_t depth, bool he) {
  double least = HUGE_VAL;
  for (double rate : bare_rates) {
    manual_seed(context.seed);
    BarePlainNet model(depth, 8, 3, images.classes, he);
    TrainingOptions options;
    options.steps = context.lie == Lie::untrained ? 0 : 200;
    options.learning_rate = rate;
    options.seed = context.seed;
    options.device = context.device;
    train(model, images, options);
    least = std::min(least, mean_loss(model, first_of(images, 1000)));
  }
  return least / std::log(static_cast<double>(images.classes));
}

Json run_seed(const Context& context) {
  if (context.lie == Lie::moving_layers)
    fail("experiment", Caller::here(), "diminishing-depth freezes no layers that could move");
  const bool full = context.budget == Budget::full;
  Data data{small_images(context, "outline", Split::train, full ? 20000 : 8000),
            {},
            small_images(context, "outline", Split::validation, full ? 2000 : 1000),
            small_images(context, "outline", Split::test, 2000)};
  if (context.lie == Lie::shuffled_labels)
    data.train = with_shuffled_labels(data.train, context.seed);
  data.seen = first_of(data.train, 2000);
  Json out;
  double done = 0;
  for (const auto& [name, variant] :
       {std::pair{"plain", CifarVariant::plain}, std::pair{"residual", CifarVariant::residual}}) {
    for (int64_t depth : depths) {
      context.say(fmt::format("{} {}", name, depth), done);
      const Trained t = train_best(context, data, depth, variant);
      out[name]["rate"].push_back(t.rate);
      const auto chosen = std::find(rates.begin(), rates.end(), t.rate) - rates.begin();
      out[name]["train_loss"].push_back(t.train_loss[static_cast<size_t>(chosen)]);
      out[name]["by_rate"].push_back(t.train_loss);
      out[name]["test"].push_back(accuracy(*t.model, data.test));
      done += 0.45 * static_cast<double>(depth) / 74;
      if (depth != depths.back() && depth != depths[1]) continue;
      const std::string which = depth == depths.back() ? "deep" : "shallow";
      const Tensor some = data.test.batch.images.slice(0, 0, 500);
      out[name][which + "_similarity"] = neighbour_similarity(*t.model, some, depth);
      out[name][which + "_skip"] = skip_costs(*t.model, data.test, depth);
    }
  }
  context.say("without normalisation", 0.9);
  Images hue = small_images(context, "hue", Split::train, 4000);
  if (context.lie == Lie::shuffled_labels) hue = with_shuffled_labels(hue, context.seed);
  out["bare"] = {{"shallow", start_without_norm(context, hue, 8, false)},
                 {"deep", start_without_norm(context, hue, 32, false)},
                 {"deep_he", start_without_norm(context, hue, 32, true)}};
  return out;
}

std::vector<double> over(const std::vector<Json>& seeds,
                         const std::function<double(const Json&)>& at) {
  std::vector<double> values;
  for (const Json& seed : seeds) values.push_back(at(seed));
  return values;
}
// Entry by entry, the mean over seeds; with its bootstrap interval as the band of a curve.
draw::Curve curve(const std::vector<Json>& seeds, const char* name, const char* part,
                  const char* list, const std::vector<double>& x) {
  draw::Curve curve{name, {}, {}, {}, {}};
  for (size_t i = 0; i < x.size(); ++i) {
    const std::vector<double> values =
        over(seeds, [&](const Json& s) { return s.at(part).at(list).at(i).get<double>(); });
    add_mean(curve, x[i], values);
  }
  return curve;
}
double entry(const Json& seed, const char* part, const char* list, size_t i) {
  return seed.at(part).at(list).at(i).get<double>();
}
double median(const Json& list) {
  auto values = list.get<std::vector<double>>();
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}
double gain(const Json& seed, size_t i) {
  return entry(seed, "residual", "test", i) - entry(seed, "residual", "test", i - 1);
}

// Residual networks from a depth to the next: the 95 % interval of each change must reach 0.
Measure not_worse(const std::vector<Json>& seeds) {
  std::vector<double> least;
  for (const Json& s : seeds) {
    least.push_back(gain(s, 1));
    for (size_t i = 2; i < depths.size(); ++i) least.back() = std::min(least.back(), gain(s, i));
  }
  Measure m = shown("residual networks do not get worse",
                    "least change of accuracy from a depth to the next", least);
  m.decisive = true;
  m.threshold = "95 % interval of the change at each of three steps reaches 0";
  for (size_t i = 1; i < depths.size(); ++i)
    m.passed &= bootstrap_mean(over(seeds, [=](const Json& s) { return gain(s, i); })).high >= 0;
  return m;
}
// Median over blocks of the share of accuracy above chance that goes with one of them.
double share_lost(const Json& seed, const char* part) {
  return median(seed.at(part).at("deep_skip")) /
         (entry(seed, part, "test", depths.size() - 1) - 0.25);
}

std::vector<NamedFigure> pictures(const std::vector<Json>& seeds) {
  const std::vector<double> x(depths.begin(), depths.end());
  NamedFigure depth{"depth",
                    "Training loss and accuracy on new images against the number of layers, with "
                    "95 % intervals over seeds. Each network has the better of two learning rates, "
                    "chosen on validation images.",
                    {}};
  depth.figure.title = "More layers, with and without shortcuts";
  draw::LineChart loss{{curve(seeds, "plain", "plain", "train_loss", x),
                        curve(seeds, "residual", "residual", "train_loss", x)},
                       "layers",
                       "training loss, nats"};
  draw::LineChart test{
      {curve(seeds, "plain", "plain", "test", x), curve(seeds, "residual", "residual", "test", x)},
      "layers",
      "accuracy"};
  depth.figure.rows.push_back({.panels = {{"Training", loss}, {"New images", test}}});

  NamedFigure idle{"blocks",
                   "The 32-layer networks, block by block (those that keep the shape): how alike "
                   "what enters and what leaves it are, and the accuracy lost when it is skipped. "
                   "The plain network is the control: its blocks cannot be skipped.",
                   {}};
  std::vector<double> block;
  for (size_t i = 1; i <= shape_keeping_blocks(depths.back()).size(); ++i)
    block.push_back(static_cast<double>(i));
  draw::LineChart alike{{curve(seeds, "plain", "plain", "deep_similarity", block),
                         curve(seeds, "residual", "residual", "deep_similarity", block)},
                        "block",
                        "CKA of its two ends"};
  draw::LineChart skipped{{curve(seeds, "plain", "plain", "deep_skip", block),
                           curve(seeds, "residual", "residual", "deep_skip", block)},
                          "block",
                          "accuracy lost"};
  idle.figure.rows.push_back({.panels = {{"What a block changes", alike}, {"Skipped", skipped}}});
  return {depth, idle};
}

Result judge(const std::vector<Json>& seeds, Budget) {
  Result r;
  const size_t last = depths.size() - 1;
  auto bare = [&](const char* name) {
    return over(seeds, [=](const Json& s) { return s.at("bare").at(name).get<double>(); });
  };
  r.measures = {
      in_every_seed(
          "degradation of plain networks", "training loss of plain-32 less that of plain-8",
          over(seeds,
               [=](const Json& s) {
                 return entry(s, "plain", "train_loss", last) - entry(s, "plain", "train_loss", 0);
               }),
          least_degradation, "nats"),
      in_every_seed("shortcuts cure it", "training loss of plain-32 less that of residual-32",
                    over(seeds,
                         [=](const Json& s) {
                           return entry(s, "plain", "train_loss", last) -
                                  entry(s, "residual", "train_loss", last);
                         }),
                    least_degradation, "nats"),
      not_worse(seeds),
      at_most_on_average(
          "a second doubling gains less",
          "gain of accuracy from 14 to 32 layers less the larger of half the gain from 8 to 14 and "
          ".01",
          over(seeds,
               [=](const Json& s) {
                 return gain(s, 2) + gain(s, 3) - std::max(gain(s, 1) / 2, within_noise);
               }),
          most_later_gain),
      in_every_seed(
          "does not start without normalisation",
          "training loss of 32 plain layers with default weights after 200 steps on hue, over "
          "that of a guess",
          bare("deep"), fails_to_start),
      on_average(
          "blocks that change little",
          "median CKA between what enters and what leaves a block of residual-32",
          over(seeds, [](const Json& s) { return median(s.at("residual").at("deep_similarity")); }),
          least_idle),
      at_most_on_average(
          "blocks that can be skipped", "median accuracy lost with one block of residual-32",
          over(seeds, [](const Json& s) { return median(s.at("residual").at("deep_skip")); }),
          most_skip_cost),
      shown("the same of residual-14", "median accuracy lost with one block",
            over(seeds, [](const Json& s) { return median(s.at("residual").at("shallow_skip")); })),
      shown("accuracy of residual-8", "on new images",
            over(seeds, [](const Json& s) { return entry(s, "residual", "test", 0); })),
      shown("gain from 8 to 14", "accuracy of residual networks",
            over(seeds, [](const Json& s) { return gain(s, 1); })),
      shown("gain from 14 to 20", "accuracy of residual networks",
            over(seeds, [](const Json& s) { return gain(s, 2); })),
      shown("gain from 20 to 32", "accuracy of residual networks",
            over(seeds, [](const Json& s) { return gain(s, 3); }))};
  r.measures[0].published = "top-1 error 27.94 (plain-18) and 28.54 (plain-34), ImageNet (He 2016)";
  r.measures[1].published = "28.54 (plain-34) and 25.03 (ResNet-34)";
  r.measures[3].published = "error 8.75, 7.51, 6.97, 6.43 at 20, 32, 56, 110 layers, CIFAR-10";

  const double learned =
      mean(over(seeds, [](const Json& s) { return entry(s, "residual", "test", 0); }));
  const double shallow = mean(bare("shallow")), he = mean(bare("deep_he"));
  const double plain_skip = mean(over(seeds, [](const Json&s) { return share_lost(s, "plain"); })),
               residual_skip =
                   mean(over(seeds, [](const Json&s) { return share_lost(s, "residual"); }));
  auto gained = [&](size_t i) {
    return mean(over(seeds, [=](const Json& s) { return gain(s, i); }));
  };
  // Of the losses at all learning rates.
  auto lowest = [&](size_t depth, bool least) {
    return mean(over(seeds, [&](const Json& s) {
      const auto losses = s.at("plain").at("by_rate").at(depth).get<std::vector<double>>();
      return least ? *std::min_element(losses.begin(), losses.end())
                   : *std::max_element(losses.begin(), losses.end());
    }));
  };
  const double deep_best = lowest(last, true), shallow_worst = lowest(0, false);
  const double test_gap = mean(over(seeds, [=](const Json& s) {
    return entry(s, "plain", "test", last) - entry(s, "plain", "test", 0);
  }));
  std::vector<std::string> chosen;
  for (size_t i = 0; i <= last; ++i)
    for (const char* part : {"plain", "residual"})
      chosen.push_back(
          fmt::format("{}-{} {:.3f}", part, depths[i],
                      mean(over(seeds, [&](const Json& s) { return entry(s, part, "rate", i); }))));
  r.controls = {
      {"networks that learned nothing", "accuracy of the shallowest residual network",
       fmt::format("{:.3f}, chance .25", learned), learned >= least_accuracy},
      {"one learning rate for all", "each network has the better of .01 and .02",
       fmt::format("mean rates: {}; plain-32 has a loss of {:.3f} at its best rate, plain-8 {:.3f} "
                   "at its worst",
                   fmt::join(chosen, ", "), deep_best, shallow_worst),
       deep_best > shallow_worst},
      {"over-fitting taken for degradation", "it is judged by the loss on training images",
       fmt::format("accuracy on new images changes by {:+.3f} from plain-8 to plain-32", test_gap),
       test_gap <= within_noise},
      {"bare networks that start nowhere, whatever their depth",
       "the same with 8 layers, and 32 layers with the start of He et al. 2015",
       fmt::format("loss over that of a guess: {:.3f} and {:.3f}", shallow, he),
       shallow < fails_to_start && he < fails_to_start},
      {"blocks that can be skipped in any network", "the same in the plain network",
       fmt::format(
           "median share of the accuracy above chance that is lost: {:.3f}, residual {:.3f}",
           plain_skip, residual_skip),
       plain_skip > residual_skip}};
  r.answer = fmt::format(
      "From 8 to 32 layers the training loss of plain networks changes by {:+.3f} nats; residual "
      "networks gain {:+.3f}, {:+.3f} and {:+.3f} of accuracy from 8 to 14, to 20 and to 32 "
      "layers, and "
      "the median block of the deepest can be skipped for {:.3f}.",
      mean(r.measures[0].per_seed), gained(1), gained(2), gained(3), mean(r.measures[6].per_seed));
  r.pictures = pictures(seeds);
  conclude(r);
  return r;
}

}  // namespace

Experiment diminishing_depth() {
  Experiment e;
  e.number = 9;
  e.name = "diminishing-depth";
  e.question = "Does a deeper network do better?";
  e.claim =
      "Depth has diminishing returns: plain networks get worse beyond some depth because they are "
      "harder to optimise; with shortcuts they do not, but each further layer adds less.";
  e.protocol =
      "CIFAR-style networks of 8, 14, 20 and 32 layers, width 8, 16 and 32, batch norm, with and "
      "without shortcuts, on 8,000 generated images as 8 x 8 means of pixels, class: the outline "
      "of the upper part; AdamW, 300 steps of 64, each network with the better of two learning "
      "rates by the loss on 1,000 validation images; losses on 2,000 of the training images, "
      "accuracies on 2,000 test images. Without normalisation: 8 and 32 layers of width 8 on the "
      "easiest task there is, hue, with PyTorch's start and that of He et al., 200 steps, again "
      "the "
      "better of two rates. Blocks that keep the shape: CKA of their two ends on 500 test images, "
      "and accuracy when one is skipped. Proposed was the full chain of the generated images, "
      "which these steps do not teach; sizes, rates and the task of the bare networks were set on "
      "seed 101, thresholds before. Full: 20,000 images of 16 x 16, width 16, 3,000 steps.";
  e.sources = {"He et al. 2016, Deep residual learning for image recognition",
               "Veit, Wilber and Belongie 2016, Residual networks behave like ensembles of "
               "relatively shallow networks",
               "He et al. 2015, Delving deep into rectifiers"};
  e.minutes = 8.5;
  e.memory_mib = 236;
  e.run_seed = run_seed;
  e.judge = judge;
  return e;
}

}  // namespace strata::experiments

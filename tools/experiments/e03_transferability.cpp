// E3: whether the first layers of a network are general and the last ones specific (claims 3 and
// 33), by the design of Yosinski et al. 2014: layers 1 to n of a network trained on one task are
// frozen under new ones that are trained on another.
#include <fmt/format.h>

#include <cmath>

#include "engine/autograd/autograd.h"
#include "tools/experiments/curve.h"
#include "tools/experiments/list.h"
#include "tools/experiments/part_transfer.h"
#include "tools/introspect/representation/shape.h"

namespace strata::experiments {
namespace {

// Thresholds, in points of accuracy: all are D1's.
constexpr double first_layer_costs = 1.5;  // |A1B - base|
constexpr double falls_with_n = -0.8;      // Spearman's correlation of n and AnB
constexpr double last_layer_costs = 3;     // base - A7B
constexpr double far_over_near = 1.5;      // drop at n = 7
constexpr double tuned_selffer = 1;        // |BnB+ - base|
// A base that learned less would make all of these meaningless; chance is 12.5 and 25.
constexpr double base_learned = 60;

const std::vector<int64_t> depths = {1, 3, 5, 7};
const std::vector<const char*> near_arms = {"BnB", "BnB+", "AnB", "AnB+", "random"};

std::string layer(int64_t n) { return fmt::format("conv{}", n); }

// Everything about one pair of tasks: data, how to train, and what was counted on the way.
class Bench {
 public:
  Bench(const Context& context, const Split2& tasks, const Parts& train, const Parts& test)
      : context_(context) {
    const bool full = context.budget == Budget::full, lied = context.lie == Lie::shuffled_labels;
    training_ = {.steps = context.lie == Lie::untrained ? 0
                          : full                        ? 3000
                                                        : 400,
                 .seed = context.seed,
                 .device = context.device};
    const int64_t all = train.x.size(0);
    a_ = choose(train, tasks.a, all, lied);
    b_ = choose(train, tasks.b, all, lied);
    test_a_ = choose(test, tasks.a, all);
    test_b_ = choose(test, tasks.b, all);
  }

  void bases() {
    base_a_ = part_network(a_.classes, seed(1));
    base_b_ = part_network(b_.classes, seed(2));
    fit(*base_a_, a_, training_);
    fit(*base_b_, b_, training_);
  }
  double base_a() { return score(*base_a_, test_a_, context_.device); }
  double base_b() { return score(*base_b_, test_b_, context_.device); }

  // Every arm starts from the same new network, so that all have the same new head.
  double arm(const std::string& name, int64_t n) {
    const std::unique_ptr<Model> net = part_network(b_.classes, seed(3));
    if (name == "random") {
      // Statistics of the random layers first, or they would not even be normalised.
      const std::unique_ptr<Model> random = part_network(b_.classes, seed(4));
      NoGrad off;
      random->train();
      for (int i = 0; i < 40; ++i) (*random)(b_.x.slice(0, 32 * i, 32 * (i + 1)));
      copy_up_to(*net, *random, layer(n));
    } else {
      copy_up_to(*net, name.starts_with("A") ? *base_a_ : *base_b_, layer(n));
    }
    const bool tuned = name.ends_with("+");
    transfer::Frozen frozen = tuned ? transfer::Frozen() : freeze_up_to(*net, layer(n));
    fit(*net, b_, training_, &frozen, context_.lie == Lie::moving_layers);
    checked_ += static_cast<int64_t>(frozen.size());
    return score(*net, test_b_, context_.device);
  }

  // A7B as a careless version has it: the weights are frozen, the statistics are not.
  Json careless() {
    const std::unique_ptr<Model> net = part_network(b_.classes, seed(3));
    copy_up_to(*net, *base_a_, layer(depths.back()));
    transfer::Frozen frozen = freeze_up_to(*net, layer(depths.back()));
    fit(*net, b_, training_);
    bool caught = false;
    try {
      frozen.check();
    } catch (const Error&) {
      caught = true;
    }
    return {{"accuracy", score(*net, test_b_, context_.device)},
            {"moved", frozen.moved().size()},
            {"caught", caught}};
  }

  int64_t checked() const { return checked_; }

 private:
  uint64_t seed(uint64_t which) const { return 10 * context_.seed + which; }

  const Context& context_;
  Training training_;
  LabelledParts a_, b_, test_a_, test_b_;
  std::unique_ptr<Model> base_a_, base_b_;
  int64_t checked_ = 0;
};

Json run_seed(const Context& context) {
  const bool full = context.budget == Budget::full;
  const Parts train = draw_parts(context.seed, Split::train, full ? 5000 : 400),
              test = draw_parts(context.seed, Split::test, full ? 500 : 150);
  double done = 0;
  auto say = [&](const std::string& what) { context.say(what, done++ / 28); };
  say("bases of the random halves");
  Bench near(context, near_tasks(context.seed), train, test);
  near.bases();
  Json out{{"near", {{"base_a", near.base_a()}, {"base", near.base_b()}}}};
  for (int64_t n : depths)
    for (const char* name : near_arms) {
      say(fmt::format("{} at n = {}", name, n));
      out["near"][name].push_back(near.arm(name, n));
    }
  say("statistics that move");
  out["careless"] = near.careless();
  say("bases of the disjoint halves");
  Bench far(context, far_tasks(context.seed), train, test);
  far.bases();
  out["far"] = {{"base_a", far.base_a()}, {"base", far.base_b()}};
  for (int64_t n : depths) {
    say(fmt::format("far AnB at n = {}", n));
    out["far"]["AnB"].push_back(far.arm("AnB", n));
  }
  out["checked"] = near.checked() + far.checked();
  return out;
}

using Of = std::function<double(const Json&)>;
std::vector<double> over(const std::vector<Json>& seeds, const Of& of) {
  std::vector<double> values;
  for (const Json& seed : seeds) values.push_back(of(seed));
  return values;
}
double base(const Json& s, const char* pair = "near") { return s.at(pair).at("base"); }
std::vector<double> arm(const Json& s, const char* name, const char* pair = "near") {
  return s.at(pair).at(name).get<std::vector<double>>();
}
// base - AnB at the deepest n.
double drop(const Json& s, const char* pair) { return base(s, pair) - arm(s, "AnB", pair).back(); }
const std::vector<double> x = {1, 3, 5, 7};

// A curve over n with its band over seeds; as a difference to the base.
draw::Curve curve(const std::vector<Json>& seeds, const char* name, const char* pair,
                  const std::string& shown_as) {
  draw::Curve c{shown_as, {}, {}};
  for (size_t i = 0; i < x.size(); ++i) {
    const auto values =
        over(seeds, [&](const Json& s) { return arm(s, name, pair)[i] - base(s, pair); });
    add_mean(c, x[i], values);
  }
  return c;
}

std::vector<NamedFigure> pictures(const std::vector<Json>& seeds) {
  NamedFigure main{"transferability",
                   "Accuracy on task B less that of a network trained on B alone, when layers 1 to "
                   "n come from a network of B (self) or of A (transfer) and stay frozen, or are "
                   "tuned (+). Bands: 95 % bootstrap intervals of the mean over seeds.",
                   {}};
  main.figure.title = "What frozen layers of another task cost";
  const draw::Curve zero{"base", {1, 7}, {0, 0}};
  main.figure.rows.push_back(
      {.panels = {
           {"Random halves", draw::LineChart{{zero, curve(seeds, "BnB", "near", "self, frozen"),
                                              curve(seeds, "BnB+", "near", "self, tuned"),
                                              curve(seeds, "AnB", "near", "transfer, frozen"),
                                              curve(seeds, "AnB+", "near", "transfer, tuned")},
                                             "layers copied, n",
                                             "points"}},
           {"Near and far", draw::LineChart{{zero, curve(seeds, "AnB", "near", "near, frozen"),
                                             curve(seeds, "AnB", "far", "far, frozen"),
                                             curve(seeds, "random", "near", "random, frozen")},
                                            "layers copied, n",
                                            "points"}}}});
  main.figure.panel_size = 220;
  return {main};
}

std::vector<Measure> measures(const std::vector<Json>& seeds) {
  std::vector<Measure> list = {
      at_most_on_average(
          "cost of layer 1", "|A1B - base|",
          over(seeds, [](const Json& s) { return std::abs(arm(s, "AnB")[0] - base(s)); }),
          first_layer_costs, "points"),
      at_most_on_average(
          "fall with n", "Spearman's correlation of n and AnB, n = 1, 3, 5, 7",
          over(seeds, [](const Json& s) { return introspect::spearman(x, arm(s, "AnB")); }),
          falls_with_n),
      on_average("cost of layers 1 to 7", "base - A7B, random halves",
                 over(seeds, [](const Json& s) { return drop(s, "near"); }), last_layer_costs,
                 "points"),
      on_average(
          "far beyond near",
          fmt::format("drop at n = 7 of the disjoint halves less {} times that of the random "
                      "halves",
                      far_over_near),
          over(seeds,
               [](const Json& s) { return drop(s, "far") - far_over_near * drop(s, "near"); }),
          0, "points"),
      at_most_on_average(
          "tuned layers of the same task", "|mean of BnB+ over n - base|",
          over(seeds, [](const Json& s) { return std::abs(mean(arm(s, "BnB+")) - base(s)); }),
          tuned_selffer, "points"),
      on_average("random layers are worse", "the least of AnB - random, frozen both, n = 3, 5, 7",
                 over(seeds,
                      [](const Json& s) {
                        double least = HUGE_VAL;
                        for (size_t i = 1; i < x.size(); ++i)
                          least = std::min(least, arm(s, "AnB")[i] - arm(s, "random")[i]);
                        return least;
                      }),
                 0, "points"),
      shown("co-adaptation", "base - the least of BnB: frozen layers of the same task",
            over(seeds,
                 [](const Json& s) {
                   const auto self = arm(s, "BnB");
                   return base(s) - *std::min_element(self.begin(), self.end());
                 }),
            "points"),
      shown("tuned transfer", "mean of AnB+ over n - base",
            over(seeds, [](const Json& s) { return mean(arm(s, "AnB+")) - base(s); }), "points"),
      shown("far drop", "base - A7B of the disjoint halves",
            over(seeds, [](const Json& s) { return drop(s, "far"); }), "points")};
  list[0].published = "-.3 points (A1B .6282, base .6251; Yosinski et al. 2014, from their logs)";
  list[2].published = "8.3 points (A7B .5425)";
  list[3].published = "drops of 24.6 and 25.4 points against 8.3";
  list[4].published = "BnB+ .6177 to .6313, base .6251";
  list[5].published = "random layers .4917 at n = 1, .0011 at n = 3 (1,000 classes)";
  list[6].published = "3.2 points, at n = 5";
  list[7].published = "+1.2 to +2.1 points";
  return list;
}

Result judge(const std::vector<Json>& seeds, Budget) {
  Result r;
  r.measures = measures(seeds);
  const double least = [&] {
    double value = HUGE_VAL;
    for (const Json& s : seeds) value = std::min({value, base(s), base(s, "far")});
    return value;
  }();
  int64_t checked = 0;
  bool caught = true;
  for (const Json& s : seeds) {
    checked += s.at("checked").get<int64_t>();
    caught &= s.at("careless").at("caught").get<bool>();
  }
  auto of = [&](const char* name) {
    return mean(
        over(seeds, [=](const Json& s) { return s.at("careless").at(name).get<double>(); }));
  };
  const double a7b = mean(over(seeds, [](const Json& s) { return arm(s, "AnB").back(); }));
  r.controls = {
      {"batch-norm statistics that go on in \"frozen\" layers",
       "every frozen parameter and statistic is compared with its copy, bit by bit, after "
       "training; "
       "and the same network once without holding the statistics, which must be noticed",
       fmt::format("{} tensors compared, none moved; careless A7B: {:.0f} tensors moved, {:.1f} % "
                   "instead of {:.1f}",
                   checked, of("moved"), of("accuracy"), a7b),
       caught && checked > 0},
      {"a new head in one arm only, or another schedule of learning rates",
       "every arm and base is trained by one function, arms start from one new network whose "
       "layers "
       "1 to n are then replaced",
       "by construction", true},
      {"one lucky split", "each seed draws its own halves", fmt::format("{} seeds", seeds.size()),
       seeds.size() > 1},
      {"networks that learned nothing, between which nothing can drop",
       fmt::format("the least base must reach {:.0f} %", base_learned),
       fmt::format("{:.1f} %; chance is 12.5 (near) and 25 (far)", least), least >= base_learned}};
  r.answer = fmt::format(
      "Layer 1 of another task costs {:.1f} points, all seven {:.1f}; when the tasks share neither "
      "outlines nor textures, {:.1f}.",
      mean(over(seeds, [](const Json& s) { return base(s) - arm(s, "AnB")[0]; })),
      mean(r.measures[2].per_seed), mean(r.measures[8].per_seed));
  r.pictures = pictures(seeds);
  conclude(r);
  return r;
}

}  // namespace

Experiment transferability() {
  Experiment e;
  e.number = 3;
  e.name = "transferability";
  e.question = "Are the first layers general and the last ones specific?";
  e.claim =
      "Features of the first layers serve any task of the same kind; the deeper a layer, the "
      "more its features belong to the task it was trained on, and the farther the tasks, the "
      "more so.";
  e.protocol =
      "16 classes, an outline with a texture, of 16 x 16 windows around one part, with stripes "
      "of one direction, of a terrace image; 400 training and 150 test images a class; a ConvNet "
      "of seven convolutions and a head. The classes are split into halves A and B, at random "
      "(each outline and texture twice in each; near) or so that they share neither outlines nor "
      "textures (two of each, four classes; far). For n = 1, 3, 5, 7 a new network gets layers 1 "
      "to n of one trained on A (AnB) or on B (BnB), frozen with their batch-norm statistics, or "
      "tuned (+); or random ones with the statistics of 1,280 images. All are trained on B "
      "alike: AdamW, one cycle to .01, 400 batches of 32. Thresholds are those proposed in the "
      "survey, in points of test accuracy. Drops near and far are of tasks with 8 and 4 classes, "
      "whose chance differs; that makes the far one smaller. The full budget has 5,000 images a "
      "class and 3,000 batches.";
  e.sources = {"Yosinski et al. 2014, How transferable are features in deep neural networks?"};
  e.seeds = 3;
  e.minutes = 1;
  e.memory_mib = 115;
  e.run_seed = run_seed;
  e.judge = judge;
  return e;
}

}  // namespace strata::experiments

// E13: whether a network that learned another task needs fewer examples of a new one (claims 20 and
// 29), and how many fewer: Zeiler and Fergus 2013, tables 4 and 5, where 6 images a class with
// pretraining did as well as 60 without.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/experiments/curve.h"
#include "tools/experiments/list.h"
#include "tools/experiments/part_transfer.h"

namespace strata::experiments {
namespace {

// Thresholds: D1's.
constexpr double near_factor = 10;   // fewer images at equal accuracy
constexpr int64_t equal_at = 64;     // images a class with which scratch sets the accuracy
constexpr double base_learned = 60;  // %, what the pretrained networks must reach on their own task

const std::vector<int64_t> sizes = {1, 2, 4, 8, 16, 64};  // images a class
const std::vector<double> rates = {3e-3, 1e-2};  // tried in every arm, chosen on validation images
const std::vector<const char*> arms = {"scratch", "frozen", "tuned"};

class Bench {
 public:
  Bench(const Context& context, const Split2& tasks, const Parts& train, const Parts& validation,
        const Parts& test)
      : context_(context), tasks_(tasks), train_(train) {
    const bool full = context.budget == Budget::full, lied = context.lie == Lie::shuffled_labels;
    training_ = {.steps = untrained() ? 0
                          : full      ? 3000
                                      : 400,
                 .seed = context.seed,
                 .device = context.device};
    const int64_t all = train.x.size(0);
    validation_ = choose(validation, tasks.b, all);
    test_ = choose(test, tasks.b, all);
    pretrained_ = part_network(static_cast<int64_t>(tasks.a.size()), seed(1));
    fit(*pretrained_, choose(train, tasks.a, all, lied), training_);
    learned_ = score(*pretrained_, choose(test, tasks.a, all), context.device);
  }

  double learned() const { return learned_; }

  // Test accuracy of an arm with `each` images a class, at the rate that validation prefers.
  double accuracy(const std::string& arm, int64_t each) {
    double best = -1, accuracy = 0;
    for (double rate : rates) {
      const std::unique_ptr<Model> net = make(arm, each, rate, {});
      const double found = score(*net, validation_, context_.device);
      if (found <= best) continue;
      best = found;
      accuracy = score(*net, test_, context_.device);
    }
    return accuracy;
  }

  // Validation accuracy along training with the most images there are.
  std::vector<double> course(const std::string& arm, int64_t every) {
    std::vector<double> values;
    Model* watched = nullptr;
    Training t = training_;
    t.look_every = every;
    t.look = [&](int64_t) { values.push_back(score(*watched, validation_, context_.device)); };
    make(arm, sizes.back(), rates.back(), t, &watched);
    return values;
  }

 private:
  bool untrained() const { return context_.lie == Lie::untrained; }
  uint64_t seed(uint64_t which) const { return 10 * context_.seed + which; }

  std::unique_ptr<Model> make(const std::string& arm, int64_t each, double rate,
                              std::optional<Training> given, Model** watched = nullptr) {
    std::unique_ptr<Model> net = part_network(static_cast<int64_t>(tasks_.b.size()), seed(2));
    if (arm != "scratch") copy_up_to(*net, *pretrained_, "conv7");
    transfer::Frozen frozen = arm == "frozen" ? freeze_up_to(*net, "conv7") : transfer::Frozen();
    Training t = given.value_or(training_);
    t.rate = rate;
    if (watched) *watched = net.get();
    fit(*net, choose(train_, tasks_.b, each, context_.lie == Lie::shuffled_labels), t, &frozen,
        context_.lie == Lie::moving_layers);
    return net;
  }

  const Context& context_;
  const Split2 tasks_;
  const Parts& train_;
  Training training_;  // of every network alike
  LabelledParts validation_, test_;
  std::unique_ptr<Model> pretrained_;
  double learned_ = 0;
};

Json run_seed(const Context& context) {
  const bool full = context.budget == Budget::full;
  const Parts train = draw_parts(context.seed, Split::train, full ? 5000 : 400),
              validation = draw_parts(context.seed, Split::validation, full ? 200 : 40),
              test = draw_parts(context.seed, Split::test, full ? 500 : 100);
  Json out;
  double done = 0;
  const double all = 2 * (1 + static_cast<double>(arms.size() * (sizes.size() + 1)));
  for (const char* pair : {"near", "far"}) {
    const Split2 tasks =
        std::string(pair) == "near" ? near_tasks(context.seed) : far_tasks(context.seed);
    context.say(fmt::format("pretraining, {}", pair), done++ / all);
    Bench bench(context, tasks, train, validation, test);
    Json& o = out[pair];
    o["learned"] = bench.learned();
    o["shared"] = std::count_if(tasks.b.begin(), tasks.b.end(), [&](int64_t cell) {
      return std::count(tasks.a.begin(), tasks.a.end(), cell) > 0;
    });
    for (const char* arm : arms) {
      for (int64_t each : sizes) {
        context.say(fmt::format("{}, {}, {} a class", pair, arm, each), done++ / all);
        o[arm].push_back(bench.accuracy(arm, each));
      }
      context.say(fmt::format("{}, {}, its course", pair, arm), done++ / all);
      o["course"][arm] = bench.course(arm, full ? 50 : 10);
    }
  }
  return out;
}

std::vector<double> list_of(const Json& json) { return json.get<std::vector<double>>(); }
double scratch_level(const Json& pair) {
  const auto at = std::find(sizes.begin(), sizes.end(), equal_at) - sizes.begin();
  return pair.at("scratch").at(static_cast<size_t>(at));
}

// Where a curve over sizes first reaches `level`, with the measured sizes around it: a straight
// line over log2 of the size between them. Reached by the first size: that one, as a bound. Never:
// infinite.
struct Crossing {
  double at, low, high;
};
Crossing crossing(const std::vector<double>& accuracy, double level) {
  auto size = [](size_t i) { return static_cast<double>(sizes[i]); };
  for (size_t i = 0; i < accuracy.size(); ++i) {
    if (accuracy[i] < level) continue;
    if (i == 0) return {size(0), 0, size(0)};
    const double share = (level - accuracy[i - 1]) / (accuracy[i] - accuracy[i - 1]);
    return {std::exp2(std::log2(size(i - 1)) + share * std::log2(size(i) / size(i - 1))),
            size(i - 1), size(i)};
  }
  return {HUGE_VAL, size(accuracy.size() - 1), HUGE_VAL};
}
// log10 of the images that scratch needs over those that the arm needs; -log10 of the sizes' range
// where the arm never gets there.
double log_factor(const Json& pair, const char* arm) {
  const double needed = crossing(list_of(pair.at(arm)), scratch_level(pair)).at;
  const double most = static_cast<double>(sizes.back());
  return std::log10(static_cast<double>(equal_at) / std::min(needed, 2 * most));
}
// log10 of scratch's steps to its own final accuracy over the arm's steps to the same; the whole
// course, and one look more, where the arm never gets there.
double log_steps(const Json& pair, const char* arm) {
  const auto scratch = list_of(pair.at("course").at("scratch")),
             other = list_of(pair.at("course").at(arm));
  if (scratch.empty()) return 0;
  auto steps = [&](const std::vector<double>& course) {
    const double level = scratch.back();
    const auto found =
        std::find_if(course.begin(), course.end(), [=](double v) { return v >= level; });
    return static_cast<double>(found - course.begin() + 1);
  };
  return std::log10(steps(scratch) / steps(other));
}

using Of = std::function<double(const Json&)>;
std::vector<double> over(const std::vector<Json>& seeds, const Of& of) {
  std::vector<double> values;
  for (const Json& seed : seeds) values.push_back(of(seed));
  return values;
}
// The better of the frozen and the tuned network, over all seeds.
std::vector<double> better_factor(const std::vector<Json>& seeds, const char* pair) {
  return over(seeds, [=](const Json& s) {
    return std::max(log_factor(s.at(pair), "frozen"), log_factor(s.at(pair), "tuned"));
  });
}

draw::LineChart chart(const std::vector<Json>& seeds, const char* pair) {
  std::vector<double> x;
  for (int64_t size : sizes) x.push_back(std::log2(static_cast<double>(size)));
  draw::LineChart chart{{}, "log2 of images a class", "test accuracy, %"};
  for (const char* arm : arms) {
    draw::Curve curve{arm, {}, {}};
    for (size_t i = 0; i < sizes.size(); ++i) {
      const auto values = over(seeds, [=](const Json& s) { return s.at(pair).at(arm).at(i); });
      add_mean(curve, x[i], values);
    }
    chart.curves.push_back(curve);
  }
  return chart;
}

std::string times(const std::vector<double>& logs) {
  const Interval i = bootstrap_mean(logs);
  return fmt::format("{:.1f} ({:.1f} to {:.1f})", std::pow(10, mean(logs)), std::pow(10, i.low),
                     std::pow(10, i.high));
}

Result judge(const std::vector<Json>& seeds, Budget) {
  Result r;
  const auto near = better_factor(seeds, "near"), far = better_factor(seeds, "far");
  r.measures = {
      on_average("fewer images, near",
                 "log10 of 64 over the images a class with which the transferred network (the "
                 "better of frozen and tuned) does as well as scratch with 64",
                 near, std::log10(near_factor), "log10"),
      shown("fewer images, far", "the same, disjoint outlines and textures", far, "log10")};
  r.measures[0].published =
      "6 images a class pretrained beat the best other method with 60 (Zeiler and Fergus 2013)";
  for (const char* pair : {"near", "far"})
    for (const char* arm : {"frozen", "tuned"}) {
      r.measures.push_back(
          shown(fmt::format("{}, {}", pair, arm), "the same of one way of transfer",
                over(seeds, [=](const Json& s) { return log_factor(s.at(pair), arm); }), "log10"));
      r.measures.push_back(
          shown(fmt::format("fewer steps, {}, {}", pair, arm),
                "log10 of scratch's steps to its final accuracy with 64 a class over the steps to "
                "the same",
                over(seeds, [=](const Json& s) { return log_steps(s.at(pair), arm); }), "log10"));
    }
  double shared = 0, least = HUGE_VAL, bounds = 0;
  for (const Json& s : seeds)
    for (const char* pair : {"near", "far"}) {
      shared += s.at(pair).at("shared").get<double>();
      least = std::min(least, s.at(pair).at("learned").get<double>());
    }
  for (const Json& s : seeds) {
    const double level = scratch_level(s.at("near"));
    bounds += std::min(crossing(list_of(s.at("near").at("frozen")), level).low,
                       crossing(list_of(s.at("near").at("tuned")), level).low) == 0;
  }
  const double gain = mean(over(seeds, [](const Json& s) {
    return scratch_level(s.at("near")) - s.at("near").at("scratch").at(0).get<double>();
  }));
  r.controls = {
      {"scratch that was not tuned for few images",
       "every arm at every size tries the same learning rates and takes what validation prefers; "
       "scratch must learn from more images",
       fmt::format("scratch gains {:.1f} points from 1 to 64 a class", gain), gain >= 10},
      {"classes of the new task in pretraining", "the tasks share no class",
       fmt::format("{:.0f} shared", shared), shared == 0},
      {"factors beyond what was measured",
       "a curve that is above already with one image counts as one image: a lower bound",
       fmt::format("{:.0f} of {} seeds are at that bound; no factor can exceed 64", bounds,
                   seeds.size()),
       true},
      {"pretraining that learned nothing",
       fmt::format("each pretrained network reaches {:.0f} % on its own task", base_learned),
       fmt::format("at least {:.1f} %", least), least >= base_learned}};
  r.answer = fmt::format(
      "A network that knows other classes of the same outlines and textures needs {} times fewer "
      "images of new ones, one that knows other outlines and textures {} times fewer (95 % "
      "intervals).",
      times(near), times(far));
  NamedFigure figure{"accuracy-by-images",
                     "Test accuracy on the new task by images a class, from scratch and with the "
                     "layers of a network pretrained on the other half. Bands: 95 % bootstrap "
                     "intervals of the mean over seeds.",
                     {}};
  figure.figure.title = "What pretraining is worth, in images";
  figure.figure.panel_size = 220;
  figure.figure.rows.push_back(
      {.panels = {{"Near: random halves", chart(seeds, "near")},
                  {"Far: other outlines and textures", chart(seeds, "far")}}});
  r.pictures = {figure};
  conclude(r);
  if (r.verdict == Verdict::not_supported) r.answer = "Not shown: " + r.why;
  return r;
}

}  // namespace

Experiment transfer_saves_data() {
  Experiment e;
  e.number = 13;
  e.name = "transfer-saves-data";
  e.question = "How many examples does a network save that has learned something else before?";
  e.claim =
      "With features of another task a network needs ten times fewer examples of a new one, the "
      "more so the nearer the tasks.";
  e.protocol =
      "Images, classes, halves (near and far) and network as in E3. Pretraining on half A: 400 "
      "batches of 32 from 400 images a class. Then half B from 1, 2, 4, 8, 16 and 64 images a "
      "class: from scratch, with all seven convolutions of A frozen with their statistics, or "
      "tuned; 400 batches of at most 32, AdamW over one cycle to .003 or .01, whichever does "
      "better on 40 validation images a class, in every arm. The factor is 64 over the images a "
      "class at which the transferred network, interpolated over log2 of the size, does as well "
      "on 100 test images a class as scratch does with 64. The threshold is the survey's "
      "proposal, for the geometric mean over seeds. The full budget has 5,000 images a class for "
      "pretraining and 3,000 batches.";
  e.sources = {"Zeiler and Fergus 2013, Visualizing and understanding convolutional networks",
               "Yosinski et al. 2014, How transferable are features in deep neural networks?"};
  e.seeds = 5;
  e.minutes = 9.6;
  e.memory_mib = 114;
  e.run_seed = run_seed;
  e.judge = judge;
  return e;
}

}  // namespace strata::experiments

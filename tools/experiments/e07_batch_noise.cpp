// E7: whether the noise of small batches regularises and large batches hurt (claim 14).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/optim/optimizer.h"
#include "models/vision/mlp.h"
#include "tools/experiments/batch_noise.h"
#include "tools/experiments/list.h"
#include "tools/experiments/pooled_images.h"
#include "tools/introspect/curvature/sharpness.h"

namespace strata::experiments {
namespace {

constexpr double variance_within = 0.03;  // of the closed form, relative (D1)
constexpr double r2_gain = 0.2;           // of rate / batch over batch (D1)
constexpr double least_gap =
    0.01;                        // of accuracy, that counts as one: half of Keskar's least on CIFAR
constexpr double sharper = 0.2;  // log2 of a ratio of sharpness, about 15 %

const std::vector<Quadratic> quadratics = {{0.1, 1, 1, 1}, {0.1, 1, 8, 1}, {0.5, 2, 4, 1}};
const std::vector<double> rates = {0.05, 0.1, 0.2, 0.4};
const std::vector<int64_t> batches = {4, 16, 64, 256};
constexpr int64_t small_batch = 8, large_batch = 200;
// The first is the small batch's, too.
const std::vector<double> large_rates = {0.1, 0.2, 0.4, 0.8, 1.6};
constexpr int starts = 4;             // networks an arm
constexpr double same_loss = 0.02;    // of training, at which sharpness is compared
constexpr double noisy_labels = 0.3;  // share of random ones: what there is to over-fit

struct Data {
  PooledImages train, validation, test;
  int64_t width = 64;
  Device device = Device::cpu;
};

Data data_of(const Context& context) {
  const bool full = context.budget == Budget::full, lied = context.lie == Lie::shuffled_labels;
  const int64_t count = full ? 4000 : 400;
  auto images = [&](Split split, int64_t n, double share) {
    PooledImages set = pooled_terrace("outline", split, context.seed, n, share);
    return PooledImages{set.x.to(context.device), set.y.to(context.device), set.classes};
  };
  return {images(Split::train, count, lied ? 1 : noisy_labels), images(Split::validation, 4000, 0),
          images(Split::test, 8000, 0), full ? 256 : 64, context.device};
}

// An MLP trained by plain SGD for `steps` batches, each epoch in an order of its own; `look` sees
// it every 20 steps.
std::unique_ptr<Mlp> train(const Data& data, double rate, int64_t batch, int64_t steps,
                           uint64_t seed, const std::function<void(Mlp&)>& look = {}) {
  manual_seed(seed);
  auto net = std::make_unique<Mlp>(MlpOptions{
      .inputs = data.train.x.size(1), .hidden = {data.width}, .classes = data.train.classes});
  net->to(data.device);
  SGD sgd(net->parameters(), {.learning_rate = rate});
  Generator order(seed);
  const int64_t count = data.train.y.numel();
  Tensor rows;
  for (int64_t step = 0, at = count; step < steps; ++step, at += batch) {
    if (at + batch > count) {
      rows = randperm(count, &order).to(data.device);
      at = 0;
    }
    const Tensor pick = rows.slice(0, at, at + batch);
    sgd.zero_grad();
    cross_entropy((*net)(index_select(data.train.x, 0, pick)), index_select(data.train.y, 0, pick))
        .backward();
    sgd.step();
    if (look && step % 20 == 19) look(*net);
  }
  return net;
}

double accuracy(Mlp& net, const PooledImages& images) {
  NoGrad off;
  return accuracy_of(net(images.x).to(Device::cpu), images.y.to(Device::cpu));
}
double loss_of(Mlp& net, const PooledImages& images) {
  NoGrad off;
  return cross_entropy(net(images.x), images.y).item();
}
introspect::Sharpness sharpness_of(Mlp& net, const PooledImages& images) {
  return introspect::sharpness(
      introspect::objective_of(net, [&] { return cross_entropy(net(images.x), images.y); }));
}

Json quadratic(const Context& context) {
  Json out;
  Generator generator(context.seed);
  for (const Quadratic& q : quadratics) {
    const double exact = stationary_variance(q);
    // An untrained chain has not left 0.
    const double measured =
        context.lie == Lie::untrained ? 0 : measured_variance(q, 20000, 8, generator);
    out["exact"].push_back(exact);
    out["measured"].push_back(measured);
  }
  return out;
}

// Every cell is trained for the same time, rate * steps, so that only the noise differs.
Json grid(const Context& context, const Data& data) {
  const double time = context.lie == Lie::untrained ? 0 : 150;
  Json out;
  std::vector<double> noise, size, test;
  for (double rate : rates) {
    for (int64_t batch : batches) {
      context.say("grid of rates and batches", 0.1 + 0.04 * static_cast<double>(test.size()));
      const auto net = train(data, rate, batch, std::lround(time / rate), context.seed);
      noise.push_back(std::log2(rate / static_cast<double>(batch)));
      size.push_back(std::log2(static_cast<double>(batch)));
      test.push_back(accuracy(*net, data.test));
      out["loss"].push_back(loss_of(*net, data.train));
    }
  }
  out["log2_noise"] = noise;
  out["log2_batch"] = size;
  out["test"] = test;
  out["r2_noise"] = parabola_r2(noise, test);
  out["r2_batch"] = parabola_r2(size, test);
  return out;
}

// Means over networks that start elsewhere and see the images in another order. Sharpness is that
// of the first look at which the training loss is at most same_loss, or of the end.
struct Arm {
  double validation = 0, test = 0, loss = 0;
  double log2_top = 0, log2_adaptive = 0, loss_there = 0;
};
Arm arm(const Context& context, const Data& data, double rate, int64_t batch, int64_t steps) {
  Arm all;
  for (int start = 0; start < starts; ++start) {
    double loss = HUGE_VAL;
    introspect::Sharpness sharp;
    auto look = [&](Mlp& net) {
      if (loss <= same_loss) return;
      loss = loss_of(net, data.train);
      if (loss <= same_loss) sharp = sharpness_of(net, data.train);
    };
    const auto net =
        train(data, rate, batch, steps, context.seed + 1000 * static_cast<uint64_t>(start), look);
    if (!(loss <= same_loss)) sharp = sharpness_of(*net, data.train);
    all.validation += accuracy(*net, data.validation) / starts;
    all.test += accuracy(*net, data.test) / starts;
    all.loss += loss_of(*net, data.train) / starts;
    all.log2_top += std::log2(sharp.top) / starts;
    all.log2_adaptive += std::log2(sharp.adaptive_top) / starts;
    all.loss_there += (std::isfinite(loss) ? loss : loss_of(*net, data.train)) / starts;
  }
  return all;
}

// What the eigenvalues become when the first layer is multiplied by 4 and the second by 1/4, which
// leaves the function as it is.
Json rescaled(const Context& context, const Data& data) {
  const auto net = train(data, large_rates[0], small_batch, 100, context.seed);
  const introspect::Sharpness before = sharpness_of(*net, data.train);
  {
    NoGrad off;
    const std::vector<Tensor> p = net->parameters();
    mul_(p[0], 4), mul_(p[1], 4), mul_(p[2], 0.25);
  }
  const introspect::Sharpness after = sharpness_of(*net, data.train);
  return {{"top", after.top / before.top}, {"adaptive", after.adaptive_top / before.adaptive_top}};
}

// Small against large batches: after as many epochs at the same rate, and after as many steps at
// the rate that does best on validation images.
Json gap(const Context& context, const Data& data) {
  const int64_t epochs = context.lie == Lie::untrained ? 0 : 60, count = data.train.y.numel();
  const int64_t steps = epochs * count / small_batch;
  context.say("small batches", 0.6);
  const Arm small = arm(context, data, large_rates[0], small_batch, steps),
            short_run =
                arm(context, data, large_rates[0], large_batch, epochs * count / large_batch);
  std::vector<Arm> large;
  for (double rate : large_rates) {
    context.say("large batches", 0.65 + 0.07 * static_cast<double>(large.size()));
    large.push_back(arm(context, data, rate, large_batch, steps));
  }
  size_t best = 0;
  for (size_t i = 1; i < large.size(); ++i)
    if (large[i].validation > large[best].validation) best = i;
  return {{"small", small.test},
          {"same_epochs", short_run.test},
          {"same_steps", large[best].test},
          {"rate", large_rates[best]},
          {"small_loss", small.loss},
          {"same_epochs_loss", short_run.loss},
          {"same_steps_loss", large[best].loss},
          {"loss_there", {small.loss_there, large[best].loss_there, large[0].loss_there}},
          {"log2_top", large[best].log2_top - small.log2_top},
          {"log2_adaptive", large[best].log2_adaptive - small.log2_adaptive},
          {"log2_top_same_rate", large[0].log2_top - small.log2_top},
          {"log2_adaptive_same_rate", large[0].log2_adaptive - small.log2_adaptive},
          {"rescaled", rescaled(context, data)}};
}

Json run_seed(const Context& context) {
  if (context.lie == Lie::moving_layers)
    fail("experiment", Caller::here(), "batch-noise freezes no layers that could move");
  context.say("quadratic", 0);
  Json out{{"quadratic", quadratic(context)}};
  const Data data = data_of(context);
  out["grid"] = grid(context, data);
  out["gap"] = gap(context, data);
  return out;
}

std::vector<NamedFigure> pictures(const std::vector<Json>& seeds) {
  NamedFigure collapse{"collapse",
                       "Accuracy on new images over a grid of rates and batch sizes, means over "
                       "seeds, a curve a rate. Every cell was trained for the same rate * steps. "
                       "Left against rate / batch, right against the batch alone: where one "
                       "quantity decides, the curves lie on each other.",
                       {}};
  draw::LineChart by_noise{{}, "log2 of rate / batch", "accuracy"};
  draw::LineChart by_batch{{}, "log2 of batch", "accuracy"};
  for (size_t r = 0; r < rates.size(); ++r) {
    draw::Curve a{fmt::format("rate {:g}", rates[r]), {}, {}}, b = a;
    for (size_t i = r * batches.size(); i < (r + 1) * batches.size(); ++i) {
      std::vector<double> test;
      for (const Json& s : seeds) test.push_back(s.at("grid").at("test").at(i));
      a.x.push_back(seeds[0].at("grid").at("log2_noise").at(i));
      b.x.push_back(seeds[0].at("grid").at("log2_batch").at(i));
      a.y.push_back(mean(test)), b.y.push_back(mean(test));
    }
    by_noise.curves.push_back(a), by_batch.curves.push_back(b);
  }
  collapse.figure.title = "What decides: rate / batch, or the batch?";
  collapse.figure.rows.push_back(
      {.panels = {{"Against rate / batch", by_noise}, {"Against batch", by_batch}}});
  return {collapse};
}

Result judge(const std::vector<Json>& seeds, Budget) {
  auto over = [&](const std::function<double(const Json&)>& at) {
    std::vector<double> values;
    for (const Json& s : seeds) values.push_back(at(s));
    return values;
  };
  auto of = [&](const char* part, const char* name) {
    return over([=](const Json& s) { return s.at(part).at(name).get<double>(); });
  };
  auto minus = [](std::vector<double> a, const std::vector<double>& b) {
    for (size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
    return a;
  };
  const std::vector<double> small = of("gap", "small"), epochs = of("gap", "same_epochs"),
                            steps = of("gap", "same_steps");
  Result r;
  r.measures = {
      at_most_in_every_seed("variance at rest",
                            "relative error of the variance of SGD on a parabola against eta s^2 / "
                            "(B h (2 - eta h)), the worst of three settings",
                            over([](const Json& s) {
                              double worst = 0;
                              const Json& q = s.at("quadratic");
                              for (size_t i = 0; i < q.at("exact").size(); ++i) {
                                const double exact = q.at("exact").at(i);
                                worst = std::max(
                                    worst,
                                    std::abs(q.at("measured").at(i).get<double>() - exact) / exact);
                              }
                              return worst;
                            }),
                            variance_within),
      on_average("gain of rate / batch",
                 "R^2 of test accuracy by a parabola in log(rate / batch), less that by one in "
                 "log(batch)",
                 minus(of("grid", "r2_noise"), of("grid", "r2_batch")), r2_gain),
      on_average("gap at the same epochs",
                 "test accuracy with batches of 8 less that with 200, same rate and epochs",
                 minus(small, epochs), least_gap),
      on_average("gap at the same steps",
                 "the same after as many steps, the large batch at its best rate",
                 minus(small, steps), least_gap),
      on_average("large batch ends sharper",
                 "log2 of the largest Hessian eigenvalue, large batch at its best rate over small, "
                 "each when its training loss first is .02",
                 of("gap", "log2_top"), sharper),
      on_average("sharper in units of the weights",
                 "the same for |w| H |w|, which rescaling layers does not change",
                 of("gap", "log2_adaptive"), sharper),
      shown("R^2 of rate / batch", "of the parabola in log(rate / batch)", of("grid", "r2_noise")),
      shown("R^2 of batch", "of the parabola in log(batch)", of("grid", "r2_batch")),
      shown("sharper at the same rate", "log2 of the largest eigenvalue, both at rate .1",
            of("gap", "log2_top_same_rate")),
      shown("the same in units of the weights", "both at rate .1",
            of("gap", "log2_adaptive_same_rate")),
      shown("best rate of the large batch", "on validation images", of("gap", "rate"))};
  // A difference counts only where the interval of its mean is above 0 as well.
  for (size_t i : {2, 3, 4, 5}) {
    Measure& m = r.measures[i];
    m.threshold += ", its 95 % interval above 0";
    m.passed = m.passed && bootstrap_mean(m.per_seed).low > 0;
  }
  r.measures[2].published =
      "Keskar et al. 2017, test %: F1 98.03/97.81, F2 64.02/59.45, C1 80.04/77.26, C2 "
      "89.24/87.26, C3 49.58/46.45, C4 63.08/57.81 (small/large batch)";
  {
    const Paired a = paired(small, epochs), b = paired(small, steps);
    const std::vector<double> p = holm({a.p, b.p});
    r.measures[2].effect = a.effect, r.measures[2].p = p[0];
    r.measures[3].effect = b.effect, r.measures[3].p = p[1];
  }
  double top = 0, adaptive = 0;
  for (const Json& s : seeds) {
    auto log_ratio = [&](const char* name) {
      const Json& value = s.at("gap").at("rescaled").at(name);
      return value.is_null() ? HUGE_VAL : std::abs(std::log(value.get<double>()));
    };
    top = std::max(top, log_ratio("top"));
    adaptive = std::max(adaptive, log_ratio("adaptive"));
  }
  double least_there = HUGE_VAL, most_there = 0;
  for (const Json& s : seeds)
    for (double loss : s.at("gap").at("loss_there"))
      least_there = std::min(least_there, loss), most_there = std::max(most_there, loss);
  const double most = mean(over([](const Json& s) {
    const auto test = s.at("grid").at("test").get<std::vector<double>>();
    return *std::max_element(test.begin(), test.end());
  }));
  const double small_loss = mean(of("gap", "small_loss")),
               epochs_loss = mean(of("gap", "same_epochs_loss")),
               steps_loss = mean(of("gap", "same_steps_loss"));
  r.controls = {
      {"comparing at equal epochs only, where large batches make fewer steps",
       "compared again after as many steps, at a rate chosen on validation images",
       fmt::format("training loss {:.2f} (small), {:.2f} (large, same epochs), {:.2f} (large, same "
                   "steps)",
                   small_loss, epochs_loss, steps_loss),
       steps_loss <= epochs_loss},
      {"cells of the grid trained for unequal time", "steps = 150 / rate in every cell",
       "rate * steps is 150 in all sixteen", true},
      {"sharpness that only says how large the layers are",
       "the largest eigenvalue in units of the weights, and both again after scaling the layers by "
       "4 and 1/4, the same function",
       fmt::format("the plain one changes by a factor {:.1f}, the other by {:.3f}", std::exp(top),
                   std::exp(adaptive)),
       adaptive <= 0.02},
      {"comparing where one loss is lower, for the Hessian of cross entropy falls with it",
       "sharpness is taken when the training loss first is .02",
       fmt::format("losses there are {:.3f} to {:.3f}", least_there, most_there),
       least_there >= same_loss / 2 && most_there <= same_loss},
      {"a network that learns nothing", "the best cell of the grid on new images",
       fmt::format("{:.2f}, chance .25", most), most >= 0.4}};
  r.answer = fmt::format(
      "The noise of batches follows rate / batch (R^2 {:.2f}; batch alone {:.2f}); small batches "
      "are {:+.1f} points better after the same epochs and {:+.1f} after the same steps.",
      mean(r.measures[6].per_seed), mean(r.measures[7].per_seed),
      100 * mean(r.measures[2].per_seed), 100 * mean(r.measures[3].per_seed));
  r.pictures = pictures(seeds);
  conclude(r);
  if (r.verdict == Verdict::not_supported) r.answer = "Not shown: " + r.why;
  return r;
}

}  // namespace

Experiment batch_noise() {
  Experiment e;
  e.number = 7;
  e.name = "batch-noise";
  e.question = "Does the noise of small batches help, and do large batches hurt?";
  e.claim =
      "Small batches add noise of the size rate / batch, which regularises: large batches end in "
      "sharper minima and do worse on new data.";
  e.protocol =
      "(a) SGD on a parabola with noisy gradients, 20,000 chains, three settings of rate, "
      "curvature "
      "and batch. (b) An MLP (64 units) on 400 outlines of 8 x 8 x 3 means of pixels, 30 % of the "
      "labels random so that there is something to over-fit; rates .05 to .4 and batches 4 to 256, "
      "each for rate * steps = 150, scored on 8,000 images with true labels. (c) Batches of 8 "
      "against 200, means over four networks, at rate .1 for 60 epochs, and for the same 3,000 "
      "steps with the rate of the large batch chosen among .1 to 1.6 on 4,000 validation images; "
      "the largest eigenvalue of the Hessian of the training loss by Lanczos, plain and in units "
      "of "
      "the weights, when that loss first is .02. Differences are paired by seed, sign-flip test, "
      "Holm over both gaps. A first run (seeds 1 to 5) had one network an arm, 2,000 images, rates "
      "up to .4 and took sharpness at the end, where losses differed; it met four thresholds, its "
      "repeat three. Thresholds are D1's; that of a gap is "
      "one point and that of sharpness 15 %, "
      "each with an interval above 0. The full budget has 4,000 images and 256 units.";
  e.sources = {
      "Keskar et al. 2017, On large-batch training for deep learning",
      "Smith and Le 2018, A Bayesian perspective on generalization and stochastic gradient descent",
      "Dinh et al. 2017, Sharp minima can generalize for deep nets",
      "Mandt, Hoffman and Blei 2017, Stochastic gradient descent as approximate Bayesian "
      "inference"};
  e.minutes = 1.1;  // of processor time; the cores were shared
  e.memory_mib = 200;
  e.run_seed = run_seed;
  e.judge = judge;
  return e;
}

}  // namespace strata::experiments

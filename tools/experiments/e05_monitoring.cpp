// E5: what can be told of a training from its monitors (claims 18, 22, 28, 35): the probe that
// stops rising before the network has learned its noise by heart, the head that is never
// overworked, and drift scores that need no labels.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "models/vision/convnet.h"
#include "tools/experiments/curve.h"
#include "tools/experiments/list.h"
#include "tools/experiments/monitored_images.h"
#include "tools/introspect/representation/code_length.h"
#include "tools/introspect/representation/drift.h"
#include "tools/introspect/representation/features.h"
#include "tools/introspect/representation/shape.h"
#include "tools/introspect/representation/similarity.h"
#include "tools/study/monitor.h"

namespace strata::experiments {
namespace {

// Thresholds as proposed before anything was run here.
constexpr double most_head_gain = 0;       // loss of the best head over that of the network's own
constexpr double least_lead = 5;           // epochs from the probe's peak to `memorised`
constexpr double memorised = 0.95;         // training accuracy
constexpr double most_rise = 0.01;         // of the probe after its peak: falls or stays flat
constexpr double learned_by_heart = 0.99;  // training accuracy on random labels
constexpr double near_chance = 0.03;       // three standard errors on 2,000 images
constexpr double least_order = 0.9;        // Spearman of severity and score
constexpr double least_area = 0.95;        // under the ROC curve at severity 3
constexpr double most_false_alarms = 0.05;
constexpr double most_time = 0.1;  // of monitoring over training
// Set on seed 101.
constexpr double least_better_layer = 0.02;   // best layer over the last, random labels
constexpr double learned = 0.9;               // test accuracy without noise
constexpr double most_clean_fall = 0.02;      // of the probe after its peak, without noise
constexpr double most_texture_alarms = 0.05;  // share of batches, over that of clean ones
constexpr double most_shuffled = 0.06;        // of probes for shuffled labels over chance

const std::vector<double> noises = {0, 0.2, 0.4, 1};
constexpr size_t clean = 0, noisy = 2, random_labels = 3;
const std::vector<std::string> factors = {"outline_above", "outline_below", "texture_above", "hue"};
const std::string penultimate = "pool";  // what the head sees
constexpr int64_t classes = 4, alarm_batch = 50, stream_batches = 20, severities = 6;
constexpr int64_t look_every = 2;  // epochs
constexpr double alarm_rate = 0.02;

struct Sizes {
  int64_t images, epochs, batch, probe_train, probe_validation, test, drift_clean;
  std::vector<int64_t> widths;
};
Sizes sizes_of(Budget budget) {
  if (budget == Budget::full)
    return {2000, 120, 50, 2000, 2000, 4000, 8000, {32, 64, 64, 128, 128, 256}};
  return {2000, 40, 50, 300, 700, 2000, 2000, {16, 32, 32, 64, 64, 128}};
}

// Image sets of a seed that share no image.
enum class Part : uint64_t { train, held_out, test, drift_clean, drift_stream };
HalvedTerrace images_of(const Context& context, Part part, int64_t count) {
  return {Terrace(terrace_task("outline"), context.seed, count,
                  static_cast<uint64_t>(part) * 1'000'000),
          factors};
}
Images all_of(const Dataset& data) {
  return {data.head(data.size()), data.factors, data.classes()};
}

double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

Tensor parameter(const Model& model, const std::string& name) {
  for (const auto& [found, tensor] : model.named_parameters())
    if (found == name) return tensor.detach();
  fail("experiment", Caller::here(), "the network has no parameter {}", name);
}
Tensor penultimate_features(Model& model, const Tensor& images) {
  return layer_features(model, images, {penultimate}).at(penultimate);
}

// What the monitor wrote, by factor: a row a look, a column a layer.
Json read_probes(const std::filesystem::path& file, const std::string& control) {
  Json out;
  std::ifstream lines(file);
  int64_t step = -1;
  for (std::string text; std::getline(lines, text);) {
    const Json line = Json::parse(text);
    if (line.at("kind") != "probe" || line.at("control") != control) continue;
    if (line.at("step") != step)
      for (const std::string& factor : factors) out[factor].push_back(Json::array());
    step = line.at("step");
    out[line.at("factor").get<std::string>()].back().push_back(line.at("accuracy"));
  }
  return out;
}

TrainingOptions training_of(const Context& context, const Sizes& sizes) {
  TrainingOptions options;
  const int64_t per_epoch = sizes.images / sizes.batch;
  options.steps = context.lie == Lie::untrained ? 0 : sizes.epochs * per_epoch;
  options.batch = sizes.batch;
  options.learning_rate = 3e-3;
  options.seed = context.seed;
  options.device = context.device;
  for (int64_t step = 0; step <= options.steps; step += look_every * per_epoch)
    options.watched.push_back(step);
  return options;
}

// What the last features say at the end of training.
void add_readings(const Images& own, const Images& held_out, Model& model, Json& numbers) {
  // The careless probe: fitted to and scored on the network's own images and labels.
  const Tensor x = penultimate_features(model, own.batch.images);
  const std::vector<int64_t> labels = own.batch.labels.to_vector<int64_t>();
  const auto careless = introspect::fit_logistic(x, {{classes, labels}}).front();
  numbers["probe_on_training"] =
      introspect::accuracy(matmul(x, careless.weight) + careless.bias, labels);
  // What the class of an image costs, in bits, for a reader who learns it from these features.
  numbers["code_bits"] =
      introspect::code_length(penultimate_features(model, held_out.batch.images),
                              {classes, held_out.batch.labels.to_vector<int64_t>()})
          .bits /
      static_cast<double>(held_out.count());
}

struct Watched {
  std::unique_ptr<ConvNet> model;
  Json numbers;
};
// A network that learns `share` noise, looked at every few epochs by the monitor of `strata study`
// and, for the curves beside it, by its accuracy on its own images and on new ones.
Watched watched_training(const Context& context, const Sizes& sizes, double share,
                         const std::vector<std::string>& layers) {
  Images images =
      with_noisy_labels(all_of(images_of(context, Part::train, sizes.images)), share, context.seed);
  if (context.lie == Lie::shuffled_labels) images = with_shuffled_labels(images, context.seed);
  const Images test = all_of(images_of(context, Part::test, sizes.test));
  const HalvedTerrace held_out =
      images_of(context, Part::held_out, sizes.probe_train + sizes.probe_validation);
  const std::filesystem::path folder = context.folder / fmt::format("noise-{:g}", share);
  study::MonitorOptions seen;
  seen.probe_train = sizes.probe_train;
  seen.probe_validation = sizes.probe_validation;
  seen.gram_examples = 50;
  seen.code_size = 32;
  seen.grid = 2;
  study::Monitor monitor(held_out, layers, seen, folder);
  study::MetricsLog log(folder / "metrics.jsonl", 0);

  manual_seed(context.seed);
  Watched w{std::make_unique<ConvNet>(
                ConvNetOptions{.classes = classes, .widths = sizes.widths, .halve = {1, 2, 4}}),
            {}};
  TrainingOptions options = training_of(context, sizes);
  const int64_t per_epoch = sizes.images / sizes.batch;
  const std::vector<int64_t> labels = images.batch.labels.to_vector<int64_t>();
  double monitoring = 0, looking = 0;
  options.watch = [&](int64_t step) {
    const double start = processor_seconds();
    monitor.observe(*w.model, step, log);
    const double between = processor_seconds();
    w.numbers["epoch"].push_back(static_cast<double>(step) / static_cast<double>(per_epoch));
    w.numbers["train"].push_back(accuracy(*w.model, images));
    w.numbers["test"].push_back(accuracy(*w.model, test));
    if (step % (10 * per_epoch) == 0) {
      const HeadLoss head =
          head_loss(penultimate_features(*w.model, images.batch.images), labels,
                    parameter(*w.model, "head.weight"), parameter(*w.model, "head.bias"));
      w.numbers["head"]["own"].push_back(head.own);
      w.numbers["head"]["best"].push_back(head.best);
    }
    monitoring += between - start;
    looking += processor_seconds() - between;
  };
  const double start = processor_seconds();
  train(*w.model, images, options);
  w.numbers["training_seconds"] = processor_seconds() - start - monitoring - looking;
  w.numbers["monitoring_seconds"] = monitoring;
  w.numbers["probe"] = read_probes(folder / "metrics.jsonl", "trained");
  monitor.observe_shuffled(*w.model, options.steps, log);
  w.numbers["shuffled"] = read_probes(folder / "metrics.jsonl", "shuffled");
  std::filesystem::remove_all(folder);
  add_readings(images, all_of(held_out), *w.model, w.numbers);
  return w;
}

struct ShiftInfo {
  terrace::Shift shift;
  const char* name;
};
// The first two decide. Hue returns at severity 5, which is the next of the eight hues; swapped
// textures are as frequent as before, so nothing may ring.
const std::vector<ShiftInfo> shifts = {{terrace::Shift::noise, "noise"},
                                       {terrace::Shift::blur, "blur"},
                                       {terrace::Shift::hue, "hue"},
                                       {terrace::Shift::texture, "texture"}};

// Scores of the last features under shifts, by severity: means over batches, areas, alarms; with
// the accuracy and the confidence that go with them.
Json drift(const Context& context, const Sizes& sizes, ConvNet& model) {
  NoGrad off;
  const Tensor reference = penultimate_features(
      model,
      images_of(context, Part::drift_clean, sizes.drift_clean).head(sizes.drift_clean).images);
  const auto components = introspect::principal_components(reference, 32);
  const introspect::DriftMonitor monitor(introspect::project(reference, components, true),
                                         {.batch = alarm_batch, .rate = alarm_rate});
  const HalvedTerrace stream = images_of(context, Part::drift_stream, alarm_batch * stream_batches);
  struct Scores {
    std::vector<double> mmd, mahalanobis;
    double rings = 0, accuracy = 0, confidence = 0;
    Tensor features;
  };
  auto scored = [&](const Dataset& data) {
    Scores s;
    const Batch batch = data.head(data.size());
    s.features = penultimate_features(model, batch.images);
    const Tensor logits = matmul(s.features, parameter(model, "head.weight").transpose(0, 1)) +
                          parameter(model, "head.bias");
    s.accuracy = introspect::accuracy(logits, batch.labels.to_vector<int64_t>());
    s.confidence = mean(max(softmax(logits, 1), {1})).item();
    const Tensor x = introspect::project(s.features, components, true);
    for (int64_t i = 0; i < stream_batches; ++i) {
      const auto report = monitor.score(x.slice(0, i * alarm_batch, (i + 1) * alarm_batch));
      s.mmd.push_back(report.mmd.value);
      s.mahalanobis.push_back(report.mahalanobis.value);
      s.rings += (report.mmd.alarm + report.mahalanobis.alarm) / (2.0 * stream_batches);
    }
    return s;
  };
  const Scores none = scored(stream);
  Json out;
  for (const ShiftInfo& s : shifts) {
    Json& o = out[s.name];
    for (int severity = 0; severity < severities; ++severity) {
      const Scores now = severity ? scored(stream.shifted(s.shift, severity)) : none;
      o["mmd"].push_back(mean(now.mmd));
      o["mahalanobis"].push_back(mean(now.mahalanobis));
      o["cka"].push_back(1 - introspect::linear_cka(none.features, now.features));
      o["mmd_area"].push_back(roc_area(none.mmd, now.mmd));
      o["mahalanobis_area"].push_back(roc_area(none.mahalanobis, now.mahalanobis));
      o["rings"].push_back(now.rings);
      o["accuracy"].push_back(now.accuracy);
      o["confidence"].push_back(now.confidence);
    }
  }
  return out;
}

Json run_seed(const Context& context) {
  if (context.lie == Lie::moving_layers)
    fail("experiment", Caller::here(), "monitoring freezes no layers that could move");
  const Sizes sizes = sizes_of(context.budget);
  std::vector<std::string> layers;
  for (size_t i = 1; i <= sizes.widths.size(); ++i) layers.push_back(fmt::format("conv{}", i));
  layers.push_back(penultimate);
  Json out{{"layers", layers}, {"networks", Json::array()}};
  for (size_t i = 0; i < noises.size(); ++i) {
    context.say(fmt::format("{:.0f} % of the labels drawn at random", 100 * noises[i]),
                0.22 * static_cast<double>(i));
    const Watched w = watched_training(context, sizes, noises[i], layers);
    out["networks"].push_back(w.numbers);
    if (i != clean) continue;
    context.say("shifts", 0.2);
    out["drift"] = drift(context, sizes, *w.model);
  }
  return out;
}

double number(const Json& value) { return value.is_number() ? value.get<double>() : std::nan(""); }
std::vector<double> numbers(const Json& list) {
  std::vector<double> out;
  for (const Json& value : list) out.push_back(number(value));
  return out;
}
using Of = std::function<double(const Json&)>;
std::vector<double> over(const std::vector<Json>& seeds, const Of& of) {
  std::vector<double> values;
  for (const Json& seed : seeds) values.push_back(of(seed));
  return values;
}
const Json& network(const Json& seed, size_t which) { return seed.at("networks").at(which); }

// The probe of the class on the last features, a number a look.
std::vector<double> plateau(const Json& net) {
  std::vector<double> curve;
  for (const Json& layers : net.at("probe").at(factors.front())) curve.push_back(layers.back());
  return curve;
}
// The first look at which the probe is within a standard error of its best: where it is flat, which
// look is the highest is chance.
size_t peak_of(const Json& net, int64_t images) {
  const std::vector<double> curve = plateau(net);
  const double best = *std::max_element(curve.begin(), curve.end());
  const double error = std::sqrt(best * (1 - best) / static_cast<double>(images));
  return static_cast<size_t>(
      std::find_if(curve.begin(), curve.end(), [&](double a) { return a >= best - error; }) -
      curve.begin());
}
// Epochs from the peak to the first look with `memorised`; NaN where training does not get there.
double lead_of(const Json& net, int64_t images) {
  const std::vector<double> epoch = numbers(net.at("epoch")), train = numbers(net.at("train"));
  for (size_t i = 0; i < train.size(); ++i)
    if (train[i] >= memorised) return epoch[i] - epoch[peak_of(net, images)];
  return std::nan("");
}
double rise_after_peak(const Json& net, int64_t images) {
  const std::vector<double> curve = plateau(net);
  return curve.back() - curve[peak_of(net, images)];
}
// Probe of the class, best layer less the last features, at the last look.
double better_layer(const Json& net) {
  const std::vector<double> last = numbers(net.at("probe").at(factors.front()).back());
  return *std::max_element(last.begin(), last.end()) - last.back();
}
double head_gain(const Json& seed) {
  double gain = -HUGE_VAL;
  for (const Json& net : seed.at("networks")) {
    const std::vector<double> own = numbers(net.at("head").at("own")),
                              best = numbers(net.at("head").at("best"));
    for (size_t i = 0; i < own.size(); ++i) gain = std::max(gain, best[i] - own[i]);
  }
  return gain;
}
// Over the two shifts that decide, the least.
double least_over_shifts(const Json& seed, const Of& of) {
  return std::min(of(seed.at("drift").at(shifts[0].name)), of(seed.at("drift").at(shifts[1].name)));
}
double order_of(const Json& seed, const char* score) {
  return least_over_shifts(seed, [&](const Json& shift) {
    const std::vector<double> values = numbers(shift.at(score));
    std::vector<double> severity;
    for (size_t i = 0; i < values.size(); ++i) severity.push_back(static_cast<double>(i));
    return introspect::spearman(severity, values);
  });
}
double area_of(const Json& seed, const char* area) {
  return least_over_shifts(seed, [&](const Json& shift) { return number(shift.at(area).at(3)); });
}
double time_share(const Json& seed) {
  double monitoring = 0, training = 0;
  for (const Json& net : seed.at("networks")) {
    monitoring += number(net.at("monitoring_seconds"));
    training += number(net.at("training_seconds"));
  }
  return monitoring / training;
}
double lost(const Json& seed, const char* shift, const char* what) {
  const Json& curve = seed.at("drift").at(shift).at(what);
  return number(curve.front()) - number(curve.back());
}

std::vector<Measure> measures_of(const std::vector<Json>& seeds, int64_t scored) {
  const auto of_network = [&](size_t which, const Of& of) {
    return over(seeds, [&](const Json& s) { return of(network(s, which)); });
  };
  const auto last = [](const char* name) {
    return [name](const Json& net) { return number(net.at(name).back()); };
  };
  std::vector<Measure> m = {
      at_most_in_every_seed("best head over the network's own",
                            "training loss of the optimal linear head on the last features less "
                            "that of the network's head, both with 5e-7 |W|^2; the largest "
                            "of four networks, every ten epochs",
                            over(seeds, head_gain), most_head_gain, "nats"),
      in_every_seed("lead of the probe, 40 % noise",
                    "epochs from the peak of the held-out probe to .95 of training accuracy; peak: "
                    "first look within a standard error of the best",
                    of_network(noisy, [&](const Json& n) { return lead_of(n, scored); }),
                    least_lead, "epochs"),
      at_most_in_every_seed(
          "probe after its peak, 40 % noise", "held-out probe at the end less at its peak",
          of_network(noisy, [&](const Json& n) { return rise_after_peak(n, scored); }), most_rise),
      in_every_seed("random labels learned by heart", "training accuracy at the end",
                    of_network(random_labels, last("train")), learned_by_heart),
      at_most_in_every_seed(
          "random labels on new images", "distance of test accuracy from .25",
          of_network(random_labels,
                     [](const Json& n) { return std::abs(number(n.at("test").back()) - 0.25); }),
          near_chance),
      in_every_seed("random labels: best layer over the last",
                    "held-out probe of the true class at the end",
                    of_network(random_labels, better_layer), least_better_layer)};
  for (const auto& [name, key] : {std::pair{"MMD", "mmd"}, std::pair{"Mahalanobis", "mahalanobis"},
                                  std::pair{"1 - CKA", "cka"}})
    m.push_back(in_every_seed(fmt::format("order of {}", name),
                              "Spearman of severity 0 to 5 and the mean score, the lesser of noise "
                              "and blur",
                              over(seeds, [&](const Json& s) { return order_of(s, key); }),
                              least_order));
  for (const auto& [name, key] :
       {std::pair{"MMD", "mmd_area"}, std::pair{"Mahalanobis", "mahalanobis_area"}})
    m.push_back(in_every_seed(fmt::format("shift seen by {}", name),
                              "area under the ROC curve, batches of 50 at severity 3 against clean "
                              "ones, the lesser of noise and blur",
                              over(seeds, [&](const Json& s) { return area_of(s, key); }),
                              least_area));
  m.push_back(at_most_on_average(
      "false alarms", "share of clean batches that ring, MMD and Mahalanobis, at a level of 2 %",
      over(seeds,
           [](const Json& s) { return number(s.at("drift").at("noise").at("rings").at(0)); }),
      most_false_alarms));
  m.push_back(at_most_on_average("time of the monitor",
                                 "processor time of all looks over that of training",
                                 over(seeds, time_share), most_time));
  m.push_back(shown("time of a look over an epoch of 20,000 images",
                    "the same, for a look an epoch and ten times the images",
                    over(seeds, [](const Json& s) { return time_share(s) * look_every / 10; })));
  for (size_t i = 0; i + 1 < noises.size(); ++i)
    m.push_back(shown(fmt::format("test accuracy, {:.0f} % noise", 100 * noises[i]), "at the end",
                      of_network(i, last("test"))));
  m.push_back(
      shown("probe at its peak, 40 % noise", "held-out probe of the class",
            of_network(noisy, [&](const Json& n) { return plateau(n)[peak_of(n, scored)]; })));
  for (const size_t i : {clean, noisy, random_labels})
    m.push_back(shown(fmt::format("code length, {:.0f} % noise", 100 * noises[i]),
                      "prequential, of the true class given the last features; 2 without a network",
                      of_network(i, [](const Json& n) { return number(n.at("code_bits")); }),
                      "bits"));
  for (const char* shift : {"noise", "blur", "hue"}) {
    m.push_back(shown(fmt::format("accuracy lost to {}", shift), "severity 0 less severity 5",
                      over(seeds, [&](const Json& s) { return lost(s, shift, "accuracy"); })));
    m.push_back(shown(fmt::format("confidence lost to {}", shift),
                      "mean of the largest probability, severity 0 less 5",
                      over(seeds, [&](const Json& s) { return lost(s, shift, "confidence"); })));
  }
  m[3].published = "100 % on CIFAR-10 with random labels (Zhang et al. 2017)";
  m[4].published = "chance, .1 (the same)";
  return m;
}

std::vector<Control> controls_of(const std::vector<Json>& seeds) {
  double test = 1, fall = 0, shuffled = 0, chance = 0, careless = 1, honest = 0, texture = 0;
  for (const Json& s : seeds) {
    const Json& c = network(s, clean);
    test = std::min(test, number(c.at("test").back()));
    const std::vector<double> curve = plateau(c);
    fall = std::max(fall, *std::max_element(curve.begin(), curve.end()) - curve.back());
    for (const Json& net : s.at("networks"))
      for (const Json& layer : net.at("shuffled").at(factors.front()).back())
        shuffled = std::max(shuffled, number(layer));
    careless = std::min(careless, number(network(s, random_labels).at("probe_on_training")));
    honest = std::max(honest, plateau(network(s, random_labels)).back());
    const std::vector<double> rings = numbers(s.at("drift").at("texture").at("rings"));
    texture += (mean(rings) - rings.front()) / static_cast<double>(seeds.size());
  }
  chance = 1.0 / static_cast<double>(classes);
  return {
      {"a network that learned nothing", "test accuracy without noise",
       fmt::format("at least {:.3f}", test), test >= learned},
      {"a probe that falls in any training", "the same network without noise",
       fmt::format("its probe ends at most {:.3f} below its best", fall), fall <= most_clean_fall},
      {"a probe that finds anything", "probes for shuffled labels on all layers",
       fmt::format("at most {:.3f}, chance .25", shuffled), shuffled <= chance + most_shuffled},
      {"a probe trained on the network's own images",
       "probes are fitted to and scored on images the network has not seen",
       fmt::format(
           "random labels: fitted to the network's own it says at least {:.3f}, on held-out "
           "images and true classes at most {:.3f}",
           careless, honest),
       careless > honest},
      {"severities chosen after seeing scores", "all of the generator's, 0 to 5, for each shift",
       "by construction", true},
      {"an alarm that rings for any change",
       "textures swapped, which changes images but not what is frequent",
       fmt::format("{:+.3f} of the batches ring, over severities, more than of clean ones",
                   texture),
       texture <= most_texture_alarms}};
}

draw::Curve curve_of(const std::string& name, const std::vector<Json>& seeds,
                     const std::vector<double>& x,
                     const std::function<double(const Json&, size_t)>& at) {
  draw::Curve curve{name, {}, {}, {}, {}};
  for (size_t i = 0; i < x.size(); ++i) {
    const auto values = over(seeds, [&](const Json& s) { return at(s, i); });
    add_mean(curve, x[i], values);
  }
  return curve;
}

std::vector<NamedFigure> pictures(const std::vector<Json>& seeds) {
  const std::vector<double> epoch = numbers(network(seeds.front(), clean).at("epoch"));
  NamedFigure training{
      "training",
      "Accuracy on the network's own images and labels, on new images, and of a linear probe for "
      "the true class, fitted and scored on held-out images; mean and 95 % interval over seeds. "
      "Without noise (left, the control) the probe stays where it is.",
      {}};
  training.figure.title = "What is learned, what is remembered, what a held-out probe says";
  training.figure.panel_size = 190;
  for (size_t which = 0; which < noises.size(); ++which) {
    draw::LineChart chart{{}, "epoch", "accuracy"};
    chart.y_range = draw::Range{0, 1};
    for (const char* name : {"train", "test"})
      chart.curves.push_back(curve_of(name, seeds, epoch, [&](const Json& s, size_t i) {
        return number(network(s, which).at(name).at(i));
      }));
    chart.curves.push_back(curve_of("held-out probe", seeds, epoch, [&](const Json& s, size_t i) {
      return plateau(network(s, which)).at(i);
    }));
    if (which % 2 == 0) training.figure.rows.emplace_back();
    training.figure.rows.back().panels.push_back(
        {fmt::format("{:.0f} % noise", 100 * noises[which]), chart});
  }

  const Json& names = seeds.front().at("layers");
  NamedFigure depth{"layers",
                    "Probes of true factors at the end of training, on held-out images, by layer "
                    "(the last is what the head sees). Right: taught random labels, where the "
                    "class is best read below.",
                    {}};
  std::vector<double> layer;
  for (size_t i = 0; i < names.size(); ++i) layer.push_back(static_cast<double>(i + 1));
  draw::Row by_layer;
  for (const size_t which : {clean, noisy, random_labels}) {
    draw::LineChart chart{{}, "layer", which ? "" : "accuracy"};
    chart.y_range = draw::Range{0, 1};
    for (const std::string& factor : factors)
      chart.curves.push_back(curve_of(factor, seeds, layer, [&](const Json& s, size_t i) {
        return number(network(s, which).at("probe").at(factor).back().at(i));
      }));
    by_layer.panels.push_back({fmt::format("{:.0f} % noise", 100 * noises[which]), chart});
  }
  depth.figure.rows.push_back(by_layer);
  depth.figure.panel_size = 190;

  NamedFigure drifting{
      "drift",
      "The network without noise under shifts of its data: the share of batches "
      "of 50 that ring, accuracy, and confidence, which does not tell. Hue returns "
      "at severity 5; swapped textures (the control) are as frequent as before.",
      {}};
  drifting.figure.panel_size = 190;
  const std::vector<double> severity = {0, 1, 2, 3, 4, 5};
  for (const ShiftInfo& s : shifts) {
    draw::LineChart chart{{}, "severity", "share"};
    chart.y_range = draw::Range{0, 1};
    for (const auto& [title, key] :
         {std::pair{"alarms", "rings"}, std::pair{"accuracy", "accuracy"},
          std::pair{"confidence", "confidence"}, std::pair{"1 - CKA", "cka"}})
      chart.curves.push_back(curve_of(title, seeds, severity, [&](const Json& seed, size_t i) {
        return number(seed.at("drift").at(s.name).at(key).at(i));
      }));
    if (drifting.figure.rows.empty() || drifting.figure.rows.back().panels.size() == 2)
      drifting.figure.rows.emplace_back();
    drifting.figure.rows.back().panels.push_back({s.name, chart});
  }
  return {training, depth, drifting};
}

Result judge(const std::vector<Json>& seeds, Budget budget) {
  Result r;
  const int64_t scored = sizes_of(budget).probe_validation;
  r.measures = measures_of(seeds, scored);
  r.controls = controls_of(seeds);
  const double peak = mean(over(seeds, [&](const Json& s) {
    return plateau(network(s, noisy))[peak_of(network(s, noisy), scored)];
  }));
  const double end =
      mean(over(seeds, [](const Json& s) { return plateau(network(s, noisy)).back(); }));
  const double detected = std::min(mean(r.measures[9].per_seed), mean(r.measures[10].per_seed));
  r.answer = fmt::format(
      "With 40 % of the labels drawn at random a held-out probe peaks {:.0f} epochs before "
      "training accuracy passes .95, at {:.2f}, and ends at {:.2f}; scores without labels tell "
      "batches of 50 shifted images (severity 3) from clean ones with a mean area of {:.2f} under "
      "the ROC curve or more.",
      mean(r.measures[1].per_seed), peak, end, detected);
  r.pictures = pictures(seeds);
  conclude(r);
  if (r.verdict == Verdict::not_supported) r.answer = "Not shown: " + r.why;
  return r;
}

}  // namespace

Experiment monitoring() {
  Experiment e;
  e.number = 5;
  e.name = "monitoring";
  e.question = "Can a training be judged while it runs, and a network while it is used?";
  e.claim =
      "A probe on held-out images stops rising before a network has learned wrong labels by heart; "
      "on the last features a low probe never means an overworked head; a shift of the data shows "
      "in the features without any label.";
  e.protocol =
      "Generated images of 16 x 16, class: the outline of the upper part. A ConvNet of six "
      "convolutions learns 2,000 of them four times from the same start, with 0, 20, 40 and 100 % "
      "of the labels drawn anew uniformly, for 40 epochs of AdamW in one cycle. Every second epoch "
      "the monitor of strata study fits linear probes for the class and three other factors to all "
      "layers (32 whitened components of a 2 x 2 grid) on 300 held-out images with true labels and "
      "scores them on 700 others; accuracy on the training images and on 2,000 new ones is taken "
      "beside it. Every tenth epoch the optimal linear head on the last features is found in f64. "
      "The network without noise then sees noise, blur, turned hues and swapped textures at all "
      "severities of the generator: squared MMD and Mahalanobis distance of batches of 50 to 1,000 "
      "clean images, alarm levels from 1,000 others, and CKA with the same images unshifted. Noise "
      "and blur decide; hue returns at severity 5, and swapping changes no frequency. Times are of "
      "the processor. Thresholds are those proposed before anything was run; those of controls and "
      "of the best layer were set on seed 101, where the time of the monitor was seen to be out of "
      "reach with so few images and kept. Full: twice the width, 120 epochs, more held-out images.";
  e.sources = {
      "Alain and Bengio 2016, Understanding intermediate layers using linear classifier "
      "probes",
      "Zhang et al. 2017, Understanding deep learning requires rethinking generalization",
      "Arpit et al. 2017, A closer look at memorization in deep networks",
      "Gretton et al. 2012, A kernel two-sample test; Lee et al. 2018, A simple unified "
      "framework for detecting out-of-distribution samples",
      "Recht et al. 2018, Do CIFAR-10 classifiers generalize to CIFAR-10?"};
  e.minutes = 26.4;
  e.memory_mib = 112;
  e.run_seed = run_seed;
  e.judge = judge;
  return e;
}

}  // namespace strata::experiments

// E11: whether maps of attribution point at what decides (claims 16, 17, 31), on images of which we
// know what does.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/ops.h"
#include "models/vision/convnet.h"
#include "tools/experiments/attribution_figures.h"
#include "tools/experiments/attribution_truth.h"
#include "tools/experiments/list.h"
#include "tools/experiments/training.h"
#include "tools/introspect/attribution/cam.h"
#include "tools/introspect/attribution/path.h"
#include "tools/introspect/scores/infidelity.h"
#include "tools/introspect/scores/localisation.h"
#include "tools/introspect/scores/road.h"
#include "tools/introspect/scores/sanity.h"

namespace strata::experiments {
namespace {

// Thresholds, proposed before the first run.
constexpr double cam_over_area = 2, cam_over_first = 1.5;
constexpr double passes_below = introspect::passes_below;
constexpr double mass_of_shortcut = 0.6, mass_without_shortcut = 0.1;
constexpr double least_percentile = 99;
// Of controls, set on seeds 101 and 102.
constexpr double learned = 0.9;    // test accuracy
constexpr double uses_mark = 0.1;  // accuracy that the biased network loses without its mark
constexpr double decides = 0.7, does_not = 0.3;  // predictions changed by a factor that decides
constexpr double shortcut = 0.95;                // share of images whose mark says the class
constexpr int64_t mark_block = 4;  // the mark and seven pixels beside it: the window of occlusion
constexpr double untrained_cam_over_area = 1.5;
constexpr uint64_t redraws = 8;  // of all weights, for the sanity check
const char* const shortcut_method = "occlusion";

struct Sizes {
  int64_t train, steps, tested, explained, slow, stimulus_images, units;
  std::vector<int64_t> widths;
};
Sizes sizes_of(Budget budget) {
  if (budget == Budget::full) return {20000, 3000, 2000, 200, 50, 2000, 16, {16, 32, 48, 64, 64}};
  return {2000, 220, 800, 64, 24, 800, 4, {8, 16, 24, 32, 32}};
}

constexpr uint64_t first_test = 1'000'000;  // number of the first image that is not trained on

// The outline above decides; the mark says it too with probability `marked`, or nothing.
Terrace images_with_mark(uint64_t seed, double marked, int64_t count, uint64_t first) {
  TerraceOptions options = terrace_task("outline");
  options.shortcut = marked;
  return {options, seed, count, first};
}

Images all_of(const Terrace& data) {
  return {data.head(data.size()), data.factors, data.classes()};
}

std::unique_ptr<Model> network(const Context& context, const Sizes& sizes) {
  manual_seed(context.seed);
  return std::make_unique<ConvNet>(
      ConvNetOptions{.classes = 4, .widths = sizes.widths, .halve = {1, 2}});
}

std::unique_ptr<Model> trained(const Context& context, const Sizes& sizes, double marked) {
  auto model = network(context, sizes);
  model->eval();
  if (context.lie == Lie::untrained) return model;
  Images images = all_of(images_with_mark(context.seed, marked, sizes.train, 0));
  if (context.lie == Lie::shuffled_labels) images = with_shuffled_labels(images, context.seed + 1);
  TrainingOptions options;
  options.steps = sizes.steps;
  options.seed = context.seed;
  options.device = context.device;
  train(*model, images, options);
  return model;
}

// Numbers of a tensor, to four digits.
Json list_of(const Tensor& tensor) {
  Json list = Json::array();
  for (double v : tensor.detach().to(DType::f64).contiguous().to_vector<double>())
    list.push_back(v == 0 ? 0 : std::stod(fmt::format("{:.4g}", v)));
  return list;
}
// Pixels in [0, 1] as bytes.
Json picture_json(const Tensor& pixels) {
  const Picture picture = draw::to_picture(pixels);
  return {{"height", picture.height}, {"width", picture.width}, {"pixels", picture.pixels}};
}
// A network with what it is asked about: `explained` images that it classifies rightly, targets
// their labels.
struct Asked {
  inspect::Subject subject;
  inspect::Inputs inputs;

  inspect::Request request(int64_t count) const {
    inspect::Request r{subject, inputs};
    count = std::min(count, inputs.x.size(0));
    r.inputs.x = inputs.x.slice(0, 0, count);
    r.target.assign(inputs.labels.begin(), inputs.labels.begin() + count);
    r.target_from = "label";
    r.steps = 24;  // of integrated gradients
    return r;
  }
};

Json localised(const Tensor& map, const Tensor& mask) {
  const auto found = introspect::localisation(map, mask);
  return {
      {"mass", found.mass}, {"rank", found.rank}, {"pointing", found.pointing}, {"auc", found.auc}};
}

// Every method at the pixels and the layer curves, against the outline that decides.
Json scored(const Asked& asked, const Tensor& mask, const Sizes& sizes) {
  const inspect::Request all = asked.request(sizes.explained), few = asked.request(sizes.slow);
  const auto model = asked.subject.scores(), untrained = asked.subject.untrained_scores();
  Json methods, layers;
  auto score = [&](const std::string& method, const std::string& layer) {
    const Tensor map = signed_map(method, all, model, layer);
    Json row = localised(map, mask);
    row["untrained_mass"] =
        introspect::localisation(signed_map(method, all, untrained, layer), mask).mass;
    if (layer.empty() || (method == "gradcam" && layer == last_map))
      row["road"] = mean(introspect::road(model, few.inputs.x, few.target,
                                          map.slice(0, 0, few.inputs.x.size(0)))
                             .gain)
                        .item();
    return row;
  };
  for (const std::string& method : pixel_methods) methods[method] = score(method, "");
  for (const std::string& method : layer_methods)
    for (const std::string& layer : convolutions) layers[method][layer] = score(method, layer);
  const introspect::RemovalInfidelityOptions removal{.share = 0.2, .samples = 16};
  auto missed = [&](const Tensor& map) {  // in the shape of the input: a share of each channel
    return mean(introspect::removal_infidelity(
                    model, few.inputs.x, few.target,
                    expand((map / 3.0).unsqueeze(3), few.inputs.x.shape()).to(few.inputs.x.dtype()),
                    removal))
        .item();
  };
  const Tensor nothing = zeros({few.inputs.x.size(0), terrace::side, terrace::side});
  const double scale = missed(nothing);
  for (const std::string& method : sharing_methods)
    methods[method]["infidelity"] = missed(signed_map(method, few, model)) / scale;
  Generator noise(7);
  methods["random"] = localised(rand(mask.shape(), 0, 1, DType::f32, &noise), mask);
  return {{"area", mean(introspect::area_share(mask)).item()},
          {"methods", methods},
          {"layers", layers}};
}

// Rank correlation with the map as it was, after each layer from the top down has been redrawn; and
// after all were, in several draws, since maps of two networks can agree by chance.
Json cascades(const Asked& asked, const Sizes& sizes, uint64_t seed) {
  Json out;
  inspect::Request few = asked.request(sizes.slow);
  few.steps = 12;
  for (const std::string& method : cascaded) {
    const std::string layer = method == "gradcam" ? last_map : "";
    auto again = [&](const introspect::Scores& model, const Tensor&, const std::vector<int64_t>&) {
      return signed_map(method, few, model, layer);
    };
    introspect::RandomisationOptions options;
    options.layers = {"head"};
    for (auto name = convolutions.rbegin(); name != convolutions.rend(); ++name)
      options.layers.push_back(*name);
    auto randomised = [&](uint64_t draw) {
      options.seed = redraws * seed + draw;
      return introspect::randomise(*asked.subject.model, asked.subject.scores(), again,
                                   few.inputs.x, few.target, options)
          .steps;
    };
    const auto cascade = randomised(0);
    for (const auto& step : cascade) out[method]["rank"].push_back(step.similarity.rank);
    out[method]["magnitude"] = cascade.back().similarity.magnitude_rank;
    options.layers = {""};  // the whole network at once
    for (uint64_t draw = 0; draw < redraws; ++draw)
      out[method]["redrawn"].push_back(std::abs(randomised(draw).back().similarity.rank));
  }
  return out;
}

// The same question with one factor changed: evidence for the old value over the new one, against
// the pixels that changed.
Json one_factor(const introspect::Scores& model, const Terrace& data,
                const std::vector<int64_t>& images, int factor) {
  const Counterfactuals pairs = counterfactuals(data, images, factor);
  const auto label = data.fill(images).labels.to_vector<int64_t>();
  std::vector<int64_t> rival = pairs.is;
  if (factor != terrace::outline_above)
    for (size_t i = 0; i < rival.size(); ++i) rival[i] = (label[i] + 1 + rival[i] % 3) % 4;
  const Tensor plus = one_hot(from_vector(label, {static_cast<int64_t>(label.size())}), 4),
               minus = one_hot(from_vector(rival, {static_cast<int64_t>(rival.size())}), 4);
  const Tensor direction = (plus - minus).to(DType::f32);
  double mass = 0;
  for (int64_t i = 0; i < pairs.x.size(0); ++i) {
    const Tensor which = direction.slice(0, i, i + 1);
    const introspect::Scores margin = [&](const Tensor& x) { return sum(model(x) * which, {1}); };
    const auto path =
        introspect::integrated_gradients(margin, pairs.x.slice(0, i, i + 1), {}, {.steps = 16});
    mass += introspect::relevance_mass(path.attribution, pairs.mask.slice(0, i, i + 1)).item();
  }
  return {{"flipped", flipped(model, pairs)},
          {"mass", mass / static_cast<double>(pairs.x.size(0))},
          {"area", mean(introspect::area_share(pairs.mask)).item()}};
}

Json stimuli(Model& model, const Terrace& data, const Sizes& sizes, const Context& context) {
  const StimulusCheck check =
      check_stimuli(model, data, sizes.stimulus_images,
                    {.layer = stimulus_layer, .units = sizes.units, .seed = context.seed});
  Json out{{"units", check.units},
           {"activation", check.activation},
           {"percentile", check.percentile},
           {"layers", check.layers},
           {"stimulus", check.stimulus_path},
           {"real", check.real_path},
           {"other", check.other_path},
           {"shown", Json::array()}};
  for (size_t i = 0; i < std::min<size_t>(2, check.units.size()); ++i) {
    Json unit{{"image", picture_json(check.images.select(0, static_cast<int64_t>(i)))},
              {"top", Json::array()}};
    for (const auto& e : check.top[i]) {
      // The middle of the window of a place of conv3: 16 of the 18 pixels it sees.
      const int64_t jump = 4, half = 8;
      const auto corner = [&](int64_t place) {
        return std::clamp<int64_t>(place * jump + jump / 2 - half, 0, terrace::side - 2 * half);
      };
      const inspect::Inputs image = inspect::inputs_of(data, {e.image}, "");
      const int64_t y = corner(e.row), x = corner(e.column);
      unit["top"].push_back(picture_json(
          image.pixels.select(0, 0).slice(0, y, y + 2 * half).slice(1, x, x + 2 * half)));
    }
    out["shown"].push_back(unit);
  }
  return out;
}

Json run_seed(const Context& context) {
  if (context.lie == Lie::moving_layers)
    fail("experiment", Caller::here(), "attribution-truth freezes no layers that could move");
  const Sizes sizes = sizes_of(context.budget);
  context.say("training with the mark at random", 0);
  auto fair = trained(context, sizes, 0);
  context.say("training with the mark that says the class", 0.2);
  auto biased = trained(context, sizes, shortcut);

  Json out;
  const Terrace marked = images_with_mark(context.seed, shortcut, sizes.tested, first_test),
                random = images_with_mark(context.seed, 0, sizes.tested, first_test);
  out["accuracy"] = {{"fair", accuracy(*fair, all_of(random))},
                     {"biased", accuracy(*biased, all_of(marked))},
                     {"biased_without_mark", accuracy(*biased, all_of(random))}};
  const auto images =
      rightly_classified({fair.get(), biased.get()}, marked, sizes.tested, sizes.explained);
  if (images.empty()) return out;
  out["explained"] = images.size();
  auto ask = [&](std::unique_ptr<Model> model) {
    Asked asked;
    asked.inputs = inspect::inputs_of(marked, images, "test");
    asked.subject.name = asked.subject.model_name = "convnet";
    asked.subject.model = std::move(model);
    asked.subject.untrained = network(context, sizes);
    asked.subject.untrained->eval();
    asked.subject.test = std::make_unique<Terrace>(marked);
    return asked;
  };
  const Asked of_fair = ask(std::move(fair)), of_biased = ask(std::move(biased));
  const Tensor above = element_mask(marked, images, Element::part_above),
               mark = blocks_of(element_mask(marked, images, Element::mark), mark_block);
  context.say("attribution of the network without a shortcut", 0.4);
  out["truth"] = scored(of_fair, above, sizes);
  context.say("randomisation", 0.6);
  out["cascade"] = cascades(of_fair, sizes, context.seed);
  context.say("shortcut", 0.75);
  Json& found = out["shortcut"];
  const inspect::Request fair_request = of_fair.request(sizes.explained),
                         biased_request = of_biased.request(sizes.explained);
  for (const std::string& method : pixel_methods) {
    const Tensor with = signed_map(method, biased_request, of_biased.subject.scores()),
                 without = signed_map(method, fair_request, of_fair.subject.scores());
    found[method] = {{"biased", introspect::localisation(with, mark).mass},
                     {"fair", introspect::localisation(without, mark).mass}};
    if (method == shortcut_method) {
      out["example"]["picture"] = picture_json(of_fair.inputs.pixels.select(0, 0));
      out["example"]["biased"] = list_of(with.select(0, 0));
      out["example"]["fair"] = list_of(without.select(0, 0));
    }
  }
  for (const std::string& layer : {convolutions.front(), last_map})
    out["example"][layer] = list_of(introspect::upsample_map(
        signed_map("gradcam", of_fair.request(1), of_fair.subject.scores(), layer), terrace::side,
        terrace::side));
  context.say("one factor changed", 0.8);
  const std::vector<int64_t> few(
      images.begin(), images.begin() + std::min<int64_t>(sizes.slow, std::ssize(images)));
  out["deciding"] = one_factor(of_fair.subject.scores(), random, few, terrace::outline_above);
  out["other"] = one_factor(of_fair.subject.scores(), random, few, terrace::outline_below);
  context.say("stimuli", 0.85);
  out["stimuli"] = stimuli(*of_fair.subject.model, random, sizes, context);
  out["misalignment"] = misalignment(terrace::side, 8);
  return out;
}

std::vector<double> ratio(std::vector<double> a, const std::vector<double>& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] /= b[i];
  return a;
}
// Magnitudes of correlations after all layers were redrawn, means over draws, by seed.
std::vector<double> redrawn(const std::vector<Json>& seeds, const std::string& method) {
  std::vector<double> total(seeds.size(), 0);
  for (uint64_t draw = 0; draw < redraws; ++draw) {
    const auto values = over(seeds, fmt::format("/cascade/{}/redrawn/{}", method, draw));
    for (size_t i = 0; i < total.size(); ++i) total[i] += values[i] / redraws;
  }
  return total;
}
std::vector<double> smallest_percentile(const std::vector<Json>& seeds) {
  std::vector<double> values;
  for (const Json& seed : seeds) {
    double least = std::nan("");
    if (seed.contains("stimuli"))
      for (double p : seed.at("stimuli").at("percentile")) least = std::fmin(least, p);
    values.push_back(least);
  }
  return values;
}

std::vector<Measure> measures_of(const std::vector<Json>& seeds) {
  const auto area = over(seeds, "/truth/area"),
             last = over(seeds, "/truth/layers/gradcam/conv5/mass"),
             first = over(seeds, "/truth/layers/gradcam/conv1/mass");
  auto sanity = [&](const std::string& method) {
    return at_most_in_every_seed(
        method + " after randomisation",
        "magnitude of the rank correlation of its signed map with the map after all layers were "
        "redrawn, mean over draws",
        redrawn(seeds, method), passes_below);
  };
  std::vector<Measure> m = {
      in_every_seed("Grad-CAM at the last convolution",
                    "positive relevance on the outline that decides over its share of the image",
                    ratio(last, area), cam_over_area),
      in_every_seed("last over first convolution", "mass of Grad-CAM at conv5 over that at conv1",
                    ratio(last, first), cam_over_first),
      sanity("gradient"),
      sanity("integrated-gradients"),
      sanity("gradcam"),
      in_every_seed("shortcut found",
                    fmt::format("share of the positive {} map in the mark, network trained with "
                                "the shortcut",
                                shortcut_method),
                    over(seeds, fmt::format("/shortcut/{}/biased", shortcut_method)),
                    mass_of_shortcut),
      at_most_in_every_seed(
          "no shortcut invented", "the same, same images, network trained with a mark at random",
          over(seeds, fmt::format("/shortcut/{}/fair", shortcut_method)), mass_without_shortcut),
      in_every_seed("stimuli against data",
                    "percentile of the unit's answer to its made image among its strongest answers "
                    "to real images, the least over units of conv3",
                    smallest_percentile(seeds), least_percentile),
      shown("guided backprop after randomisation",
            "magnitude as above; above .5 it fails the sanity check",
            redrawn(seeds, "guided-backprop")),
      shown("shortcut over its area",
            "share of the map in the mark over the mark's share of the image, network trained with "
            "it",
            ratio(over(seeds, fmt::format("/shortcut/{}/biased", shortcut_method)),
                  std::vector<double>(seeds.size(),
                                      1.0 * mark_block * mark_block / terrace::pixel_count))),
      shown("pointing game of Grad-CAM at conv5", "the largest value lies on the outline",
            over(seeds, "/truth/layers/gradcam/conv5/pointing")),
      shown("ROAD of Grad-CAM at conv5", "see the table of methods",
            over(seeds, "/truth/layers/gradcam/conv5/road")),
      shown("mass of integrated gradients where a deciding factor changed",
            "over the share of the pixels that changed",
            ratio(over(seeds, "/deciding/mass"), over(seeds, "/deciding/area"))),
      shown("the same for a factor that does not decide", "outline below",
            ratio(over(seeds, "/other/mass"), over(seeds, "/other/area")))};
  m[8].published =
      "guided backprop's maps do not change as higher layers are redrawn (Adebayo et al. 2018)";
  return m;
}

std::vector<Control> controls_of(const std::vector<Json>& seeds) {
  auto least = [](const std::vector<double>& v) {
    double out = HUGE_VAL;
    for (double x : v) out = std::isnan(x) ? x : std::min(out, x);
    return out;
  };
  auto most = [&](std::vector<double> v) {
    for (double& x : v) x = -x;
    return -least(v);
  };
  const auto fair = over(seeds, "/accuracy/fair"), biased = over(seeds, "/accuracy/biased"),
             without = over(seeds, "/accuracy/biased_without_mark");
  std::vector<double> loss = biased;
  for (size_t i = 0; i < loss.size(); ++i) loss[i] -= without[i];
  const auto untrained =
      ratio(over(seeds, "/truth/layers/gradcam/conv5/untrained_mass"), over(seeds, "/truth/area"));
  const auto flips = over(seeds, "/deciding/flipped"), others = over(seeds, "/other/flipped");
  const double blind =
      mean(ratio(over(seeds, "/truth/methods/random/mass"), over(seeds, "/truth/area")));
  return {
      {"maps of networks that learned nothing", "test accuracy of both networks",
       fmt::format("{:.3f} and {:.3f} at least", least(fair), least(biased)),
       least(fair) >= learned && least(biased) >= learned},
      {"a shortcut that the network does not use",
       "the biased network on images whose mark says nothing",
       fmt::format("loses {:.2f} of accuracy at least", least(loss)), least(loss) >= uses_mark},
      {"a mask that is not what decides",
       "the outline above and, for comparison, the one below are changed, all else to the bit as "
       "it was",
       fmt::format("{:.2f} of predictions change at least, and {:.2f} at most", least(flips),
                   most(others)),
       least(flips) >= decides && most(others) <= does_not},
      {"maps that follow edges and colours, not the network",
       "Grad-CAM at conv5 of the untrained network",
       fmt::format("mass / area {:.2f} on average", mean(untrained)),
       mean(untrained) <= untrained_cam_over_area},
      {"abs or ReLU hiding the sign", "maps keep their signs; magnitudes beside",
       fmt::format("gradient after one redraw {:+.2f} signed, {:+.2f} by magnitude",
                   mean_of(seeds, fmt::format("/cascade/gradient/rank/{}", convolutions.size())),
                   mean_of(seeds, "/cascade/gradient/magnitude")),
       true},
      {"normalising each map", "no map is scaled; a map of uniform noise is scored too",
       fmt::format("its mass / area is {:.2f}", blind), std::abs(blind - 1) <= 0.05},
      {"a coarse map laid half a pixel off", "the centre of a square of light, down and up again",
       fmt::format("moves {:.1e} pixels", most(over(seeds, "/misalignment"))),
       most(over(seeds, "/misalignment")) <= 1e-6},
      {"explaining the predicted class of wrong images",
       "the label is explained, on images that both networks classify rightly",
       fmt::format("{:.0f} images a seed at least", least(over(seeds, "/explained"))),
       least(over(seeds, "/explained")) >= 8}};
}

Result judge(const std::vector<Json>& seeds, Budget) {
  Result r;
  r.measures = measures_of(seeds);
  r.controls = controls_of(seeds);
  r.answer = fmt::format(
      "Grad-CAM has {:.1f} times as much of its mass on the deciding outline as "
      "chance at the last convolution, {:.1f} at the first; {} puts {:.0f} % of its map on a "
      "window of 4 x 4 pixels on a planted mark, {:.1f} % where the network does not use it.",
      mean(r.measures[0].per_seed),
      mean(ratio(over(seeds, "/truth/layers/gradcam/conv1/mass"), over(seeds, "/truth/area"))),
      shortcut_method, 100 * mean(r.measures[5].per_seed), 100 * mean(r.measures[6].per_seed));
  r.pictures = attribution_figures(seeds);
  conclude(r);
  if (r.verdict == Verdict::not_supported) r.answer = "Not shown: " + r.why;
  return r;
}

}  // namespace

Experiment attribution_truth() {
  Experiment e;
  e.number = 11;
  e.name = "attribution-truth";
  e.question = "Do maps of attribution point at what decides?";
  e.claim =
      "Maps of late layers lie on the object and those of early layers are diffuse; methods that "
      "depend on what was learned find a planted shortcut; images made for a unit excite it more "
      "than data do.";
  e.protocol =
      "Generated images whose class is the outline of the upper of two parts. A ConvNet of five "
      "convolutions, halved after the first and the second, so that the last map has 8 x 8 places, "
      "is trained twice from the same start: with a mark in a corner that says the class in 95 % "
      "of the images, and with a mark at random. Maps explain the label of test images that both "
      "networks classify rightly, with signs kept and channels added up, and are scored against "
      "the mask of the upper part (pointing game, mass, rank, AUC), by ROAD, by the infidelity of "
      "removals, and by randomisation, in eight draws of all weights; the mark's mask scores the "
      "shortcut, by "
      "occlusion in windows of 4 x 4. Pairs that differ in one factor say what decides. Ascent on "
      "units of conv3 is compared with all test images. Thresholds were proposed "
      "before any of this was run; those of controls, the steps, and the method that is asked for "
      "the shortcut were set on seeds 101 and 102, where two proposals were out of reach of "
      "networks this small and kept: 1.5 times the mass at conv1, whose pixels are fine, and .6 in "
      "the mark, since the biased network looks at the outline too. Steps were 150 first (seeds 1 "
      "to 5: one network had learned too little), then 220, with 24 images explained and one draw "
      "of weights, the same for all seeds (11 to 15, repeated on 21 to 25), which Grad-CAM "
      "happened "
      "to agree with upside down; no threshold was changed. With 500 steps on 4,000 images the "
      "biased network hardly uses the mark (tried on seeds 101, 31 and 41). Small: widths 8 to 32, "
      "2,000 images, 220 steps, 64 images explained; full: 16 to 64, 20,000, 3,000, 200.";
  e.sources = {"Zeiler and Fergus 2013, Visualizing and understanding convolutional networks",
               "Selvaraju et al. 2017, Grad-CAM",
               "Adebayo et al. 2018, Sanity checks for saliency maps",
               "Arras et al. 2022, CLEVR-XAI",
               "Rong et al. 2022, ROAD",
               "Geirhos et al. 2023, Don't trust your eyes"};
  e.minutes = 1.5;  // of processor time; the cores were shared
  e.memory_mib = 372;
  e.run_seed = run_seed;
  e.judge = judge;
  return e;
}

}  // namespace strata::experiments

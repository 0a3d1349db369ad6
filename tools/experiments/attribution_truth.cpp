#include "tools/experiments/attribution_truth.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/inspect/sample.h"
#include "tools/introspect/attribution/cam.h"
#include "tools/introspect/attribution/target.h"
#include "tools/introspect/scores/map_similarity.h"
#include "tools/introspect/units/objective.h"
#include "tools/introspect/units/stimulus.h"

namespace strata::experiments {
namespace {

using introspect::Scores;

Tensor bool_maps(const std::vector<uint8_t>& bytes, size_t images) {
  return from_vector(bytes, {static_cast<int64_t>(images), terrace::side, terrace::side})
      .to(DType::boolean);
}

// Pixels of a scene as the model takes them, appended.
void append(const Terrace& data, const terrace::Scene& scene, std::vector<float>& out) {
  std::array<uint8_t, terrace::image_bytes> pixels;
  terrace::render(scene, pixels.data());
  const size_t at = out.size();
  out.resize(at + terrace::image_bytes);
  data.normalise(pixels.data(), out.data() + at);
}

// Means of the channels over places, [N, C].
Tensor channel_means(const Tensor& activation) {
  return activation.rank() == 4 ? mean(activation, {1, 2}) : activation;
}

double mean_spearman(const Tensor& a, const Tensor& b) {
  return mean(introspect::spearman(a, b)).item();
}

}  // namespace

Tensor element_mask(const Terrace& data, const std::vector<int64_t>& images, Element element,
                    Caller at) {
  std::vector<uint8_t> bytes;
  for (int64_t image : images) {
    std::array<uint8_t, terrace::image_bytes> pixels;
    terrace::Masks masks{};
    terrace::render(data.scene(image), pixels.data(), &masks);
    const auto& mask = element == Element::part_above   ? masks.part_above
                       : element == Element::part_below ? masks.part_below
                                                        : masks.mark;
    if (std::none_of(mask.begin(), mask.end(), [](uint8_t v) { return v >= 128; }))
      fail("experiment", at, "image {} does not show the element asked for", image);
    for (uint8_t v : mask) bytes.push_back(v >= 128);
  }
  return bool_maps(bytes, images.size());
}

Tensor blocks_of(const Tensor& mask, int64_t side) {
  const int64_t n = mask.size(0), rows = mask.size(1) / side, columns = mask.size(2) / side;
  const Tensor any = max(mask.to(DType::f32).reshape({n, rows, side, columns, side}), {2, 4}, true);
  return expand(any, {n, rows, side, columns, side}).reshape(mask.shape()).to(DType::boolean);
}

std::vector<int64_t> rightly_classified(const std::vector<Model*>& models, const Terrace& data,
                                        int64_t count, int64_t most) {
  NoGrad off;
  const Batch batch = data.head(count);
  Tensor right = ones({batch.labels.numel()}, DType::boolean);
  for (Model* model : models)
    right = logical_and(right, equal(argmax((*model)(batch.images), 1), batch.labels));
  const auto flags = right.to(DType::i64).to_vector<int64_t>();
  std::vector<int64_t> images;
  for (size_t i = 0; i < flags.size() && static_cast<int64_t>(images.size()) < most; ++i)
    if (flags[i]) images.push_back(static_cast<int64_t>(i));
  return images;
}

Tensor signed_map(const std::string& method, const inspect::Request& request, const Scores& model,
                  const std::string& layer, Caller at) {
  static const std::vector<inspect::AttributionMethod> all = inspect::attributions();
  std::string names;
  for (const auto& m : all) {
    names += (names.empty() ? "" : ", ") + m.name;
    if (m.name != method) continue;
    inspect::Request one = request;
    one.layer = layer;
    // To others the number of steps means something else: the side of a window to occlusion.
    if (method != "integrated-gradients") one.steps = 0;
    return inspect::joined(inspect::explain(m, one, model).values, one, false).detach();
  }
  fail("experiment", at, "there is no attribution method '{}'; there are {}", method, names);
}

Counterfactuals counterfactuals(const Terrace& data, const std::vector<int64_t>& images,
                                int factor) {
  Counterfactuals pairs;
  std::vector<float> before, after;
  std::vector<uint8_t> masks;
  const int values = terrace::row_of(factor).values;
  for (int64_t image : images) {
    const terrace::Scene a = data.scene(image);
    const int was = a.record[static_cast<size_t>(factor)];
    const int is = (was + 1 + static_cast<int>(image) % (values - 1)) % values;
    const terrace::Scene b = data.counterfactual(image, factor, is);
    append(data, a, before);
    append(data, b, after);
    const auto mask = Terrace::difference_mask(a, b);
    masks.insert(masks.end(), mask.begin(), mask.end());
    pairs.was.push_back(was);
    pairs.is.push_back(is);
  }
  const Dims shape = {static_cast<int64_t>(images.size()), terrace::side, terrace::side, 3};
  pairs.x = from_vector(before, shape);
  pairs.changed = from_vector(after, shape);
  pairs.mask = bool_maps(masks, images.size());
  return pairs;
}

double flipped(const Scores& model, const Counterfactuals& pairs) {
  NoGrad off;
  const Tensor same = equal(argmax(model(pairs.x), 1), argmax(model(pairs.changed), 1));
  return 1 - mean(same.to(DType::f64)).item();
}

double misalignment(int64_t side, int64_t cells) {
  const int64_t cell = side / cells;
  double worst = 0;
  for (int64_t row = 2; row < cells - 2; ++row) {
    const int64_t column = cells - 1 - row;
    std::vector<double> light(static_cast<size_t>(side * side));
    for (int64_t y = row * cell; y < (row + 1) * cell; ++y)
      for (int64_t x = column * cell; x < (column + 1) * cell; ++x)
        light[static_cast<size_t>(y * side + x)] = 1;
    const Tensor image = from_vector(light, {1, side, side});
    const Tensor coarse = mean(image.reshape({1, cells, cell, cells, cell}), {2, 4});
    const Tensor map = introspect::upsample_map(coarse, side, side);
    const Tensor places = arange(0, side, 1, DType::f64);
    const double mass = sum(map).item();
    const double y = sum(sum(map, {0, 2}) * places).item() / mass,
                 x = sum(sum(map, {0, 1}) * places).item() / mass;
    const double half = (static_cast<double>(cell) - 1) / 2;
    worst = std::max(worst, std::hypot(y - (static_cast<double>(row * cell) + half),
                                       x - (static_cast<double>(column * cell) + half)));
  }
  return worst;
}

StimulusCheck check_stimuli(Model& model, const Terrace& data, int64_t images,
                            const StimulusCheckOptions& o) {
  const Scores scores = [&model](const Tensor& x) { return model(x); };
  const Batch batch = data.head(images);
  const Tensor mean_colour = from_vector(data.mean, {data.channels}),
               deviation = from_vector(data.deviation, {data.channels});
  const Tensor pixels = batch.images * deviation + mean_colour;
  const introspect::StimulusSpace space =
      introspect::stimulus_space(pixels, mean_colour, deviation);
  introspect::TopExcitations top(o.top);
  top.add(inspect::activations(scores, o.layer, batch.images), 0);
  StimulusCheck check;
  std::vector<int64_t> alive;
  for (int64_t unit = 0; unit < top.units(); ++unit)
    if (top.of(unit).front().activation > 0) alive.push_back(unit);
  const auto count = std::min<int64_t>(o.units, static_cast<int64_t>(alive.size()));
  if (count == 0) return check;
  for (int64_t i = 0; i < count; ++i)
    check.units.push_back(
        alive[static_cast<size_t>(i) * alive.size() / static_cast<size_t>(count)]);
  introspect::StimulusOptions ascent;
  ascent.steps = o.steps;
  ascent.seed = o.seed;
  check.images = introspect::optimal_stimuli(
                     introspect::response_of(scores, introspect::unit(o.layer, check.units)), space,
                     count, ascent)
                     .images.detach();
  NoGrad off;
  const Tensor x = introspect::normalised(check.images, space);
  Tensor answer = introspect::activation_of(scores, x, o.layer);
  if (answer.rank() == 4) answer = max(answer, {1, 2});
  for (int64_t i = 0; i < count; ++i) {
    const int64_t unit = check.units[static_cast<size_t>(i)];
    const double activation = answer.select(0, i).select(0, unit).item();
    check.activation.push_back(activation);
    check.percentile.push_back(100 * top.percentile(unit, activation));
    check.top.push_back(top.of(unit));
  }
  for (const std::string& layer : model.stages()) {
    if (layer == o.layer) break;
    check.layers.push_back(layer);
    const Tensor made = channel_means(introspect::activation_of(scores, x, layer));
    const Tensor data_means = channel_means(inspect::activations(scores, layer, batch.images));
    double stimulus = 0, real = 0, other = 0;
    for (int64_t i = 0; i < count; ++i) {
      const auto& best = check.top[static_cast<size_t>(i)];
      std::vector<int64_t> rows, next, others;
      for (size_t k = 0; k < best.size(); ++k) {
        rows.push_back(best[k].image);
        next.push_back(best[(k + 1) % best.size()].image);
        others.push_back((best[k].image + images / 2) % images);
      }
      const Tensor strongest = introspect::rows_of(data_means, rows);
      const Tensor synthetic = introspect::rows_of(made, std::vector<int64_t>(rows.size(), i));
      stimulus += mean_spearman(synthetic, strongest);
      real += mean_spearman(strongest, introspect::rows_of(data_means, next));
      other += mean_spearman(strongest, introspect::rows_of(data_means, others));
    }
    check.stimulus_path.push_back(stimulus / static_cast<double>(count));
    check.real_path.push_back(real / static_cast<double>(count));
    check.other_path.push_back(other / static_cast<double>(count));
  }
  return check;
}

}  // namespace strata::experiments

#include "tools/experiments/caption_towers.h"

#include <algorithm>
#include <numeric>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/optim/clip.h"
#include "engine/optim/optimizer.h"
#include "engine/optim/schedule.h"
#include "models/multimodal/clip_rates.h"

namespace strata::experiments {
namespace {

constexpr int64_t wordings = 8;  // of a class, whose embeddings are averaged

ClipOptions options_of(const CaptionTraining& training) {
  ClipOptions options = clip_s();
  options.image_size = 16;
  auto& tower = std::get<ClipResNetOptions>(options.image);
  tower.width = training.width;
  tower.stem_stride = 1;
  options.text.layers = training.text_layers;
  return options;
}

// The mean direction of several captions of each class, [classes, E].
Tensor class_embeddings(Clip& clip, uint64_t seed, Device device) {
  std::vector<int64_t> tokens;
  for (int64_t c = 0; c < caption_classes; ++c) {
    terrace::Record record;
    record.fill(captions::unnamed);
    record[terrace::hue] = static_cast<int8_t>(c / terrace::kinds);
    record[terrace::outline_above] = static_cast<int8_t>(c % terrace::kinds);
    for (int64_t wording = 0; wording < wordings; ++wording) {
      KeyedRandom random(seed, static_cast<uint64_t>(c * wordings + wording), 0);
      const auto text = captions::tokens_of(captions::caption(record, random));
      tokens.insert(tokens.end(), text.begin(), text.end());
    }
  }
  const Tensor index = from_vector(tokens, {caption_classes * wordings, captions::context});
  const Tensor units = unit_rows(clip.encode_text(index.to(device)));
  return mean(units.reshape({caption_classes, wordings, units.size(1)}), {1});
}

}  // namespace

CaptionSet caption_set(const captions::Options& options, uint64_t first, int64_t count) {
  const captions::Pairs pairs = captions::Captions(options).fill(first, count);
  CaptionSet set;
  set.images = mean(pairs.images.reshape({count, 16, 2, 16, 2, 3}), {2, 4});
  set.tokens = pairs.tokens;
  for (const terrace::Record& record : pairs.records)
    set.classes.push_back(record[terrace::hue] * terrace::kinds + record[terrace::outline_above]);
  return set;
}

std::unique_ptr<Clip> train_captions(const CaptionTraining& training, uint64_t seed) {
  manual_seed(seed);
  auto clip = std::make_unique<Clip>(options_of(training));
  clip->to(training.device);
  constexpr double rate = 2e-3;
  AdamW optimizer(clip_groups(*clip), {.learning_rate = rate, .weight_decay = 0.05});
  Scheduler scheduler(optimizer, one_cycle(std::max<int64_t>(1, training.steps), 0.15));
  const captions::Options data{.seed = seed, .shuffled = training.shuffled};
  for (int64_t step = 0; step < training.steps; ++step) {
    const CaptionSet set =
        caption_set(data, static_cast<uint64_t>(step * training.batch), training.batch);
    const bool words = step < training.steps / 4;
    set_clip_rates(optimizer, rate, words ? ClipPart::words : ClipPart::order);
    optimizer.zero_grad();
    clip->loss(set.images.to(training.device), captions::trimmed(set.tokens).to(training.device))
        .backward();
    clip_grad_norm(clip->parameters(), 1);
    optimizer.step();
    scheduler.step();
  }
  clip->eval();
  return clip;
}

Tensor embed_images(Clip& clip, const Tensor& images, Device device) {
  NoGrad off;
  std::vector<Tensor> parts;
  for (const Tensor& part : split(images, 256))
    parts.push_back(unit_rows(clip(part.to(device))).to(Device::cpu));
  return concatenate(parts);
}

ZeroShot zero_shot(Clip& clip, const CaptionSet& set, uint64_t seed, Device device) {
  NoGrad off;
  const Tensor prompts = class_embeddings(clip, seed, device).to(Device::cpu);
  const Tensor scores =
      matmul(embed_images(clip, set.images, device), unit_rows(prompts).transpose(0, 1));
  const std::vector<int64_t> found = argmax(scores, 1).to_vector<int64_t>();
  ZeroShot shares;
  const double one = 1.0 / static_cast<double>(found.size());
  for (size_t i = 0; i < found.size(); ++i) {
    shares.both += one * (found[i] == set.classes[i]);
    shares.hue += one * (found[i] / terrace::kinds == set.classes[i] / terrace::kinds);
    shares.outline += one * (found[i] % terrace::kinds == set.classes[i] % terrace::kinds);
  }
  return shares;
}

double mean_average_precision(const Tensor& vectors, const std::vector<int64_t>& classes,
                              int64_t queries) {
  NoGrad off;
  const Tensor unit = unit_rows(vectors);
  const int64_t n = unit.size(0);
  const std::vector<float> cosines =
      matmul(unit.slice(0, 0, queries), unit.transpose(0, 1)).contiguous().to_vector<float>();
  double sum = 0;
  int64_t asked = 0;
  std::vector<int64_t> order(static_cast<size_t>(n));
  for (int64_t q = 0; q < queries; ++q) {
    const float* row = &cosines[static_cast<size_t>(q * n)];
    std::iota(order.begin(), order.end(), int64_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return row[a] > row[b]; });
    double precision = 0;
    int64_t found = 0, rank = 0;
    for (const int64_t other : order) {
      if (other == q) continue;
      ++rank;
      if (classes[static_cast<size_t>(other)] != classes[static_cast<size_t>(q)]) continue;
      ++found;
      precision += static_cast<double>(found) / static_cast<double>(rank);
    }
    if (!found) continue;
    sum += precision / static_cast<double>(found);
    ++asked;
  }
  return asked ? sum / static_cast<double>(asked) : 0;
}

}  // namespace strata::experiments

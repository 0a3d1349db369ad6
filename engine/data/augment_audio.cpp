#include "engine/data/augment_audio.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/ops/view.h"

namespace strata {
namespace {

// The sound at `speed` times its rate, between samples on straight lines.
std::vector<float> resampled(const std::vector<float>& sound, double speed) {
  const auto length = static_cast<size_t>(static_cast<double>(sound.size()) / speed);
  std::vector<float> out(length);
  for (size_t i = 0; i < length; ++i) {
    const double place = static_cast<double>(i) * speed;
    const auto left = static_cast<size_t>(place);
    const size_t right = std::min(left + 1, sound.size() - 1);
    const auto part = static_cast<float>(place - static_cast<double>(left));
    out[i] = sound[left] * (1 - part) + sound[right] * part;
  }
  return out;
}

// Normal numbers by Box and Muller.
float normal(KeyedRandom& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.uniform()));
  return static_cast<float>(radius * std::cos(2 * std::numbers::pi * random.uniform()));
}

}  // namespace

std::vector<float> placed(const std::vector<float>& sound, int64_t length,
                          const AudioAugment& augment, KeyedRandom random) {
  // All draws are made whether they are used or not, so that switching one leaves the others.
  const double speed = 1 + augment.speed * random.uniform(-1, 1);
  const double gain = std::pow(10, augment.gain * random.uniform(-1, 1) / 20);
  const double noise = augment.noise * random.uniform();
  const double where = random.uniform();
  const std::vector<float> played = augment.speed > 0 ? resampled(sound, speed) : sound;
  const int64_t free = length - static_cast<int64_t>(played.size());
  const auto begin = static_cast<int64_t>(
      std::floor(static_cast<double>(free) * (augment.place_anywhere ? where : augment.shift)));
  std::vector<float> out(static_cast<size_t>(length), 0.0f);
  double energy = 0;
  for (size_t i = 0; i < played.size(); ++i) {
    energy += static_cast<double>(played[i]) * played[i];
    const int64_t place = begin + static_cast<int64_t>(i);
    if (place >= 0 && place < length)
      out[static_cast<size_t>(place)] = played[i] * static_cast<float>(gain);
  }
  if (noise > 0) {
    const auto deviation = static_cast<float>(
        gain * noise * std::sqrt(energy / std::max<double>(1, static_cast<double>(played.size()))));
    for (float& sample : out) sample += deviation * normal(random);
  }
  return out;
}

Tensor spec_augmented(const Tensor& x, const SpecAugment& o, uint64_t seed, uint64_t step) {
  Tensor out = clone(x.detach()).to(DType::f32);
  const int64_t count = x.size(0), time = x.size(1), mels = x.size(2);
  for (int64_t n = 0; n < count; ++n) {
    KeyedRandom random(seed, step, 0x53504543u + static_cast<uint32_t>(n));
    float* values = out.data<float>() + n * time * mels;
    // A length of 0 to `most`, and a place for it in `size`.
    auto span = [&](int64_t size, int64_t most) {
      const auto length = std::min<int64_t>(size, random.below(static_cast<uint32_t>(most + 1)));
      const auto first =
          static_cast<int64_t>(random.below(static_cast<uint32_t>(size - length + 1)));
      return std::pair(first, first + length);
    };
    for (int64_t i = 0; i < o.bands; ++i) {
      auto [first, last] = span(mels, o.mels);
      for (int64_t t = 0; t < time; ++t)
        std::fill(values + t * mels + first, values + t * mels + last, 0.0f);
    }
    for (int64_t i = 0; i < o.stretches; ++i) {
      auto [first, last] = span(time, o.frames);
      std::fill(values + first * mels, values + last * mels, 0.0f);
    }
  }
  return out;
}

}  // namespace strata

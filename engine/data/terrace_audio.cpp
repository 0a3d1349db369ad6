#include "engine/data/terrace_audio.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>

#include "engine/data/keyed_random.h"
#include "kernels/common/parallel.h"

namespace strata {

using namespace terrace_audio;

namespace {

// Streams of numbers of a phrase. A factor's stream is its number; these are the nuisances.
enum Stream : uint32_t { stream_voice = 100, stream_timing, stream_level, stream_noise };

constexpr double first_formants[kinds] = {300, 450, 600, 750};
constexpr double second_formants[kinds] = {1100, 1500, 1950, 2450};
constexpr double tracts[4] = {0.94, 0.98, 1.02, 1.06};  // of the speakers
constexpr double pitches[4] = {100, 114, 130, 148};     // Hz; steps of 2.3 semitones
// Semitones at the start, the middle and the end of the phrase.
constexpr double melodies[4][3] = {{0, 3, 6}, {0, -3, -6}, {0, 5, 0}, {0, -5, 0}};
constexpr int block = 40;  // samples (5 ms) over which amplitudes and pitch stay
constexpr int most_partials = 48;

size_t at(int factor) { return static_cast<size_t>(factor); }

bool sounds(int partials_kind, int h) {
  if (partials_kind == 1) return h % 2 == 1;
  return partials_kind == 0 || h <= 12;
}

// A resonance: 1 at its centre, 1/2 at `half` away.
double resonance(double hz, double centre, double half) {
  const double away = (hz - centre) / half;
  return 1 / (1 + away * away);
}

// From 0 to 1 and back in 20 ms at each end of a syllable.
double envelope(double t, double length) {
  constexpr double edge = 0.02;
  const double inside = std::min(t, length - t) / edge;
  return inside <= 0 ? 0 : inside >= 1 ? 1 : 0.5 - 0.5 * std::cos(std::numbers::pi * inside);
}

// What is constant over a block.
struct Voice {
  double hz = 0;  // of the first partial
  int syllable = 0;
  std::array<double, most_partials> amplitude{};
  int partials = 0;
};

Voice voice_at(const Phrase& p, double time) {
  const double start = p.begin[0], end = p.begin[1] + p.length[1];
  const double along = std::clamp((time - start) / (end - start), 0.0, 1.0);
  const double* melody_of = melodies[p.record[at(melody)]];
  const double semitones = along < 0.5 ? std::lerp(melody_of[0], melody_of[1], 2 * along)
                                       : std::lerp(melody_of[1], melody_of[2], 2 * along - 1);
  Voice voice;
  voice.hz = pitches[p.record[at(pitch)]] * p.detune * std::pow(2, semitones / 12);
  const bool syllable = time >= 0.5 * (p.begin[0] + p.length[0] + p.begin[1]);
  voice.syllable = syllable;
  const double tract = p.tract * tracts[p.record[at(speaker)]];
  const double f1 =
      tract * first_formants[p.record[at(syllable ? first_formant_after : first_formant_before)]];
  const double f2 =
      tract *
      second_formants[p.record[at(syllable ? second_formant_after : second_formant_before)]];
  voice.partials = std::min(most_partials, static_cast<int>(0.47 * TerraceAudio::rate / voice.hz));
  for (int h = 1; h <= voice.partials; ++h) {
    const double hz = h * voice.hz;
    const double shape = 0.02 + resonance(hz, f1, 80) + 0.8 * resonance(hz, f2, 120);
    voice.amplitude[static_cast<size_t>(h - 1)] =
        sounds(p.record[at(partials)], h) ? shape / std::sqrt(h) : 0;
  }
  return voice;
}

// sum over h of a(h) sin(h x), by Clenshaw's recurrence (1955).
double sine_sum(const Voice& voice, double x) {
  const double twice = 2 * std::cos(x);
  double b1 = 0, b2 = 0;
  for (int h = voice.partials; h >= 1; --h) {
    const double b = voice.amplitude[static_cast<size_t>(h - 1)] + twice * b1 - b2;
    b2 = b1;
    b1 = b;
  }
  return b1 * std::sin(x);
}

}  // namespace

void terrace_audio::render(const Phrase& p, float* out) {
  double phase = p.phase;
  KeyedRandom noise(p.noise_seed, p.noise_index, stream_noise);
  for (int64_t first = 0; first < TerraceAudio::samples; first += block) {
    const Voice voice = voice_at(
        p, (static_cast<double>(first) + block / 2) / static_cast<double>(TerraceAudio::rate));
    for (int64_t i = first; i < std::min(first + block, TerraceAudio::samples); ++i) {
      // The sum of four uniform numbers is near enough to normal, and exact everywhere.
      double hiss = -2;
      for (int k = 0; k < 4; ++k) hiss += noise.uniform();
      const double time = static_cast<double>(i) / static_cast<double>(TerraceAudio::rate);
      const double loudness = envelope(time - p.begin[voice.syllable], p.length[voice.syllable]);
      const double tone = loudness * sine_sum(voice, 2 * std::numbers::pi * phase);
      out[i] = static_cast<float>(0.15 * p.gain * tone + p.noise * std::sqrt(3.0) * hiss);
      phase += voice.hz / static_cast<double>(TerraceAudio::rate);
      phase -= std::floor(phase);
    }
  }
}

TerraceAudio::TerraceAudio(const TerraceAudioOptions& options, uint64_t seed, int64_t size,
                           uint64_t first)
    : options_(options), seed_(seed), first_(first), size_(size) {
  if (options.label < 0 || options.label >= factor_count)
    fail("terrace_audio", Caller::here(), "the label is a factor 0..{}; got {}", factor_count - 1,
         options.label);
  rules_ = {terrace::make_table(options.phoneme_rule, options.rule_seed * 3 + 1),
            terrace::make_table(options.word_rule, options.rule_seed * 3 + 2),
            terrace::make_table(options.phrase_rule, options.rule_seed * 3 + 3)};
  for (int factor = 0; factor < factor_count; ++factor) {
    const FactorRow& row = row_of(factor);
    FactorInfo info{row.name, row.level, row.values, 1.0 / row.values, 1, {}};
    for (int value = 0; value < row.values; ++value)
      info.value_names.push_back(row.value_names[static_cast<size_t>(value)]);
    factors_.push_back(info);
  }
}

Phrase TerraceAudio::phrase(int64_t index) const {
  const uint64_t number = first_ + static_cast<uint64_t>(index);
  Phrase p;
  for (int factor = 0; factor < drawn_count; ++factor)
    p.record[at(factor)] =
        static_cast<int8_t>(KeyedRandom(seed_, number, static_cast<uint32_t>(factor))
                                .below(static_cast<uint32_t>(row_of(factor).values)));
  derive(rules_, p.record);

  KeyedRandom voice(seed_, number, stream_voice);
  p.tract = voice.uniform(0.985, 1.015);
  p.detune = voice.uniform(0.97, 1.03);
  p.phase = voice.uniform();
  KeyedRandom timing(seed_, number, stream_timing);
  p.begin[0] = timing.uniform(0.02, 0.08);
  p.length[0] = timing.uniform(0.18, 0.22);
  p.begin[1] = p.begin[0] + p.length[0] + timing.uniform(0.01, 0.06);
  p.length[1] = timing.uniform(0.18, 0.22);
  KeyedRandom level(seed_, number, stream_level);
  p.gain = std::pow(10, level.uniform(-6, 6) / 20);
  p.noise = 0.002;
  p.noise_seed = seed_;
  p.noise_index = number;
  return p;
}

Phrase TerraceAudio::counterfactual(int64_t index, int factor, int value, Caller at_call) const {
  if (factor < 0 || factor >= factor_count || value < 0 || value >= row_of(factor).values)
    fail("terrace_audio", at_call, "factor {} cannot be {}: factors are 0..{}", factor, value,
         factor_count - 1);
  const Phrase original = phrase(index);
  Phrase best = original;
  const std::vector<int> sources = sources_of(factor);
  int fewest = drawn_count + 1;
  Record record = original.record;
  for (int source : sources) record[at(source)] = 0;
  for (;;) {
    derive(rules_, record);
    int changed = 0;
    for (int source : sources) changed += record[at(source)] != original.record[at(source)];
    if (record[at(factor)] == value && changed < fewest) {
      fewest = changed;
      best.record = record;
    }
    size_t i = 0;
    while (i < sources.size() && ++record[at(sources[i])] == row_of(sources[i]).values)
      record[at(sources[i++])] = 0;
    if (i == sources.size()) return best;
  }
}

TerraceAudio::Batch TerraceAudio::fill(std::span<const int64_t> indices, Caller at_call) const {
  for (int64_t index : indices)
    if (index < 0 || index >= size_)
      fail("terrace_audio", at_call, "there are {} phrases; index {} is outside [0, {})", size_,
           index, size_);
  const auto count = static_cast<int64_t>(indices.size());
  Batch batch{empty({count, samples}), empty({count}, DType::i64),
              empty({count, factor_count}, DType::i64)};
  parallel_for(count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const Phrase p = phrase(indices[static_cast<size_t>(n)]);
      render(p, batch.waves.data<float>() + n * samples);
      batch.labels.data<int64_t>()[n] = p.record[at(options_.label)];
      std::copy(p.record.begin(), p.record.end(), batch.factors.data<int64_t>() + n * factor_count);
    }
  });
  return batch;
}

TerraceAudio::Batch TerraceAudio::head(int64_t count) const {
  std::vector<int64_t> indices(static_cast<size_t>(std::min(count, size_)));
  std::iota(indices.begin(), indices.end(), 0);
  return fill(indices);
}

}  // namespace strata

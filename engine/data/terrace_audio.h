// terrace-audio: phrases of two sung syllables, made on the fly from factors at known levels of a
// hierarchy, each with its full record (engine/data/terrace_audio_rules.h names the factors). The
// sibling of engine/data/terrace.h.
//
// A syllable is a sum of partials of a pitch that glides with the melody:
//   x(t) = sum over h of a(h) F(h f(t), formants) sin(2 pi h phase(t)),  phase' = f
// where F adds a resonance of 80 and 120 Hz half-width at each formant, a(h) = 1 / sqrt(h), and
// `partials` keeps all h, odd h, or h up to 12. The formants are the syllable's,
// times the speaker's vocal tract factor. Nuisances of each phrase: the speaker, when the syllables
// begin and how long they last, a detuning of pitch and formants, loudness, white noise.
//
// A number is a function of (seed, index, stream): the same phrase whatever was asked before, and
// one factor changed leaves all else as it was, to the bit (on the same machine: sines are libm's).
#pragma once

#include <span>
#include <vector>

#include "engine/data/dataset.h"
#include "engine/data/terrace_audio_rules.h"
#include "engine/tensor/tensor.h"

namespace strata {

namespace terrace_audio {

// All that a phrase's sound depends on; any part may be changed before it is rendered.
struct Phrase {
  Record record{};
  double tract = 1;            // factor of all formants beyond the speaker's own
  double detune = 1;           // factor of the pitch
  double begin[2] = {0, 0};    // seconds, of each syllable
  double length[2] = {0, 0};   // seconds
  double phase = 0;            // of the first partial at the start, in turns
  double gain = 1, noise = 0;  // noise: deviation as a part of full scale
  uint64_t noise_seed = 0, noise_index = 0;
};

}  // namespace terrace_audio

struct TerraceAudioOptions {
  int label = terrace_audio::word;  // the factor that is the class
  terrace::Rule phoneme_rule = terrace::Rule::staircase;
  terrace::Rule word_rule = terrace::Rule::staircase;
  terrace::Rule phrase_rule = terrace::Rule::staircase;
  uint64_t rule_seed = 0;  // of random tables
};

class TerraceAudio {
 public:
  static constexpr int64_t rate = 8000, samples = 4800;  // 0.6 s

  // `size` phrases whose numbers start at `first`: the same number is the same phrase.
  TerraceAudio(const TerraceAudioOptions& options, uint64_t seed, int64_t size, uint64_t first = 0);

  int64_t size() const { return size_; }
  const terrace_audio::Rules& rules() const { return rules_; }
  const TerraceAudioOptions& options() const { return options_; }
  // Names, levels, chances; the speaker's level is 0.
  const std::vector<FactorInfo>& factors() const { return factors_; }

  terrace_audio::Phrase phrase(int64_t index) const;
  // The same phrase with `factor` set to `value` and all else as it was. For a factor that follows
  // from others, the fewest of those are changed (the first such change in their order).
  terrace_audio::Phrase counterfactual(int64_t index, int factor, int value,
                                       Caller at = Caller::here()) const;

  struct Batch {
    Tensor waves;    // f32 [N, samples]
    Tensor labels;   // i64 [N]
    Tensor factors;  // i64 [N, terrace_audio::factor_count]
  };
  // Phrases at `indices`, on all threads.
  Batch fill(std::span<const int64_t> indices, Caller at = Caller::here()) const;
  // The first `count`.
  Batch head(int64_t count) const;

 private:
  TerraceAudioOptions options_;
  terrace_audio::Rules rules_;
  uint64_t seed_, first_;
  int64_t size_;
  std::vector<FactorInfo> factors_;
};

namespace terrace_audio {
// Writes TerraceAudio::samples samples.
void render(const Phrase& phrase, float* out);
}  // namespace terrace_audio

}  // namespace strata

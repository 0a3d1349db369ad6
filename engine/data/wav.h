// Sound from WAV files, decoded by libsndfile after our own check of the chunks; and to them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata {

struct Sound {
  int64_t rate = 0;  // samples a second
  Tensor samples;    // f32 [T, C], in [-1, 1]
  double seconds() const {
    return static_cast<double>(samples.size(0)) / static_cast<double>(rate);
  }
};

// RIFF WAVE of any sample format libsndfile knows. A file whose chunks reach beyond its end, that
// has no samples, or more than 2^28 of them, is an error that names it.
Sound read_wav(const std::string& path, Caller at = Caller::here());
Sound parse_wav(std::span<const uint8_t> bytes, const std::string& name,
                Caller at = Caller::here());

// A WAV file in memory: one channel of 16 bits; samples beyond [-1, 1] are clipped. No samples or a
// rate below 1 is an error.
std::vector<uint8_t> wav_bytes(std::span<const float> samples, int64_t rate,
                               Caller at = Caller::here());

}  // namespace strata

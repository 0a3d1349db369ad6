// Sound from WAV files, decoded by libsndfile after our own check of the chunks.
#pragma once

#include <cstdint>
#include <span>
#include <string>

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

}  // namespace strata

// Writes WAV files for tests of what reads them.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

namespace strata::test {

// 16 bits, one channel; samples in [-1, 1].
inline void write_wav(const std::string& path, const std::vector<float>& samples,
                      uint32_t rate = 8000) {
  std::ofstream file(path, std::ios::binary);
  auto word = [&](uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) file.put(static_cast<char>(value >> (8 * i)));
  };
  const auto bytes = static_cast<uint32_t>(2 * samples.size());
  file << "RIFF";
  word(36 + bytes, 4);
  file << "WAVEfmt ";
  word(16, 4);        // bytes of the format
  word(1, 2);         // integers
  word(1, 2);         // channels
  word(rate, 4);      // samples a second
  word(2 * rate, 4);  // bytes a second
  word(2, 2);         // bytes a sample of all channels
  word(16, 2);        // bits
  file << "data";
  word(bytes, 4);
  for (float sample : samples)
    word(static_cast<uint16_t>(static_cast<int16_t>(sample * 32768.0f * 0.99999f)), 2);
}

}  // namespace strata::test

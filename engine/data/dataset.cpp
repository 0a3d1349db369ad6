#include "engine/data/dataset.h"

#include <algorithm>
#include <numeric>

#include "kernels/common/parallel.h"

namespace strata {

const char* name_of(Split split) {
  constexpr const char* names[] = {"train", "validation", "test"};
  return names[static_cast<int>(split)];
}

void Dataset::normalise(const uint8_t* pixels, float* out) const {
  for (int64_t c = 0; c < channels; ++c) {
    float table[256];
    for (int value = 0; value < 256; ++value)
      table[value] = (static_cast<float>(value) / 255.0f - mean[c]) / deviation[c];
    for (int64_t i = c; i < image_bytes(); i += channels) out[i] = table[pixels[i]];
  }
}

Batch Dataset::fill(std::span<const int64_t> indices, Caller at) const {
  for (int64_t index : indices)
    if (index < 0 || index >= size())
      fail("dataset", at, "{} has {} images; index {} is outside [0, {})", name, size(), index,
           size());
  int64_t count = static_cast<int64_t>(indices.size());
  int64_t factor_count = static_cast<int64_t>(factors.size());
  Batch batch{empty({count, height, width, channels}), empty({count}, DType::i64),
              empty({count, factor_count}, DType::i64)};
  float* images = batch.images.data<float>();
  int64_t* labels = batch.labels.data<int64_t>();
  int64_t* values = batch.factors.data<int64_t>();
  parallel_for(count, 16, [&](int64_t begin, int64_t end) {
    std::vector<uint8_t> pixels(static_cast<size_t>(image_bytes()));
    for (int64_t i = begin; i < end; ++i) {
      read(indices[static_cast<size_t>(i)], pixels.data(), labels + i, values + i * factor_count);
      normalise(pixels.data(), images + i * image_bytes());
    }
  });
  return batch;
}

Batch Dataset::head(int64_t count) const {
  std::vector<int64_t> indices(static_cast<size_t>(std::min(count, size())));
  std::iota(indices.begin(), indices.end(), 0);
  return fill(indices);
}

}  // namespace strata

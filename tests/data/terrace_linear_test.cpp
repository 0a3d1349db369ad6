// No trivial cue: a linear classifier on the pixels reads hue, and of the high levels nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "engine/data/keyed_random.h"
#include "engine/data/terrace.h"

namespace strata {
namespace {

constexpr int train_count = 4000, test_count = 2000, width = terrace::image_bytes;

struct Pixels {
  std::vector<float> images;     // [train_count + test_count, width]
  std::vector<int64_t> factors;  // [train_count + test_count, factor_count]
};

Pixels load() {
  Terrace data(terrace_task("chain"), 11, train_count + test_count);
  Pixels out;
  Batch batch = data.head(data.size());
  out.images = batch.images.to_vector<float>();
  out.factors = batch.factors.to_vector<int64_t>();
  return out;
}

// Test accuracy of softmax regression trained by plain stochastic gradient descent.
double linear_accuracy(const Pixels& data, int factor) {
  int values = terrace::row_of(factor).values;
  std::vector<float> weight(static_cast<size_t>(values * width), 0.0f), bias(values, 0.0f);
  auto scores = [&](const float* image, float* out) {
    for (int k = 0; k < values; ++k) {
      const float* w = &weight[static_cast<size_t>(k * width)];
      float sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int i = 0; i < width; ++i) sum += w[i] * image[i];
      out[k] = sum + bias[k];
    }
  };
  std::vector<float> score(values);
  for (int epoch = 0; epoch < 12; ++epoch) {
    float rate = 2e-4f / static_cast<float>(1 + epoch);
    KeyedPermutation order(train_count, 1, static_cast<uint64_t>(epoch));
    for (int step = 0; step < train_count; ++step) {
      size_t i = order(static_cast<uint64_t>(step));
      const float* image = &data.images[i * width];
      int64_t truth = data.factors[i * terrace::factor_count + static_cast<size_t>(factor)];
      scores(image, score.data());
      float top = *std::max_element(score.begin(), score.end()), total = 0;
      for (float& s : score) total += s = std::exp(s - top);
      for (int k = 0; k < values; ++k) {
        float gradient = score[k] / total - (k == truth ? 1.0f : 0.0f);
        float* w = &weight[static_cast<size_t>(k * width)];
        for (int j = 0; j < width; ++j) w[j] -= rate * gradient * image[j];
        bias[k] -= rate * gradient;
      }
    }
  }
  int right = 0;
  for (size_t i = train_count; i < train_count + test_count; ++i) {
    scores(&data.images[i * width], score.data());
    auto best = std::max_element(score.begin(), score.end()) - score.begin();
    right += best == data.factors[i * terrace::factor_count + static_cast<size_t>(factor)];
  }
  return static_cast<double>(right) / test_count;
}

TEST(TerraceLinear, PixelsTellHueButNothingHigh) {
  Pixels data = load();
  EXPECT_GT(linear_accuracy(data, terrace::hue), 0.6);  // the classifier does learn
  // 2000 tests of chance .25 have a standard error of .0097; the bound is chance + 6 of them.
  for (int factor : {terrace::texture_above, terrace::part_above, terrace::part_below,
                     terrace::object, terrace::scene}) {
    double accuracy = linear_accuracy(data, factor);
    RecordProperty(terrace::row_of(factor).name, std::to_string(accuracy));
    EXPECT_LT(accuracy, 0.25 + 0.06) << terrace::row_of(factor).name;
  }
}

}  // namespace
}  // namespace strata

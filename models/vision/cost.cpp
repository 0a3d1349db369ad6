#include "models/vision/cost.h"

namespace strata {

void ImageCost::conv(int64_t outputs, int64_t kernel, int64_t stride, int64_t padding, bool bias) {
  const int64_t weights = outputs * kernel * kernel * channels;
  pool(kernel, stride, padding);
  channels = outputs;
  parameters += weights + (bias ? outputs : 0);
  multiply_adds += weights * height * width;
}

void ImageCost::pool(int64_t window, int64_t stride, int64_t padding) {
  height = (height + 2 * padding - window) / stride + 1;
  width = (width + 2 * padding - window) / stride + 1;
}

void ImageCost::linear(int64_t outputs) {
  const int64_t weights = outputs * height * width * channels;
  height = width = 1;
  channels = outputs;
  parameters += weights + outputs;
  multiply_adds += weights;
}

}  // namespace strata

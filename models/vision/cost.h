// What an image network costs, from the shapes of its layers alone, without making it: parameters,
// and multiply-adds of one image. Counted as papers count them: convolutions, linear layers and the
// products of attention; norms, pooling, activations and the adding of biases are left out.
#pragma once

#include <cstdint>

namespace strata {

struct Cost {
  int64_t parameters = 0;
  int64_t multiply_adds = 0;
};

// Follows an image through a network:
//   ImageCost cost(3, 224, 224);
//   cost.conv(64, 7, 2, 3), cost.norm(), cost.pool(3, 2, 1);  // now 56 x 56 x 64
struct ImageCost : Cost {
  int64_t channels, height, width;

  ImageCost(int64_t channels, int64_t height, int64_t width)
      : channels(channels), height(height), width(width) {}
  // Square kernels and windows, as conv2d() and max_pool2d() take them.
  void conv(int64_t outputs, int64_t kernel, int64_t stride = 1, int64_t padding = 0,
            bool bias = false);
  void pool(int64_t window, int64_t stride, int64_t padding = 0);
  void resize(int64_t new_height, int64_t new_width) { height = new_height, width = new_width; }
  // A scale and a shift for each channel.
  void norm() { parameters += 2 * channels; }
  // Everything as one vector -> [outputs], with bias.
  void linear(int64_t outputs);
};

}  // namespace strata

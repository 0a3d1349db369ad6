// What excites a unit: the images and places of a data set with the largest responses, and how much
// of the image a unit of the layer can see.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata::introspect {

struct Excitation {
  int64_t image = 0;  // row of the data set
  // Place in the layer's map; of a sequence the row is the position; 0, 0 for flat layers.
  int64_t row = 0, column = 0;
  double activation = 0;
};

// The `count` strongest images of every unit of a layer, each image counted once (at its strongest
// place), ties to the earlier image.
class TopExcitations {
 public:
  explicit TopExcitations(int count) : count_(count) {}
  // activation [N, H, W, C], [N, T, C] or [N, C] of images first, first + 1, ...
  void add(const Tensor& activation, int64_t first);
  const std::vector<Excitation>& of(int64_t unit) const { return best_[static_cast<size_t>(unit)]; }
  int64_t units() const { return static_cast<int64_t>(best_.size()); }
  // The strongest response of every image seen, by unit: what percentiles are read from.
  const std::vector<float>& responses(int64_t unit) const {
    return responses_[static_cast<size_t>(unit)];
  }
  // Share of the images whose strongest response is below `activation`.
  double percentile(int64_t unit, double activation) const;

 private:
  int count_;
  std::vector<std::vector<Excitation>> best_;
  std::vector<std::vector<float>> responses_;
};

// Window of the image that one place of a layer's map can see, found from the gradient of the place
// with respect to the image (exact for any model; a place whose units are all dead at these images
// shows a smaller one, so several images are used).
struct ReceptiveField {
  int64_t height = 0, width = 0;
  double stride_y = 1, stride_x = 1;  // image pixels between neighbouring places
  // The window of place (row, column), clipped to the image: top, left, bottom, right (exclusive).
  struct Window {
    int64_t top, left, bottom, right;
  };
  Window window(int64_t row, int64_t column) const;
  int64_t image_height = 0, image_width = 0;
};
// `layer_of`: images [N, H, W, C] to the layer's activation.
ReceptiveField receptive_field(const std::function<Tensor(const Tensor&)>& layer_of,
                               const Tensor& images);

}  // namespace strata::introspect

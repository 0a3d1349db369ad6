// Small random changes of an image between one step of ascent and the next, so that a stimulus does
// not hang on one alignment of the pixels (Olah et al. 2017, "Feature visualization"). All are
// linear in the pixels and differentiable.
#pragma once

#include "engine/ops/random.h"
#include "engine/tensor/tensor.h"

namespace strata::introspect {

// images [N, H, W, C] read at places [H', W', 2] -> [N, H', W', C]. A place is (row, column) in
// pixels, the centre of the first pixel at (0, 0); between pixels the four nearest are mixed
// (bilinear), outside the image the nearest edge is read. f32 or f64. Cost: 4 C operations a pixel.
Tensor sample_bilinear(const Tensor& images, const Tensor& places);

// Each draw is uniform in its range, the same for all images of a batch.
struct Transform {
  int jitter = 0;       // pixels up, down, left and right; what leaves comes in on the other side
  double scale = 0;     // 0.1: from 0.9 to 1.1 times as large, about the centre
  double rotation = 0;  // 10: from -10 to 10 degrees, about the centre
};
Tensor transformed(const Tensor& images, const Transform& transform, Generator& generator);

}  // namespace strata::introspect

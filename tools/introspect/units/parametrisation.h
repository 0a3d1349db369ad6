// How an image is written in numbers while ascent changes it (Olah et al. 2017, "Feature
// visualization", "The enemy of feature visualization").
//
// An image is a sum of waves, of an orthonormal basis along each axis: pixels, cosines (DCT-II) or
// real Fourier waves. Coefficients of waves are scaled by 1/frequency^decay, as those of natural
// images are: without this, ascent ends in high-frequency noise. Colours are mixed by the square
// root of the data's colour covariance, so that a step changes brightness and hue in the proportion
// in which the data do. A sigmoid keeps pixels in [0, 1].
//
//   pixels(z) = sigmoid(colour (B_h' (z s) B_w)),  s = sqrt(H W) / max(frequency, 1)^decay
//
// Two products an image: 2 H W (H + W) C operations; at 224 x 224 x 3 that is 135 MFLOP.
#pragma once

#include <cstdint>

#include "engine/tensor/tensor.h"

namespace strata::introspect {

enum class Basis { pixels, cosine, fourier };

// Orthonormal matrices [n, n], a wave a row; the transpose is the inverse. Cosines: row k has k
// half-periods. Fourier: 1, then cosine and sine of 1, 2, ... periods.
Tensor cosine_basis(int64_t n, DType dtype = DType::f32);
Tensor fourier_basis(int64_t n, DType dtype = DType::f32);

// What the ascent runs on.
struct StimulusSpace {
  int64_t height = 0, width = 0, channels = 0;
  // [C]: what the model's input was normalised with: input = (pixel - mean) / deviation.
  Tensor mean, deviation;
  Tensor colour;  // [C, C]: square root of the pixel colours' covariance; identity if undefined
};
// The space of a data set from a sample of its images [N, H, W, C] in [0, 1].
StimulusSpace stimulus_space(const Tensor& images, const Tensor& mean, const Tensor& deviation);
// Pixels [N, H, W, C] in [0, 1] as the model takes them.
Tensor normalised(const Tensor& pixels, const StimulusSpace& space);

// The differentiable way from coefficients to images, and back.
class Painter {
 public:
  // `decay` is of the waves; pixels have no frequency.
  Painter(const StimulusSpace& space, Basis basis, double decay, DType dtype = DType::f32);

  // Coefficients [N, H, W, C] to pixels in [0, 1].
  Tensor paint(const Tensor& coefficients) const;
  // The same before colours are mixed and squashed: the sum of the scaled waves.
  Tensor plane(const Tensor& coefficients) const;
  // Coefficients that paint `images`, which are clipped into [0.02, 0.98] first.
  Tensor coefficients_of(const Tensor& images) const;
  DType dtype() const { return dtype_; }

 private:
  DType dtype_;
  Tensor rows_, columns_, scale_;  // [H, H], [W, W] (undefined: pixels), [H, W, 1]
  Tensor colour_, from_colour_;
};

}  // namespace strata::introspect

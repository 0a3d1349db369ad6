// Upsampling (and downsampling) of images by interpolation; see pool.h.
#include "kernels/pool/resample.h"
#include "engine/ops/detail/kernel_inputs.h"
#include "engine/ops/detail/linear_map.h"
#include "engine/ops/pool.h"

namespace strata {
namespace {

using cpu::ResampleShape;

void check_image(const char* op, const Tensor& x, int64_t height, int64_t width, Caller at) {
  detail::check_floating(op, "x", x, at);
  if (x.rank() != 4) fail(op, at, "x {} must be images [N, H, W, C]", describe(x));
  if (x.size(1) == 0 || x.size(2) == 0 || height < 1 || width < 1) {
    fail(op, at, "x {} to {} x {}: heights and widths must be 1 or more", describe(x), height,
         width);
  }
}

ResampleShape typed(ResampleShape shape, DType dtype) {
  shape.dtype = dtype;
  return shape;
}

Tensor resampled(const char* op, const char* gradient, const Tensor& x, ResampleShape shape,
                 Caller at) {
  shape.N = x.size(0);
  shape.C = x.size(3);
  Dims out = {shape.N, shape.rows.out(), shape.columns.out(), shape.C};
  auto map = std::make_shared<detail::LinearMap>(detail::LinearMap{
      op, gradient, x.shape(), out,
      [shape, op, at](Device device, DType dtype, const void* image, const void*, void* values) {
        on(device, op, at, cpu::resample, gpu::resample, typed(shape, dtype), image, values);
      },
      [shape, gradient, at](Device device, DType dtype, const void* values, const void*,
                            void* image) {
        on(device, gradient, at, cpu::resample_adjoint, gpu::resample_adjoint, typed(shape, dtype),
           values, image);
      },
      at});
  return detail::apply(map, false, x);
}

}  // namespace

Tensor upsample_nearest2d(const Tensor& x, int64_t height, int64_t width, Caller at) {
  check_image("upsample_nearest2d", x, height, width, at);
  ResampleShape shape;
  shape.rows = cpu::nearest_axis(x.size(1), height);
  shape.columns = cpu::nearest_axis(x.size(2), width);
  return resampled("upsample_nearest2d", "upsample_nearest2d_gradient", x, shape, at);
}

Tensor upsample_bilinear2d(const Tensor& x, int64_t height, int64_t width, bool align_corners,
                           Caller at) {
  check_image("upsample_bilinear2d", x, height, width, at);
  ResampleShape shape;
  shape.rows = cpu::linear_axis(x.size(1), height, align_corners);
  shape.columns = cpu::linear_axis(x.size(2), width, align_corners);
  return resampled("upsample_bilinear2d", "upsample_bilinear2d_gradient", x, shape, at);
}

}  // namespace strata

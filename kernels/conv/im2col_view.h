// A gather as the copy engine does it: tma_load_im2col walks the base pixels of the destination and
// adds a tap's offset, and zeros come for what lies outside the image. Offsets are not negative, so
// the input gradient, whose taps walk backwards, counts its taps from the other end.
#pragma once

#include <algorithm>
#include <cstdlib>

#include "kernels/conv/gather.h"
#include "kernels/gpu/gpu.h"

namespace strata::gpu::conv {

struct Im2colView {
  Gather gather;           // its dilations are not negative
  int channel_blocks = 0;  // of 64, of the source

  Im2colView() = default;
  explicit Im2colView(const Gather& from)
      : gather(from), channel_blocks((from.channels + 63) / 64) {
    Gather& g = gather;
    reverse(g.R, g.dilation_h, g.offset_h, g.first_r, g.step_r);
    reverse(g.S, g.dilation_w, g.offset_w, g.first_s, g.step_s);
  }
  // The last base pixel counts from the image's last pixel.
  std::array<int, 2> upper() const {
    return {(gather.columns - 1) * gather.stride_w + gather.offset_w - (gather.W - 1),
            (gather.rows - 1) * gather.stride_h + gather.offset_h - (gather.H - 1)};
  }
  bool fits() const {
    auto corner = [](int value) { return value >= -128 && value <= 127; };
    return corner(gather.offset_h) && corner(gather.offset_w) && corner(upper()[0]) &&
           corner(upper()[1]) && gather.stride_h <= 8 && gather.stride_w <= 8 &&
           (gather.R - 1) * gather.dilation_h <= 255 && (gather.S - 1) * gather.dilation_w <= 255;
  }
  // Loads of `pixels` pixels of 64 channels.
  TensorMap map(DType dtype, const void* source, int pixels) const {
    const int64_t W = gather.W, H = gather.H, pitch = gather.pitch;
    return im2col_map(dtype, source, {gather.channels, W, H, gather.N},
                      {pitch, W * pitch, H * W * pitch}, {gather.offset_w, gather.offset_h},
                      upper(), 64, pixels, {gather.stride_w, gather.stride_h}, Swizzle::b128);
  }
  // Brings the pixels from base pixel `place` on, through the tap and 64 channels of `column`,
  // which counts taps times blocks of channels.
  DEVICE void load(void* tile, const TensorMap* map, const Place& place, int column,
                   uint64_t* full SIM_SITE) const {
    const int tap = column / channel_blocks, r = gather.per_tap_row.quotient(tap);
    const int coordinates[4] = {(column - tap * channel_blocks) * 64, place.w, place.h, place.n};
    const uint16_t offsets[2] = {static_cast<uint16_t>((tap - r * gather.S) * gather.dilation_w),
                                 static_cast<uint16_t>(r * gather.dilation_h)};
    tma_load_im2col(tile, map, coordinates, offsets, full SIM_PASS);
  }

 private:
  static void reverse(int taps, int& dilation, int& offset, int& first, int& step) {
    if (dilation >= 0) return;
    offset += (taps - 1) * dilation;
    first += (taps - 1) * step;
    dilation = -dilation, step = -step;
  }
};

}  // namespace strata::gpu::conv

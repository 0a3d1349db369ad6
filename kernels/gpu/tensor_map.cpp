// The rules that a tensor map must keep. The driver answers a broken one with a bare "invalid
// value"; here the message says which.
#include "kernels/gpu/tensor_map.h"

#include <fmt/format.h>

#include "kernels/gpu/runtime.h"

namespace strata::gpu {

namespace {

template <class... A>
[[noreturn]] void refuse(fmt::format_string<A...> message, A&&... arguments) {
  throw Error("tensor map: " + fmt::format(message, std::forward<A>(arguments)...));
}

void check_tensor(const TensorLayout& layout) {
  if (reinterpret_cast<uintptr_t>(layout.base) % 16 || !layout.base)
    refuse("the tensor begins at {}, which is not a multiple of 16 bytes", layout.base);
  for (int axis = 0; axis < layout.rank; ++axis) {
    const int64_t size = layout.sizes[static_cast<size_t>(axis)],
                  stride = layout.strides[static_cast<size_t>(axis)];
    if (size < 1 || size > int64_t{1} << 32)
      refuse("axis {} has {} elements; there must be 1 to 2^32", axis, size);
    if (axis > 0 && (stride <= 0 || stride % 16 || stride >= int64_t{1} << 40))
      refuse("axis {} has a stride of {} bytes, which is not a positive multiple of 16 below 2^40",
             axis, stride);
  }
}

void check_inner(const TensorLayout& layout, const char* what) {
  const int64_t bytes = int64_t{layout.box[0]} * static_cast<int64_t>(size_of(layout.dtype));
  if (bytes % 16)
    refuse("{} {} of {} are {} bytes, which is not a multiple of 16", layout.box[0], what,
           name_of(layout.dtype), bytes);
  const int span = swizzle_span(layout.swizzle);
  if (layout.swizzle != Swizzle::none && bytes != span)
    refuse("{} {} of {} are {} bytes; with the {}-byte swizzle they must be {}", layout.box[0],
           what, name_of(layout.dtype), bytes, span, span);
}

void check_im2col(const TensorLayout& layout) {
  if (layout.rank != 4) refuse("im2col takes 4 axes (c, w, h, n), not {}", layout.rank);
  if (layout.box[0] < 1 || layout.box[0] > 256)
    refuse("{} channels a pixel; there must be 1 to 256", layout.box[0]);
  if (layout.box[1] < 1 || layout.box[1] > 1024)
    refuse("{} pixels a column; there must be 1 to 1024", layout.box[1]);
  for (size_t i = 0; i < 2; ++i) {
    const char* axis = i == 0 ? "w" : "h";
    const int lower = layout.lower[i], upper = layout.upper[i], step = layout.steps[i];
    if (lower < -128 || lower > 127 || upper < -128 || upper > 127)
      refuse("the corners of axis {} are {} and {}; they must lie in -128 to 127", axis, lower,
             upper);
    if (step < 1 || step > 8) refuse("the step of axis {} is {}; it must be 1 to 8", axis, step);
    if (layout.sizes[i + 1] - 1 + upper < lower)
      refuse("no base pixel along axis {}: {} elements, corners {} and {}", axis,
             layout.sizes[i + 1], lower, upper);
  }
  check_inner(layout, "channels");
}

}  // namespace

void check(const TensorLayout& layout) {
  check_tensor(layout);
  if (layout.im2col) return check_im2col(layout);
  for (int axis = 0; axis < layout.rank; ++axis) {
    const int box = layout.box[static_cast<size_t>(axis)];
    if (box < 1 || box > 256)
      refuse("the box has {} elements along axis {}; there must be 1 to 256", box, axis);
  }
  check_inner(layout, "elements along axis 0 of the box");
}

TensorLayout tiled_layout(DType dtype, const void* base, std::initializer_list<int64_t> sizes,
                          std::initializer_list<int64_t> strides, std::initializer_list<int> box,
                          Swizzle swizzle) {
  const size_t rank = sizes.size();
  if (rank < 1 || rank > 5) refuse("{} axes; there must be 1 to 5", rank);
  if (strides.size() != rank - 1 || box.size() != rank)
    refuse("{} sizes need {} strides (axis 0 has none) and {} box sizes; given {} and {}", rank,
           rank - 1, rank, strides.size(), box.size());
  TensorLayout layout{
      .dtype = dtype, .base = base, .rank = static_cast<int>(rank), .swizzle = swizzle};
  const auto element = static_cast<int64_t>(strata::size_of(dtype));
  layout.strides[0] = element;
  for (size_t axis = 0; axis < rank; ++axis) {
    layout.sizes[axis] = sizes.begin()[axis];
    layout.box[axis] = box.begin()[axis];
    if (axis > 0) layout.strides[axis] = strides.begin()[axis - 1] * element;
  }
  check(layout);
  return layout;
}

TensorLayout im2col_layout(DType dtype, const void* base, const std::array<int64_t, 4>& sizes,
                           const std::array<int64_t, 3>& strides, const std::array<int, 2>& lower,
                           const std::array<int, 2>& upper, int channels, int pixels,
                           const std::array<int, 2>& steps, Swizzle swizzle) {
  TensorLayout layout{.dtype = dtype,
                      .base = base,
                      .rank = 4,
                      .swizzle = swizzle,
                      .im2col = true,
                      .lower = lower,
                      .upper = upper,
                      .steps = steps};
  const auto element = static_cast<int64_t>(strata::size_of(dtype));
  layout.strides[0] = element;
  for (size_t axis = 0; axis < 4; ++axis) {
    layout.sizes[axis] = sizes[axis];
    if (axis > 0) layout.strides[axis] = strides[axis - 1] * element;
  }
  layout.box = {channels, pixels};
  check(layout);
  return layout;
}

}  // namespace strata::gpu

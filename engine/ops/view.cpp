// Views by arithmetic on shape and strides; see view.h. A view that changes nothing is x itself.
#include "engine/ops/view.h"

#include <algorithm>

#include "engine/autograd/autograd.h"
#include "engine/ops/create.h"
#include "engine/ops/detail/check.h"
#include "engine/ops/elementwise.h"

namespace strata {

using detail::check_defined;

namespace {

// Fills in the -1 of a requested shape.
Dims resolve_shape(const Tensor& x, Dims shape, Caller at) {
  int unknown = -1;
  int64_t known = 1;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] == -1) {
      if (unknown >= 0) {
        fail("reshape", at, "{} to {}: only one size may be -1", describe(x), to_string(shape));
      }
      unknown = i;
    } else if (shape[i] < 0) {
      fail("reshape", at, "{} to {}: size {} is negative (-1 asks to work it out)", describe(x),
           to_string(shape), shape[i]);
    } else {
      known *= shape[i];
    }
  }
  if (unknown >= 0) {
    if (known == 0) {
      fail("reshape", at, "{} to {}: with a size of 0, -1 could be anything; give the size",
           describe(x), to_string(shape));
    }
    if (x.numel() % known != 0) {
      fail("reshape", at, "{} to {}: {} elements cannot be divided by {}, so -1 has no value",
           describe(x), to_string(shape), x.numel(), known);
    }
    shape[unknown] = x.numel() / known;
  } else if (known != x.numel()) {
    fail("reshape", at, "{} to {}: {} elements do not fill {}", describe(x), to_string(shape),
         x.numel(), known);
  }
  return shape;
}

// The adjoint of slice: zeros of `shape` with g at start, start + step, ... along `axis`.
Tensor unslice(const Tensor& g, const Dims& shape, int axis, int64_t start, int64_t step,
               const char* op, Caller at) {
  Tensor out = zeros(shape, g.dtype(), g.device());
  Dims strides = out.strides();
  int64_t offset = start * strides[axis];
  strides[axis] *= step;
  if (g.numel() > 0) {
    NoGrad off;
    copy_(make_view(out, g.shape(), strides, offset), g, at);
  }
  int64_t stop = start + (g.shape()[axis] - 1) * step + 1;
  return record(out, op, at, {g}, {}, [axis, start, stop, step, at](const Tensor& h, const Saved&) {
    return Gradients{slice(h, axis, start, stop, step, at)};
  });
}

}  // namespace

Tensor reshape(const Tensor& x, const Dims& wanted, Caller at) {
  check_defined("reshape", "x", x, at);
  if (wanted == x.shape()) return x;
  Dims shape = resolve_shape(x, wanted, at), strides;
  if (shape == x.shape()) return x;
  if (!reshape_strides(x.shape(), x.strides(), shape, &strides)) {
    return reshape(contiguous(x, at), shape, at);
  }
  return record(make_view(x, shape, strides, x.offset()), "reshape", at, {x}, {},
                [before = x.shape(), at](const Tensor& g, const Saved&) {
                  return Gradients{reshape(g, before, at)};
                });
}

Tensor permute(const Tensor& x, const Dims& axes, Caller at) {
  check_defined("permute", "x", x, at);
  int rank = x.rank();
  if (axes.rank() != rank) {
    fail("permute", at, "{} has {} axes but {} names {}; name each once", describe(x), rank,
         to_string(axes), axes.rank());
  }
  Dims shape = x.shape(), strides = x.strides(), inverse = Dims::filled(rank, -1);
  bool identity = true;
  for (int i = 0; i < rank; ++i) {
    int axis = normalize_axis("permute", static_cast<int>(axes[i]), rank, at);
    if (inverse[axis] != -1) {
      fail("permute", at, "{} for {} names axis {} twice; name each once", to_string(axes),
           describe(x), axis);
    }
    inverse[axis] = i;
    shape[i] = x.shape()[axis];
    strides[i] = x.strides()[axis];
    identity &= axis == i;
  }
  if (identity) return x;
  return record(
      make_view(x, shape, strides, x.offset()), "permute", at, {x}, {},
      [inverse, at](const Tensor& g, const Saved&) { return Gradients{permute(g, inverse, at)}; });
}

Tensor transpose(const Tensor& x, int a, int b, Caller at) {
  check_defined("transpose", "x", x, at);
  a = normalize_axis("transpose", a, x.rank(), at);
  b = normalize_axis("transpose", b, x.rank(), at);
  if (a == b) return x;
  Dims shape = x.shape(), strides = x.strides();
  std::swap(shape[a], shape[b]);
  std::swap(strides[a], strides[b]);
  return record(
      make_view(x, shape, strides, x.offset()), "transpose", at, {x}, {},
      [a, b, at](const Tensor& g, const Saved&) { return Gradients{transpose(g, a, b, at)}; });
}

Tensor slice(const Tensor& x, int axis, int64_t start, int64_t stop, int64_t step, Caller at) {
  check_defined("slice", "x", x, at);
  axis = normalize_axis("slice", axis, x.rank(), at);
  if (step <= 0) {
    fail("slice", at, "step {} of {}: steps are positive; flip() reverses an axis", step,
         describe(x));
  }
  int64_t size = x.shape()[axis];
  auto clip = [size](int64_t i) { return std::clamp(i < 0 ? i + size : i, int64_t{0}, size); };
  start = clip(start);
  stop = clip(stop);
  if (start == 0 && stop == size && step == 1) return x;
  Dims shape = x.shape(), strides = x.strides();
  shape[axis] = stop > start ? (stop - start - 1) / step + 1 : 0;
  int64_t offset = x.offset() + (shape[axis] > 0 ? start * strides[axis] : 0);
  strides[axis] *= step;
  return record(make_view(x, shape, strides, offset), "slice", at, {x}, {},
                [before = x.shape(), axis, start, step, at](const Tensor& g, const Saved&) {
                  return Gradients{unslice(g, before, axis, start, step, "slice_gradient", at)};
                });
}

Tensor select(const Tensor& x, int axis, int64_t index, Caller at) {
  check_defined("select", "x", x, at);
  axis = normalize_axis("select", axis, x.rank(), at);
  int64_t size = x.shape()[axis];
  if (index < -size || index >= size) {
    fail("select", at, "index {} is outside axis {} of {}, which has size {}", index, axis,
         describe(x), size);
  }
  if (index < 0) index += size;
  Dims shape = x.shape(), strides = x.strides();
  int64_t offset = x.offset() + index * strides[axis];
  shape.erase(axis);
  strides.erase(axis);
  return record(make_view(x, shape, strides, offset), "select", at, {x}, {},
                [before = x.shape(), axis, index, at](const Tensor& g, const Saved&) {
                  Tensor row = unsqueeze(g, axis, at);
                  return Gradients{unslice(row, before, axis, index, 1, "select_gradient", at)};
                });
}

Tensor expand(const Tensor& x, const Dims& wanted, Caller at) {
  check_defined("expand", "x", x, at);
  int shift = wanted.rank() - x.rank();
  if (shift < 0) {
    fail("expand", at, "{} has {} axes and cannot become {}, which has {}", describe(x), x.rank(),
         to_string(wanted), wanted.rank());
  }
  Dims shape = wanted;
  for (int i = 0; i < shape.rank(); ++i) {
    int64_t size = i < shift ? -1 : x.shape()[i - shift];
    if (shape[i] == -1 && i >= shift) shape[i] = size;
    if (shape[i] < 0) {
      fail("expand", at, "{} to {}: a new axis in front needs a size, not {}", describe(x),
           to_string(wanted), shape[i]);
    }
    if (i >= shift && size != 1 && size != shape[i]) {
      fail("expand", at, "{} to {}: axis {} has size {} and cannot become {}; only 1 stretches",
           describe(x), to_string(wanted), i - shift, size, shape[i]);
    }
  }
  if (shape == x.shape()) return x;
  Dims strides = broadcast_strides(x.shape(), x.strides(), shape);
  // The engine sums the gradient, which is larger than x, back to x's shape.
  return record(make_view(x, shape, strides, x.offset()), "expand", at, {x}, {},
                [](const Tensor& g, const Saved&) { return Gradients{g}; });
}

Tensor unsqueeze(const Tensor& x, int axis, Caller at) {
  check_defined("unsqueeze", "x", x, at);
  if (x.rank() == max_rank) {
    fail("unsqueeze", at, "{} already has {} axes, the most there can be", describe(x), max_rank);
  }
  axis = normalize_axis("unsqueeze", axis, x.rank() + 1, at);
  Dims shape = x.shape(), strides = x.strides();
  int64_t stride = axis < x.rank() ? strides[axis] * shape[axis] : 1;
  shape.insert(axis, 1);
  strides.insert(axis, stride);
  return record(
      make_view(x, shape, strides, x.offset()), "unsqueeze", at, {x}, {},
      [axis, at](const Tensor& g, const Saved&) { return Gradients{squeeze(g, axis, at)}; });
}

Tensor squeeze(const Tensor& x, int axis, Caller at) {
  check_defined("squeeze", "x", x, at);
  axis = normalize_axis("squeeze", axis, x.rank(), at);
  if (x.shape()[axis] != 1) {
    fail("squeeze", at, "axis {} of {} has size {}; only axes of size 1 can go", axis, describe(x),
         x.shape()[axis]);
  }
  Dims shape = x.shape(), strides = x.strides();
  shape.erase(axis);
  strides.erase(axis);
  return record(
      make_view(x, shape, strides, x.offset()), "squeeze", at, {x}, {},
      [axis, at](const Tensor& g, const Saved&) { return Gradients{unsqueeze(g, axis, at)}; });
}

Tensor flatten(const Tensor& x, int first, int last, Caller at) {
  check_defined("flatten", "x", x, at);
  if (x.rank() == 0) return reshape(x, {1}, at);
  first = normalize_axis("flatten", first, x.rank(), at);
  last = normalize_axis("flatten", last, x.rank(), at);
  if (first > last) {
    fail("flatten", at, "{}: the first axis, {}, comes after the last, {}", describe(x), first,
         last);
  }
  Dims shape;
  for (int i = 0; i < x.rank(); ++i) {
    if (i <= first || i > last) {
      shape.push_back(x.shape()[i]);
    } else {
      shape[first] *= x.shape()[i];
    }
  }
  return reshape(x, shape, at);
}

Tensor flip(const Tensor& x, const Dims& wanted, Caller at) {
  check_defined("flip", "x", x, at);
  Dims axes = normalize_axes("flip", wanted, x.rank(), at), strides = x.strides();
  int64_t offset = x.offset();
  for (int64_t i : axes) {
    int axis = static_cast<int>(i);
    offset += std::max<int64_t>(x.shape()[axis] - 1, 0) * strides[axis];
    strides[axis] = -strides[axis];
  }
  if (axes.empty()) return x;
  return record(make_view(x, x.shape(), strides, x.numel() > 0 ? offset : x.offset()), "flip", at,
                {x}, {},
                [axes, at](const Tensor& g, const Saved&) { return Gradients{flip(g, axes, at)}; });
}

Tensor Tensor::reshape(const Dims& shape, Caller at) const {
  return strata::reshape(*this, shape, at);
}
Tensor Tensor::permute(const Dims& axes, Caller at) const {
  return strata::permute(*this, axes, at);
}
Tensor Tensor::transpose(int a, int b, Caller at) const {
  return strata::transpose(*this, a, b, at);
}
Tensor Tensor::slice(int axis, int64_t start, int64_t stop, int64_t step, Caller at) const {
  return strata::slice(*this, axis, start, stop, step, at);
}
Tensor Tensor::select(int axis, int64_t index, Caller at) const {
  return strata::select(*this, axis, index, at);
}
Tensor Tensor::expand(const Dims& shape, Caller at) const {
  return strata::expand(*this, shape, at);
}
Tensor Tensor::unsqueeze(int axis, Caller at) const { return strata::unsqueeze(*this, axis, at); }
Tensor Tensor::squeeze(int axis, Caller at) const { return strata::squeeze(*this, axis, at); }
Tensor Tensor::flatten(int first, int last, Caller at) const {
  return strata::flatten(*this, first, last, at);
}

}  // namespace strata

#include "engine/ops/join.h"

#include <algorithm>

#include "engine/autograd/autograd.h"
#include "engine/ops/create.h"
#include "engine/ops/detail/check.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/index.h"
#include "engine/ops/view.h"
#include "engine/tensor/allocator.h"

namespace strata {
namespace {

using detail::check_defined;

// Writes x into `out` at the given start of each axis.
void place(const Tensor& out, const Dims& start, const Tensor& x, Caller at) {
  if (x.numel() == 0) return;
  int64_t offset = out.offset();
  for (int i = 0; i < out.rank(); ++i) offset += start[i] * out.strides()[i];
  NoGrad off;
  copy_(make_view(out, x.shape(), out.strides(), offset), x, at);
}

// Shape and type of the parts in a row; refuses parts that do not fit.
std::pair<Dims, DType> joined(const std::vector<Tensor>& parts, int axis, Caller at) {
  Dims shape = parts[0].shape();
  DType dtype = parts[0].dtype();
  for (size_t p = 1; p < parts.size(); ++p) {
    const Tensor& part = parts[p];
    bool fits = part.rank() == shape.rank();
    for (int i = 0; fits && i < shape.rank(); ++i) fits = i == axis || part.shape()[i] == shape[i];
    if (!fits) {
      fail("concatenate", at, "part {} is {} and part 0 is {}: all sizes but axis {} must be equal",
           p, describe(part), describe(parts[0]), axis);
    }
    shape[axis] += part.shape()[axis];
    dtype = promote(dtype, part.dtype());
  }
  return {shape, dtype};
}

}  // namespace

Tensor concatenate(const std::vector<Tensor>& parts, int axis, Caller at) {
  if (parts.empty()) fail("concatenate", at, "no parts were given; at least one is needed");
  for (size_t p = 0; p < parts.size(); ++p) {
    if (!parts[p].defined()) fail("concatenate", at, "part {} of {} is undefined", p, parts.size());
    detail::check_one_device("concatenate", {&parts[0], &parts[p]}, at);
  }
  if (parts[0].rank() == 0) {
    fail("concatenate", at, "part 0 is {}, which has no axis to join along; stack() makes one",
         describe(parts[0]));
  }
  axis = normalize_axis("concatenate", axis, parts[0].rank(), at);
  memory::Holder holder("concatenate");
  auto [shape, dtype] = joined(parts, axis, at);
  Tensor out = empty(shape, dtype, parts[0].device());
  Dims start = Dims::filled(shape.rank(), 0);
  std::vector<int64_t> sizes;
  for (const Tensor& part : parts) {
    place(out, start, part, at);
    sizes.push_back(part.shape()[axis]);
    start[axis] += sizes.back();
  }
  auto vjp = [sizes = std::move(sizes), axis, at](const Tensor& g, const Saved& saved) {
    Gradients gradients(sizes.size());
    int64_t first = 0;
    for (size_t p = 0; p < sizes.size(); first += sizes[p++]) {
      if (saved.needs(static_cast<int>(p))) {
        gradients[p] = slice(g, axis, first, first + sizes[p], 1, at);
      }
    }
    return gradients;
  };
  return record(std::move(out), "concatenate", at, std::span<const Tensor>(parts), {},
                std::move(vjp));
}

Tensor stack(const std::vector<Tensor>& parts, int axis, Caller at) {
  if (parts.empty()) fail("stack", at, "no parts were given; at least one is needed");
  std::vector<Tensor> rows;
  rows.reserve(parts.size());
  for (size_t p = 0; p < parts.size(); ++p) {
    if (!parts[p].defined()) fail("stack", at, "part {} of {} is undefined", p, parts.size());
    if (parts[p].shape() != parts[0].shape()) {
      fail("stack", at, "part {} is {} and part 0 is {}: shapes must be equal", p,
           describe(parts[p]), describe(parts[0]));
    }
    if (p == 0) axis = normalize_axis("stack", axis, parts[0].rank() + 1, at);
    rows.push_back(unsqueeze(parts[p], axis, at));
  }
  return concatenate(rows, axis, at);
}

std::vector<Tensor> split(const Tensor& x, int64_t size, int axis, Caller at) {
  check_defined("split", "x", x, at);
  axis = normalize_axis("split", axis, x.rank(), at);
  if (size <= 0)
    fail("split", at, "{} in parts of {}: the size must be positive", describe(x), size);
  std::vector<Tensor> parts;
  for (int64_t first = 0; first < x.shape()[axis]; first += size) {
    parts.push_back(slice(x, axis, first, first + size, 1, at));
  }
  return parts;
}

std::vector<Tensor> split(const Tensor& x, const std::vector<int64_t>& sizes, int axis, Caller at) {
  check_defined("split", "x", x, at);
  axis = normalize_axis("split", axis, x.rank(), at);
  int64_t total = 0;
  for (int64_t size : sizes) {
    if (size < 0)
      fail("split", at, "part sizes {} of {}: {} is negative",
           fmt::format("[{}]", fmt::join(sizes, ",")), describe(x), size);
    total += size;
  }
  if (total != x.shape()[axis]) {
    fail("split", at, "part sizes [{}] add up to {}, but axis {} of {} has size {}",
         fmt::join(sizes, ","), total, axis, describe(x), x.shape()[axis]);
  }
  std::vector<Tensor> parts;
  int64_t first = 0;
  for (int64_t size : sizes) {
    parts.push_back(slice(x, axis, first, first + size, 1, at));
    first += size;
  }
  return parts;
}

namespace {

void check_pad(const Tensor& x, const Dims& before, const Dims& after, PadMode mode, Caller at) {
  check_defined("pad", "x", x, at);
  if (before.rank() != x.rank() || after.rank() != x.rank()) {
    fail("pad", at, "{} has {} axes but before {} and after {} have {} and {} entries", describe(x),
         x.rank(), to_string(before), to_string(after), before.rank(), after.rank());
  }
  for (int i = 0; i < x.rank(); ++i) {
    int64_t size = x.shape()[i], most = std::max(before[i], after[i]);
    if (before[i] < 0 || after[i] < 0) {
      fail("pad", at, "before {} and after {}: amounts are 0 or more; slice() takes elements away",
           to_string(before), to_string(after));
    }
    if (mode == PadMode::reflect && most > 0 && most >= size) {
      fail("pad", at, "reflecting {} elements of axis {} of {} needs more than its {} (at most {})",
           most, i, describe(x), size, std::max<int64_t>(size - 1, 0));
    }
    if (mode == PadMode::replicate && most > 0 && size == 0) {
      fail("pad", at, "axis {} of {} has no element to replicate", i, describe(x));
    }
  }
}

Tensor pad_constant(const Tensor& x, const Dims& before, const Dims& after, double value,
                    Caller at) {
  memory::Holder holder("pad");
  Dims shape = x.shape();
  for (int i = 0; i < x.rank(); ++i) shape[i] += before[i] + after[i];
  Tensor out = full(shape, value, x.dtype(), x.device());
  place(out, before, x, at);
  return record(std::move(out), "pad", at, {x}, {},
                [before, inside = x.shape(), at](const Tensor& g, const Saved&) {
                  Tensor middle = g;
                  for (int i = 0; i < inside.rank(); ++i) {
                    middle = slice(middle, i, before[i], before[i] + inside[i], 1, at);
                  }
                  return Gradients{middle};
                });
}

// Which element of an axis of `size` stands at each place of the padded one.
Tensor pad_index(int64_t size, int64_t before, int64_t after, PadMode mode) {
  std::vector<int64_t> index;
  for (int64_t i = -before; i < size + after; ++i) {
    if (mode == PadMode::replicate) {
      index.push_back(std::clamp(i, int64_t{0}, size - 1));
    } else {
      index.push_back(i < 0 ? -i : i >= size ? 2 * (size - 1) - i : i);
    }
  }
  return from_vector(index, {static_cast<int64_t>(index.size())});
}

}  // namespace

Tensor pad(const Tensor& x, const Dims& before, const Dims& after, double value, PadMode mode,
           Caller at) {
  check_pad(x, before, after, mode, at);
  if (mode == PadMode::constant) return pad_constant(x, before, after, value, at);
  Tensor out = x;
  for (int i = 0; i < x.rank(); ++i) {
    if (before[i] == 0 && after[i] == 0) continue;
    out = index_select(out, i,
                       pad_index(x.shape()[i], before[i], after[i], mode).to(x.device(), at), at);
  }
  return out;
}

Tensor roll(const Tensor& x, const Dims& shifts, const Dims& axes, Caller at) {
  check_defined("roll", "x", x, at);
  if (shifts.rank() != axes.rank()) {
    fail("roll", at, "shifts {} and axes {} must be as many", to_string(shifts), to_string(axes));
  }
  Tensor out = x;
  for (int i = 0; i < axes.rank(); ++i) {
    int axis = normalize_axis("roll", static_cast<int>(axes[i]), x.rank(), at);
    int64_t size = x.shape()[axis];
    if (size == 0) continue;
    int64_t shift = (shifts[i] % size + size) % size;
    if (shift == 0) continue;
    out = concatenate(
        {slice(out, axis, size - shift, size, 1, at), slice(out, axis, 0, size - shift, 1, at)},
        axis, at);
  }
  return out;
}

Tensor repeat(const Tensor& x, const Dims& times, Caller at) {
  check_defined("repeat", "x", x, at);
  int extra = times.rank() - x.rank();
  if (extra < 0) {
    fail("repeat", at, "{} has {} axes but times {} has {} entries", describe(x), x.rank(),
         to_string(times), times.rank());
  }
  Tensor out = x;
  for (int i = 0; i < times.rank(); ++i) {
    if (times[i] < 0) {
      fail("repeat", at, "times {} of {}: {} is negative", to_string(times), describe(x), times[i]);
    }
    if (i < extra) out = unsqueeze(out, 0, at);
  }
  // One axis at a time: [..., n, ...] -> [..., times, n, ...] as a view -> [..., times n, ...].
  for (int i = 0; i < times.rank(); ++i) {
    if (times[i] == 1) continue;
    Dims wide = out.shape(), merged = out.shape();
    wide.insert(i, times[i]);
    merged[i] *= times[i];
    out = reshape(expand(unsqueeze(out, i, at), wide, at), merged, at);
  }
  return out;
}

}  // namespace strata

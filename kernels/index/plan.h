// The axes of gather and scatter as their kernels walk them, for fewer than 2^31 elements.
#pragma once

#include "kernels/gpu/divisor.h"
#include "kernels/gpu/gpu.h"
#include "kernels/index/rung.h"

namespace strata::gpu::index {

// Axes innermost first, with the strides of the three arrays.
struct Axes {
  int rank = 0;
  uint32_t count = 1;  // positions
  Divisor size[cpu::max_index_rank];
  int64_t target[cpu::max_index_rank], source[cpu::max_index_rank], index[cpu::max_index_rank];

  void add(int64_t length, int64_t target_stride, int64_t source_stride, int64_t index_stride) {
    if (length == 1) return;
    size[rank] = Divisor(static_cast<uint32_t>(length));
    target[rank] = target_stride;
    source[rank] = source_stride;
    index[rank++] = index_stride;
    count *= static_cast<uint32_t>(length);
  }
};
struct Place {
  int64_t target = 0, source = 0, index = 0;
};
DEVICE Place place_of(const Axes& axes, uint32_t position) {
  Place place;
  for (int axis = 0; axis < axes.rank; ++axis) {
    const uint32_t rest = axis + 1 < axes.rank ? axes.size[axis].divide(position) : 0;
    const int64_t i = position - rest * axes.size[axis].value;
    place.target += i * axes.target[axis];
    place.source += i * axes.source[axis];
    place.index += i * axes.index[axis];
    position = rest;
  }
  return place;
}

// The axis that is indexed: `target` is the stride that an index multiplies.
struct Along {
  int64_t size, target, source, index;
};

struct Plan {
  Axes across;  // the other axes
  Along along;
  bool rows;  // the index does not vary across: it is a list of rows
};

// Elements that 16 bytes hold where whole rows are moved and their innermost axis is dense in both
// arrays, of a fitting length and aligned; else 1.
inline int vector_elements(const cpu::IndexArgs& args) {
  const int inner = args.rank - 1, elements = 16 / static_cast<int>(size_of(args.dtype));
  if (args.rank < 2 || args.axis == inner || args.index_strides[inner] != 0) return 1;
  if (args.target_strides[inner] != 1 || args.source_strides[inner] != 1) return 1;
  bool fits = args.shape[inner] % elements == 0 &&
              reinterpret_cast<uintptr_t>(args.target) % 16 == 0 &&
              reinterpret_cast<uintptr_t>(args.source) % 16 == 0;
  for (int axis = 0; axis < inner; ++axis)
    fits &= args.target_strides[axis] % elements == 0 && args.source_strides[axis] % elements == 0;
  return fits ? elements : 1;
}

// With `elements` of the innermost axis as one: vector_elements(args), or 1.
inline Plan make_plan(const cpu::IndexArgs& args, int elements = 1) {
  Plan plan{{}, {}, true};
  for (int axis = args.rank - 1; axis >= 0; --axis) {
    const int64_t together = axis == args.rank - 1 ? elements : 1, apart = elements / together;
    const int64_t target = args.target_strides[axis] / apart;
    const int64_t source = args.source_strides[axis] / apart;
    if (axis == args.axis) {
      plan.along = {args.shape[axis], target, source, args.index_strides[axis]};
    } else {
      plan.across.add(args.shape[axis] / together, target, source, args.index_strides[axis]);
      plan.rows &= args.shape[axis] == 1 || args.index_strides[axis] == 0;
    }
  }
  return plan;
}

// Calls f(Type<T>{}) with the type that moves, or adds, elements of the type.
template <class F>
void visit_bits(DType type, F&& f) {
  switch (size_of(type)) {
    case 1:
      return f(Type<uint8_t>{});
    case 2:
      return f(Type<uint16_t>{});
    case 4:
      return f(Type<uint32_t>{});
    default:
      return f(Type<uint64_t>{});
  }
}
struct Write {
  template <class T>
  static DEVICE void apply(T& target, const T& source) {
    target = source;
  }
};
struct Add {
  template <class T>
  static DEVICE void apply(T& target, const T& source) {
    target = static_cast<T>(target + source);
  }
  template <class T, int N>
  static DEVICE void apply(Vec<T, N>& target, const Vec<T, N>& source) {
#pragma unroll
    for (int i = 0; i < N; ++i) apply(target[i], source[i]);
  }
};
template <class F>
void visit_update(DType type, bool add, F&& f) {
  if (!add) return visit_bits(type, [&]<class T>(Type<T> element) { f(Write{}, element); });
  switch (type) {
    case DType::f64:
      return f(Add{}, Type<double>{});
    case DType::i64:
      return f(Add{}, Type<int64_t>{});
    case DType::i32:
      return f(Add{}, Type<int32_t>{});
    case DType::u8:
      return f(Add{}, Type<uint8_t>{});
    case DType::f32:
      return f(Add{}, Type<float>{});
    default:
      throw Error(std::string("scatter_add of ") + name_of(type) +
                  ": it adds f64, f32, i64, i32 and u8; convert to one of them first");
  }
}
template <class F>
void visit_index(DType type, F&& f) {
  if (type == DType::i32) return f(Type<int32_t>{});
  f(Type<int64_t>{});
}

}  // namespace strata::gpu::index

// From a thread's index to the offsets of its elements, and from a Work to the body that does it.
#pragma once

#include "kernels/elementwise/device.h"
#include "kernels/elementwise/rungs.h"
#include "kernels/gpu/divisor.h"

namespace strata::gpu::elementwise {

// The axes, innermost first; the innermost counts vectors.
struct Layout {
  int rank;
  uint32_t count;  // vectors in all
  bool near;       // every offset fits 32 bits, as it nearly always does
  Divisor size[cpu::max_axes];
  int64_t stride[max_operands][cpu::max_axes] = {};  // those that a body has beyond the work's: 0

  Layout(const cpu::ElementwiseArgs& args, int vector) : rank(args.rank), count(1), near(true) {
    int64_t reach[max_operands] = {};
    for (int axis = 0; axis < rank; ++axis) {
      const int from = rank - 1 - axis;
      const int64_t scale = axis == 0 ? vector : 1, length = args.sizes[from] / scale;
      size[axis] = Divisor(static_cast<uint32_t>(length));
      count *= static_cast<uint32_t>(length);
      for (int k = 0; k < args.operands; ++k) {
        stride[k][axis] = args.strides[k][from] * scale;
        reach[k] += (length - 1) * std::abs(stride[k][axis]);
      }
    }
    for (const int64_t elements : reach) near = near && elements < int64_t{1} << 31;
  }
  template <int operands>
  DEVICE void offsets(uint32_t index, Offsets& offset) const {
    near ? offsets_in<int32_t, operands>(index, offset)
         : offsets_in<int64_t, operands>(index, offset);
  }

 private:
  template <class Int, int operands>
  DEVICE void offsets_in(uint32_t index, Offsets& offset) const {
    Int at[operands] = {};
#pragma unroll 1
    for (int axis = 0; axis < rank; ++axis) {
      const uint32_t rest = axis + 1 < rank ? size[axis].divide(index) : 0;
      const Int place = static_cast<Int>(index - rest * size[axis].value);
#pragma unroll
      for (int k = 0; k < operands; ++k) at[k] += place * static_cast<Int>(stride[k][axis]);
      index = rest;
    }
#pragma unroll
    for (int k = 0; k < operands; ++k) offset[k] = at[k];
  }
};

// For bodies that take `vector` elements.
inline Operands operands_of(const cpu::ElementwiseArgs& args, int vector) {
  Operands at{};
  for (int k = 0; k < args.operands; ++k) {
    at.data[k] = args.data[k];
    at.dtype[k] = args.dtype[k];
    const bool one = args.strides[k][args.rank - 1] == 0;
    if (one) at.broadcast |= 1u << k;
    at.size[k] = static_cast<uint8_t>(size_of(args.dtype[k]));
    at.access[k] = static_cast<uint8_t>(at.size[k] * (one ? 1 : vector));
  }
  at.compute = args.compute;
  at.numbers = args.numbers;
  for (int k = 1; k < args.operands; ++k) {
    if (!(args.numbers >> k & 1)) continue;
    at.access[k] = 0;
    visit(args.dtype[k], [&]<class T>(Type<T>) {
      T value;
      std::memcpy(&value, args.number[k], sizeof value);
      at.number[k] = {cast<double>(value), cast<int64_t>(value)};
    });
  }
  return at;
}

template <class F>
void visit_compute(DType type, F&& f) {
  if (type == DType::f64) return f(Type<double>{});
  if (is_float(type)) return f(Type<float>{});
  f(Type<int64_t>{});
}
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

// Calls f(body) with the body that does the work for `vector` elements a thread.
template <class F>
void visit_body(const Work& work, int vector, F&& f) {
  const cpu::ElementwiseArgs& args = work.args;
  const Operands at = operands_of(args, vector);
  switch (work.kind) {
    case Kind::unary:
      return visit_compute(args.compute, [&]<class C>(Type<C>) {
        f(UnaryBody<C>{at, work.unary, {args.parameter[0], args.parameter[1]}});
      });
    case Kind::binary:
      return visit_compute(args.compute, [&]<class C>(Type<C>) {
        f(BinaryBody<C>{at, work.binary, {args.parameter[0], args.parameter[1]}});
      });
    case Kind::compare:
      return visit_compute(args.compute, [&]<class C>(Type<C>) {
        f(CompareBody<C>{at, work.compare});
      });
    case Kind::where:
      return visit_bits(args.dtype[0], [&]<class B>(Type<B>) { f(WhereBody<B>{at}); });
    case Kind::choose:
      return visit_compute(args.dtype[0], [&]<class C>(Type<C>) { f(ChooseBody<C>{at}); });
    case Kind::move:
      return visit_bits(args.dtype[0], [&]<class B>(Type<B>) { f(MoveBody<B>{at}); });
    case Kind::fill:
      return visit_bits(args.dtype[0], [&]<class B>(Type<B>) {
        f(FillBody<B>{at, static_cast<B>(work.value)});
      });
    case Kind::chain:
      if (args.compute == DType::f64)
        return f(ChainBody<double>{at, work.chain, args.operands - 1});
      return f(ChainBody<float>{at, work.chain, args.operands - 1});
  }
}

}  // namespace strata::gpu::elementwise

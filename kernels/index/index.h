// Reading and writing by index along one axis of strided arrays.
//
//   gather       source[p] = target[p with p[axis] := index[p]]
//   scatter      target[p with p[axis] := index[p]] = source[p], in the order of p[axis]
//   scatter_add  ... += source[p], in the order of p[axis]
//
// p runs over the shape of `index`; every other axis of target and source is at least as long. An
// index of stride 0 along all axes but one is a list of rows (embedding, index_select): then whole
// rows are copied. Indices are in range: find_bad_index() has looked.
//
// Threads own disjoint parts of the target, so there are no atomics and the order of additions to
// an element is that of p[axis], whatever the thread count. Bytes: source and index once, target
// where touched.
#pragma once

#include <cstdint>

#include "kernels/common/numeric.h"

namespace strata::cpu {

inline constexpr int max_index_rank = 8;

struct IndexArgs {
  void* target = nullptr;
  void* source = nullptr;
  const void* index = nullptr;
  DType dtype = DType::f32;       // of target and source
  DType index_type = DType::i64;  // or i32
  int rank = 0;
  int axis = 0;
  int64_t target_size = 0;         // of target along axis
  const int64_t* shape = nullptr;  // of index
  const int64_t* target_strides = nullptr;
  const int64_t* source_strides = nullptr;
  const int64_t* index_strides = nullptr;
};

void gather(const IndexArgs& args);
void scatter(const IndexArgs& args);
// dtype f64, f32, i64, i32 or u8 (16-bit floats lose small terms; convert them first).
void scatter_add(const IndexArgs& args);

// The first place, in row-major order, of an index outside [0, size): its flat position, or -1.
int64_t find_bad_index(const void* index, DType type, int rank, const int64_t* shape,
                       const int64_t* strides, int64_t size);

}  // namespace strata::cpu

// The same on the current stream; target, source and index are device memory. Bits are the CPU's,
// but for floats added to a place that takes more than 64: these may be summed 64 by 64 first, in
// an order that depends on nothing but how many there are.
namespace strata::gpu {

void gather(const cpu::IndexArgs& args);
void scatter(const cpu::IndexArgs& args);
void scatter_add(const cpu::IndexArgs& args);
// Waits for the stream. While it is being captured nothing can be looked at: -1.
int64_t find_bad_index(const void* index, DType type, int rank, const int64_t* shape,
                       const int64_t* strides, int64_t size);

}  // namespace strata::gpu

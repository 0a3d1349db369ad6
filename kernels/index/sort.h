// Order along an axis: the first k elements of each line in order, with their indices.
//
// Elements become unsigned keys that compare as they do (NaN largest, -0 equal to 0), and a key
// with its index is one number or pair, so the order is total: a plain sort is stable. O(n log n) a
// line; with k < n, O(n + k log k) (a selection first). Threads take whole lines.
#pragma once

#include <cstdint>

#include "kernels/common/numeric.h"

namespace strata::cpu {

struct SortArgs {
  const void* x = nullptr;
  DType dtype = DType::f32;
  int rank = 0;
  int axis = 0;
  const int64_t* shape = nullptr;    // of x; the axis has n elements
  const int64_t* strides = nullptr;  // of x
  int64_t k = 0;                     // elements wanted of each line, at most n
  bool descending = false;
  void* values = nullptr;      // row-major in x's shape with k along the axis; may be null
  int64_t* indices = nullptr;  // the same
};
void sort(const SortArgs& args);

}  // namespace strata::cpu

// The same on the current stream, with the same bits; x, values and indices are device memory.
namespace strata::gpu {
void sort(const cpu::SortArgs& args);
}

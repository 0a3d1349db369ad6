// The tiles of one operand on their way from global to shared memory by cp.async, 16 bytes a copy.
//
// A tile is `Size` rows of A (columns of B) by `Depth` of k, as lines of chunks of 16 bytes: a line
// for each row and chunks along k (Order::k), or a line for each k and chunks along the rows
// (Order::mn), whichever is contiguous in global memory. A layout says where in shared memory chunk
// c of line l lies. What lies outside of the matrix arrives as zeros.
#pragma once

#include "kernels/gemm/product.h"

namespace strata::gpu {

// Copies successive tiles along k; each of `Threads` threads its part.
template <class T, Order order, class Layout, int Depth, int Threads>
class TileCopy {
  static constexpr int per_chunk = Layout::per_chunk, chunks = Layout::chunks;
  static constexpr int apart = Threads / chunks;  // lines between those of a thread
  static constexpr int count = Layout::lines / apart;
  static_assert(Threads % chunks == 0 && Layout::lines % apart == 0, "threads copy equal parts");
  static_assert(apart % Layout::period == 0, "all lines of a thread are laid out alike");

 public:
  // From row `first` of `limit` and from k `start` of K; `stride` between lines.
  DEVICE TileCopy(const T* matrix, int first, int limit, int64_t stride, int start, int K)
      : stride_(stride) {
    const int thread = static_cast<int>(threadIdx.x), line = thread / chunks,
              element = thread % chunks * per_chunk;
    place_ = Layout::place(line, thread % chunks);
    if constexpr (order == Order::k) {
      source_ = matrix + (first + line) * stride + start + element;
      lines_left_ = limit - first - line;
      elements_left_ = K - start - element;
    } else {
      source_ = matrix + (start + line) * stride + first + element;
      lines_left_ = K - start - line;
      elements_left_ = limit - first - element;
    }
  }

  // Starts the copies of the next tile.
  DEVICE void start(T* tile) {
    const int inside = max(min(elements_left_, per_chunk), 0) * static_cast<int>(sizeof(T));
#pragma unroll
    for (int i = 0; i < count; ++i)
      copy_async_part<16>(tile + place_ + i * apart * Layout::pitch, source_ + i * apart * stride_,
                          i * apart < lines_left_ ? inside : 0);
    if constexpr (order == Order::k) {
      source_ += Depth;
      elements_left_ -= Depth;
    } else {
      source_ += Depth * stride_;
      lines_left_ -= Depth;
    }
  }

 private:
  const T* source_;
  int64_t stride_;
  int place_, lines_left_, elements_left_;
};

}  // namespace strata::gpu

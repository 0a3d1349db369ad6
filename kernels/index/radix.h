// Stable sort of (key, value) pairs on the GPU, by the digits of the key from the lowest up (least
// significant digit first). What index.cu, sort.cu and the transposition of a graph build on: it is
// deterministic, so the order of whatever is grouped by it is too.
//
// Each pass of 8 bits counts the digits of every tile, scans the counts of each digit over the
// tiles, and moves each pair to its place: where its digit begins, plus the scanned count of its
// tile, plus how many pairs of the same digit come before it in the tile. Bytes a pass and pair: 12
// read, 8 written where keys have 32 bits; 20 and 12 where they have 64. Knuth, The Art of Computer
// Programming 3, 5.2.5; Satish, Harris and Garland 2009; ranks by votes as in CUB (Merrill).
#pragma once

#include <cstdint>

#include "kernels/gpu/scratch.h"

namespace strata::gpu {

// Pairs in device memory, twice: a pass goes from one half to the other. Key: uint32_t or uint64_t.
template <class Key>
class RadixSort {
 public:
  explicit RadixSort(int64_t count);  // below 2^31

  // Where the pairs are: to be filled before sort(), in order after it.
  Key* keys() const { return keys_.as<Key>() + half_ * count_; }
  uint32_t* values() const { return values_.as<uint32_t>() + half_ * count_; }
  // By the bits low <= bit < high of the key; keys that are equal in these stay in order.
  void sort(int high, int low = 0);

 private:
  template <int Items>
  void pass(int shift);

  int64_t count_, half_ = 0;
  int items_;  // pairs a thread
  Scratch keys_, values_, counts_;
};

}  // namespace strata::gpu

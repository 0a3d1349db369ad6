// Stable sort of (key, value) pairs on the GPU, by the digits of the key from the lowest up (least
// significant digit first). What index.cu and sort.cu build on: it is deterministic, so the order
// of whatever is grouped by it is too.
//
// Each pass of 8 bits counts the digits of every tile, scans the counts over (digit, tile), and
// moves each pair to its place: the scanned count of its tile and digit, plus how many pairs of the
// same digit come before it in the tile. Bytes a pass: 24 read, 12 written, a pair. Knuth, The Art
// of Computer Programming 3, 5.2.5; Satish, Harris and Garland 2009.
#pragma once

#include <cstdint>

#include "kernels/gpu/scratch.h"

namespace strata::gpu {

// Pairs in device memory, twice: a pass goes from one half to the other.
class RadixSort {
 public:
  explicit RadixSort(int64_t count);  // below 2^31

  // Where the pairs are: to be filled before sort(), in order after it.
  uint64_t* keys() const { return keys_.as<uint64_t>() + half_ * count_; }
  uint32_t* values() const { return values_.as<uint32_t>() + half_ * count_; }
  // By the low `bits` bits of the key; equal keys stay in order.
  void sort(int bits);

 private:
  int64_t count_, tiles_, half_ = 0;
  Scratch keys_, values_, counts_;
};

}  // namespace strata::gpu

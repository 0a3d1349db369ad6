// How the pixels of a weight gradient are shared out to blocks: the result has few tiles, the sum
// is long.
#pragma once

#include <algorithm>

#include "kernels/conv/rung.h"
#include "kernels/gpu/gpu.h"

namespace strata::gpu::conv {

struct WeightSplit {
  int groups = 1;
  int parts = 1;   // blocks along the sum
  int pixels = 0;  // of each part, a multiple of the tile's K

  // Two waves of blocks, as long as a part has at least eight tiles of K.
  WeightSplit(const ConvShape& k, int M, int N, int K) : groups(static_cast<int>(k.groups)) {
    const int64_t all = k.N * k.P * k.Q;
    const int64_t tiles = static_cast<int64_t>(divide_up(k.O / k.groups, M)) *
                          divide_up(k.R * k.S * (k.C / k.groups), N) * k.groups;
    const int64_t wanted = std::max<int64_t>(1, 2 * device().multiprocessors / tiles);
    const int64_t most = std::max<int64_t>(1, all / (8 * K));
    const int64_t split = std::min({wanted, most, int64_t{65535} / k.groups});
    const int64_t part = (all + split - 1) / split;
    pixels = static_cast<int>((part + K - 1) / K * K);
    parts = static_cast<int>((all + pixels - 1) / pixels);
  }
};

}  // namespace strata::gpu::conv

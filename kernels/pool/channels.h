// How pooling and resampling divide work among threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/common/parallel.h"

namespace strata::cpu {

// Calls body(item, first channel, last channel) for each of `items` (images, or rows of them), in
// parallel. Channels are divided only when there are too few items to go round: nothing is summed
// across channels, so the division changes no result. `cost`: operations of an item.
template <class Body>
void for_each_item(int64_t items, int64_t channels, int64_t cost, Body&& body) {
  constexpr int64_t least_channels = 64, worth_a_thread = 1 << 16;
  int64_t parts = 1;
  if (items < 4 * thread_count()) parts = std::max<int64_t>(1, channels / least_channels);
  int64_t part = (channels + parts - 1) / parts;
  int64_t grain = worth_a_thread * parts / std::max<int64_t>(cost, 1) + 1;
  parallel_for(items * parts, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t first = i % parts * part;
      body(i / parts, first, std::min(channels, first + part));
    }
  });
}

}  // namespace strata::cpu

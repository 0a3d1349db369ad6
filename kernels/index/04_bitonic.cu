// Sort and top-k of short lines: one block a line, which lies in shared memory as keys with their
// indices. A bitonic network (Batcher 1968) compares fixed pairs of places, log^2 n / 2 steps of n
// / 2 comparisons, so that no thread waits for another's data. (key, index) is a total order: the
// result is that of a stable sort, though the network is not one.
//
// Lines of up to 2048 elements, padded to a power of two with the largest key and index; a warp
// sorts what fits in its registers (07_warp_sort.cu). Bytes: x once, values and indices of k
// places. Shared memory: 12 bytes an element, at most 24 KiB. Registers 38. On an H200, 0.08 of a
// copy for lines of 1024 floats.
#include <bit>

#include "kernels/index/order.h"

namespace strata::gpu::order {

inline constexpr int bitonic_threads = 256;

__global__ __launch_bounds__(bitonic_threads) void bitonic_kernel(Lines lines, int padded) {
  uint64_t* keys = dynamic_shared<uint64_t>();
  uint32_t* places = reinterpret_cast<uint32_t*>(keys + padded);
  const int thread = static_cast<int>(threadIdx.x);
  const uint32_t line = blockIdx.x;
  const int64_t start = lines.start(line);
  for (int i = thread; i < padded; i += bitonic_threads) {
    const bool valid = i < static_cast<int>(lines.size);
    keys[i] = valid ? key_at(lines.dtype, lines.x, start + i * lines.stride, lines.descending)
                    : ~uint64_t{0};
    places[i] = valid ? static_cast<uint32_t>(i) : ~0u;
  }
  for (int size = 2; size <= padded; size *= 2) {
    for (int step = size / 2; step > 0; step /= 2) {
      __syncthreads();
      for (int pair = thread; pair < padded / 2; pair += bitonic_threads) {
        const int low = 2 * pair - (pair & (step - 1)), high = low + step;
        const bool ascending = (low & size) == 0;
        const uint64_t a = keys[low], b = keys[high];
        const uint32_t at_a = places[low], at_b = places[high];
        const bool ordered = a < b || (a == b && at_a < at_b);
        if (ordered == ascending) continue;
        keys[low] = b;
        keys[high] = a;
        places[low] = at_b;
        places[high] = at_a;
      }
    }
  }
  __syncthreads();
  for (uint32_t j = threadIdx.x; j < lines.k; j += bitonic_threads) lines.put(line, j, places[j]);
}

void bitonic(const Lines& lines) {
  const unsigned padded = std::bit_ceil(std::max(lines.size, 2u));
  launch<bitonic_kernel>({.grid = lines.count,
                          .block = bitonic_threads,
                          .shared = padded * (sizeof(uint64_t) + sizeof(uint32_t))},
                         lines, static_cast<int>(padded));
}

}  // namespace strata::gpu::order

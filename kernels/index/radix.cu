// The three kernels of a pass; see radix.h. Registers (sm_90a): see README.md.
#include "kernels/index/radix.h"

#include "kernels/gpu/gpu.h"

namespace strata::gpu {

namespace radix {

inline constexpr int threads = 256, warps = threads / 32, digits = 256;
inline constexpr int rounds = 8, tile = threads * rounds;  // pairs of a block

// counts[digit][tile]: how many keys of the tile have the digit.
__global__ __launch_bounds__(threads) void count_kernel(const uint64_t* keys, int64_t count,
                                                        int shift, uint32_t* counts) {
  struct Shared {
    uint32_t histogram[digits];
  };
  Shared& shared = block_shared<Shared>();
  const int thread = static_cast<int>(threadIdx.x);
  shared.histogram[thread] = 0;
  __syncthreads();
  for (int round = 0; round < rounds; ++round) {
    const int64_t i = int64_t{blockIdx.x} * tile + round * threads + thread;
    if (i < count) atomicAdd(&shared.histogram[keys[i] >> shift & (digits - 1)], 1u);
  }
  __syncthreads();
  counts[thread * gridDim.x + blockIdx.x] = shared.histogram[thread];
}

// Inclusive sums over the lanes of a warp.
DEVICE uint32_t warp_scan(uint32_t value) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int step = 1; step < 32; step *= 2) {
    const uint32_t other = __shfl_up_sync(0xffffffffu, value, step);
    if (lane >= step) value += other;
  }
  return value;
}

// counts[i] = sum of counts[j], j < i: one block, a stretch of 4096 after the other, 16 counts a
// thread. There are 256 counts for 2048 pairs, so this reads an eighth of what the pass does.
__global__ __launch_bounds__(threads) void scan_kernel(uint32_t* counts, int64_t size) {
  constexpr int each = 16;
  struct Shared {
    uint32_t warp[warps];
  };
  Shared& shared = block_shared<Shared>();
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32;
  uint32_t before = 0;
  for (int64_t begin = 0; begin < size; begin += threads * each) {
    const int64_t first = begin + thread * each;
    uint32_t value[each], sum = 0;
#pragma unroll
    for (int i = 0; i < each; ++i) {
      value[i] = first + i < size ? counts[first + i] : 0;
      sum += value[i];
    }
    const uint32_t inclusive = warp_scan(sum);
    if (thread % 32 == 31) shared.warp[warp] = inclusive;
    __syncthreads();
    uint32_t offset = before + inclusive - sum;
    for (int w = 0; w < warps; ++w) {
      if (w < warp) offset += shared.warp[w];
      before += shared.warp[w];
    }
#pragma unroll
    for (int i = 0; i < each; ++i) {
      if (first + i < size) counts[first + i] = offset;
      offset += value[i];
    }
    __syncthreads();
  }
}

// A round takes 256 pairs in order. The lanes of a warp find those with their digit by one vote
// (match_any); a table of counts by warp and digit gives the rest.
__global__ __launch_bounds__(threads) void move_kernel(const uint64_t* keys, const uint32_t* values,
                                                       int64_t count, int shift,
                                                       const uint32_t* counts, uint64_t* keys_out,
                                                       uint32_t* values_out) {
  struct Shared {
    uint32_t next[digits];         // where the next pair of each digit goes
    uint32_t warp[warps][digits];  // counts of the round, then offsets
  };
  Shared& shared = block_shared<Shared>();
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32;
  const uint32_t lower_lanes = (1u << thread % 32) - 1;
  shared.next[thread] = counts[thread * gridDim.x + blockIdx.x];
  for (int round = 0; round < rounds; ++round) {
    const int64_t i = int64_t{blockIdx.x} * tile + round * threads + thread;
    const bool valid = i < count;
    const uint64_t key = valid ? keys[i] : 0;
    const unsigned digit = static_cast<unsigned>(key >> shift) & (digits - 1);
    for (int w = 0; w < warps; ++w) shared.warp[w][thread] = 0;
    __syncthreads();
    const uint32_t peers = __match_any_sync(0xffffffffu, valid ? digit : unsigned{digits});
    const uint32_t rank = static_cast<uint32_t>(__popc(peers & lower_lanes));
    if (valid && rank == 0) shared.warp[warp][digit] = static_cast<uint32_t>(__popc(peers));
    __syncthreads();
    uint32_t place = shared.next[thread];
    for (int w = 0; w < warps; ++w) {
      const uint32_t here = shared.warp[w][thread];
      shared.warp[w][thread] = place;
      place += here;
    }
    shared.next[thread] = place;
    __syncthreads();
    if (valid) {
      const uint32_t to = shared.warp[warp][digit] + rank;
      keys_out[to] = key;
      values_out[to] = values[i];
    }
    __syncthreads();
  }
}

}  // namespace radix

RadixSort::RadixSort(int64_t count)
    : count_(count),
      tiles_((count + radix::tile - 1) / radix::tile),
      keys_(static_cast<size_t>(2 * count) * sizeof(uint64_t)),
      values_(static_cast<size_t>(2 * count) * sizeof(uint32_t)),
      counts_(static_cast<size_t>(tiles_) * radix::digits * sizeof(uint32_t)) {
  if (count >= int64_t{1} << 31)
    throw Error("sorting " + std::to_string(count) +
                " pairs: the GPU's sort takes fewer than 2^31");
}

void RadixSort::sort(int bits) {
  const unsigned grid = static_cast<unsigned>(tiles_);
  for (int shift = 0; shift < bits && count_ > 0; shift += 8) {
    const uint64_t* from_keys = keys();
    const uint32_t* from_values = values();
    uint32_t* counts = counts_.as<uint32_t>();
    half_ = 1 - half_;
    launch<radix::count_kernel>({.grid = grid, .block = radix::threads}, from_keys, count_, shift,
                                counts);
    launch<radix::scan_kernel>({.block = radix::threads}, counts, tiles_ * radix::digits);
    launch<radix::move_kernel>({.grid = grid, .block = radix::threads}, from_keys, from_values,
                               count_, shift, counts, keys(), values());
  }
}

}  // namespace strata::gpu

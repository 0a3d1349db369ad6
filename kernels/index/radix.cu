// The three kernels of a pass; see radix.h. A tile is what a block of 256 threads sorts by a digit
// in shared memory, so that the pairs of each digit leave it side by side: 4096 pairs, of which 16
// have the same digit where digits are alike. Few pairs are cut into smaller tiles, for more
// blocks. The counts and their scan cost a read of the keys and 2 KiB a tile.
#include "kernels/index/radix.h"

#include "kernels/gpu/gpu.h"

namespace strata::gpu {

namespace radix {

inline constexpr int threads = 256, warps = threads / 32, digits = 256;
inline constexpr uint32_t all_lanes = 0xffffffffu;

template <class Key>
DEVICE uint32_t digit_of(Key key, int shift) {
  return static_cast<uint32_t>(key >> shift) & (digits - 1);
}

// counts[digit * pitch + tile]: how many keys of the tile have the digit.
template <class Key, int Items>
__global__ __launch_bounds__(threads) void count_kernel(const Key* keys, uint32_t count, int shift,
                                                        uint32_t pitch, uint32_t* counts) {
  struct Shared {
    uint32_t histogram[digits];
  };
  Shared& shared = block_shared<Shared>();
  const uint32_t thread = threadIdx.x, first = blockIdx.x * (threads * Items) + thread;
  shared.histogram[thread] = 0;
  __syncthreads();
  Key key[Items];
#pragma unroll
  for (int k = 0; k < Items; ++k)
    key[k] = first + k * threads < count ? keys[first + k * threads] : 0;
#pragma unroll
  for (int k = 0; k < Items; ++k)
    if (first + k * threads < count) atomicAdd(&shared.histogram[digit_of(key[k], shift)], 1u);
  __syncthreads();
  counts[thread * pitch + blockIdx.x] = shared.histogram[thread];
}

// The sum of the values of the threads before this one. Every thread calls it.
template <class T>
DEVICE T scan_block(T value, T (&warp_sums)[warps]) {
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  T sum = value;
#pragma unroll
  for (int step = 1; step < 32; step *= 2) {
    const T other = __shfl_up_sync(all_lanes, sum, step);
    if (lane >= step) sum += other;
  }
  if (lane == 31) warp_sums[warp] = sum;
  __syncthreads();
  T before = sum - value;
#pragma unroll
  for (int w = 0; w < warps - 1; ++w)
    if (w < warp) before += warp_sums[w];
  return before;
}

// Block: a digit. Its counts become the sums of those before them, totals[digit] that of all. Eight
// counts a thread; a pitch is a multiple of eight.
__global__ __launch_bounds__(threads) void scan_kernel(uint32_t* counts, uint32_t tiles,
                                                       uint32_t pitch, uint32_t* totals) {
  constexpr int each = 8;
  struct Shared {
    uint32_t warp_sums[warps];
    uint32_t total;
  };
  Shared& shared = block_shared<Shared>();
  counts += blockIdx.x * pitch;
  uint32_t before = 0;
  for (uint32_t begin = 0; begin < tiles; begin += threads * each) {
    const uint32_t first = begin + threadIdx.x * each;
    Vec<uint32_t, 4> value[each / 4]{};
    uint32_t sum = 0;
#pragma unroll
    for (int v = 0; v < each / 4; ++v)
      if (first + v * 4 < tiles) value[v] = load_vector<4>(counts + first + v * 4);
#pragma unroll
    for (int i = 0; i < each; ++i) {
      uint32_t& here = value[i / 4][i % 4];
      const uint32_t count = first + i < tiles ? here : 0;
      here = sum;
      sum += count;
    }
    const uint32_t offset = before + scan_block(sum, shared.warp_sums);
    if (threadIdx.x == threads - 1) shared.total = offset + sum;
#pragma unroll
    for (int i = 0; i < each; ++i) value[i / 4][i % 4] += offset;
#pragma unroll
    for (int v = 0; v < each / 4; ++v)
      if (first + v * 4 < tiles) store_vector(counts + first + v * 4, value[v]);
    __syncthreads();
    before = shared.total;
  }
  if (threadIdx.x == 0) totals[blockIdx.x] = before;
}

// The lanes of the warp that have this one's digit: what match_any says, on a GPU by a vote a bit,
// as in CUB: four instructions each, of which those of all pairs of a thread overlap.
DEVICE uint32_t peers_of(uint32_t digit) {
  uint32_t peers = all_lanes;
  SIM(peers = __match_any_sync(all_lanes, digit);)
  PTX(for (uint32_t bit = 1; bit < digits; bit *= 2) {
    uint32_t same;
    asm volatile(
        "{\n"
        ".reg .pred has;\n"
        "and.b32 %0, %1, %2;\n"
        "setp.ne.u32 has, %0, 0;\n"
        "vote.sync.ballot.b32 %0, has, 0xffffffff;\n"
        "@!has not.b32 %0, %0;\n"
        "}"
        : "=&r"(same)
        : "r"(digit), "r"(bit));
    peers &= same;
  })
  return peers;
}

template <class Key, int Items>
struct Tile {
  static constexpr int size = threads * Items;
  Key keys[size];
  uint32_t values[size];
  uint32_t place[warps][digits];  // pairs of the digit so far, then where the warp's first one goes
  uint32_t to[digits];            // what takes a place in the tile to one in device memory
  uint64_t warp_sums[warps];
};

// rank[k]: how many pairs of its digit are before pair k in the warp's part of the tile, which is
// Items rounds of 32. The last of equals counts for all.
template <class Key, int Items>
DEVICE void rank_keys(const Key (&key)[Items], int shift, uint32_t (&counted)[digits],
                      uint32_t (&rank)[Items]) {
  const uint32_t lane = threadIdx.x % 32, lower = (1u << lane) - 1, higher = ~lower << 1;
#pragma unroll
  for (int i = 0; i < digits / 32; ++i) counted[i * 32 + lane] = 0;
  __syncwarp();
#pragma unroll
  for (int k = 0; k < Items; ++k) {
    const uint32_t digit = digit_of(key[k], shift), peers = peers_of(digit);
    rank[k] = counted[digit] + static_cast<uint32_t>(__popc(peers & lower));
    __syncwarp();
    if ((peers & higher) == 0) counted[digit] = rank[k] + 1;
    __syncwarp();
  }
}

// Thread t turns the counts of digit t, one a warp, into places in the tile: digits in order,
// within them warps in order.
template <class Key, int Items>
DEVICE void place_digits(Tile<Key, Items>& tile, const uint32_t* counts, const uint32_t* totals,
                         uint32_t pitch) {
  const uint32_t digit = threadIdx.x;
  const uint64_t total = totals[digit];
  const uint32_t before = counts[digit * pitch + blockIdx.x];
  uint32_t here = 0, of_warp[warps];
#pragma unroll
  for (int w = 0; w < warps; ++w) {
    of_warp[w] = here;
    here += tile.place[w][digit];
  }
  // Two scans as one: of all pairs, and of the tile's.
  const uint64_t begin = scan_block(total << 32 | here, tile.warp_sums);
  const uint32_t first = static_cast<uint32_t>(begin);
#pragma unroll
  for (int w = 0; w < warps; ++w) tile.place[w][digit] = first + of_warp[w];
  tile.to[digit] = static_cast<uint32_t>(begin >> 32) + before - first;
}

// What is behind the last pair counts as a largest key, and so comes last in the last tile.
template <class Key, int Items>
__global__ __launch_bounds__(threads) void move_kernel(const Key* keys, const uint32_t* values,
                                                       uint32_t count, int shift, uint32_t pitch,
                                                       const uint32_t* counts,
                                                       const uint32_t* totals, Key* keys_out,
                                                       uint32_t* values_out) {
  auto& tile = block_shared<Tile<Key, Items>>();
  const uint32_t thread = threadIdx.x, warp = thread / 32, begin = blockIdx.x * tile.size;
  const uint32_t first = begin + warp * (32 * Items) + thread % 32;
  Key key[Items];
  uint32_t value[Items], rank[Items];
#pragma unroll
  for (int k = 0; k < Items; ++k)
    key[k] = first + k * 32 < count ? keys[first + k * 32] : static_cast<Key>(~Key{0});
#pragma unroll
  for (int k = 0; k < Items; ++k) value[k] = first + k * 32 < count ? values[first + k * 32] : 0;
  rank_keys(key, shift, tile.place[warp], rank);
  __syncthreads();
  place_digits(tile, counts, totals, pitch);
  __syncthreads();
#pragma unroll
  for (int k = 0; k < Items; ++k) {
    const uint32_t place = tile.place[warp][digit_of(key[k], shift)] + rank[k];
    tile.keys[place] = key[k];
    tile.values[place] = value[k];
  }
  __syncthreads();
#pragma unroll
  for (int k = 0; k < Items; ++k) {
    const uint32_t place = k * threads + thread;
    key[k] = tile.keys[place];
    value[k] = tile.values[place];
    rank[k] = tile.to[digit_of(key[k], shift)] + place;
  }
#pragma unroll
  for (int k = 0; k < Items; ++k) {
    if (begin + k * threads + thread >= count) continue;
    keys_out[rank[k]] = key[k];
    values_out[rank[k]] = value[k];
  }
}

}  // namespace radix

namespace {

// Pairs a thread of a block: as many as shared memory holds, or 4 where tiles of that size would be
// too few to keep every multiprocessor busy.
template <class Key>
constexpr int most_items = 64 / sizeof(Key);
constexpr int fewest_items = 4;
template <class Key>
int items_for(int64_t count) {
  const int64_t largest = radix::threads * most_items<Key>;
  return count >= 2 * largest * device().multiprocessors ? most_items<Key> : fewest_items;
}

// Of the counts of a digit: a multiple of the eight that a thread scans.
int64_t pitch_of(int64_t count, int items) {
  return divide_up(count, int64_t{8} * radix::threads * items) * int64_t{8};
}

}  // namespace

template <class Key>
RadixSort<Key>::RadixSort(int64_t count)
    : count_(count),
      items_(items_for<Key>(count)),
      keys_(static_cast<size_t>(2 * count) * sizeof(Key)),
      values_(static_cast<size_t>(2 * count) * sizeof(uint32_t)),
      counts_(static_cast<size_t>(pitch_of(count, items_) + 1) * radix::digits * sizeof(uint32_t)) {
  if (count >= int64_t{1} << 31)
    throw Error("sorting " + std::to_string(count) +
                " pairs: the GPU's sort takes fewer than 2^31");
}

template <class Key>
template <int Items>
void RadixSort<Key>::pass(int shift) {
  const uint32_t count = static_cast<uint32_t>(count_);
  const uint32_t tiles = divide_up(count_, radix::threads * Items);
  const uint32_t pitch = static_cast<uint32_t>(pitch_of(count_, Items));
  uint32_t* counts = counts_.as<uint32_t>();
  uint32_t* totals = counts + size_t{pitch} * radix::digits;
  const Key* from_keys = keys();
  const uint32_t* from_values = values();
  half_ = 1 - half_;
  launch<radix::count_kernel<Key, Items>>({.grid = tiles, .block = radix::threads}, from_keys,
                                          count, shift, pitch, counts);
  launch<radix::scan_kernel>({.grid = radix::digits, .block = radix::threads}, counts, tiles, pitch,
                             totals);
  launch<radix::move_kernel<Key, Items>>({.grid = tiles, .block = radix::threads}, from_keys,
                                         from_values, count, shift, pitch, counts, totals, keys(),
                                         values());
}

template <class Key>
void RadixSort<Key>::sort(int high, int low) {
  for (int shift = low; shift < high && count_ > 0; shift += 8) {
    if (items_ == fewest_items)
      pass<fewest_items>(shift);
    else
      pass<most_items<Key>>(shift);
  }
}

template class RadixSort<uint32_t>;
template class RadixSort<uint64_t>;

}  // namespace strata::gpu

// See warp_probe.h.
#include "tests/kernels/conformance/warp_probe.h"

#include "kernels/gpu/gpu.h"

namespace strata::test {

using namespace gpu;

namespace {

__global__ void shuffle_kernel(Shuffle kind, int argument, int width, uint32_t* out) {
  constexpr unsigned all = 0xffffffffu;
  const unsigned lane = threadIdx.x, value = 100 + lane;
  uint32_t got = 0;
  if (kind == Shuffle::index) got = __shfl_sync(all, value, argument, width);
  if (kind == Shuffle::exclusive_or) got = __shfl_xor_sync(all, value, argument, width);
  if (kind == Shuffle::down) got = __shfl_down_sync(all, value, argument, width);
  if (kind == Shuffle::up) got = __shfl_up_sync(all, value, argument, width);
  out[lane] = got;
}

__global__ void masked_shuffle_kernel(unsigned mask, int flip, uint32_t* out) {
  const unsigned lane = threadIdx.x;
  out[lane] = mask >> lane & 1 ? __shfl_xor_sync(mask, 100 + lane, flip) : 0;
}

__global__ void vote_kernel(unsigned mask, const uint32_t* values, uint32_t* out) {
  const unsigned lane = threadIdx.x;
  for (unsigned i = lane; i < 10 * 32; i += 32) out[i] = 0;
  __syncthreads();
  if (!(mask >> lane & 1)) return;
  const unsigned value = values[lane];
  out[0 * 32 + lane] = __ballot_sync(mask, static_cast<int>(value & 1));
  out[1 * 32 + lane] = static_cast<uint32_t>(__any_sync(mask, static_cast<int>(value & 1)) != 0);
  out[2 * 32 + lane] = static_cast<uint32_t>(__all_sync(mask, static_cast<int>(value & 1)) != 0);
  out[3 * 32 + lane] = __match_any_sync(mask, value);
  out[4 * 32 + lane] = __reduce_add_sync(mask, value);
  out[5 * 32 + lane] = __reduce_min_sync(mask, value);
  out[6 * 32 + lane] = __reduce_max_sync(mask, value);
  out[7 * 32 + lane] = __reduce_and_sync(mask, value);
  out[8 * 32 + lane] = __reduce_or_sync(mask, value);
  out[9 * 32 + lane] = __reduce_xor_sync(mask, value);
}

struct Words {
  uint32_t of[128];
};

__global__ void named_barrier_kernel(uint32_t* out) {
  auto& shared = block_shared<Words>();
  const unsigned thread = threadIdx.x, warp = thread / 32, lane = thread % 32;
  shared.of[thread] = 7 * thread + 1;
  uint32_t seen;
  if (warp == 3) {
    barrier_sync(1, 128);
    seen = shared.of[lane] + shared.of[32 + lane] + shared.of[64 + lane];
  } else {
    barrier_arrive(1, 128);
    seen = warp;
  }
  if (warp < 2) {
    barrier_sync(2, 64);
    seen = shared.of[(thread + 32) % 64];
  }
  out[thread] = seen;
}

struct Landing {
  alignas(16) unsigned char of[17][16];
};

template <int Bytes>
__global__ void copy_async_kernel(const unsigned char* from, unsigned char* out) {
  auto& landing = block_shared<Landing>();
  const unsigned row = threadIdx.x;
  for (int i = 0; i < 16; ++i) landing.of[row][i] = 0xee;
  if (row <= Bytes) copy_async_part<Bytes>(landing.of[row], from, static_cast<int>(row));
  copy_commit();
  copy_wait<0>();
  __syncthreads();
  for (int i = 0; i < 16; ++i) out[row * 16 + static_cast<unsigned>(i)] = landing.of[row][i];
}

struct BarrierProbe {
  uint64_t barrier;
  alignas(128) unsigned char tile[64];
};

DEVICE uint32_t parities(uint64_t* barrier) {
  return static_cast<uint32_t>(mbarrier_try_wait(barrier, 0)) |
         static_cast<uint32_t>(mbarrier_try_wait(barrier, 1)) << 1;
}

__global__ void mbarrier_kernel(int arrivals, const unsigned char* from, uint32_t* out) {
  auto& probe = block_shared<BarrierProbe>();
  mbarrier_init(&probe.barrier, static_cast<unsigned>(arrivals));
  mbarrier_fence_init();
  *out++ = parities(&probe.barrier);
  for (unsigned round = 0; round < 3; ++round) {
    for (int i = 1; i < arrivals; ++i) {
      mbarrier_arrive(&probe.barrier);
      *out++ = parities(&probe.barrier);
    }
    mbarrier_expect(&probe.barrier, 64);
    *out++ = parities(&probe.barrier);
    bulk_load(probe.tile, from, 64, &probe.barrier);
    mbarrier_wait(&probe.barrier, round & 1);
    *out++ = parities(&probe.barrier);
  }
}

struct ClusterProbe {
  uint64_t barrier;
  uint32_t word;
};

__global__ void cluster_kernel(uint32_t* out) {
  auto& probe = block_shared<ClusterProbe>();
  const unsigned rank = cluster_rank(), size = cluster_size();
  if (threadIdx.x == 0) {
    mbarrier_init(&probe.barrier, size);
    mbarrier_fence_init();
    probe.word = 1000 + 17 * rank;
  }
  cluster_sync();
  if (threadIdx.x == 0) {
    for (unsigned block = 0; block < size; ++block) mbarrier_arrive_remote(&probe.barrier, block);
    uint32_t* mine = out + rank * (4 + size);
    mine[0] = rank;
    mine[1] = size;
    mine[2] = *cluster_shared(&probe.word, (rank + 1) % size);
    mbarrier_wait(&probe.barrier, 0);
    mine[3] = parities(&probe.barrier);
    for (unsigned block = 0; block < size; ++block)
      mine[4 + block] = *cluster_shared(&probe.word, block);
  }
  cluster_sync();
}

template <int Words>
struct StoreProbe {
  Vec<uint32_t, Words> from[8];
  uint64_t barrier;
};

template <int Words>
__global__ void store_async_kernel(uint32_t* out) {
  auto& probe = block_shared<StoreProbe<Words>>();
  const unsigned rank = cluster_rank(), size = cluster_size();
  if (threadIdx.x == 0) {
    mbarrier_init(&probe.barrier, 1);
    mbarrier_fence_init();
    for (auto& box : probe.from)
      for (uint32_t& word : box.data) word = 0xeeeeeeee;
  }
  cluster_sync();
  if (threadIdx.x == 0) {
    uint32_t* mine = out + rank * (2 + size * Words);
    mine[0] = parities(&probe.barrier);
    mbarrier_expect(&probe.barrier, size * Words * 4);
    Vec<uint32_t, Words> value;
    for (int i = 0; i < Words; ++i) value[i] = 1000 * rank + static_cast<unsigned>(i) + 7;
    for (unsigned block = 0; block < size; ++block)
      store_async(&probe.from[rank], value, &probe.barrier, block);
    mbarrier_wait(&probe.barrier, 0);
    mine[1] = parities(&probe.barrier);
    for (unsigned block = 0; block < size; ++block)
      for (int i = 0; i < Words; ++i)
        mine[2 + block * Words + static_cast<unsigned>(i)] = probe.from[block][i];
  }
  cluster_sync();
}

}  // namespace

void probe_shuffle(Shuffle kind, int argument, int width, uint32_t* out) {
  launch<shuffle_kernel>({.grid = 1, .block = 32}, kind, argument, width, out);
}
void probe_masked_shuffle(unsigned mask, int flip, uint32_t* out) {
  launch<masked_shuffle_kernel>({.grid = 1, .block = 32}, mask, flip, out);
}
void probe_votes(unsigned mask, const uint32_t* values, uint32_t* out) {
  launch<vote_kernel>({.grid = 1, .block = 32}, mask, values, out);
}
void probe_named_barriers(uint32_t* out) {
  launch<named_barrier_kernel>({.grid = 1, .block = 128}, out);
}
void probe_copy_async(int size, const unsigned char* from, unsigned char* out) {
  const LaunchConfig config{.grid = 1, .block = 17};
  if (size == 4) return launch<copy_async_kernel<4>>(config, from, out);
  if (size == 8) return launch<copy_async_kernel<8>>(config, from, out);
  launch<copy_async_kernel<16>>(config, from, out);
}
void probe_mbarrier(int arrivals, const unsigned char* from, uint32_t* out) {
  launch<mbarrier_kernel>({.grid = 1, .block = 1}, arrivals, from, out);
}
void probe_cluster(int blocks, uint32_t* out) {
  const auto count = static_cast<unsigned>(blocks);
  launch<cluster_kernel>({.grid = count, .block = 32, .cluster = count}, out);
}
void probe_store_async(int blocks, int bytes, uint32_t* out) {
  const auto count = static_cast<unsigned>(blocks);
  const LaunchConfig config{.grid = count, .block = 32, .cluster = count};
  if (bytes == 8) return launch<store_async_kernel<2>>(config, out);
  launch<store_async_kernel<4>>(config, out);
}

}  // namespace strata::test

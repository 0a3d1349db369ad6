// Kernels for the copy engine and wgmma with one thing wrong each, or right as a control. Most give
// right numbers on the simulator; the x-ray must tell them apart.
#include "kernels/gemm/hopper_pipeline.h"
#include "kernels/gpu/gpu.h"
#include "tests/xray/planted.h"

namespace strata::gpu::planted {

namespace {

// ---- two proxies ----

struct alignas(128) CopiedRow {
  float value[128];
};

template <Copy How>
DEVICE void copy_out(float* out, const CopiedRow& row, const TensorMap* map) {
  if constexpr (How == Copy::plain) bulk_store(out, row.value, sizeof row);
  if constexpr (How == Copy::reduce) bulk_reduce_add_f32(out, row.value, sizeof row);
  if constexpr (How == Copy::tensor) tma_store<1>(map, {0}, row.value);
  bulk_commit();
  bulk_wait<0>();
}

// All threads store to shared memory, one starts a copy from there.
template <Copy How, Fence Place>
__global__ void copied_row_kernel(float* out, const __grid_constant__ TensorMap map) {
  CopiedRow& row = block_shared<CopiedRow>();
  row.value[threadIdx.x] = static_cast<float>(threadIdx.x);
  if (Place == Fence::writers) fence_async_shared();
  __syncthreads();
  if (Place == Fence::late || Place == Fence::before_another_barrier) fence_async_shared();
  if (Place == Fence::before_another_barrier) __syncthreads();
  if (threadIdx.x == 0) {
    if (Place == Fence::reader) fence_async_shared();
    copy_out<How>(out, row, &map);
  }
}

// A thread copies what it has stored itself: no barrier, but the fence.
template <bool Fenced>
__global__ void own_row_kernel(float* out) {
  CopiedRow& row = block_shared<CopiedRow>();
  for (int i = 0; i < 128; ++i) row.value[i] = 1;
  if (Fenced) fence_async_shared();
  copy_out<Copy::plain>(out, row, nullptr);
  if (!Fenced) fence_async_shared();
}

// The first warp stores, arrives at a barrier and goes on; the second waits there and copies.
template <bool Late>
__global__ void handed_row_kernel(float* out) {
  CopiedRow& row = block_shared<CopiedRow>();
  if (threadIdx.x < 32) {
    row.value[threadIdx.x] = 1;
    if (!Late) fence_async_shared();
    barrier_arrive(1, 64);
    if (Late) fence_async_shared();
    return;
  }
  barrier_sync(1, 64);
  if (threadIdx.x != 32) return;
  bulk_store(out, row.value, 32 * sizeof(float));
  bulk_commit();
  bulk_wait<0>();
}

// Operands of a product m64n8k16, K-major without swizzle: chunk c of row r at 16 r from the c-th
// part of the operand.
struct alignas(128) Operands {
  bf16 a[2][64][8], b[2][8][8];
};
DEVICE void multiply_operands(float (&d)[1][4], const Operands& s, bool accumulate) {
  wgmma_fence();
  wgmma<8, bf16>(d[0], wgmma_descriptor(s.a, Swizzle::none, sizeof s.a[0], 128),
                 wgmma_descriptor(s.b, Swizzle::none, sizeof s.b[0], 128), accumulate);
  wgmma_commit();
}

template <Fence Place>
__global__ void stored_operands_kernel(float* out) {
  Operands& s = block_shared<Operands>();
  const int thread = static_cast<int>(threadIdx.x);
  for (int i = 0; i < 8; ++i) s.a[thread / 64][thread % 64][i] = bf16(1);
  s.b[thread / 64][thread % 64 / 8][thread % 8] = bf16(1);
  if (Place == Fence::writers) fence_async_shared();
  __syncthreads();
  if (Place == Fence::late || Place == Fence::before_another_barrier) fence_async_shared();
  if (Place == Fence::before_another_barrier) __syncthreads();
  float d[1][4];
  multiply_operands(d, s, false);
  wgmma_wait<0>();
  out[thread] = d[0][0] + d[0][1] + d[0][2] + d[0][3];
}

// ---- one stage that is filled and multiplied in turns ----

struct Stage {
  Operands operands;
  uint64_t full, empty;
};
DEVICE void fill_stage(Stage& stage, const Operands* from) {
  mbarrier_expect(&stage.full, sizeof(Operands));
  bulk_load(&stage.operands, from, sizeof(Operands), &stage.full);
}
DEVICE void initialise(Stage& stage, unsigned releases) {
  if (threadIdx.x == 0) {
    mbarrier_init(&stage.full, 1);
    mbarrier_init(&stage.empty, releases);
    mbarrier_fence_init();
  }
  __syncthreads();
}

// As 10_tma_wgmma: a thread of the warpgroup that multiplies fills the stage.
template <bool Barrier>
__global__ void turns_kernel(int steps, const Operands* operands, float* out) {
  Stage& stage = block_shared<Stage>();
  initialise(stage, 1);
  float d[1][4];
  for (int step = 0; step < steps; ++step) {
    if (threadIdx.x == 0) fill_stage(stage, operands + step);
    mbarrier_wait(&stage.full, step & 1);
    multiply_operands(d, stage.operands, step > 0);
    wgmma_wait<0>();
    if (Barrier) __syncthreads();
  }
  out[threadIdx.x] = d[0][0] + d[0][1] + d[0][2] + d[0][3];
}

// As 12_two_consumers: a fifth warp fills the stage when it has been freed.
template <Freed By>
__global__ void freed_kernel(int steps, const Operands* operands, float* out) {
  Stage& stage = block_shared<Stage>();
  initialise(stage, By == Freed::by_each_warp ? 4 : 1);
  if (threadIdx.x >= warpgroup_threads) {
    if (threadIdx.x > warpgroup_threads) return;
    for (int step = 0; step < steps; ++step) {
      mbarrier_wait(&stage.empty, (step & 1) ^ 1);
      fill_stage(stage, operands + step);
    }
    return;
  }
  float d[1][4];
  for (int step = 0; step < steps; ++step) {
    mbarrier_wait(&stage.full, step & 1);
    multiply_operands(d, stage.operands, step > 0);
    if (By != Freed::too_early) wgmma_wait<0>();
    if (By == Freed::by_one_for_all) count_on_whole_warpgroup();
    if (threadIdx.x % (By == Freed::by_each_warp ? 32 : 128) == 0) mbarrier_arrive(&stage.empty);
    if (By == Freed::too_early) wgmma_wait<0>();
  }
  out[threadIdx.x] = d[0][0] + d[0][1] + d[0][2] + d[0][3];
}

template <Copy How>
void copied_row(Fence place, float* out) {
  const LaunchConfig config{.block = 128};
  const TensorMap map = tensor_map(DType::f32, out, {128}, {}, {128}, Swizzle::none);
  switch (place) {
    case Fence::none:
      return launch<copied_row_kernel<How, Fence::none>>(config, out, map);
    case Fence::writers:
      return launch<copied_row_kernel<How, Fence::writers>>(config, out, map);
    case Fence::reader:
      return launch<copied_row_kernel<How, Fence::reader>>(config, out, map);
    case Fence::late:
      return launch<copied_row_kernel<How, Fence::late>>(config, out, map);
    case Fence::before_another_barrier:
      return launch<copied_row_kernel<How, Fence::before_another_barrier>>(config, out, map);
  }
}

}  // namespace

void copied_row(Copy how, Fence place, float* out) {
  switch (how) {
    case Copy::plain:
      return copied_row<Copy::plain>(place, out);
    case Copy::reduce:
      return copied_row<Copy::reduce>(place, out);
    case Copy::tensor:
      return copied_row<Copy::tensor>(place, out);
  }
}
void own_row(bool fenced, float* out) {
  if (fenced)
    launch<own_row_kernel<true>>({.block = 1}, out);
  else
    launch<own_row_kernel<false>>({.block = 1}, out);
}
void handed_row(Fence place, float* out) {
  if (place == Fence::late)
    launch<handed_row_kernel<true>>({.block = 64}, out);
  else
    launch<handed_row_kernel<false>>({.block = 64}, out);
}
void stored_operands(Fence place, float* out) {
  const LaunchConfig config{.block = 128};
  switch (place) {
    case Fence::none:
      return launch<stored_operands_kernel<Fence::none>>(config, out);
    case Fence::writers:
      return launch<stored_operands_kernel<Fence::writers>>(config, out);
    case Fence::late:
      return launch<stored_operands_kernel<Fence::late>>(config, out);
    case Fence::before_another_barrier:
      return launch<stored_operands_kernel<Fence::before_another_barrier>>(config, out);
    case Fence::reader:
      return;  // all that read have written
  }
}
void turns(bool barrier, int steps, const bf16* operands, float* out) {
  const auto* tiles = reinterpret_cast<const Operands*>(operands);
  if (barrier)
    launch<turns_kernel<true>>({.block = 128}, steps, tiles, out);
  else
    launch<turns_kernel<false>>({.block = 128}, steps, tiles, out);
}
void freed(Freed by, int steps, const bf16* operands, float* out) {
  const LaunchConfig config{.block = 160};
  const auto* tiles = reinterpret_cast<const Operands*>(operands);
  switch (by) {
    case Freed::by_each_warp:
      return launch<freed_kernel<Freed::by_each_warp>>(config, steps, tiles, out);
    case Freed::by_one_for_all:
      return launch<freed_kernel<Freed::by_one_for_all>>(config, steps, tiles, out);
    case Freed::by_one:
      return launch<freed_kernel<Freed::by_one>>(config, steps, tiles, out);
    case Freed::too_early:
      return launch<freed_kernel<Freed::too_early>>(config, steps, tiles, out);
  }
}

}  // namespace strata::gpu::planted

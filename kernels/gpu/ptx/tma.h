// The copy engine (TMA, sm_90): one thread starts a copy of a box between global and shared memory
// and goes on. Loads report their bytes to an mbarrier; stores are grouped and waited for by the
// thread that issued them. The tile in shared memory is dense, axis 0 fastest, aligned to 128 bytes
// (swizzled: to 1024, 512 or 256), and permuted as the map's swizzle says. Elements of the box that
// lie outside the tensor are loaded as zero and count in the bytes; they are not stored.
//
// Before a store, fence_async_shared() by the threads that wrote the tile, then a barrier.
// Source: PTX ISA, "Data Movement and Conversion Instructions: cp.async.bulk.tensor".
#pragma once

#include "kernels/gpu/primitive.h"
#include "kernels/gpu/ptx/async_copy.h"
#include "kernels/gpu/tensor_map.h"
#ifndef __CUDACC__
#include "kernels/sim/tma.h"
#endif

namespace strata::gpu {

#ifdef __CUDACC__
// The coordinates of all ranks are operands %0 to %4, of which an instruction names the first
// `Rank`.
template <int Rank>
DEVICE int coordinate_or_zero(const int (&coordinates)[Rank], int axis) {
  return axis < Rank ? coordinates[axis < Rank ? axis : 0] : 0;
}
#define STRATA_TMA_TEXT(name, rank, list, before, after, ...)                                    \
  asm volatile(name rank before list after ::"r"(coordinate_or_zero(coordinates, 0)),            \
               "r"(coordinate_or_zero(coordinates, 1)), "r"(coordinate_or_zero(coordinates, 2)), \
               "r"(coordinate_or_zero(coordinates, 3)), "r"(coordinate_or_zero(coordinates, 4)), \
               __VA_ARGS__                                                                       \
               : "memory")
#define STRATA_TMA(name, before, after, ...)                                                       \
  if constexpr (Rank == 1) STRATA_TMA_TEXT(name, ".1d", "{%0}", before, after, __VA_ARGS__);       \
  if constexpr (Rank == 2) STRATA_TMA_TEXT(name, ".2d", "{%0,%1}", before, after, __VA_ARGS__);    \
  if constexpr (Rank == 3) STRATA_TMA_TEXT(name, ".3d", "{%0,%1,%2}", before, after, __VA_ARGS__); \
  if constexpr (Rank == 4)                                                                         \
    STRATA_TMA_TEXT(name, ".4d", "{%0,%1,%2,%3}", before, after, __VA_ARGS__);                     \
  if constexpr (Rank == 5)                                                                         \
    STRATA_TMA_TEXT(name, ".5d", "{%0,%1,%2,%3,%4}", before, after, __VA_ARGS__);
#endif

// ---- loads: the barrier must expect the bytes of the whole box (mbarrier_expect) ----

// The box whose first element has these coordinates, axis 0 first; they may be negative. Along axis
// 0 it begins a multiple of 16 bytes from the tensor's edge (loads and stores alike).
template <int Rank>
DEVICE void tma_load(void* shared, const TensorMap* map, const int (&coordinates)[Rank],
                     uint64_t* barrier SIM_SITE) {
  PTX_SM90(STRATA_TMA("cp.async.bulk.tensor",
                      ".shared::cluster.global.tile.mbarrier::complete_tx::bytes [%6], [%5, ",
                      "], [%7];", "l"(map), "r"(shared_address(shared)),
                      "r"(shared_address(barrier))))
  SIM(sim::tma_load(Rank, shared, map, coordinates, barrier, sim::own_block, SIM_HERE);)
}
// The same box into every block of the cluster whose bit is set in `blocks`: at the same place of
// its shared memory, with the bytes reported to its own mbarrier at the same place.
template <int Rank>
DEVICE void tma_load_multicast(void* shared, const TensorMap* map, const int (&coordinates)[Rank],
                               uint64_t* barrier, uint16_t blocks SIM_SITE) {
  PTX_SM90(STRATA_TMA(
      "cp.async.bulk.tensor",
      ".shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster [%6], [%5, ",
      "], [%7], %8;", "l"(map), "r"(shared_address(shared)), "r"(shared_address(barrier)),
      "h"(blocks)))
  SIM(sim::tma_load(Rank, shared, map, coordinates, barrier, blocks, SIM_HERE);)
}

// Pixels of an im2col map: `coordinates` are channel, w, h, n of the first base pixel, `offsets`
// what is added to w and h of each (the place in the filter, times the dilation), 0 to 255.
DEVICE void tma_load_im2col(void* shared, const TensorMap* map, const int (&coordinates)[4],
                            const uint16_t (&offsets)[2], uint64_t* barrier SIM_SITE) {
  PTX_SM90(constexpr int Rank = 4;
           STRATA_TMA("cp.async.bulk.tensor",
                      ".shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%6], [%5, ",
                      "], [%7], {%8,%9};", "l"(map), "r"(shared_address(shared)),
                      "r"(shared_address(barrier)), "h"(offsets[0]), "h"(offsets[1])))
  SIM(sim::tma_load_im2col(shared, map, coordinates, offsets, barrier, sim::own_block, SIM_HERE);)
}
DEVICE void tma_load_im2col_multicast(void* shared, const TensorMap* map,
                                      const int (&coordinates)[4], const uint16_t (&offsets)[2],
                                      uint64_t* barrier, uint16_t blocks SIM_SITE) {
  PTX_SM90(constexpr int Rank = 4;
           STRATA_TMA("cp.async.bulk.tensor",
                      ".shared::cluster.global.im2col.mbarrier::complete_tx::bytes.multicast::"
                      "cluster [%6], [%5, ",
                      "], [%7], {%8,%9}, %10;", "l"(map), "r"(shared_address(shared)),
                      "r"(shared_address(barrier)), "h"(offsets[0]), "h"(offsets[1]), "h"(blocks)))
  SIM(sim::tma_load_im2col(shared, map, coordinates, offsets, barrier, blocks, SIM_HERE);)
}

// ---- stores: complete by groups, see bulk_commit; no coordinate is negative. What lies outside
// the tensor is not stored, but a row is written in chunks of 16 bytes: where its length is no
// multiple, the rest of its last chunk is overwritten ----

template <int Rank>
DEVICE void tma_store(const TensorMap* map, const int (&coordinates)[Rank],
                      const void* shared SIM_SITE) {
  PTX_SM90(STRATA_TMA("cp.async.bulk.tensor", ".global.shared::cta.tile.bulk_group [%5, ",
                      "], [%6];", "l"(map), "r"(shared_address(shared))))
  SIM(sim::tma_store(Rank, map, coordinates, shared, false, SIM_HERE);)
}
// Adds the tile to global memory, each element by one atomic addition in the map's type: f32, f64,
// bf16, f16 or i32 (the PTX ISA lists no signed addition of 64 bits). The order of the additions of
// several blocks is not fixed.
template <int Rank>
DEVICE void tma_reduce_add(const TensorMap* map, const int (&coordinates)[Rank],
                           const void* shared SIM_SITE) {
  PTX_SM90(STRATA_TMA("cp.reduce.async.bulk.tensor",
                      ".global.shared::cta.add.tile.bulk_group [%5, ", "], [%6];", "l"(map),
                      "r"(shared_address(shared))))
  SIM(sim::tma_store(Rank, map, coordinates, shared, true, SIM_HERE);)
}
#ifdef __CUDACC__
#undef STRATA_TMA
#undef STRATA_TMA_TEXT
#endif

// ---- without a map: `bytes` contiguous bytes; addresses and bytes are multiples of 16 ----

DEVICE void bulk_load(void* shared, const void* global, unsigned bytes,
                      uint64_t* barrier SIM_SITE) {
  PTX_SM90(asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], "
                        "[%1], %2, [%3];" ::"r"(shared_address(shared)),
                        "l"(global), "r"(bytes), "r"(shared_address(barrier))
                        : "memory");)
  SIM(sim::bulk_load(shared, global, bytes, barrier, SIM_HERE);)
}
DEVICE void bulk_store(void* global, const void* shared, unsigned bytes SIM_SITE) {
  PTX_SM90(asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(global),
                        "r"(shared_address(shared)), "r"(bytes)
                        : "memory");)
  SIM(sim::bulk_store(global, shared, bytes, false, SIM_HERE);)
}
DEVICE void bulk_reduce_add_f32(float* global, const float* shared, unsigned bytes SIM_SITE) {
  PTX_SM90(asm volatile(
               "cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 [%0], [%1], %2;" ::"l"(
                   global),
               "r"(shared_address(shared)), "r"(bytes)
               : "memory");)
  SIM(sim::bulk_store(global, shared, bytes, true, SIM_HERE);)
}

// ---- groups of stores, of the thread that issued them ----

DEVICE void bulk_commit(SIM_SITE0) {
  PTX_SM90(asm volatile("cp.async.bulk.commit_group;" ::: "memory");)
  SIM(sim::bulk_commit(SIM_HERE);)
}
// Until all but the latest N groups have read shared memory, which may then be written again. A
// block must do this before it ends.
template <int N>
DEVICE void bulk_wait_read(SIM_SITE0) {
  PTX_SM90(asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(N) : "memory");)
  SIM(sim::bulk_wait(N, true, SIM_HERE);)
}
// Until all but the latest N groups are complete in global memory.
template <int N>
DEVICE void bulk_wait(SIM_SITE0) {
  PTX_SM90(asm volatile("cp.async.bulk.wait_group %0;" ::"n"(N) : "memory");)
  SIM(sim::bulk_wait(N, false, SIM_HERE);)
}

// Fetches the map itself ahead of its first use.
DEVICE void tma_prefetch(const TensorMap* map SIM_SITE) {
  PTX_SM90(asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");)
  SIM(sim::check_tensor_map(map, SIM_HERE);)
}

}  // namespace strata::gpu

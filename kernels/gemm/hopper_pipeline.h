// The ring of stages between the copy engine and the tensor cores, shared by the rungs from
// 11_warp_specialised on.
//
// A stage holds one tile of A and one of B. Two mbarriers guard it: `full` completes when the
// bytes of both tiles have landed; `empty` when every consumer has finished reading. The producer
// waits for empty and starts copies; consumers wait for full and multiply. Each goes round the
// ring at its own pace, so copies run up to `Stages` steps of K ahead.
//
// A barrier alternates between two parities, once a round. The producer waits for the parity before
// the first, which counts as complete: all stages begin empty.
#pragma once

#include "kernels/gemm/hopper_tile.h"
#ifndef __CUDACC__
#include "kernels/sim/tracer.h"
#endif

namespace strata::gpu {

template <class A_, class B_, int Stages>
struct StageRing {
  using A = A_;
  using B = B_;
  static constexpr int stages = Stages;

  alignas(1024) unsigned char a[Stages][A::bytes];
  alignas(1024) unsigned char b[Stages][B::bytes];
  uint64_t full[Stages], empty[Stages];
};

// Where a producer or consumer is in the ring.
template <int Stages>
struct Place {
  int stage = 0;
  unsigned parity = 0;

  DEVICE void advance() {
    if (++stage == Stages) {
      stage = 0;
      parity ^= 1;
    }
  }
  // As if by `steps` calls of advance().
  DEVICE void advance(int steps) {
    const int to = stage + steps;
    parity ^= static_cast<unsigned>(to / Stages) & 1;
    stage = to % Stages;
  }
};

constexpr int warpgroup_threads = 128;

DEVICE int warpgroup() { return static_cast<int>(threadIdx.x) / warpgroup_threads; }
DEVICE int thread_of_warpgroup() { return static_cast<int>(threadIdx.x) % warpgroup_threads; }

// By one thread. `releases`: arrivals that free a stage.
template <class Ring>
DEVICE void initialise(Ring& ring, unsigned releases SIM_SITE) {
  for (int stage = 0; stage < Ring::stages; ++stage) {
    mbarrier_init(&ring.full[stage], 1 SIM_PASS);
    mbarrier_init(&ring.empty[stage], releases SIM_PASS);
  }
  mbarrier_fence_init();
}

// Steps of K, the last of which may be ragged.
template <class Ring>
DEVICE int k_steps(int K) {
  return (K + Ring::A::depth - 1) / Ring::A::depth;
}

// The producer's part in the tile of C at (row, column): fills a stage a step of K. One thread.
template <class Ring>
DEVICE void fill(Ring& ring, Place<Ring::stages>& place, const TensorMap* a, const TensorMap* b,
                 int row, int column, int batch_a, int batch_b, int steps SIM_SITE) {
  for (int step = 0; step < steps; ++step, place.advance()) {
    uint64_t* full = &ring.full[place.stage];
    mbarrier_wait(&ring.empty[place.stage], place.parity ^ 1 SIM_PASS);
    mbarrier_expect(full, Ring::A::bytes + Ring::B::bytes SIM_PASS);
    const int k = step * Ring::A::depth;
    Ring::A::load(ring.a[place.stage], a, row, k, batch_a, full SIM_PASS);
    Ring::B::load(ring.b[place.stage], b, column, k, batch_b, full SIM_PASS);
  }
}

// d (+)= the warpgroup's rows of one tile of A, from `row` on, times one tile of B: one group of
// asynchronous products. d[i] are rows 64i to 64i + 63; see wgmma.h for who holds what.
template <class A, class B, int Blocks, int Half>
DEVICE void multiply_stage(float (&d)[Blocks][Half], const unsigned char* a, int row,
                           const unsigned char* b, bool accumulate SIM_SITE) {
  static_assert(Half == B::rows / 2, "each thread holds half a row of the tile for each 64 rows");
  wgmma_fence(SIM_PASS0);
#pragma unroll
  for (int p = 0; p < A::products; ++p)
#pragma unroll
    for (int i = 0; i < Blocks; ++i)
      wgmma<B::rows, typename A::Type, A::order, B::order>(
          d[i], A::descriptor(a, row + 64 * i, p SIM_PASS), B::descriptor(b, 0, p SIM_PASS),
          accumulate || p > 0 SIM_PASS);
  wgmma_commit(SIM_PASS0);
}

// By a thread that speaks for its warpgroup, after wgmma_wait: what it waited for is taken to be
// complete in all four warps, so that it may free a buffer without a barrier. Hardware has kept
// that, and the pipelines of CUTLASS count on it, but the PTX text promises a warp no more than its
// own part. No instruction: it tells the x-ray, which goes by the text.
DEVICE void count_on_whole_warpgroup(SIM_SITE0) { SIM(sim::warpgroup_waited(SIM_HERE);) }

// The consumer's part: the first product overwrites the sums, so nobody clears them. One group of
// products is kept in flight while the next stage is awaited; release(stage) is called when the
// products that read the stage are complete, and may be by one thread of the warpgroup.
template <class Ring, int Blocks, int Half, class Release>
DEVICE void multiply(float (&d)[Blocks][Half], Ring& ring, Place<Ring::stages>& place, int row,
                     int steps, Release&& release SIM_SITE) {
  int before = 0;
  for (int step = 0; step < steps; ++step) {
    mbarrier_wait(&ring.full[place.stage], place.parity SIM_PASS);
    multiply_stage<typename Ring::A, typename Ring::B>(d, ring.a[place.stage], row,
                                                       ring.b[place.stage], step > 0 SIM_PASS);
    if (step > 0) {
      wgmma_wait<1>(SIM_PASS0);
      count_on_whole_warpgroup(SIM_PASS0);
      release(before);
    }
    before = place.stage;
    place.advance();
  }
  wgmma_wait<0>(SIM_PASS0);
  count_on_whole_warpgroup(SIM_PASS0);
  release(before);
}

}  // namespace strata::gpu

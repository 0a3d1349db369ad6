// Split-K: where C has too few tiles to fill the device and K is long, K is cut into parts that
// different blocks multiply (splits.h); then their sums are added.
//
// The tiles are those of rung 7 (f32) or of rung 9 (tensor cores), with a second axis of the grid
// for the parts. Each part writes M N sums of f32 and the second kernel reads them again: 8 M N
// bytes a part for a product whose operands have 2 to 4 (M + N) K / parts bytes a part, so a part
// must be long compared with a tile. The additions have a fixed order: no atomics, the same bits in
// every run.
//
// Registers of the addition 34, no shared memory. Run on an H200 by its tests, not timed.
#include "kernels/gemm/rung.h"
#include "kernels/gemm/splits.h"

namespace strata::gpu {
namespace {

constexpr int threads = 256;

// A thread adds the parts of one vector of a row and finishes it.
template <class T>
__global__ void __launch_bounds__(threads)
    gemm_add_parts_kernel(const __grid_constant__ Product<T> p,
                          const __grid_constant__ Splits splits) {
  constexpr int width = vector_width<T>;
  const int64_t index = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  const int64_t row = index / (splits.pitch / width);
  const int column = static_cast<int>(index % (splits.pitch / width)) * width;
  if (row >= splits.rows) return;
  float sums[width] = {};
  for (int part = 0; part < splits.count; ++part) {
#pragma unroll
    for (int v = 0; v < width; v += 4) {
      const Vec<float, 4> four =
          load_vector<4>(splits.partial + (part * splits.rows + row) * splits.pitch + column + v);
#pragma unroll
      for (int i = 0; i < 4; ++i) sums[v + i] += four[i];
    }
  }
  store_sums<width>(p, row * p.N, 0, column, sums);
}

bool on_tensor_cores(const GemmArguments& g) { return gemm_ladder::pipelined.supports(g); }

struct Cut {
  TileSize tile;
  int64_t parts;
};
// Tiles of 64 x 64 unless both axes are longer than 64; enough parts to give every multiprocessor
// two blocks, but none shorter than 256 of k.
Cut cut_of(const GemmArguments& g) {
  const int size = g.M > 64 && g.N > 64 ? 128 : 64;
  const int64_t blocks = tile_count(g, size, size);
  const int64_t wanted = std::max<int64_t>(1, 2 * device().multiprocessors / blocks);
  return {{size, size}, std::clamp<int64_t>(g.K / 256, 1, std::min<int64_t>(wanted, 64))};
}

bool supports(const GemmArguments& g) { return g.dtype == DType::f32 || on_tensor_cores(g); }
void run(const GemmArguments& g) {
  const Cut cut = cut_of(g);
  Splits splits = splits_of(g, cut.parts);
  Scratch workspace(splits_bytes(splits));
  splits.partial = workspace.as<float>();
  if (on_tensor_cores(g))
    run_pipelined(g, splits, cut.tile);
  else
    run_warp_tile(g, splits, cut.tile);
  if (splits.count > 1) add_parts(g, splits);
}

}  // namespace

bool worth_splitting(const GemmArguments& g) {
  return gemm_ladder::split_k.supports(g) && cut_of(g).parts > 1;
}

Splits splits_of(const GemmArguments& g, int64_t count) {
  return {static_cast<int>(count), nullptr, batch_count(g) * g.M, (g.N + 7) / 8 * 8};
}
size_t splits_bytes(const Splits& s) {
  return s.count == 1 ? 0 : static_cast<size_t>(s.count * s.rows * s.pitch) * sizeof(float);
}

void add_parts(const GemmArguments& g, const Splits& splits) {
  visit_summed_in_f32(g.dtype, [&]<class T>(Type<T>) {
    const unsigned blocks = divide_up(splits.rows * splits.pitch / vector_width<T>, threads);
    launch<gemm_add_parts_kernel<T>>({.grid = blocks, .block = threads}, make_product<T>(g),
                                     splits);
  });
}

const GemmRung gemm_ladder::split_k = {
    "split_k", "K is cut into parts that are added in order by a second kernel", supports, run};

}  // namespace strata::gpu

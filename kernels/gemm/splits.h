// Products whose sums are cut along k: each part of K is a product of its own, whose sums go to a
// workspace in f32, [splits, rows, pitch] with rows = batches x M; a second kernel adds the parts
// in order and applies the epilogue (split_k.cu). So the results are the same in every run.
#pragma once

#include "kernels/gemm/ring.h"
#include "kernels/gpu/scratch.h"

namespace strata::gpu {

struct Splits {
  int count = 1;
  float* partial = nullptr;  // null when count is 1
  int64_t rows = 0, pitch = 0;
};

// For a product in `count` parts, without its memory; rows are padded to whole vectors.
Splits splits_of(const GemmArguments& arguments, int64_t count);
size_t splits_bytes(const Splits& splits);  // none for one part
// Adds the parts in order and finishes C.
void add_parts(const GemmArguments& arguments, const Splits& splits);
// Whether the device would be idle for most of the product if K were not cut.
bool worth_splitting(const GemmArguments& arguments);

// Sums of one part into its place in the workspace.
template <class T>
struct ToPartial {
  static constexpr int width = 4;
  const Product<T>& p;
  float* partial;  // of the split and the batch
  int64_t pitch;
  Tile tile;
  DEVICE void operator()(int row, int column, const float (&sums)[width]) const {
    row += tile.row, column += tile.column;
    if (row >= p.M || column >= pitch) return;
    Vec<float, width> values;
#pragma unroll
    for (int i = 0; i < width; ++i) values[i] = sums[i];
    store_vector(partial + row * pitch + column, values);
  }
};

// The tile of a block and the part of K of blockIdx.y, into C or into the workspace.
template <class Inner, int Stages>
DEVICE void multiply_part(const Product<typename Inner::Element>& p, const Splits& splits) {
  using T = typename Inner::Element;
  T* shared = dynamic_shared<T>();
  const Tile tile = tile_in_groups<Inner::rows, Inner::columns>(p, blockIdx.x);
  const Matrices<T> m = p.matrices(tile.batch);
  const int all = steps_of<Inner>(p.K), part = static_cast<int>(blockIdx.y);
  const int first = static_cast<int>(static_cast<int64_t>(all) * part / splits.count);
  const int end = static_cast<int>(static_cast<int64_t>(all) * (part + 1) / splits.count);
  Inner inner;
  multiply_along_k<Inner, Stages>(inner, p, m, tile, first, end - first, shared);
  if (splits.count == 1) {
    inner.store(ToC<T>{p, m.first, tile}, shared);
  } else {
    const int64_t row = part * splits.rows + static_cast<int64_t>(tile.batch) * p.M;
    inner.store(ToPartial<T>{p, splits.partial + row * splits.pitch, splits.pitch, tile}, shared);
  }
}

// Launches `Kernel`, which is multiply_part<Inner, Stages>.
template <auto Kernel, class Inner, int Stages>
void launch_parts(const GemmArguments& g, const Splits& splits) {
  const unsigned tiles = tile_count(g, Inner::rows, Inner::columns);
  launch<Kernel>({.grid = {tiles, static_cast<unsigned>(splits.count)},
                  .block = Inner::threads,
                  .shared = Ring<Inner, Stages>::bytes},
                 make_product<typename Inner::Element>(g), splits);
}

// Whether tiles of 128 x 128 in whole waves would leave more than a fifth of the device idle, while
// K is long enough to pay for the addition of parts (stream_k.cu).
bool worth_streaming(const GemmArguments& arguments);

// ---- the rungs that can be cut, for split_k.cu ----

// Rows and columns of the tiles that a rung takes for a product.
struct TileSize {
  int rows, columns;
};
// Rung 7 for f32, rung 9 for the types of tensor cores.
void run_warp_tile(const GemmArguments& arguments, const Splits& splits, TileSize tile);
void run_pipelined(const GemmArguments& arguments, const Splits& splits, TileSize tile);

}  // namespace strata::gpu

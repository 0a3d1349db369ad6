// Rung 1: one thread computes one element of C, as the formula is written.
//
// The 32 threads of a warp take 32 rows of one column, so at each step of k they read 32 elements
// of A that lie a whole row apart: 32 sectors of 32 bytes for 128 useful bytes. Nothing is kept
// between threads: each element of A is read N times and each of B M times, from the caches if it
// is there.
//
// Per multiply-add: 8 bytes asked for. Registers 32, no shared memory.
// H200, 4096³ f32, NT: 0.5 TFLOP/s; cuBLAS 50.4.
#include "kernels/gemm/product.h"
#include "kernels/gemm/rung.h"

namespace strata::gpu {
namespace {

constexpr int tile_rows = 32, tile_columns = 8;

__global__ void gemm_naive_kernel(const __grid_constant__ Product<float> p) {
  const Tile tile = tile_of_block<tile_rows, tile_columns>(p, blockIdx.x);
  const int row = tile.row + static_cast<int>(threadIdx.x);
  const int column = tile.column + static_cast<int>(threadIdx.y);
  if (row >= p.M || column >= p.N) return;
  const Matrices<float> m = p.matrices(tile.batch);
  const float* a = m.a + row * p.a_row;
  const float* b = m.b + column * p.b_column;
  float sum = 0;
  for (int k = 0; k < p.K; ++k) sum += a[k * p.a_column] * b[k * p.b_row];
  const int64_t at = m.first + static_cast<int64_t>(row) * p.N + column;
  p.c[at] = p.epilogue(sum, column, at);
}

bool supports(const GemmArguments& g) { return g.dtype == DType::f32; }
void run(const GemmArguments& g) {
  launch_tiles<gemm_naive_kernel, float>(g, tile_rows, tile_columns, {tile_rows, tile_columns});
}

}  // namespace

const GemmRung gemm_ladder::naive = {"01_naive", "a thread an element of C, down its columns",
                                     supports, run};

}  // namespace strata::gpu

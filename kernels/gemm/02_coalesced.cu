// Rung 2: the same, but neighbouring threads take neighbouring columns.
//
// What changed: the 32 threads of a warp now compute 32 elements of one row of C. At each step of k
// they read one element of A, which is broadcast, and 32 neighbours of B: 4 sectors of 32 bytes,
// all of them used. C is stored the same way. A warp asks for 5 sectors a step instead of 33.
//
// The same bytes are asked for; what is fetched shrinks to them. Registers 32, no shared memory.
// H200, 4096³ f32, NT: 0.5 (B is along K there, which its warps read 32 apart) TFLOP/s;
// cuBLAS 50.4.
#include "kernels/gemm/product.h"
#include "kernels/gemm/rung.h"

namespace strata::gpu {
namespace {

constexpr int tile_rows = 8, tile_columns = 32;

__global__ void gemm_coalesced_kernel(const __grid_constant__ Product<float> p) {
  const Tile tile = tile_of_block<tile_rows, tile_columns>(p, blockIdx.x);
  const int row = tile.row + static_cast<int>(threadIdx.y);
  const int column = tile.column + static_cast<int>(threadIdx.x);
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
  launch_tiles<gemm_coalesced_kernel, float>(g, tile_rows, tile_columns, {tile_columns, tile_rows});
}

}  // namespace

const GemmRung gemm_ladder::coalesced = {"02_coalesced", "a thread an element of C, along its rows",
                                         supports, run};

}  // namespace strata::gpu

// Rung 6: every load and store moves 16 bytes.
//
// What changed: tile and square are those of rung 5, but a thread fetches four neighbours of A and
// of B by one instruction, whichever axis they are neighbours along, and A is turned on its way so
// that k is down in shared memory for both. Its 8 x 8 square is four of 4 x 4, 64 apart: at a step
// of k it reads two vectors of A and two of B instead of 16 elements, and a quarter of a warp,
// whose 16-byte reads happen together, falls into different banks. A quarter of the instructions,
// the same bytes.
//
// Needs addresses and strides that are multiples of 16 bytes; sizes may be anything: a vector that
// reaches over the edge is loaded element by element.
// Registers 128, shared memory 8.25 KiB. H200, 4096³ f32, NT: 35.7 TFLOP/s; cuBLAS 50.4.
#include "kernels/gemm/product.h"
#include "kernels/gemm/rung.h"

namespace strata::gpu {
namespace {

constexpr int size = 128, depth = 8, side = 16, threads = side * side, width = 4;
constexpr int pitch = size + width;  // turned columns of k spread over the banks
static_assert(threads * width == size * depth, "a thread loads one vector of each operand");

struct Tiles {
  float a[depth][pitch], b[depth][pitch];
};

// The first `valid` of four neighbours, then zeros.
DEVICE Vec<float, width> load_part(const float* from, int valid) {
  if (valid >= width) return load_vector<width>(from);
  Vec<float, width> part;
#pragma unroll
  for (int i = 0; i < width; ++i) part[i] = i < valid ? from[i] : 0.0f;
  return part;
}

template <Order order>
DEVICE void load_tile(float (&to)[depth][pitch], const float* from, int first, int limit,
                      int64_t stride, int start, int K) {
  const int thread = static_cast<int>(threadIdx.x);
  if constexpr (order == Order::k) {
    const int x = thread / 2, k = thread % 2 * width;
    const float* place = from + (first + x) * stride + start + k;
    const Vec<float, width> part = load_part(place, first + x < limit ? K - start - k : 0);
#pragma unroll
    for (int i = 0; i < width; ++i) to[k + i][x] = part[i];
  } else {
    const int k = thread / 32, x = thread % 32 * width;
    const float* place = from + (start + k) * stride + first + x;
    store_vector(&to[k][x], load_part(place, start + k < K ? limit - first - x : 0));
  }
}

template <Order a_order, Order b_order>
__global__ void __launch_bounds__(threads, 2)
    gemm_vectorised_kernel(const __grid_constant__ Product<float> p) {
  Tiles& shared = block_shared<Tiles>();
  const Tile tile = tile_of_block<size, size>(p, blockIdx.x);
  const Matrices<float> m = p.matrices(tile.batch);
  const int row = static_cast<int>(threadIdx.x) / side * width;
  const int column = static_cast<int>(threadIdx.x) % side * width;
  const int64_t a_stride = a_order == Order::k ? p.a_row : p.a_column;
  const int64_t b_stride = b_order == Order::k ? p.b_column : p.b_row;
  float sums[2][width][2][width] = {};
  for (int start = 0; start < p.K; start += depth) {
    load_tile<a_order>(shared.a, m.a, tile.row, p.M, a_stride, start, p.K);
    load_tile<b_order>(shared.b, m.b, tile.column, p.N, b_stride, start, p.K);
    __syncthreads();
#pragma unroll
    for (int k = 0; k < depth; ++k) {
      Vec<float, width> a[2], b[2];
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        a[half] = load_vector<width>(&shared.a[k][row + half * size / 2]);
        b[half] = load_vector<width>(&shared.b[k][column + half * size / 2]);
      }
#pragma unroll
      for (int i = 0; i < 2 * width; ++i)
#pragma unroll
        for (int j = 0; j < 2 * width; ++j)
          sums[i / width][i % width][j / width][j % width] +=
              a[i / width][i % width] * b[j / width][j % width];
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < 2 * width; ++i)
#pragma unroll
    for (int j = 0; j < 2; ++j)
      store_sums<width>(p, m.first, tile.row + row + i % width + i / width * size / 2,
                        tile.column + column + j * size / 2, sums[i / width][i % width][j]);
}

bool supports(const GemmArguments& g) { return g.dtype == DType::f32 && has_vectors(g); }
void run(const GemmArguments& g) {
  with_orders(g, [&]<Order a, Order b>() {
    launch_tiles<gemm_vectorised_kernel<a, b>, float>(g, size, size, threads);
  });
}

}  // namespace

const GemmRung gemm_ladder::vectorised = {
    "06_vectorised", "loads and stores of 16 bytes, A turned on its way", supports, run};

}  // namespace strata::gpu

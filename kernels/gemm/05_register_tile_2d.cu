// Rung 5: a thread computes a square of elements, so that both operands are used more than once.
//
// What changed: 256 threads compute 128 x 128 elements, each thread 8 x 8. At a step of k a thread
// reads 8 + 8 elements and does 64 multiply-adds: one byte of shared memory per multiply-add
// instead of 4.5, which at last the multiprocessor can keep up with. Global memory: 1/16 byte. A is
// kept with k down, so that the rows of a thread are neighbours; the columns of a thread are 16
// apart, so that those of a warp are neighbours and fall into different banks.
//
// This is also the rung for every type and every stride: f64, integers (unsigned, so that they
// wrap), 16-bit floats where there is no tensor core for their strides. Loads go along the axis of
// stride 1, whichever it is. Types of 8 bytes take tiles of 64 x 64, 4 x 4 a thread.
//
// Registers 128 (f32), shared memory 8.25 KiB. H200, 4096³ f32, NT: 28.5 TFLOP/s; cuBLAS 50.4.
#include "kernels/gemm/product.h"
#include "kernels/gemm/rung.h"

namespace strata::gpu {
namespace {

constexpr int side = 16, threads = side * side, depth = 8;

// Elements of C along each axis of a thread's square.
template <class T>
constexpr int per_thread = sizeof(T) == 8 ? 4 : 8;
template <class T>
constexpr int tile_size = side* per_thread<T>;

template <class T>
struct Tiles {
  // The pad spreads a column of k, which a warp stores at once, over the banks.
  static constexpr int pitch = tile_size<T> + 4;
  Sum<T> a[depth][pitch], b[depth][pitch];
};

// Elements [first, first + tile) x [start, start + depth) of an operand whose strides are `along`
// and `k_stride`, k down in shared memory.
template <class T>
DEVICE void load_tile(Sum<T> (&to)[depth][Tiles<T>::pitch], const T* from, int first, int limit,
                      int64_t along, int start, int K, int64_t k_stride) {
  constexpr int size = tile_size<T>;
#pragma unroll
  for (int i = 0; i < size * depth / threads; ++i) {
    const int index = static_cast<int>(threadIdx.x) + i * threads;
    const bool k_first = k_stride == 1;
    const int x = k_first ? index / depth : index % size;
    const int k = k_first ? index % depth : index / size;
    const bool inside = first + x < limit && start + k < K;
    to[k][x] = inside ? to_sum(from[(first + x) * along + (start + k) * k_stride]) : Sum<T>(0);
  }
}

template <class T>
__global__ void __launch_bounds__(threads, std::is_same_v<T, float> ? 2 : 1)
    gemm_register_tile_2d_kernel(const __grid_constant__ Product<T> p) {
  constexpr int size = tile_size<T>, square = per_thread<T>;
  Tiles<T>& shared = block_shared<Tiles<T>>();
  const Tile tile = tile_of_block<size, size>(p, blockIdx.x);
  const Matrices<T> m = p.matrices(tile.batch);
  const int row = static_cast<int>(threadIdx.x) / side * square;
  const int column = static_cast<int>(threadIdx.x) % side;
  Sum<T> sums[square][square] = {};
  for (int start = 0; start < p.K; start += depth) {
    load_tile(shared.a, m.a, tile.row, p.M, p.a_row, start, p.K, p.a_column);
    load_tile(shared.b, m.b, tile.column, p.N, p.b_column, start, p.K, p.b_row);
    __syncthreads();
#pragma unroll
    for (int k = 0; k < depth; ++k) {
      Sum<T> a[square], b[square];
#pragma unroll
      for (int i = 0; i < square; ++i) a[i] = shared.a[k][row + i];
#pragma unroll
      for (int j = 0; j < square; ++j) b[j] = shared.b[k][column + j * side];
#pragma unroll
      for (int i = 0; i < square; ++i)
#pragma unroll
        for (int j = 0; j < square; ++j) sums[i][j] += a[i] * b[j];
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < square; ++i)
#pragma unroll
    for (int j = 0; j < square; ++j) {
      const int to_row = tile.row + row + i, to_column = tile.column + column + j * side;
      if (to_row >= p.M || to_column >= p.N) continue;
      const int64_t at = m.first + static_cast<int64_t>(to_row) * p.N + to_column;
      p.c[at] = p.epilogue(sums[i][j], to_column, at);
    }
}

template <class T>
void run_as(const GemmArguments& g) {
  launch_tiles<gemm_register_tile_2d_kernel<T>, T>(g, tile_size<T>, tile_size<T>, threads);
}

bool supports(const GemmArguments& g) {
  return is_float(g.dtype) || g.dtype == DType::i32 || g.dtype == DType::i64;
}
void run(const GemmArguments& g) {
  if (g.dtype == DType::i32) return run_as<int32_t>(g);
  if (g.dtype == DType::i64) return run_as<int64_t>(g);
  visit_float(g.dtype, [&]<class T>(Type<T>) { run_as<T>(g); });
}

}  // namespace

const GemmRung gemm_ladder::register_tile_2d = {
    "05_register_tile_2d", "a thread computes a square of elements; any type, any strides",
    supports, run};

}  // namespace strata::gpu

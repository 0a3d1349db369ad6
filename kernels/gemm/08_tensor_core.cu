// Rung 8: tensor cores multiply (mma.sync, sm_80), for bf16, f16 and, where the caller allows it,
// f32 rounded to tf32.
//
// What changed: a warp no longer multiplies element by element. One mma instruction multiplies 16 x
// 16 by 16 x 8 elements of 16 bits (tf32: 16 x 8 by 8 x 8), with its operands and sums spread over
// the registers of the 32 lanes in fixed patterns; ldmatrix brings the patterns out of shared
// memory. A block of 8 warps computes 128 x 128, a warp 32 x 64, which is 2 x 8 mma a step.
//
// What was given up again is the fetching ahead (rung 9 brings it back): all load, all multiply. In
// return a load can be anything: 16 bytes where the operand is contiguous and aligned along k, else
// element by element, so this rung takes every stride and address. Lines are 64 bytes and a pad of
// 16, so that the eight rows that ldmatrix reads at once fall into different banks.
//
// A multiprocessor of an A100 does 2048 multiply-adds a clock this way instead of 64 of f32.
// Registers 125, shared memory 20 KiB. H200, 4095x4097x4093 bf16: 110 TFLOP/s, 0.80 of cuBLAS.
#include "kernels/gemm/fragments.h"
#include "kernels/gemm/rung.h"

namespace strata::gpu {
namespace {

constexpr int size = 128, threads = 256, warps_across = 2;
constexpr int warp_rows = 32, warp_columns = 64;
constexpr int row_fragments = warp_rows / 16, column_fragments = warp_columns / 8;

template <class T>
struct PaddedLayout {
  static constexpr int per_chunk = vector_width<T>, chunks = 4, depth = chunks * per_chunk;
  static constexpr int pitch = depth + per_chunk, elements = size * pitch;
  static DEVICE int place(int line, int chunk) { return line * pitch + chunk * per_chunk; }
};
template <class T>
struct Tiles {
  alignas(16) T a[PaddedLayout<T>::elements];
  alignas(16) T b[PaddedLayout<T>::elements];
};

template <class T>
DEVICE T operand(T value) {
  if constexpr (std::is_same_v<T, float>)
    return __uint_as_float(to_tf32(value));
  else
    return value;
}

// Rows first .. first + 127 of an operand at k start .. start + depth, k along the lines.
// `vectors`: 16 bytes along k can be read at once. Neighbouring threads read along the axis of
// stride 1.
template <class T>
DEVICE void load_tile(T* tile, const T* from, int first, int limit, int64_t mn_stride,
                      int64_t k_stride, int start, int K, bool vectors) {
  using Layout = PaddedLayout<T>;
  constexpr int width = Layout::per_chunk;
#pragma unroll
  for (int i = 0; i < size * Layout::chunks / threads; ++i) {
    const int index = static_cast<int>(threadIdx.x) + i * threads;
    const bool along_k = k_stride == 1;
    const int x = along_k ? index / Layout::chunks : index % size;
    const int chunk = along_k ? index % Layout::chunks : index / size;
    const int k = start + chunk * width, inside = first + x < limit ? K - k : 0;
    const T* place = from + (first + x) * mn_stride + k * k_stride;
    Vec<T, width> values;
    if (vectors && inside >= width) {
      values = load_vector<width>(place);
    } else {
#pragma unroll
      for (int j = 0; j < width; ++j) values[j] = j < inside ? place[j * k_stride] : T(0.0f);
    }
#pragma unroll
    for (int j = 0; j < width; ++j) values[j] = operand(values[j]);
    store_vector(tile + Layout::place(x, chunk), values);
  }
}

template <class T>
__global__ void __launch_bounds__(threads, 2)
    gemm_tensor_core_kernel(const __grid_constant__ Product<T> p, bool a_vectors, bool b_vectors) {
  using Layout = PaddedLayout<T>;
  Tiles<T>& shared = block_shared<Tiles<T>>();
  const Tile tile = tile_in_groups<size, size>(p, blockIdx.x);
  const Matrices<T> m = p.matrices(tile.batch);
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int row = warp / warps_across * warp_rows, column = warp % warps_across * warp_columns;
  float sums[row_fragments][column_fragments][4] = {};
  for (int start = 0; start < p.K; start += Layout::depth) {
    load_tile(shared.a, m.a, tile.row, p.M, p.a_row, p.a_column, start, p.K, a_vectors);
    load_tile(shared.b, m.b, tile.column, p.N, p.b_column, p.b_row, start, p.K, b_vectors);
    __syncthreads();
#pragma unroll
    for (int step = 0; step < Layout::depth / mma_depth<T>; ++step) {
      uint32_t a[row_fragments][4], b[column_fragments][2];
#pragma unroll
      for (int i = 0; i < row_fragments; ++i)
        load_a<T, Order::k, Layout>(a[i], shared.a, row + 16 * i, step);
#pragma unroll
      for (int j = 0; j < column_fragments; j += 2)
        load_b<T, Order::k, Layout>(b[j], b[j + 1], shared.b, column + 8 * j, step);
      multiply_fragments<T>(sums, a, b);
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < row_fragments; ++i)
#pragma unroll
    for (int j = 0; j < column_fragments; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int to_row = tile.row + row + 16 * i + lane / 4 + e / 2 * 8;
        const int to_column = tile.column + column + 8 * j + lane % 4 * 2 + e % 2;
        if (to_row >= p.M || to_column >= p.N) continue;
        const int64_t at = m.first + static_cast<int64_t>(to_row) * p.N + to_column;
        p.c[at] = p.epilogue(sums[i][j][e], to_column, at);
      }
}

template <class T>
void run_as(const GemmArguments& g) {
  launch<gemm_tensor_core_kernel<T>>({.grid = tile_count(g, size, size), .block = threads},
                                     make_product<T>(g), a_order(g) == Order::k,
                                     b_order(g) == Order::k);
}

bool supports(const GemmArguments& g) {
  return device().arch >= 80 && (g.dtype == DType::bf16 || g.dtype == DType::f16 ||
                                 (g.dtype == DType::f32 && g.allow_tf32));
}
void run(const GemmArguments& g) {
  visit_summed_in_f32(g.dtype, [&]<class T>(Type<T>) { run_as<T>(g); });
}

}  // namespace

const GemmRung gemm_ladder::tensor_core = {
    "08_tensor_core", "mma.sync and ldmatrix, for bf16, f16 and tf32; any strides", supports, run};

}  // namespace strata::gpu

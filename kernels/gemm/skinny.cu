// Products with at most eight rows: one matrix of weights is read once, and that is all the time
// goes to. The rung has to keep enough reads on their way; its arithmetic is small.
//
//   C [few, N] = X [few, K] W [K, N]              2 few operations an element of W
//
// Two kernels, by the order of W. Contiguous along k (a linear layer's weight): a warp reads 512
// bytes of each of four columns at once and multiplies them with the same piece of X, so that X
// costs little next to W; the lanes' sums are added at the end. Contiguous along n: eight threads
// read 128 bytes of a row of W, 32 rows at a time, and multiply them with one element of X each.
// Where there are too few columns to fill the device, K is cut (splits.h).
//
// A product with at most eight columns is this one turned: C^T = B^T A^T. On Hopper two rows and
// more, of 16 bits, are 19_hopper_skinny's.
//
// Registers 124, shared memory at most 16 KiB. Bytes: K N elements of W. H200, 12288x4096 bf16:
// one row 26 us (3.8 TB/s, 1.03 of cuBLAS), four 33, eight 47.
#include "kernels/gemm/rung.h"
#include "kernels/gemm/splits.h"

namespace strata::gpu {
namespace {

constexpr int most_rows = 8;

// A product of few rows, and whether it is the caller's or that one turned.
template <class T>
struct Skinny {
  Product<T> p;
  bool turned;
  Splits splits;
};

// Sum (row, column) of part blockIdx.y, into C or into the workspace.
template <class T>
DEVICE void put(const Skinny<T>& s, unsigned batch, int row, int column, float sum) {
  if (row >= s.p.M || column >= s.p.N) return;
  const int c_row = s.turned ? column : row, c_column = s.turned ? row : column;
  const int c_rows = s.turned ? s.p.N : s.p.M, c_columns = s.turned ? s.p.M : s.p.N;
  const int64_t at_row = static_cast<int64_t>(batch) * c_rows + c_row;
  if (s.splits.count == 1) {
    const int64_t at = at_row * c_columns + c_column;
    s.p.c[at] = s.p.epilogue(sum, c_column, at);
  } else {
    s.splits.partial[(blockIdx.y * s.splits.rows + at_row) * s.splits.pitch + c_column] = sum;
  }
}

// The first `valid` of Width neighbours as floats, then zeros. Whole: all of them are, and no
// branch stands between one read and the next.
template <bool Whole, int Width, class T>
DEVICE void load_floats(float (&to)[Width], const T* from, int valid) {
  if (Whole || valid >= Width) {
    const Vec<T, Width> values = load_vector<Width>(from);
#pragma unroll
    for (int i = 0; i < Width; ++i) to[i] = to_sum(values[i]);
  } else {
#pragma unroll
    for (int i = 0; i < Width; ++i) to[i] = i < valid ? to_sum(from[i]) : 0.0f;
  }
}

// Elements of k from `*first` to the result are part blockIdx.y.
template <class T>
DEVICE int part_of_k(const Skinny<T>& s, int* first, int multiple) {
  const int64_t pieces = (s.p.K + multiple - 1) / multiple, part = blockIdx.y;
  *first = static_cast<int>(pieces * part / s.splits.count * multiple);
  return static_cast<int>(
      min(pieces * (part + 1) / s.splits.count * multiple, static_cast<int64_t>(s.p.K)));
}

// ---- W contiguous along k ----

constexpr int dot_columns = 4, dot_warps = 4, dot_threads = 32 * dot_warps;

template <int Rows>
struct DotSums {
  float of[dot_warps][Rows][dot_columns];
};

template <class T, int Width, int Rows, bool Whole>
__global__ void __launch_bounds__(dot_threads)
    gemm_skinny_dot_kernel(const __grid_constant__ Skinny<T> s) {
  const Product<T>& p = s.p;
  const Tile tile = tile_of_block<most_rows, dot_columns>(p, blockIdx.x);
  const Matrices<T> m = p.matrices(tile.batch);
  const int thread = static_cast<int>(threadIdx.x);
  int first;
  const int end = part_of_k(s, &first, dot_threads * Width);
  float sums[Rows][dot_columns] = {};
  // Steps whose reads overlap, as far as registers go; the simulator's compiler does not unroll.
  [[maybe_unused]] constexpr int ahead = Rows == 8 ? 1 : 2;
#pragma unroll ahead
  for (int k = first + thread * Width; k < end; k += dot_threads * Width) {
    float w[dot_columns][Width], x[Width];
#pragma unroll
    for (int j = 0; j < dot_columns;
         ++j)  // columns past the last repeat it; their sums are dropped
      load_floats<Whole>(w[j], m.b + min(tile.column + j, p.N - 1) * p.b_column + k, end - k);
#pragma unroll
    for (int i = 0; i < Rows; ++i) {
      load_floats<Whole>(x, m.a + min(i, p.M - 1) * p.a_row + k, end - k);
#pragma unroll
      for (int j = 0; j < dot_columns; ++j)
#pragma unroll
        for (int e = 0; e < Width; ++e) sums[i][j] += x[e] * w[j][e];
    }
  }
  DotSums<Rows>& shared = block_shared<DotSums<Rows>>();
#pragma unroll
  for (int i = 0; i < Rows; ++i)
#pragma unroll
    for (int j = 0; j < dot_columns; ++j) {
#pragma unroll
      for (int lanes = 16; lanes > 0; lanes /= 2)
        sums[i][j] += __shfl_xor_sync(0xffffffffu, sums[i][j], lanes);
      if (thread % 32 == 0) shared.of[thread / 32][i][j] = sums[i][j];
    }
  __syncthreads();
  if (thread >= Rows * dot_columns) return;
  const int i = thread / dot_columns, j = thread % dot_columns;
  float sum = 0;
#pragma unroll
  for (int warp = 0; warp < dot_warps; ++warp) sum += shared.of[warp][i][j];
  put(s, tile.batch, i, tile.column + j, sum);
}

// ---- W contiguous along n ----

constexpr int strip_threads = 256, strip_across = 8, strip_down = strip_threads / strip_across;

template <int Width, int Rows>
struct StripSums {
  float of[strip_threads / 32][Rows][strip_across * Width];
};

template <class T, int Width, int Rows, bool Whole>
__global__ void __launch_bounds__(strip_threads)
    gemm_skinny_strip_kernel(const __grid_constant__ Skinny<T> s) {
  constexpr int columns = strip_across * Width;
  const Product<T>& p = s.p;
  const Tile tile = tile_of_block<most_rows, columns>(p, blockIdx.x);
  const Matrices<T> m = p.matrices(tile.batch);
  const int thread = static_cast<int>(threadIdx.x);
  const int place = thread % strip_across * Width, column = tile.column + place;
  int first;
  const int end = part_of_k(s, &first, strip_down);
  float sums[Rows][Width] = {};
#pragma unroll 4
  for (int k = first + thread / strip_across; k < end; k += strip_down) {
    float w[Width];
    load_floats<Whole>(w, m.b + k * p.b_row + column, p.N - column);
#pragma unroll
    for (int i = 0; i < Rows; ++i) {
      const float x = to_sum(m.a[min(i, p.M - 1) * p.a_row + k * p.a_column]);
#pragma unroll
      for (int e = 0; e < Width; ++e) sums[i][e] += x * w[e];
    }
  }
  StripSums<Width, Rows>& shared = block_shared<StripSums<Width, Rows>>();
#pragma unroll
  for (int i = 0; i < Rows; ++i)
#pragma unroll
    for (int e = 0; e < Width; ++e) {
      sums[i][e] += __shfl_xor_sync(0xffffffffu, sums[i][e], 16);
      sums[i][e] += __shfl_xor_sync(0xffffffffu, sums[i][e], 8);
      if (thread % 32 < strip_across) shared.of[thread / 32][i][place + e] = sums[i][e];
    }
  __syncthreads();
  for (int index = thread; index < Rows * columns; index += strip_threads) {
    const int i = index / columns, j = index % columns;
    float sum = 0;
#pragma unroll
    for (int warp = 0; warp < strip_threads / 32; ++warp) sum += shared.of[warp][i][j];
    put(s, tile.batch, i, tile.column + j, sum);
  }
}

// ---- host ----

GemmArguments turned(const GemmArguments& g) {
  GemmArguments t = g;
  std::swap(t.M, t.N);
  t.a = g.b, t.a_row = g.b_column, t.a_column = g.b_row;
  t.b = g.a, t.b_row = g.a_column, t.b_column = g.a_row;
  for (int i = 0; i < g.batch_rank; ++i) std::swap(t.a_batch[i], t.b_batch[i]);
  return t;
}

// The product with few rows: g, or g turned.
struct Plan {
  GemmArguments g;
  bool turned;
};
Plan plan_of(const GemmArguments& g) {
  return g.M <= most_rows ? Plan{g, false} : Plan{turned(g), true};
}

template <class T, bool Dot, int Width, int Rows, bool Whole = false>
void launch_as(const GemmArguments& caller, const Plan& plan) {
  constexpr int columns = Dot ? dot_columns : strip_across * Width;
  constexpr int piece = Dot ? dot_threads * Width : strip_down;
  constexpr int least_pieces = 4;  // of a part
  const unsigned tiles = tile_count(plan.g, most_rows, columns);
  const int64_t wanted = (4 * device().multiprocessors + tiles - 1) / tiles;
  const int64_t most = plan.g.K / (piece * least_pieces);
  Splits splits =
      splits_of(caller, std::clamp<int64_t>(most, 1, std::clamp<int64_t>(wanted, 1, 64)));
  Scratch workspace(splits_bytes(splits));
  splits.partial = workspace.as<float>();
  const LaunchConfig config = {.grid = {tiles, static_cast<unsigned>(splits.count)},
                               .block = Dot ? dot_threads : strip_threads};
  const Skinny<T> s = {make_product<T>(plan.g), plan.turned, splits};
  if constexpr (Dot)
    launch<gemm_skinny_dot_kernel<T, Width, Rows, Whole>>(config, s);
  else
    launch<gemm_skinny_strip_kernel<T, Width, Rows, Whole>>(config, s);
  if (splits.count > 1) add_parts(caller, splits);
}

template <class T, bool Dot, bool Whole>
void run_in_vectors(const GemmArguments& caller, const Plan& plan) {
  constexpr int width = vector_width<T>;
  if (plan.g.M == 1) return launch_as<T, Dot, width, 1, Whole>(caller, plan);
  if (plan.g.M <= 4) return launch_as<T, Dot, width, 4, Whole>(caller, plan);
  launch_as<T, Dot, width, 8, Whole>(caller, plan);
}
template <class T, bool Dot>
void run_as(const GemmArguments& caller, const Plan& plan, bool vectors) {
  if (!vectors) return launch_as<T, Dot, 1, 8>(caller, plan);
  if constexpr (Dot) {
    if (plan.g.K % vector_width<T> == 0) return run_in_vectors<T, true, true>(caller, plan);
    run_in_vectors<T, true, false>(caller, plan);
  } else {
    if (plan.g.N % (strip_across * vector_width<T>) == 0)
      return run_in_vectors<T, false, true>(caller, plan);
    run_in_vectors<T, false, false>(caller, plan);
  }
}

bool along_k(const GemmArguments& g) {
  return (g.b_row == 1 || g.K == 1) && (g.a_column == 1 || g.K == 1);
}

bool supports(const GemmArguments& g) {
  if (g.dtype != DType::f32 && g.dtype != DType::bf16 && g.dtype != DType::f16) return false;
  if (g.M > most_rows && g.N > most_rows) return false;
  const GemmArguments& few = plan_of(g).g;
  return along_k(few) || few.b_column == 1 || few.N == 1;
}
void run(const GemmArguments& g) {
  const Plan plan = plan_of(g);
  const bool dot = along_k(plan.g);
  const bool vectors = dot ? a_order(plan.g) == Order::k && b_order(plan.g) == Order::k
                           : b_order(plan.g) == Order::mn;
  visit_summed_in_f32(g.dtype, [&]<class T>(Type<T>) {
    if (dot)
      run_as<T, true>(g, plan, vectors);
    else
      run_as<T, false>(g, plan, vectors);
  });
}

}  // namespace

const GemmRung gemm_ladder::skinny = {
    "skinny", "at most eight rows or columns: the weights are streamed once", supports, run};

}  // namespace strata::gpu

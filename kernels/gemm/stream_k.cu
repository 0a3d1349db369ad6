// Stream-K: the steps along k of all tiles are dealt out evenly, so that every multiprocessor ends
// at the same time (Osama and others 2023, "Stream-K: Work-centric parallel decomposition for dense
// matrix-matrix multiplication on the GPU").
//
// 150 tiles on 108 multiprocessors take as long as 216: 108 at first, then 42 while 66 wait. Here
// as many whole waves as leave at least one wave over are done tile by tile; the steps of the
// remaining tiles are one line that is cut into equal pieces, one a block:
//
//   tile      |    0    |    1    |    2    |    3    |
//   block     |   0   |   1   |   2   |   3   |   4   |
//
// A block finishes a tile that lies wholly in its piece; of the others it writes its part to the
// workspace, at most two a block, and a second kernel adds the parts of each tile in order. Which
// block has which part follows from the numbers alone, so nothing is counted or waited for.
//
// Tiles are 128 x 128 of rung 9, or for f32 128 x 64 of rung 7's warps: a thread has more to
// remember here, so a block has fewer of them. Registers 235 and 168, shared memory 64 and 25 KiB.
// Run on an H200 by its tests, not timed.
#include "kernels/gemm/mma_tile.h"
#include "kernels/gemm/ring.h"
#include "kernels/gemm/rung.h"
#include "kernels/gemm/simt_tile.h"
#include "kernels/gpu/scratch.h"

namespace strata::gpu {
namespace {

constexpr int add_threads = 256;

// How the tiles are dealt out.
struct Stream {
  int blocks, whole, tiles, steps;  // tiles before `whole` are done whole; steps of a tile
  float* partial;                   // [blocks, 2, elements of a tile]
  int tile_elements;

  __host__ __device__ int64_t line() const { return static_cast<int64_t>(tiles - whole) * steps; }
  // The first step of a block's piece of the line.
  DEVICE int64_t begin(int block) const { return line() * block / blocks; }
  // The block in whose piece a step lies.
  DEVICE int owner(int64_t step) const {
    return static_cast<int>(((step + 1) * blocks - 1) / line());
  }
  // Where a block's part of a tile lies: 0 when the tile began in an earlier block.
  DEVICE float* part(int block, int tile) const {
    const bool first = begin(block) <= static_cast<int64_t>(tile - whole) * steps;
    return partial + (static_cast<int64_t>(block) * 2 + first) * tile_elements;
  }
};

template <int Columns>
struct ToPart {
  static constexpr int width = 4;
  float* part;
  DEVICE void operator()(int row, int column, const float (&sums)[width]) const {
    Vec<float, width> values;
#pragma unroll
    for (int i = 0; i < width; ++i) values[i] = sums[i];
    store_vector(part + row * Columns + column, values);
  }
};

template <class Inner, int Stages, int Resident>
__global__ void __launch_bounds__(Inner::threads, Resident)
    gemm_stream_k_kernel(const __grid_constant__ Product<typename Inner::Element> p,
                         const __grid_constant__ Stream stream) {
  using T = typename Inner::Element;
  T* shared = dynamic_shared<T>();
  const int block = static_cast<int>(blockIdx.x);
  int whole = block;  // the next whole tile; past the last, the piece of the line
  int64_t at = stream.begin(block);
  const int64_t end = stream.begin(block + 1);
  while (whole < stream.whole || at < end) {
    int index = whole, first = 0, steps = stream.steps;
    if (whole >= stream.whole) {
      index = stream.whole + static_cast<int>(at / stream.steps);
      first = static_cast<int>(at % stream.steps);
      steps = static_cast<int>(min(static_cast<int64_t>(stream.steps - first), end - at));
      at += steps;
    } else {
      whole += stream.blocks;
    }
    const Tile tile = tile_in_groups<Inner::rows, Inner::columns>(p, static_cast<unsigned>(index));
    const Matrices<T> m = p.matrices(tile.batch);
    Inner inner;
    multiply_along_k<Inner, Stages>(inner, p, m, tile, first, steps, shared);
    if (steps == stream.steps)
      inner.store(ToC<T>{p, m.first, tile}, shared);
    else
      inner.store(ToPart<Inner::columns>{stream.part(block, index)}, shared);
    __syncthreads();  // the sums have left shared memory before the next tiles arrive
  }
}

// Adds the parts of tile blockIdx.x in the order of k, a vector a thread.
template <class T, int Rows, int Columns>
__global__ void __launch_bounds__(add_threads)
    gemm_add_stream_kernel(const __grid_constant__ Product<T> p,
                           const __grid_constant__ Stream stream) {
  constexpr int width = vector_width<T>;
  const int index = stream.whole + static_cast<int>(blockIdx.x);
  const int64_t begin = static_cast<int64_t>(blockIdx.x) * stream.steps;
  const int first = stream.owner(begin), last = stream.owner(begin + stream.steps - 1);
  if (first == last) return;
  const Tile tile = tile_in_groups<Rows, Columns>(p, static_cast<unsigned>(index));
  const int64_t c = p.matrices(tile.batch).first;
  const int at =
      static_cast<int>(blockIdx.y * static_cast<unsigned>(add_threads) + threadIdx.x) * width;
  float sums[width] = {};
  for (int block = first; block <= last; ++block) {
    if (stream.begin(block) == stream.begin(block + 1)) continue;  // its piece is empty
    const float* part = stream.part(block, index) + at;
#pragma unroll
    for (int v = 0; v < width; v += 4) {
      const Vec<float, 4> four = load_vector<4>(part + v);
#pragma unroll
      for (int i = 0; i < 4; ++i) sums[v + i] += four[i];
    }
  }
  store_sums<width>(p, c, tile.row + at / Columns, tile.column + at % Columns, sums);
}

// `Resident` blocks of a multiprocessor, if its shared memory has room for them.
template <class Inner, int Stages, int Resident>
void launch_as(const GemmArguments& g) {
  using T = typename Inner::Element;
  constexpr int elements = Inner::rows * Inner::columns;
  const size_t shared = Ring<Inner, Stages>::bytes;
  const auto room = static_cast<int>(device().shared_per_block / shared);
  const int blocks = device().multiprocessors * std::clamp(room, 1, Resident);
  const auto tiles = static_cast<int>(tile_count(g, Inner::rows, Inner::columns));
  const int steps = static_cast<int>(divide_up(g.K, Inner::depth));
  Stream stream = {blocks,  std::max(tiles / blocks - 1, 0) * blocks, tiles, steps, nullptr,
                   elements};
  Scratch workspace(static_cast<size_t>(blocks) * 2 * elements * sizeof(float));
  stream.partial = workspace.as<float>();
  const Product<T> p = make_product<T>(g);
  launch<gemm_stream_k_kernel<Inner, Stages, Resident>>(
      {.grid = static_cast<unsigned>(blocks), .block = Inner::threads, .shared = shared}, p,
      stream);
  launch<gemm_add_stream_kernel<T, Inner::rows, Inner::columns>>(
      {.grid = {static_cast<unsigned>(tiles - stream.whole),
                elements / (add_threads * vector_width<T>)},
       .block = add_threads},
      p, stream);
}

bool on_tensor_cores(const GemmArguments& g) { return gemm_ladder::pipelined.supports(g); }
bool supports(const GemmArguments& g) {
  return g.K > 0 && (g.dtype == DType::f32 || on_tensor_cores(g));
}
void run(const GemmArguments& g) {
  if (!on_tensor_cores(g)) {
    with_simt_copies(g, [&]<bool a, bool b>() { launch_as<SimtTile<a, b, 2, 2, 2, 2>, 2, 3>(g); });
    return;
  }
  visit_summed_in_f32(g.dtype, [&]<class T>(Type<T>) {
    with_orders(g, [&]<Order a, Order b>() { launch_as<MmaTile<T, a, b, 2, 2, 4, 8>, 4, 2>(g); });
  });
}

}  // namespace

bool worth_streaming(const GemmArguments& g) {
  constexpr double full_enough = 0.8;
  if (!supports(g) || g.K < 512) return false;
  const int columns = on_tensor_cores(g) ? 128 : 64, resident = on_tensor_cores(g) ? 2 : 3;
  const double waves =
      tile_count(g, 128, columns) / static_cast<double>(resident * device().multiprocessors);
  return waves > 0.5 && waves / std::ceil(waves) < full_enough;
}

const GemmRung gemm_ladder::stream_k = {
    "stream_k", "steps along k dealt out evenly to the blocks; parts added in order", supports,
    run};

}  // namespace strata::gpu

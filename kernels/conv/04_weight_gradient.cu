// Rung 4 for the weight gradient: both operands come by the copy engine with the sum's axis, the
// pixels, outside, which wgmma takes as MN-major.
//
//   A   gradient [pixels, O]: boxes of 64 channels x 64 pixels
//   B   x through TMA im2col: each block of 64 columns is one tap and 64 channels, 64 pixels
//
// A tile is M channels of O x N columns, where columns are counted in blocks of 64 (a tap's last
// block may reach past C: zeros). With M of 128 the two consumer warpgroups share the channels;
// where O has 64 or fewer, M is 64 and they share the pixels of each stage, every one with sums of
// its own.
//
// The result is small and the sum long: 72 tiles of 98 steps for the last 3x3 layer of ResNet-50,
// on 132 multiprocessors. So all steps of all tiles stand in one line, which is cut into as many
// equal pieces as there are multiprocessors (stream-K: Osama et al. 2023). A block that comes to
// the end of a tile leaves its sums in a slot of the workspace and goes on with the next one, which
// the producer has already asked for. Then the slots of each tile are added in order: the same bits
// each time.
//
// 32 to 48 KiB a stage, four stages. Registers: 168 by launch bounds, 40 and 232 after setmaxnreg,
// no spills. Workspace: a tile of f32 for each block and each tile. H200, ResNet-50, bf16: 522 to
// 552 TFLOP/s in the 3x3 bodies from 128 channels on (0.94 to 1.11 of cuDNN), 325 with 64 (0.82).
#include <algorithm>

#include "kernels/conv/im2col_view.h"
#include "kernels/gemm/hopper_pipeline.h"
#include "kernels/gpu/gpu.h"
#include "kernels/gpu/scratch.h"

namespace strata::gpu::conv {
namespace {

constexpr int K = 64, stages = 4;
constexpr int consumers = 256, threads = consumers + warpgroup_threads;
constexpr int block_bytes = 64 * 128;  // 64 columns x 64 pixels

template <class T, int M, int N>
using GradientRing = StageRing<OperandTile<T, M, Major::mn>, OperandTile<T, N, Major::mn>, stages>;

// d = the sum over `steps` stages of 64 rows of A, from `row` on, times B, of the products `first`
// to `first + Products - 1` of each stage: as gemm's multiply(), which takes all of them.
template <int Products, class Ring, int Half>
DEVICE void multiply_pixels(float (&d)[1][Half], Ring& ring, gpu::Place<stages>& at, int row,
                            int first, int steps) {
  using A = typename Ring::A;
  using B = typename Ring::B;
  int before = 0;
  for (int step = 0; step < steps; ++step, at.advance()) {
    mbarrier_wait(&ring.full[at.stage], at.parity);
    wgmma_fence();
#pragma unroll
    for (int p = 0; p < Products; ++p)
      wgmma<B::rows, typename A::Type, Major::mn, Major::mn>(
          d[0], A::descriptor(ring.a[at.stage], row, first + p),
          B::descriptor(ring.b[at.stage], 0, first + p), step > 0 || p > 0);
    wgmma_commit();
    if (step > 0) {
      wgmma_wait<1>();
      mbarrier_arrive(&ring.empty[before]);
    }
    before = at.stage;
  }
  wgmma_wait<0>();
  mbarrier_arrive(&ring.empty[before]);
}

// The line of all steps, and the piece of each block.
struct Line {
  int across = 0, steps = 0;  // tiles side by side; steps of a tile
  int64_t length = 0;
  int blocks = 0;

  __host__ __device__ int64_t begin(int block) const { return block * length / blocks; }
  DEVICE int block_at(int64_t step) const {
    return static_cast<int>(((step + 1) * blocks - 1) / length);
  }
};
// A block's part of a tile. Each one begins a block's piece or a tile, so block + tile is a number
// that no other has.
struct Part {
  int tile, first, steps, slot;

  DEVICE Part(const Line& line, int block, int64_t from, int64_t end)
      : tile(static_cast<int>(from / line.steps)),
        first(static_cast<int>(from - int64_t{tile} * line.steps)),
        steps(static_cast<int>(min(end - from, static_cast<int64_t>(line.steps - first)))),
        slot(block + tile) {}
};

template <int M>
constexpr int slices = M == 128 ? 1 : 2;  // of a slot

// The sums of a warpgroup's 64 rows: [64][N].
template <int N>
DEVICE void write_sums(const float (&d)[1][N / 2], float* slot) {
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = thread_of_warpgroup() / 32;
#pragma unroll
  for (int j = 0; j < N / 8; ++j) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      Vec<float, 2> pair;
      pair[0] = d[0][4 * j + 2 * half], pair[1] = d[0][4 * j + 2 * half + 1];
      store_vector(slot + (warp * 16 + half * 8 + lane / 4) * N + j * 8 + lane % 4 * 2, pair);
    }
  }
}

template <class T, int M, int N>
__global__ void __launch_bounds__(threads, 1)
    tma_weight_gradient_kernel(const __grid_constant__ TensorMap gradient_map,
                               const __grid_constant__ TensorMap image_map,
                               const __grid_constant__ Im2colView view, Line line, float* slots) {
  using Tiles = GradientRing<T, M, N>;
  Tiles& ring = *dynamic_shared<Tiles>();
  const Gather& gather = view.gather;
  const int last_column = gather.R * gather.S * view.channel_blocks - 1;
  const int block = static_cast<int>(blockIdx.x);
  const int64_t begin = line.begin(block), end = line.begin(block + 1);
  if (threadIdx.x == 0) initialise(ring, consumers);
  __syncthreads();

  gpu::Place<stages> at;
  if (threadIdx.x >= consumers) {
    registers_decrease<40>();
    if (threadIdx.x != consumers) return;
    for (int64_t from = begin; from < end;) {
      const Part part(line, block, from, end);
      const int first_o = part.tile / line.across * M,
                first_column = part.tile % line.across * (N / 64);
      for (int step = 0; step < part.steps; ++step, at.advance()) {
        const int pixel = (part.first + step) * K;
        const Place place = gather.place(pixel);
        uint64_t* full = &ring.full[at.stage];
        mbarrier_wait(&ring.empty[at.stage], at.parity ^ 1);
        mbarrier_expect(full, Tiles::A::bytes + Tiles::B::bytes);
        Tiles::A::load(ring.a[at.stage], &gradient_map, first_o, pixel, 0, full);
        for (int b = 0; b < N / 64; ++b)  // past the end: any column, whose sums nobody reads
          view.load(ring.b[at.stage] + b * block_bytes, &image_map, place,
                    min(first_column + b, last_column), full);
      }
      from += part.steps;
    }
    return;
  }
  registers_increase<232>();
  float d[1][N / 2];
  for (int64_t from = begin; from < end;) {
    const Part part(line, block, from, end);
    if constexpr (M == 128)
      multiply_pixels<4>(d, ring, at, warpgroup() * 64, 0, part.steps);
    else
      multiply_pixels<2>(d, ring, at, 0, warpgroup() * 2, part.steps);
    write_sums<N>(d, slots + (int64_t{part.slot} * slices<M> * M + warpgroup() * 64) * N);
    from += part.steps;
  }
}

// Adds the slots of tile blockIdx.y, four columns a thread.
template <class T, int M, int N>
__global__ void __launch_bounds__(256) add_slots_kernel(const __grid_constant__ Im2colView view,
                                                        Line line, const float* slots, T* out) {
  const Gather& gather = view.gather;
  const int tile = static_cast<int>(blockIdx.y);
  const int index = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * 4;
  const int row = index / N, o = tile / line.across * M + row;
  const int column = tile % line.across * N + index % N, block = column / 64,
            tap = block / view.channel_blocks, c = column - tap * view.channel_blocks * 64;
  if (o >= gather.out_channels || tap >= gather.R * gather.S || c >= gather.channels) return;
  const int64_t begin = int64_t{tile} * line.steps;
  const int last = line.block_at(begin + line.steps - 1);
  float sum[4] = {};
  for (int b = line.block_at(begin); b <= last; ++b) {
#pragma unroll
    for (int slice = 0; slice < slices<M>; ++slice) {
      const Vec<float, 4> part =
          load_vector<4>(slots + (int64_t{b} + tile) * slices<M> * M * N + slice * M * N + index);
#pragma unroll
      for (int i = 0; i < 4; ++i) sum[i] += part[i];
    }
  }
  Vec<T, 4> values;
#pragma unroll
  for (int i = 0; i < 4; ++i) values[i] = from_float<T>(sum[i]);
  store_vector(out + static_cast<int64_t>(o) * gather.K() + tap * gather.channels + c, values);
}

template <class T, int M, int N>
void run_tile(const Problem& problem, const Im2colView& view) {
  using Ring = GradientRing<T, M, N>;
  const ConvShape& k = problem.shape;
  const int64_t pixels = view.gather.pixels();
  const int down = static_cast<int>(divide_up(k.O, M));
  Line line;
  line.across = static_cast<int>(divide_up(k.R * k.S * view.channel_blocks, N / 64));
  line.steps = static_cast<int>(divide_up(pixels, K));
  line.length = int64_t{down} * line.across * line.steps;
  // A piece is worth a block's start from a few steps on.
  line.blocks =
      static_cast<int>(std::clamp<int64_t>(line.length / stages, 1, device().multiprocessors));
  const int tiles = down * line.across;
  Scratch slots(static_cast<size_t>(line.blocks + tiles) * slices<M> * M * N * sizeof(float));
  launch<tma_weight_gradient_kernel<T, M, N>>(
      {.grid = static_cast<unsigned>(line.blocks), .block = threads, .shared = sizeof(Ring)},
      Ring::A::map(problem.gradient, k.O, pixels, k.O, 1, k.O * pixels),
      view.map(k.dtype, problem.x, K), view, line, slots.as<float>());
  launch<add_slots_kernel<T, M, N>>(
      {.grid = dim3(divide_up(M * N / 4, 256), static_cast<unsigned>(tiles)), .block = 256}, view,
      line, slots.as<float>(), static_cast<T*>(problem.out));
}

// The width whose columns, those behind the last one included, take least time: narrow tiles
// multiply slower, for their operands take as long to read.
template <class T, int M>
void run_rows(const Problem& problem) {
  const Im2colView view(forward_gather(problem.shape));
  const int64_t blocks = problem.shape.R * problem.shape.S * view.channel_blocks;
  auto cost = [&](int N, double rate) { return divide_up(blocks, N / 64) * N / rate; };
  const double narrow = cost(128, 0.8), middle = cost(192, 0.93), wide = cost(256, 1);
  if (wide <= middle && wide <= narrow)
    run_tile<T, M, 256>(problem, view);
  else if (middle <= narrow)
    run_tile<T, M, 192>(problem, view);
  else
    run_tile<T, M, 128>(problem, view);
}

template <class T>
void run_typed(const Problem& problem) {
  if (problem.shape.O <= 64)
    run_rows<T, 64>(problem);
  else
    run_rows<T, 128>(problem);
}

}  // namespace

void tma_weight_gradient(const Problem& problem) {
  if (problem.shape.dtype == DType::bf16)
    run_typed<bf16>(problem);
  else
    run_typed<f16>(problem);
}

}  // namespace strata::gpu::conv

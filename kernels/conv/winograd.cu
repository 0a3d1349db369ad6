// Winograd's F(2x2, 3x3) in f32: forward and input gradient of 3x3 convolutions of stride 1. A tile
// of 2 x 2 outputs takes 16 multiplications a channel instead of 36: 2.25 times fewer.
//
//   Y = At [ (G g Gt) * (Bt d B) ] A      d: 4 x 4 of the input, g: the 3 x 3 filter, *:
//   elementwise
//
//        | 1  0 -1  0 |       | 1    0    0   |
//   Bt = | 0  1  1  0 |   G = | 1/2  1/2  1/2 |   At = | 1  1  1  0 |
//        | 0 -1  1  0 |       | 1/2 -1/2  1/2 |        | 0  1 -1 -1 |
//        | 0  1  0 -1 |       | 0    0    1   |
//
// Summed over channels the elementwise products are 16 matrix products, one for each place of the
// 4 x 4 tile: M[e] [tiles, O] = V[e] [tiles, C] U[e] [C, O]. Filters are transformed once a call
// into the workspace (16 C O of f32). The rest is one kernel: a block takes 32 tiles and 32
// channels of the output; for each 16 channels its 512 threads transform 32 x 16 inputs into shared
// memory, and a warp a place multiplies, 8 x 4 sums a thread. The 16 sums of a tile then meet in
// shared memory to be transformed back. The input gradient is the same with filters turned by 180
// degrees and their two channel axes exchanged.
//
// 8 operations a byte from L1 and L2, or 18 counted as the plain sum. 73 KiB of shared memory;
// registers: 98, no spills. Run on an H200 by its tests, not timed.
//
// The transforms cost a few bits: the error is bounded by the largest, not the own, sum of
// magnitudes near an output, and a NaN or infinity reaches the other outputs of its tile.
// Source: Lavin, Gray, "Fast Algorithms for Convolutional Neural Networks", 2016.
#include <algorithm>

#include "kernels/conv/epilogue.h"
#include "kernels/conv/gather.h"
#include "kernels/gpu/gpu.h"

namespace strata::gpu::conv {
namespace {

constexpr int places = 16, tiles_a_block = 32, outs = 32, depth = 16, threads = 512, pitch = 36;

struct Transformed {  // of one step of 16 channels; the rows of 32 are padded against conflicts
  float v[places][depth][pitch];  // inputs
  float u[places][depth][pitch];  // filters
};
struct Corners {
  Place at[tiles_a_block];
};
struct Sums {
  float m[places][tiles_a_block][pitch];
};

// A convolution of stride 1 from a source to a destination image, in tiles of 2 x 2.
struct Tiling {
  int N, H, W, in;               // source, and its channels
  int out_H, out_W, out;         // destination, and its channels
  int top, left, rows, columns;  // padding; tiles of an image
  Divisor per_image, per_row;

  Tiling(int64_t n, int64_t h, int64_t w, int64_t c, int64_t oh, int64_t ow, int64_t o, int64_t t,
         int64_t l)
      : N(static_cast<int>(n)),
        H(static_cast<int>(h)),
        W(static_cast<int>(w)),
        in(static_cast<int>(c)),
        out_H(static_cast<int>(oh)),
        out_W(static_cast<int>(ow)),
        out(static_cast<int>(o)),
        top(static_cast<int>(t)),
        left(static_cast<int>(l)),
        rows((out_H + 1) / 2),
        columns((out_W + 1) / 2),
        per_image(rows * columns),
        per_row(columns) {}
  __host__ __device__ int tiles() const { return N * rows * columns; }
  // Image, and the first output row and column, of a tile. Past the last one: far from any image.
  DEVICE Place tile(int index) const {
    if (index >= tiles()) return {0, 1 << 30, 0};
    const int n = per_image.quotient(index), rest = index - n * rows * columns;
    const int row = per_row.quotient(rest);
    return {n, 2 * row, 2 * (rest - row * columns)};
  }
};

// x -> Bt x
DEVICE void input_transform(float (&x)[4]) {
  const float x0 = x[0] - x[2], x1 = x[1] + x[2], x2 = x[2] - x[1], x3 = x[1] - x[3];
  x[0] = x0, x[1] = x1, x[2] = x2, x[3] = x3;
}

// U[place][in][out], from filters [O, 3, 3, C].
__global__ void winograd_filter_kernel(int O, int C, bool gradient, const float* weight, float* u) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= O * C) return;
  const int o = gradient ? i / C : i % O, c = gradient ? i % C : i / O;  // in the order of U
  float g[3][3], half[4][3];
#pragma unroll
  for (int tap = 0; tap < 9; ++tap)
    g[tap / 3][tap % 3] =
        weight[(static_cast<int64_t>(o) * 9 + (gradient ? 8 - tap : tap)) * C + c];
#pragma unroll
  for (int s = 0; s < 3; ++s) {
    half[0][s] = g[0][s];
    half[1][s] = 0.5f * (g[0][s] + g[1][s] + g[2][s]);
    half[2][s] = 0.5f * (g[0][s] - g[1][s] + g[2][s]);
    half[3][s] = g[2][s];
  }
  const int64_t size = static_cast<int64_t>(O) * C;
  float* to = u + (gradient ? static_cast<int64_t>(o) * C + c : static_cast<int64_t>(c) * O + o);
#pragma unroll
  for (int r = 0; r < 4; ++r) {
    to[(4 * r + 0) * size] = half[r][0];
    to[(4 * r + 1) * size] = 0.5f * (half[r][0] + half[r][1] + half[r][2]);
    to[(4 * r + 2) * size] = 0.5f * (half[r][0] - half[r][1] + half[r][2]);
    to[(4 * r + 3) * size] = half[r][2];
  }
}

// V of one tile and channel.
DEVICE void load_input(Transformed& shared, const Tiling& tiling, const float* source,
                       const Place& place, bool valid, int tile, int c) {
  float d[4][4], column[4];
#pragma unroll
  for (int i = 0; i < places; ++i) {
    const int h = place.h - tiling.top + i / 4, w = place.w - tiling.left + i % 4;
    const bool inside = valid && h >= 0 && h < tiling.H && w >= 0 && w < tiling.W;
    d[i / 4][i % 4] =
        inside ? source[((static_cast<int64_t>(place.n) * tiling.H + h) * tiling.W + w) * tiling.in]
               : 0.0f;
  }
#pragma unroll
  for (int row = 0; row < 4; ++row) input_transform(d[row]);
#pragma unroll
  for (int j = 0; j < 4; ++j) {
#pragma unroll
    for (int i = 0; i < 4; ++i) column[i] = d[i][j];
    input_transform(column);
#pragma unroll
    for (int i = 0; i < 4; ++i) shared.v[4 * i + j][c][tile] = column[i];
  }
}

DEVICE void load_filters(Transformed& shared, const Tiling& tiling, const float* u, int first_in,
                         int first_out) {
#pragma unroll 4
  for (int i = static_cast<int>(threadIdx.x); i < places * depth * outs; i += threads) {
    const int o = i % outs, c = i / outs % depth, place = i / outs / depth;
    const bool valid = first_in + c < tiling.in && first_out + o < tiling.out;
    shared.u[place][c][o] =
        valid ? u[(static_cast<int64_t>(place) * tiling.in + first_in + c) * tiling.out +
                  first_out + o]
              : 0.0f;
  }
}

// A warp sums one place; lane 8i + j tiles 8i to 8i + 7, channels 4j to 4j + 3.
struct Lane {
  int place = static_cast<int>(threadIdx.x) / 32;
  int tile = static_cast<int>(threadIdx.x) % 32 / 8 * 8;
  int out = static_cast<int>(threadIdx.x) % 8 * 4;
};

DEVICE void multiply(const Transformed& shared, const Lane& lane, float (&sum)[8][4]) {
#pragma unroll 4
  for (int c = 0; c < depth; ++c) {
    const Vec<float, 4> u = load_vector<4>(&shared.u[lane.place][c][lane.out]);
    const Vec<float, 4> v[2] = {load_vector<4>(&shared.v[lane.place][c][lane.tile]),
                                load_vector<4>(&shared.v[lane.place][c][lane.tile + 4])};
#pragma unroll
    for (int i = 0; i < 8; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) sum[i][j] += v[i / 4][i % 4] * u[j];
    }
  }
}

// At M A of one tile and channel, and out with it.
DEVICE void write_tile(const Sums& sums, const Tiling& tiling, const Epilogue<float>& epilogue,
                       int first_tile, int tile, int first_out, int o) {
  if (first_tile + tile >= tiling.tiles() || first_out + o >= tiling.out) return;
  float half[2][4];
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    float m[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) m[i] = sums.m[4 * i + j][tile][o];
    half[0][j] = m[0] + m[1] + m[2];
    half[1][j] = m[1] - m[2] - m[3];
  }
  const Place place = tiling.tile(first_tile + tile);
#pragma unroll
  for (int a = 0; a < 2; ++a) {
    const float y[2] = {half[a][0] + half[a][1] + half[a][2], half[a][1] - half[a][2] - half[a][3]};
#pragma unroll
    for (int b = 0; b < 2; ++b) {
      const int h = place.h + a, w = place.w + b;
      if (h >= tiling.out_H || w >= tiling.out_W) continue;
      const int64_t pixel = (static_cast<int64_t>(place.n) * tiling.out_H + h) * tiling.out_W + w;
      epilogue.store(y[b], first_out + o, pixel * tiling.out + first_out + o);
    }
  }
}

__global__ void __launch_bounds__(threads)
    winograd_kernel(Tiling tiling, const float* source, const float* u, Epilogue<float> epilogue) {
  Transformed& shared = *dynamic_shared<Transformed>();
  const int first_tile = static_cast<int>(blockIdx.x) * tiles_a_block,
            first_out = static_cast<int>(blockIdx.y) * outs;
  // A warp loads 8 channels, a sector, of 4 tiles: without bank conflicts.
  const int thread = static_cast<int>(threadIdx.x);
  const int channel = thread % 8 + thread / 256 * 8, tile = thread / 8 % 32;
  // In shared memory, or the compiler keeps 16 addresses a thread in registers.
  Corners& corners = block_shared<Corners>();
  if (thread < tiles_a_block) corners.at[thread] = tiling.tile(first_tile + thread);
  __syncthreads();

  const Lane lane;
  float sum[8][4] = {};
  for (int c = 0; c < tiling.in; c += depth) {
    load_input(shared, tiling, source + c + channel, corners.at[tile], c + channel < tiling.in,
               tile, channel);
    load_filters(shared, tiling, u, c, first_out);
    __syncthreads();
    multiply(shared, lane, sum);
    __syncthreads();
  }
  Sums& sums = *dynamic_shared<Sums>();
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    Vec<float, 4> four;
#pragma unroll
    for (int j = 0; j < 4; ++j) four[j] = sum[i][j];
    store_vector(&sums.m[lane.place][lane.tile + i][lane.out], four);
  }
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < tiles_a_block * outs; i += threads)
    write_tile(sums, tiling, epilogue, first_tile, i / outs, first_out, i % outs);
}

void run(const Problem& problem) {
  const ConvShape& k = problem.shape;
  const bool gradient = problem.pass == Pass::input_gradient;
  const Tiling tiling = gradient ? Tiling(k.N, k.P, k.Q, k.O, k.H, k.W, k.C, 2 - k.top, 2 - k.left)
                                 : Tiling(k.N, k.H, k.W, k.C, k.P, k.Q, k.O, k.top, k.left);
  Scratch u(static_cast<size_t>(places * k.O * k.C) * sizeof(float));
  launch<winograd_filter_kernel>({.grid = divide_up(k.O * k.C, 128), .block = 128},
                                 static_cast<int>(k.O), static_cast<int>(k.C), gradient,
                                 static_cast<const float*>(problem.weight), u.as<float>());
  launch<winograd_kernel>(
      {.grid = dim3(divide_up(tiling.tiles(), tiles_a_block), divide_up(tiling.out, outs)),
       .block = threads,
       .shared = std::max(sizeof(Transformed), sizeof(Sums))},
      tiling, static_cast<const float*>(gradient ? problem.gradient : problem.x), u.as<float>(),
      epilogue_of<float>(problem));
}

bool supports(const Problem& problem) {
  const ConvShape& k = problem.shape;
  return k.dtype == DType::f32 && problem.pass != Pass::weight_gradient && !has_zero(k) &&
         fits_int(k) && k.O * k.C < int64_t{1} << 30 && k.groups == 1 && k.R == 3 && k.S == 3 &&
         k.stride_h == 1 && k.stride_w == 1 && k.dilation_h == 1 && k.dilation_w == 1 &&
         !problem.norm.sums && !normalises_input(problem.norm);
}

}  // namespace

const ConvRung winograd = {"winograd", "F(2x2, 3x3) in f32: 2.25 times fewer multiplications",
                           supports, run};

}  // namespace strata::gpu::conv

// The stem: a first convolution over images of few channels (3), on tensor cores, for bf16 and f16.
// Rung 3 cannot gather it, for a pixel has only 6 bytes, and rung 4's blocks of 64 channels would
// be zeros to 95 %.
//
// Gathering its matrix, 147 columns for 7x7x3, costs more than multiplying: each element of x is
// wanted up to 49 times. So a block brings the patch of a tile of 8 x 16 pixels into shared memory,
// once, and fragments of the matrix are read straight from there (stem.h): where stride times
// channels is even, the two neighbouring columns that a register holds are one read of 32 bits; the
// eight pixels of a fragment lie 12 bytes apart (7x7x3, stride 2), which is free of bank conflicts.
// Where an octet starts in the patch, and which of its columns are padding, is a table. The weights
// of 64 channels stay in shared memory as rows of K, and blocks stay while there are tiles.
//
// 2.4 MFLOP a tile of 7x7x3 for 4.7 KB of x and 16 KB of results: bound by memory, if anything
// else keeps pace. Four warps of 32 pixels x 64 channels: 16 products of tensor cores for 8 reads
// of x, 4 ldmatrix and 2 of the table. Shared memory: 65 KiB. Registers: 128 to 143, no spills.
// H200, ResNet-50, batch 128, bf16: 280 us, 3.1 times as fast as cuDNN.
#include <algorithm>

#include "kernels/conv/staged_epilogue.h"
#include "kernels/conv/stem.h"
#include "kernels/conv/tensor_tile.h"
#include "kernels/gpu/gpu.h"

namespace strata::gpu::conv {
namespace {

constexpr int N = stem_channels, blocks_a_multiprocessor = 3;

// Columns 2t and 2t + 1 of an octet: where they are, and which of them are no padding.
struct Columns {
  int offset;
  uint32_t mask;
};

struct Layout {
  int depth;    // of the sum: a multiple of 16
  int k_pitch;  // odd in chunks of 16 bytes: eight rows lie in different banks
  size_t columns, patch, staged, bytes;

  explicit __host__ __device__ Layout(const StemShape& s)
      : depth((s.octets + 1) / 2 * 16),
        k_pitch(depth + 8),
        columns(static_cast<size_t>(N * k_pitch) * 2),
        patch(columns + static_cast<size_t>(depth / 8 * 4) * sizeof(Columns)),
        staged(patch + s.patch_bytes()),
        bytes(staged + StagedTile<N>::bytes) {}
};

struct StemPlaces {
  const StemShape& shape;
  StemTile tile;

  DEVICE int64_t operator()(int row) const {
    const int p = tile.p + row / stem_columns, q = tile.q + row % stem_columns;
    if (p >= shape.P || q >= shape.Q) return -1;
    return ((static_cast<int64_t>(tile.n) * shape.P + p) * shape.Q + q) * shape.O;
  }
};

template <class T>
DEVICE void load_weights(T* weights, const T* weight, const StemShape& s, const Layout& layout,
                         TileChannels channels) {
  const int octets = layout.depth / 8;
  for (int index = static_cast<int>(threadIdx.x); index < N * octets; index += stem_threads) {
    const int o = index / octets, octet = index - o * octets;
    const int r = octet / s.octets_a_row, first = octet % s.octets_a_row * 8;
    const bool there = channels.first + o < channels.end && r < s.R;
    const T* row =
        weight + (static_cast<int64_t>(channels.first + o) * s.R + r) * s.filter_row + first;
    Vec<T, 8> values;
#pragma unroll
    for (int e = 0; e < 8; ++e) values[e] = there && first + e < s.filter_row ? row[e] : T(0.0f);
    store_vector(weights + o * layout.k_pitch + octet * 8, values);
  }
}

DEVICE void describe_columns(Columns* columns, const StemShape& s, const Layout& layout) {
  for (int index = static_cast<int>(threadIdx.x); index < layout.depth / 2; index += stem_threads) {
    const int octet = index / 4, pair = index % 4 * 2;
    const int left = octet < s.octets ? s.filter_row - octet % s.octets_a_row * 8 - pair : 0;
    columns[index] = {left > 0 ? s.octet(octet) + pair : 0, left > 1    ? 0xffffffffu
                                                            : left == 1 ? 0xffffu
                                                                        : 0u};
  }
}

// Two neighbouring elements; one read where all pixels begin at even ones.
template <bool Even, class T>
DEVICE uint32_t pair(const T* patch) {
  if constexpr (Even) return load_vector<1>(reinterpret_cast<const uint32_t*>(patch))[0];
  return patch[0].bits | static_cast<uint32_t>(patch[1].bits) << 16;
}

template <class T, bool Even>
__global__ void __launch_bounds__(stem_threads, blocks_a_multiprocessor)
    stem_kernel(StemShape s, const T* x, const T* weight, Epilogue<T> epilogue, float* statistics) {
  const Layout layout(s);
  char* shared = dynamic_shared<char>();
  T* weights = reinterpret_cast<T*>(shared);
  auto* columns = reinterpret_cast<Columns*>(shared + layout.columns);
  T* patch = reinterpret_cast<T*>(shared + layout.patch);
  auto* staged = reinterpret_cast<float*>(shared + layout.staged);
  const TileChannels channels{0, static_cast<int>(blockIdx.y) * N, s.O};
  load_weights(weights, weight, s, layout, channels);
  describe_columns(columns, s, layout);

  // A warp multiplies two rows of 16 pixels with all channels.
  constexpr int MI = 2, NI = N / 8;
  const int lane = static_cast<int>(threadIdx.x) % 32, row = lane / 4, column = lane % 4;
  const int first_row = static_cast<int>(threadIdx.x) / 32 * MI;
  const T* b_row = weights + (lane / 16 * 8 + lane % 8) * layout.k_pitch + lane / 8 % 2 * 8;

  for (int index = static_cast<int>(blockIdx.x); index < s.tiles;
       index += static_cast<int>(gridDim.x)) {
    const StemTile tile(s, index);
    load_patch(patch, x, s, tile);
    __syncthreads();
    float sum[MI][NI][4] = {};
    for (int k = 0; k < layout.depth; k += 16) {
      const Columns low = columns[k / 2 + column], high = columns[k / 2 + 4 + column];
      uint32_t a[MI][4], b[NI][2];
#pragma unroll
      for (int i = 0; i < MI; ++i) {
        const T* pixel = patch + (first_row + i) * s.stride_h * s.pitch + row * s.step;
        a[i][0] = pair<Even>(pixel + low.offset) & low.mask;
        a[i][1] = pair<Even>(pixel + 8 * s.step + low.offset) & low.mask;
        a[i][2] = pair<Even>(pixel + high.offset) & high.mask;
        a[i][3] = pair<Even>(pixel + 8 * s.step + high.offset) & high.mask;
      }
#pragma unroll
      for (int j = 0; j < NI; j += 2) {
        uint32_t four[4];
        ldmatrix<4>(four, b_row + j * 8 * layout.k_pitch + k);
        b[j][0] = four[0], b[j][1] = four[1], b[j + 1][0] = four[2], b[j + 1][1] = four[3];
      }
      mma_tile<T, MI, NI>(sum, a, b);
    }
#pragma unroll
    for (int i = 0; i < MI; ++i) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int pixel = (first_row + i) * stem_columns + row + half * 8;
        // Nothing behind the last pixel may reach the statistics.
        const bool there = StemPlaces{s, tile}(pixel) >= 0;
#pragma unroll
        for (int j = 0; j < NI; ++j) {
          Vec<float, 2> two;
          two[0] = there ? sum[i][j][half * 2] : 0.0f;
          two[1] = there ? sum[i][j][half * 2 + 1] : 0.0f;
          store_vector(staged + pixel * StagedTile<N>::pitch + j * 8 + column * 2, two);
        }
      }
    }
    __syncthreads();
    if (statistics)
      write_staged_statistics<N, stem_threads>(staged, statistics, index, channels, s.O);
    write_staged<T, N, stem_threads>(staged, StemPlaces{s, tile}, epilogue, channels);
  }
}

template <class T, bool Even>
void run_forward(const Problem& problem) {
  const StemShape shape(problem.shape);
  const Statistics statistics(problem, shape.tiles);
  const int groups = static_cast<int>(divide_up(shape.O, N));
  const int resident = std::max(1, blocks_a_multiprocessor * device().multiprocessors / groups);
  launch<stem_kernel<T, Even>>({.grid = dim3(static_cast<unsigned>(std::min(shape.tiles, resident)),
                                             static_cast<unsigned>(groups)),
                                .block = stem_threads,
                                .shared = Layout(shape).bytes},
                               shape, static_cast<const T*>(problem.x),
                               static_cast<const T*>(problem.weight), epilogue_of<T>(problem),
                               statistics.partial());
  statistics.finish();
}

void run(const Problem& problem) {
  if (problem.pass == Pass::weight_gradient) return stem_weight_gradient(problem);
  const bool even = problem.shape.stride_w * problem.shape.C % 2 == 0;
  const bool is_bf16 = problem.shape.dtype == DType::bf16;
  if (is_bf16 && even) return run_forward<bf16, true>(problem);
  if (is_bf16) return run_forward<bf16, false>(problem);
  if (even) return run_forward<f16, true>(problem);
  return run_forward<f16, false>(problem);
}

bool supports(const Problem& problem) {
  const ConvShape& k = problem.shape;
  if (device().arch < 80 || problem.pass == Pass::input_gradient || size_of(k.dtype) != 2 ||
      has_zero(k) || !fits_int(k) || k.groups != 1 || k.C >= 8 || k.dilation_w != 1 ||
      normalises_input(problem.norm))
    return false;
  return problem.pass == Pass::weight_gradient
             ? stem_gradient_fits(k)
             : Layout(StemShape(k)).bytes <= device().shared_per_block;
}

}  // namespace

const ConvRung stem = {"stem", "few channels: fragments come straight from a patch of the image",
                       supports, run};

}  // namespace strata::gpu::conv

// Rung 2: implicit GEMM. The convolution is a matrix product whose left operand is gathered while
// it is loaded (gather.h), through tiles in shared memory: forward and input gradient.
//
//   forward         M = N P Q, N = O, K = R S C:  out[m, o] = sum over k of x[gather(m, k)] w[o, k]
//   input gradient  M = N H W, N = C, K = R S O, one product for each residue class of the stride
//
// Against rung 1: an element loaded once into shared memory serves 64 or 128 products, and one read
// from there 8; 21 operations a byte from global memory instead of 1/4. The places of the tile's
// 128 pixels are computed once, by one thread each. A tile is fetched into registers while the one
// before is multiplied. Loads are vectors of 16 bytes where the channels of a group allow, single
// elements otherwise (3 channels, odd counts, f64).
//
// The normalisation in front (ConvNorm) happens in the registers between the two memories; the
// statistics behind are column sums of the tile's sums.
//
// f32, f64, bf16 and f16, all with sums in Compute<T>: f32 is f32. 14 KiB of shared memory (f32);
// registers: 138 to 195, f64 254, no spills. Storing the transposed tile has 2-way bank conflicts,
// an eighth of the traffic. Run on an H200 by its tests, not timed.
#include "kernels/conv/epilogue.h"
#include "kernels/conv/gather.h"
#include "kernels/conv/simt_tile.h"
#include "kernels/gpu/gpu.h"

namespace strata::gpu::conv {
namespace {

constexpr int M = SimtTile::M, N = SimtTile::N, K = SimtTile::K;

// What a thread has fetched of the left operand: all its vectors are the same channels, of
// different pixels.
template <class T, int V>
struct Gathered {
  Staged<T, V, M, true> a;
  unsigned inside;  // bit i: vector i is not padding
  int channel;
};

struct Normalise {  // of the input, see ConvNorm
  const float* scale;
  const float* shift;
  bool relu;

  template <class T, int V>
  DEVICE void apply(Gathered<T, V>& gathered) const {
    if (!(scale || shift || relu) || gathered.inside == 0) return;
    using Sum = Compute<T>;
#pragma unroll
    for (int e = 0; e < V; ++e) {
      const Sum factor = scale ? static_cast<Sum>(scale[gathered.channel + e]) : Sum(1);
      const Sum summand = shift ? static_cast<Sum>(shift[gathered.channel + e]) : Sum(0);
#pragma unroll
      for (int i = 0; i < gathered.a.vectors; ++i) {
        if (!(gathered.inside >> i & 1)) continue;
        const Sum value = static_cast<Sum>(gathered.a.value[i][e]) * factor + summand;
        gathered.a.value[i][e] = static_cast<T>(relu && value < 0 ? Sum(0) : value);
      }
    }
  }
};

struct Places {
  Place at[M];
};

template <class T, int V>
DEVICE void load_gathered(Gathered<T, V>& gathered, const Gather& gather, const Places& places,
                          const T* source, int k0, int group) {
  const int k = k0 + gathered.a.k(0);  // the same for all vectors of a thread
  const bool valid = k < gather.K();
  const Tap tap = gather.tap(valid ? k : 0);
  gathered.channel = group * gather.channels + tap.channel;
  gathered.inside = 0;
#pragma unroll
  for (int i = 0; i < gathered.a.vectors; ++i) {
    const T* address =
        valid ? gather.address(source, places.at[gathered.a.outer(i)], tap) : nullptr;
    gathered.a.load(i, address);
    if (address) gathered.inside |= 1u << i;
  }
}

// The weight as the right operand: [O, K] with K contiguous (forward), or for the input gradient
// row k = (tap, o) with the channels c contiguous.
template <bool Forward, class T, int V>
DEVICE void load_weight(Staged<T, V, N, Forward>& b, const Gather& gather, const T* weight, int k0,
                        int first, int group) {
#pragma unroll
  for (int i = 0; i < b.vectors; ++i) {
    const int k = k0 + b.k(i), n = first + b.outer(i);
    const T* address = nullptr;
    if (k < gather.K() && n < gather.out_channels) {
      if constexpr (Forward) {
        address = weight + static_cast<int64_t>(group * gather.out_channels + n) * gather.K() + k;
      } else {
        const int o = group * gather.channels + gather.tap(k).channel;
        address = weight +
                  (static_cast<int64_t>(o) * gather.weight_taps +
                   gather.weight_tap(gather.per_tap.quotient(k))) *
                      gather.out_channels +
                  n;
      }
    }
    b.load(i, address);
  }
}

// Column sums of the tile and of its squares, rows in order of their threads.
DEVICE void write_statistics(const float (&sum)[8][8], float* partial, int first, int channels,
                             int group, int all_channels) {
  struct Columns {
    float sum[2][16][N];
  };
  Columns& columns = block_shared<Columns>();
  const int row = static_cast<int>(threadIdx.x / 8);
#pragma unroll
  for (int j = 0; j < 8; ++j) {
    float total = 0, squares = 0;
#pragma unroll
    for (int i = 0; i < 8; ++i) total += sum[i][j], squares += sum[i][j] * sum[i][j];
    columns.sum[0][row][simt_column(j)] = total;
    columns.sum[1][row][simt_column(j)] = squares;
  }
  __syncthreads();
  const int column = static_cast<int>(threadIdx.x) % N, kind = static_cast<int>(threadIdx.x) / N;
  if (first + column >= channels) return;
  float total = 0;
  for (int r = 0; r < 16; ++r) total += columns.sum[kind][r][column];
  partial[(static_cast<int64_t>(blockIdx.x) * 2 + kind) * all_channels + group * channels + first +
          column] = total;
}

template <class T, class Sum>
DEVICE void write_tile(const Sum (&sum)[8][8], const Gather& gather, const Epilogue<T>& epilogue,
                       int first_pixel, int first_channel, int group) {
  constexpr int width = 4;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const int m = first_pixel + simt_row(i);
    if (m >= gather.pixels()) continue;
    const int64_t pixel = gather.destination(m) + group * gather.out_channels;
#pragma unroll
    for (int j = 0; j < 8; j += width) {
      const int n = first_channel + simt_column(j), channel = group * gather.out_channels + n;
      if (epilogue.vectors && sizeof(T) <= 4 && n < gather.out_channels) {
        if constexpr (sizeof(T) <= 4) {
          Vec<T, width> values;
#pragma unroll
          for (int e = 0; e < width; ++e)
            values[e] = from_float<T>(epilogue.value(sum[i][j + e], channel + e, pixel + n + e));
          store_vector(epilogue.out + pixel + n, values);
        }
        continue;
      }
#pragma unroll
      for (int e = 0; e < width; ++e)
        if (n + e < gather.out_channels) epilogue.store(sum[i][j + e], channel + e, pixel + n + e);
    }
  }
}

template <class T, int V, bool Forward>
__global__ void __launch_bounds__(SimtTile::threads)
    implicit_gemm_kernel(Gather gather, Normalise normalise, const T* source, const T* weight,
                         Epilogue<T> epilogue, float* statistics) {
  using Sum = Compute<T>;
  SimtShared<Sum>& shared = block_shared<SimtShared<Sum>>();
  Places& places = block_shared<Places>();
  const int first_pixel = static_cast<int>(blockIdx.x) * M,
            first_channel = static_cast<int>(blockIdx.y) * N, group = static_cast<int>(blockIdx.z);
  places.at[threadIdx.x] = gather.place(first_pixel + static_cast<int>(threadIdx.x));
  source += group * gather.channels;
  __syncthreads();

  Gathered<T, V> gathered;
  Staged<T, V, N, Forward> b;
  auto load = [&](int k0) {
    load_gathered(gathered, gather, places, source, k0, group);
    load_weight<Forward>(b, gather, weight, k0, first_channel, group);
  };
  Sum sum[8][8] = {};
  if constexpr (fetch_ahead<T>) load(0);
  for (int k0 = 0; k0 < gather.K(); k0 += K) {
    if constexpr (!fetch_ahead<T>) load(k0);
    if constexpr (Forward) normalise.apply(gathered);
    gathered.a.store(shared.a);
    b.store(shared.b);
    __syncthreads();
    if (fetch_ahead<T> && k0 + K < gather.K()) load(k0 + K);
    simt_multiply(shared, sum);
    __syncthreads();
  }
  if constexpr (Forward && !std::is_same_v<T, double>) {
    if (statistics)
      write_statistics(sum, statistics, first_channel, gather.out_channels, group,
                       gather.out_pitch);
  }
  write_tile(sum, gather, epilogue, first_pixel, first_channel, group);
}

template <class T, int V>
void run_vectors(const Problem& problem) {
  const ConvShape& k = problem.shape;
  auto config = [&](const Gather& gather) -> LaunchConfig {
    return {.grid = dim3(divide_up(gather.pixels(), M), divide_up(gather.out_channels, N),
                         static_cast<unsigned>(k.groups)),
            .block = SimtTile::threads};
  };
  const Epilogue<T> epilogue = epilogue_of<T>(problem);
  const T* weight = static_cast<const T*>(problem.weight);
  if (problem.pass == Pass::input_gradient) {
    float* no_statistics = nullptr;
    for (const Gather& gather : input_gradient_classes(k))
      launch<implicit_gemm_kernel<T, V, false>>(
          config(gather), gather, Normalise{nullptr, nullptr, false},
          static_cast<const T*>(problem.gradient), weight, epilogue, no_statistics);
    return;
  }
  const Gather gather = forward_gather(k);
  const Statistics statistics(problem, divide_up(gather.pixels(), M));
  launch<implicit_gemm_kernel<T, V, true>>(
      config(gather), gather,
      Normalise{problem.norm.input_scale, problem.norm.input_shift, problem.norm.input_relu},
      static_cast<const T*>(problem.x), weight, epilogue, statistics.partial());
  statistics.finish();
}

void run(const Problem& problem) {
  if (problem.pass == Pass::weight_gradient) return implicit_weight_gradient(problem);
  const ConvShape& k = problem.shape;
  visit_float(k.dtype, [&]<class T>(Type<T>) {
    constexpr int V = simt_vector<T>;
    if (k.C / k.groups % V == 0 && k.O / k.groups % V == 0 && aligned(problem, 16))
      run_vectors<T, V>(problem);
    else
      run_vectors<T, 1>(problem);
  });
}

bool supports(const Problem& problem) {
  const ConvShape& k = problem.shape;
  return !has_zero(k) && fits_int(k) && k.groups <= 65535 &&
         !(problem.norm.sums && k.dtype == DType::f64);
}

}  // namespace

const ConvRung implicit_gemm = {
    "02_implicit_gemm", "a product of matrices, one of them gathered; f32 is f32", supports, run};

}  // namespace strata::gpu::conv

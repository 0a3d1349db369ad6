// Sums over rows, one a channel: the moments of the forward pass and the two sums of the backward
// pass. Two stages, no atomics, the same bits in every run:
//   1. a block sums its part of the rows: four loads in flight a thread, sums in the compute type
//   in
//      registers, then the block's 8 rows of threads in f64 through shared memory;
//   2. parts, and the copies of a channel in a wide row, combine in order in f64.
// Moments are taken about a value near the mean, so a mean that is large against the deviation
// costs no digits: in stage 1 about the median of the part's first, middle and last row; in stage 2
// the parts' means about that of the first part, which is as good as Chan, Golub and LeVeque's
// pairs and has no division for each part. (The first part alone contributes its rows times the
// square of its distance to the mean, so what cancels is at most the number of parts times what is
// left.)
//
// Device memory: each array read once (masked written once), the least, and 16 bytes a column and
// part, written and read. Four blocks a multiprocessor have 64 KiB under way and keep parts few.
#include "kernels/gpu/divisor.h"
#include "kernels/gpu/scratch.h"
#include "kernels/norm/channel_tiles.h"
#include "kernels/reduce/block_reduce.h"

namespace strata::gpu {
namespace {

constexpr int moments_blocks = 4, gradient_blocks = 2;  // of a multiprocessor

// Two sums of a column, in one access.
using Pair = Vec<double, 2>;
DEVICE Pair pair(double first, double second) {
  Pair both;
  both[0] = first;
  both[1] = second;
  return both;
}
DEVICE Pair operator+(const Pair& a, const Pair& b) { return pair(a[0] + b[0], a[1] + b[1]); }

template <class C>
DEVICE C median(C a, C b, C c) {
  const C low = a < b ? a : b, high = a < b ? b : a;
  return low > (high < c ? high : c) ? low : (high < c ? high : c);
}

// What the threads of a block have, two sums for each of W columns; and the value that moments are
// taken about.
template <class C, int W>
struct BlockSums {
  ColumnShare<Vec<C, 2>, W> sums;
  C shift[W][32 + 128 / static_cast<int>(sizeof(C)) / W];  // padded as the sums are
};
// Calls write(column of the block, sums of its 8 rows of threads) for each of the 32 W columns, all
// neighbours in memory beside each other.
template <class C, int W, class Write>
DEVICE void combine_rows(BlockSums<C, W>& block, const C (&first)[W], const C (&second)[W],
                         Write write) {
  const int thread = static_cast<int>(threadIdx.y * 32 + threadIdx.x);
#pragma unroll
  for (int j = 0; j < W; ++j) {
    Vec<C, 2> both;
    both[0] = first[j];
    both[1] = second[j];
    block.sums.value[j][thread] = both;
  }
  __syncthreads();
  for (int column = thread; column < 32 * W; column += tile_threads) {
    Pair total = pair(0, 0);
#pragma unroll
    for (int row = 0; row < tile_rows; ++row) {
      const Vec<C, 2> of = block.sums.value[column % W][row * 32 + column / W];
      total = total + pair(static_cast<double>(of[0]), static_cast<double>(of[1]));
    }
    write(column, total);
  }
}

// partial is [samples][parts][width] pairs: a mean and the sum of squares about it.
template <class T, bool Whole>
__global__ void __launch_bounds__(tile_threads, moments_blocks)
    channel_moments_kernel(ChannelMomentsArgs args, ChannelTiles t, Pair* partial) {
  using C = Compute<T>;
  constexpr int W = vector_width<T>;
  auto& block = block_shared<BlockSums<C, W>>();
  const TileColumn<T> my(t);
  const auto load = [&](int64_t at) { return my.template load<Whole>(args.x, at); };
  C shift[W] = {}, sum[W] = {}, square[W] = {};
  const auto find_shift = [&] {
    if (my.begin >= my.end) return;
    const int64_t last = my.end - 1 > my.begin ? my.end - 2 : my.begin;  // of whole chunks
    const Words a = load(my.at(t, my.begin)), b = load(my.at(t, (my.begin + last) / 2)),
                c = load(my.at(t, last));
    C low[W], middle[W], high[W];
    expand<T>(chunk_of<T>(a), low);
    expand<T>(chunk_of<T>(b), middle);
    expand<T>(chunk_of<T>(c), high);
#pragma unroll
    for (int j = 0; j < W; ++j) shift[j] = median(low[j], middle[j], high[j]);
  };
  const auto take = [&](int64_t at, const Words& words) {
    C x[W];
    expand<T>(chunk_of<T>(words), x);
    const int n = my.template length<Whole>(at);
#pragma unroll
    for (int j = 0; j < W; ++j) {
      const C d = j < n ? x[j] - shift[j] : C(0);
      sum[j] += d;
      square[j] += d * d;
    }
  };
  walk_rows<Whole ? 4 : 1>(my.rows, my.at(t, my.begin + threadIdx.y), int64_t{tile_rows} * t.width,
                           load, find_shift, take);
  if (threadIdx.y == 0)
#pragma unroll
    for (int j = 0; j < W; ++j) block.shift[j][threadIdx.x] = shift[j];
  combine_rows(block, sum, square, [&](int column, const Pair& sums) {
    const int to = my.tile * 32 * W + column;
    if (to >= t.width) return;
    const int64_t rows = rows_with(t, to, my.begin, my.begin + t.part_rows);
    const double off = rows > 0 ? sums[0] / static_cast<double>(rows) : 0;
    const double m2 = sums[1] - sums[0] * off;
    const double about = static_cast<double>(block.shift[column % W][column / W]);
    partial[(my.sample * t.parts + blockIdx.y) * t.width + to] =
        pair(about + off, m2 > 0 || m2 != m2 ? m2 : 0);
  });
}

template <class T, Mask mask, bool Whole>
__global__ void __launch_bounds__(tile_threads, gradient_blocks)
    channel_gradient_sums_kernel(ChannelGradientSumsArgs args, ChannelTiles t, Pair* partial) {
  using C = Compute<T>;
  constexpr int W = vector_width<T>;
  auto& block = block_shared<BlockSums<C, W>>();
  const TileColumn<T> my(t);
  constexpr int N = mask_constants<mask>;
  C k[N][W], sum_g[W] = {}, sum_gx[W] = {};
  const auto make_constants = [&] {
    column_constants<N>(
        t, my, [&](int64_t at, C* to) { make_mask<mask>(args, at, to); }, k);
  };
  const auto load = [&](int64_t at) {
    return load_gradient<mask, Whole>(my, args.x, args.dy, args.y, at);
  };
  const auto take = [&](int64_t at, const GradientWords& words) {
    C x[W], g[W];
    words.masked<T, mask>(k, x, g);
#pragma unroll
    for (int j = 0; j < W; ++j) {
      sum_g[j] += g[j];
      sum_gx[j] += g[j] * (x[j] - k[k_mean][j]);
    }
    if (args.masked) my.template store<Whole>(args.masked, at, g);
  };
  walk_rows<gradient_depth<mask, Whole>>(my.rows, my.at(t, my.begin + threadIdx.y),
                                         int64_t{tile_rows} * t.width, load, make_constants, take);
  combine_rows(block, sum_g, sum_gx, [&](int column, const Pair& sums) {
    const int to = my.tile * 32 * W + column;
    if (to < t.width) partial[(my.sample * t.parts + blockIdx.y) * t.width + to] = sums;
  });
}

// Stage 2: a block 8 channels, 64 threads each. Moments become a mean and the sum of squares about
// it, sums stay sums.
constexpr int combine_channels = 8, combine_threads = 512, combine_warps = combine_threads / 32;
struct CombineShare {
  Pair value[combine_warps][combine_channels];
};
template <bool Moments>
__global__ void __launch_bounds__(combine_threads, 1)
    combine_channels_kernel(ChannelTiles t, Divisor repeat, const Pair* partial, double* first,
                            double* second) {
  auto& share = block_shared<CombineShare>();
  const int thread = static_cast<int>(threadIdx.x), lane = thread % combine_channels;
  const auto groups = divide_up(t.channels, combine_channels);
  const int64_t sample = blockIdx.x / groups;
  const int wanted = static_cast<int>(blockIdx.x % groups) * combine_channels + lane;
  const int channel = wanted < t.channels ? wanted : t.channels - 1;
  const Pair* of = partial + sample * t.parts * t.width;
  const Pair start = of[channel];
  const double about = start[0];
  // Term i: copy i % repeat of the channel in part i / repeat.
  const auto part = [&](int64_t i) { return int64_t{repeat.divide(static_cast<uint32_t>(i))}; };
  const auto column = [&](int64_t i) {
    return static_cast<int>(i - part(i) * t.repeat) * t.channels + channel;
  };
  const auto load = [&](int64_t i) { return of[part(i) * t.width + column(i)]; };
  Pair sums = pair(0, 0);
  const auto take = [&](int64_t i, const Pair& term) {
    if constexpr (Moments) {
      const int64_t begin = part(i) * t.part_rows;
      const int64_t rows = rows_with(t, column(i), begin, begin + t.part_rows);
      const double away = rows > 0 ? term[0] - about : 0,
                   distance = static_cast<double>(rows) * away;
      sums = sums + pair(distance, term[1] + distance * away);
    } else {
      sums = sums + term;
    }
  };
  constexpr int step = combine_threads / combine_channels;
  const int first_term = thread / combine_channels, terms = t.parts * t.repeat;
  walk_rows<8>(terms > first_term ? (terms - first_term + step - 1) / step : 0, first_term, step,
               load, take);
#pragma unroll
  for (int flip = combine_channels; flip < 32; flip *= 2)
    sums = sums + pair(shuffle_xor(sums[0], flip), shuffle_xor(sums[1], flip));
  if (thread % 32 < combine_channels) share.value[thread / 32][lane] = sums;
  __syncthreads();
  if (thread < combine_channels && wanted == channel) {
    sums = share.value[0][lane];
#pragma unroll
    for (int warp = 1; warp < combine_warps; ++warp) sums = sums + share.value[warp][lane];
    if constexpr (Moments) {
      const double off = sums[0] / static_cast<double>(t.rows);
      const double m2 = sums[1] - sums[0] * off;
      sums = pair(about + off, m2 > 0 || m2 != m2 ? m2 : 0);
    }
    first[sample * t.channels + channel] = sums[0];
    second[sample * t.channels + channel] = sums[1];
  }
}
template <bool Moments>
void combine_channels_of(const ChannelTiles& t, const Pair* partial, double* first,
                         double* second) {
  const auto blocks = static_cast<unsigned>(t.samples * divide_up(t.channels, combine_channels));
  launch<combine_channels_kernel<Moments>>({.grid = blocks, .block = combine_threads}, t,
                                           Divisor(static_cast<uint32_t>(t.repeat)), partial, first,
                                           second);
}
size_t partial_bytes(const ChannelTiles& t) {
  return sizeof(Pair) * static_cast<size_t>(t.samples * t.parts * t.width);
}

}  // namespace

void channel_moments(const ChannelMomentsArgs& args) {
  if (args.samples * args.rows * args.channels == 0) return;
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    const auto tiles = channel_tiles<T>(args.samples, args.rows, args.channels, moments_blocks);
    const Scratch partial(partial_bytes(tiles));
    visit_whole(whole_tiles<T>(tiles, {args.x}), [&]<bool Whole>() {
      launch<channel_moments_kernel<T, Whole>>(tiles.config(), args, tiles, partial.as<Pair>());
    });
    combine_channels_of<true>(tiles, partial.as<Pair>(), args.mean, args.m2);
  });
}

void channel_gradient_sums(const ChannelGradientSumsArgs& args) {
  if (args.samples * args.rows * args.channels == 0) return;
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    const auto tiles = channel_tiles<T>(args.samples, args.rows, args.channels, gradient_blocks);
    const Scratch partial(partial_bytes(tiles));
    visit_mask(args.relu, args.y != nullptr, [&]<Mask mask>() {
      visit_whole(whole_tiles<T>(tiles, {args.x, args.dy, args.y, args.masked}), [&]<bool Whole>() {
        launch<channel_gradient_sums_kernel<T, mask, Whole>>(tiles.config(), args, tiles,
                                                             partial.as<Pair>());
      });
    });
    combine_channels_of<false>(tiles, partial.as<Pair>(), args.sum_g, args.sum_gx);
  });
}

}  // namespace strata::gpu

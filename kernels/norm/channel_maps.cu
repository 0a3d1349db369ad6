// The element-wise channel kernels: the affine map of the forward pass and the gradient with
// respect to x. Every thread keeps its channels' constants in registers.
//
// Parts are walked from their last row to the first: the sums that a map follows went down the
// rows, and what they read last is still in L2.
//
// Device memory: the least, each array read or written once, and 24 or 48 bytes a column and block
// for the constants. Any C, any alignment (16-byte accesses where samples begin on 16 bytes).
#include "kernels/norm/channel_tiles.h"

namespace strata::gpu {
namespace {

constexpr int affine_blocks = 4, gradient_blocks = 2;  // of a multiprocessor

struct AffineWords {
  Words x, residual;
};

template <class T, bool Residual, bool Whole>
__global__ void __launch_bounds__(tile_threads, affine_blocks)
    channel_affine_kernel(ChannelAffineArgs args, ChannelTiles t) {
  using C = Compute<T>;
  constexpr int W = vector_width<T>;
  const TileColumn<T> my(t);
  C k[affine_constants][W];
  const auto make_constants = [&] {
    column_constants<affine_constants>(
        t, my,
        [&](int64_t at, C* to) {
          make_affine(args.mean[at], args.factor[at], args.offset[at], to);
        },
        k);
  };
  const C floor = args.relu ? C(0) : C(NAN);  // nothing is <= NaN
  const auto load = [&](int64_t at) {
    AffineWords words;
    words.x = my.template load<Whole>(args.x, at);
    if constexpr (Residual) words.residual = my.template load<Whole>(args.residual, at);
    return words;
  };
  const auto take = [&](int64_t at, const AffineWords& words) {
    C x[W], residual[W], y[W];
    expand<T>(chunk_of<T>(words.x), x);
    if constexpr (Residual) expand<T>(chunk_of<T>(words.residual), residual);
#pragma unroll
    for (int j = 0; j < W; ++j) {
      y[j] = affine(k, x[j], j);
      if constexpr (Residual) y[j] += residual[j];
      y[j] = y[j] <= floor ? C(0) : y[j];
    }
    my.template store<Whole>(args.y, at, y);
  };
  walk_rows<!Whole     ? 1
            : Residual ? 2
                       : 4>(my.rows, my.at(t, my.end - 1 - threadIdx.y),
                            -int64_t{tile_rows} * t.width, load, make_constants, take);
}

template <class T, Mask mask, bool Whole>
__global__ void __launch_bounds__(tile_threads, gradient_blocks)
    channel_gradient_kernel(ChannelGradientArgs args, ChannelTiles t) {
  using C = Compute<T>;
  constexpr int W = vector_width<T>, a = mask_constants<mask>, b = a + 1, c = a + 2;
  const TileColumn<T> my(t);
  C k[a + 3][W];
  const auto make_constants = [&] {
    const auto make = [&](int64_t at, C* to) {
      make_mask<mask>(args, at, to);
      to[a] = static_cast<C>(args.a[at]);
      to[b] = static_cast<C>(args.b[at]);
      to[c] = static_cast<C>(args.c[at]);
    };
    column_constants<a + 3>(t, my, make, k);
  };
  const auto load = [&](int64_t at) {
    return load_gradient<mask, Whole>(my, args.x, args.dy, args.y, at);
  };
  const auto take = [&](int64_t at, const GradientWords& words) {
    C x[W], g[W], dx[W];
    words.masked<T, mask>(k, x, g);
#pragma unroll
    for (int j = 0; j < W; ++j)
      dx[j] = k[a][j] * g[j] + (k[c][j] * (x[j] - k[k_mean][j]) + k[b][j]);
    my.template store<Whole>(args.dx, at, dx);
  };
  walk_rows<gradient_depth<mask, Whole>>(my.rows, my.at(t, my.end - 1 - threadIdx.y),
                                         -int64_t{tile_rows} * t.width, load, make_constants, take);
}

}  // namespace

void channel_affine(const ChannelAffineArgs& args) {
  if (args.samples * args.rows * args.channels == 0) return;
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    const auto tiles = channel_tiles<T>(args.samples, args.rows, args.channels, affine_blocks);
    visit_whole(whole_tiles<T>(tiles, {args.x, args.residual, args.y}), [&]<bool Whole>() {
      if (args.residual)
        launch<channel_affine_kernel<T, true, Whole>>(tiles.config(), args, tiles);
      else
        launch<channel_affine_kernel<T, false, Whole>>(tiles.config(), args, tiles);
    });
  });
}

void channel_gradient(const ChannelGradientArgs& args) {
  if (args.samples * args.rows * args.channels == 0) return;
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    const auto tiles = channel_tiles<T>(args.samples, args.rows, args.channels, gradient_blocks);
    visit_mask(args.relu, args.y != nullptr, [&]<Mask mask>() {
      visit_whole(whole_tiles<T>(tiles, {args.x, args.dy, args.y, args.dx}), [&]<bool Whole>() {
        launch<channel_gradient_kernel<T, mask, Whole>>(tiles.config(), args, tiles);
      });
    });
  });
}

}  // namespace strata::gpu

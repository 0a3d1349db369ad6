// Group norm and its gradient, over the channel kernels of batch norm: statistics of each sample
// and channel come first and fold into groups, whose constants then apply to the group's channels.
//
// What is saved: x, scale, and mean and inverse deviation of each sample and group [2, N, groups].
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/ops/detail/normalise.h"
#include "kernels/norm/channels.h"

namespace strata {
namespace {

using namespace detail;

constexpr const char* op = "group_norm";

// x [N, ..., C] as [samples, rows, groups x width].
struct Sizes {
  int64_t samples, rows, channels, groups, width;
  Sizes(const Tensor& x, int64_t groups)
      : samples(x.shape()[0]), channels(x.size(-1)), groups(groups), width(channels / groups) {
    rows = samples * channels > 0 ? x.numel() / (samples * channels) : 0;
  }
  Dims grouped() const { return {samples, groups, width}; }
};

// f64 [N, C], zero, where x lives: one number for each sample and channel.
Tensor per_channel(const Tensor& x, const Sizes& sizes) {
  return zeros({sizes.samples, sizes.channels}, DType::f64, x.device());
}

// Group means and inverse deviations [2, N, groups] from the channels' means and squared
// deviations, combined as Chan, Golub and LeVeque do.
Tensor statistics(const Tensor& x, const Sizes& sizes, double epsilon, Caller at) {
  Tensor mean_of_channel = per_channel(x, sizes), m2 = per_channel(x, sizes);
  on(x.device(), op, at, cpu::channel_moments, gpu::channel_moments,
     ChannelMomentsArgs{x.raw(), f64(mean_of_channel), f64(m2), sizes.samples, sizes.rows,
                        sizes.channels, x.dtype()});
  Tensor means = mean_of_channel.reshape(sizes.grouped());
  Tensor group_mean = mean(means, {2}, true);
  Tensor squares = sum(
      m2.reshape(sizes.grouped()) + square(means - group_mean) * static_cast<double>(sizes.rows),
      {2});
  Tensor variance = squares / static_cast<double>(sizes.rows * sizes.width);
  return stack({group_mean.squeeze(2), rsqrt(variance + epsilon)}, 0);
}

// The groups' constants, one for each sample and channel, f64 [N, C].
struct Constants {
  Tensor mean, inverse, factor, offset;
  Constants(const Sizes& sizes, const Tensor& scale, const Tensor& shift, const Tensor& stats) {
    const Dims flat{sizes.samples, sizes.channels};
    auto spread = [&](int64_t which) {
      return stats.select(0, which).unsqueeze(2).expand(sizes.grouped()).contiguous().reshape(flat);
    };
    mean = spread(0);
    inverse = spread(1);
    factor = scale.defined() ? inverse * scale.detach().to(DType::f64) : inverse;
    offset = shift.defined() ? shift.detach().to(DType::f64).expand(flat).contiguous()
                             : zeros_like(mean);
  }
};

Gradients composed_gradient(const Tensor& g, const Saved& s, int64_t groups, double epsilon) {
  Sizes sizes(s[0], groups);
  const Dims grouped{sizes.samples, sizes.rows, groups, sizes.width}, axes{1, 3};
  DType compute = compute_type(s[0].dtype());
  Tensor gradient = g.to(compute);
  Normalised x = normalise(s[0].to(compute).reshape(grouped), axes, epsilon, true);
  Gradients out(3);
  if (s.needs(0)) {
    Tensor u = s[1].defined() ? gradient * s[1].to(compute) : gradient;
    out[0] = normalise_gradient(u.reshape(grouped), x, axes, true).reshape(g.shape());
  }
  if (s.needs(1)) out[1] = gradient * x.z.reshape(g.shape());
  if (s.needs(2)) out[2] = gradient;
  return out;
}

// With u = g scale: dx = inverse (u - mean(u) - z mean(u z)), means over the group.
Gradients fused_gradient(const Tensor& g, const Saved& s, int64_t groups) {
  DType dtype = s[0].dtype();
  Tensor x = dense(s[0], dtype), dy = dense(g, dtype);
  Sizes sizes(x, groups);
  Constants constants(sizes, s[1], {}, s[2]);
  Tensor sum_g = per_channel(x, sizes), sum_gx = per_channel(x, sizes);
  ChannelGradientSumsArgs sums;
  sums.x = x.raw();
  sums.dy = dy.raw();
  sums.mean = f64(constants.mean);
  sums.sum_g = f64(sum_g);
  sums.sum_gx = f64(sum_gx);
  sums.samples = sizes.samples;
  sums.rows = sizes.rows;
  sums.channels = sizes.channels;
  sums.dtype = dtype;
  on(x.device(), op, Caller{}, cpu::channel_gradient_sums, gpu::channel_gradient_sums, sums);
  Gradients out(3);
  if (s.needs(0)) {
    // Over the group: inverse sum(u) and inverse sum(u x), shares of one element.
    auto shared = [&](const Tensor& channel_sums) {
      Tensor total = sum((constants.factor * channel_sums).reshape(sizes.grouped()), {2}, true);
      Tensor share = total * (-1 / static_cast<double>(sizes.rows * sizes.width));
      return share.expand(sizes.grouped()).contiguous().reshape(sum_g.shape());
    };
    Tensor b = shared(sum_g), c = shared(sum_gx) * square(constants.inverse);
    out[0] = empty_like(x);
    on(x.device(), op, Caller{}, cpu::channel_gradient, gpu::channel_gradient,
       ChannelGradientArgs{x.raw(), nullptr, dy.raw(), out[0].raw(), f64(constants.mean), nullptr,
                           nullptr, f64(constants.factor), f64(b), f64(c), sizes.samples,
                           sizes.rows, sizes.channels, dtype, false});
  }
  if (s.needs(1)) out[1] = sum(sum_gx * constants.inverse, {0});
  if (s.needs(2)) out[2] = sum(sum_g, {0});
  return out;
}

Tensor apply(const Tensor& x, const Sizes& sizes, const Constants& constants, Caller at) {
  Tensor out = empty_like(x);
  ChannelAffineArgs args;
  args.x = x.raw();
  args.y = out.raw();
  args.mean = f64(constants.mean);
  args.factor = f64(constants.factor);
  args.offset = f64(constants.offset);
  args.samples = sizes.samples;
  args.rows = sizes.rows;
  args.channels = sizes.channels;
  args.dtype = x.dtype();
  on(x.device(), op, at, cpu::channel_affine, gpu::channel_affine, args);
  return out;
}

}  // namespace

Tensor group_norm(const Tensor& x, int64_t groups, const Tensor& scale, const Tensor& shift,
                  double epsilon, Caller at) {
  check_norm_input(op, x, 2, at);
  check_norm_parameter(op, "scale", scale, x, at);
  check_norm_parameter(op, "shift", shift, x, at);
  if (groups < 1 || x.size(-1) % groups != 0) {
    fail(op, at, "x {} has {} channels, which {} groups do not divide evenly", describe(x),
         x.size(-1), groups);
  }
  Tensor stats, out;
  {
    NoGrad off;
    Sizes sizes(x, groups);
    Tensor values = dense(x, x.dtype());
    stats = statistics(values, sizes, epsilon, at);
    out = apply(values, sizes, Constants(sizes, scale, shift, stats), at);
  }
  return record(out, op, at, {x, scale, shift}, {x, scale, stats},
                [groups, epsilon](const Tensor& g, const Saved& s) {
                  return grad_enabled() ? composed_gradient(g, s, groups, epsilon)
                                        : fused_gradient(g, s, groups);
                });
}

}  // namespace strata

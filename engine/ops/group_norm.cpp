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
  size_t per_channel() const { return static_cast<size_t>(samples * channels); }
  // Calls body(sample, group, first index of its channels in [samples, channels]).
  template <class Body>
  void for_each_group(Body&& body) const {
    for (int64_t n = 0; n < samples; ++n) {
      for (int64_t k = 0; k < groups; ++k) body(n, k, n * channels + k * width);
    }
  }
};

std::vector<double> values_or(const Tensor& parameter, int64_t channels, double otherwise) {
  if (parameter.defined()) return parameter.to_vector<double>();
  return std::vector<double>(static_cast<size_t>(channels), otherwise);
}

// Group means and inverse deviations [2, N, groups] from the channels' means and squared
// deviations.
Tensor statistics(const Tensor& x, const Sizes& sizes, double epsilon) {
  std::vector<double> mean(sizes.per_channel()), m2(sizes.per_channel());
  cpu::channel_moments(
      {x.raw(), mean.data(), m2.data(), sizes.samples, sizes.rows, sizes.channels, x.dtype()});
  Tensor out = empty({2, sizes.samples, sizes.groups}, DType::f64);
  double *means = out.data<double>(), *inverses = means + sizes.samples * sizes.groups;
  sizes.for_each_group([&](int64_t n, int64_t k, int64_t first) {
    double sum = 0, squares = 0;
    for (int64_t c = first; c < first + sizes.width; ++c) sum += mean[static_cast<size_t>(c)];
    double group_mean = sum / static_cast<double>(sizes.width);
    for (int64_t c = first; c < first + sizes.width; ++c) {
      double away = mean[static_cast<size_t>(c)] - group_mean;
      squares += m2[static_cast<size_t>(c)] + static_cast<double>(sizes.rows) * away * away;
    }
    means[n * sizes.groups + k] = group_mean;
    inverses[n * sizes.groups + k] =
        1 / std::sqrt(squares / static_cast<double>(sizes.rows * sizes.width) + epsilon);
  });
  return out;
}

// The groups' constants, one for each sample and channel.
struct Constants {
  std::vector<double> mean, inverse, factor, offset;
  Constants(const Sizes& sizes, const Tensor& scale, const Tensor& shift, const Tensor& stats)
      : mean(sizes.per_channel()), inverse(mean), factor(mean), offset(mean) {
    std::vector<double> scales = values_or(scale, sizes.channels, 1);
    std::vector<double> shifts = values_or(shift, sizes.channels, 0);
    const double *means = stats.data<double>(), *inverses = means + sizes.samples * sizes.groups;
    sizes.for_each_group([&](int64_t n, int64_t k, int64_t first) {
      for (int64_t j = 0; j < sizes.width; ++j) {
        auto i = static_cast<size_t>(first + j), c = static_cast<size_t>(k * sizes.width + j);
        mean[i] = means[n * sizes.groups + k];
        inverse[i] = inverses[n * sizes.groups + k];
        factor[i] = scales[c] * inverse[i];
        offset[i] = shifts[c];
      }
    });
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

Tensor fold_samples(const Sizes& sizes, auto&& value_of) {
  Tensor out = empty({sizes.channels}, DType::f64);
  double* sums = out.data<double>();
  for (int64_t c = 0; c < sizes.channels; ++c) {
    sums[c] = 0;
    for (int64_t n = 0; n < sizes.samples; ++n) {
      sums[c] += value_of(static_cast<size_t>(n * sizes.channels + c));
    }
  }
  return out;
}

// With u = g scale: dx = inverse (u - mean(u) - z mean(u z)), means over the group.
Gradients fused_gradient(const Tensor& g, const Saved& s, int64_t groups) {
  DType dtype = s[0].dtype();
  Tensor x = dense(s[0], dtype), dy = dense(g, dtype);
  Sizes sizes(x, groups);
  Constants constants(sizes, s[1], {}, s[2]);
  const auto& inverse = constants.inverse;
  std::vector<double> sum_g(sizes.per_channel()), sum_gx(sizes.per_channel());
  ChannelGradientSumsArgs sums;
  sums.x = x.raw();
  sums.dy = dy.raw();
  sums.mean = constants.mean.data();
  sums.sum_g = sum_g.data();
  sums.sum_gx = sum_gx.data();
  sums.samples = sizes.samples;
  sums.rows = sizes.rows;
  sums.channels = sizes.channels;
  sums.dtype = dtype;
  cpu::channel_gradient_sums(sums);
  Gradients out(3);
  if (s.needs(0)) {
    std::vector<double> b(sizes.per_channel()), c(sizes.per_channel());
    sizes.for_each_group([&](int64_t, int64_t, int64_t first) {
      double u = 0, ux = 0, count = static_cast<double>(sizes.rows * sizes.width);
      for (int64_t j = first; j < first + sizes.width; ++j) {
        auto i = static_cast<size_t>(j);
        u += constants.factor[i] * sum_g[i];  // inverse sum(u)
        ux += constants.factor[i] * sum_gx[i];
      }
      for (int64_t j = first; j < first + sizes.width; ++j) {
        auto i = static_cast<size_t>(j);
        b[i] = -u / count;
        c[i] = -ux * inverse[i] * inverse[i] / count;
      }
    });
    out[0] = empty_like(x);
    cpu::channel_gradient({x.raw(), nullptr, dy.raw(), out[0].raw(), constants.mean.data(), nullptr,
                           nullptr, constants.factor.data(), b.data(), c.data(), sizes.samples,
                           sizes.rows, sizes.channels, dtype, false});
  }
  if (s.needs(1)) out[1] = fold_samples(sizes, [&](size_t i) { return sum_gx[i] * inverse[i]; });
  if (s.needs(2)) out[2] = fold_samples(sizes, [&](size_t i) { return sum_g[i]; });
  return out;
}

Tensor apply(const Tensor& x, const Sizes& sizes, const Constants& constants) {
  Tensor out = empty_like(x);
  ChannelAffineArgs args;
  args.x = x.raw();
  args.y = out.raw();
  args.mean = constants.mean.data();
  args.factor = constants.factor.data();
  args.offset = constants.offset.data();
  args.samples = sizes.samples;
  args.rows = sizes.rows;
  args.channels = sizes.channels;
  args.dtype = x.dtype();
  cpu::channel_affine(args);
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
  on(x.device(), op, at, [&] {
    Sizes sizes(x, groups);
    Tensor values = dense(x, x.dtype());
    stats = statistics(values, sizes, epsilon);
    out = apply(values, sizes, Constants(sizes, scale, shift, stats));
  });
  return record(out, op, at, {x, scale, shift}, {x, scale, stats},
                [groups, epsilon](const Tensor& g, const Saved& s) {
                  return grad_enabled() ? composed_gradient(g, s, groups, epsilon)
                                        : fused_gradient(g, s, groups);
                });
}

}  // namespace strata

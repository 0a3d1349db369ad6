// Batch norm with residual and ReLU fused, training and inference, and its gradient.
//
// What is saved: x, scale, shift, mean and inverse deviation [2, C], and the output only when both
// ReLU and a residual are there (without a residual the sign of the output is worked out again
// from x, which is one array less to keep and to read).
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/ops/detail/normalise.h"
#include "kernels/norm/channels.h"

namespace strata {
namespace {

using namespace detail;

constexpr const char* op = "batch_norm";

int64_t row_count(const Tensor& x) { return x.size(-1) > 0 ? x.numel() / x.size(-1) : 0; }

void check_running(const char* name, const Tensor& running, const Tensor& x, bool written,
                   Caller at) {
  if (!running.defined()) return;
  check_norm_parameter(op, name, running, x, at);
  if (!written) return;
  if (!running.is_contiguous() ||
      (running.dtype() != DType::f32 && running.dtype() != DType::f64)) {
    fail(op, at, "{} {} is updated in place and must be a dense f32 or f64 tensor", name,
         describe(running));
  }
  check_in_place(running, op, at);
}

void check(const Tensor& x, const Tensor& scale, const Tensor& shift, const Tensor& running_mean,
           const Tensor& running_var, const BatchNormOptions& options, const Tensor& residual,
           Caller at) {
  check_norm_input(op, x, 2, at);
  check_norm_parameter(op, "scale", scale, x, at);
  check_norm_parameter(op, "shift", shift, x, at);
  check_running("running_mean", running_mean, x, options.training, at);
  check_running("running_var", running_var, x, options.training, at);
  if (residual.defined() && (residual.shape() != x.shape() || !is_float(residual.dtype()))) {
    fail(op, at, "residual {} must be of a floating type and of the shape of x {}",
         describe(residual), describe(x));
  }
  if (!options.training && (!running_mean.defined() || !running_var.defined())) {
    fail(op, at, "inference needs running_mean and running_var; pass them, or set training = true");
  }
  if (options.training && x.size(-1) > 0 && row_count(x) < 2) {
    fail(op, at,
         "x {} has {} value for each channel, and training needs at least 2 to have a "
         "deviation; use a larger batch, or training = false",
         describe(x), row_count(x));
  }
}

// running = (1 - momentum) running + momentum batch, worked out in f64.
void update_running(const Tensor& running, const Tensor& batch, double momentum, Caller at) {
  if (!running.defined()) return;
  copy_(running, running.detach().to(DType::f64) * (1 - momentum) + batch * momentum, at);
}

// 1 / sqrt(variance + epsilon).
Tensor inverse_deviation(const Tensor& variance, double epsilon) {
  return rsqrt(variance.to(DType::f64) + epsilon);
}

// Mean and inverse deviation, f64 [2, C]: of the batch (the running ones are updated) or running.
// They stay on the device of x.
Tensor statistics(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                  const BatchNormOptions& options, Caller at) {
  int64_t channels = x.size(-1), rows = row_count(x);
  Tensor out = empty({2, channels}, DType::f64, x.device());
  Tensor mean = out.select(0, 0), inverse = out.select(0, 1);
  if (!options.training) {
    copy_(mean, running_mean.detach(), at);
    copy_(inverse, inverse_deviation(running_var.detach(), options.epsilon), at);
    return out;
  }
  Tensor m2 = empty({channels}, DType::f64, x.device());
  on(x.device(), op, at, cpu::channel_moments, gpu::channel_moments,
     ChannelMomentsArgs{x.raw(), f64(mean), f64(m2), 1, rows, channels, x.dtype()});
  copy_(inverse, inverse_deviation(m2 / static_cast<double>(rows), options.epsilon), at);
  update_running(running_mean, mean, options.momentum, at);
  // The unbiased variance.
  update_running(running_var, m2 / static_cast<double>(rows - 1), options.momentum, at);
  return out;
}

// What the kernels want for each channel, f64 [C]: factor = scale / deviation, and the shift.
struct Constants {
  Tensor factor, offset;
  Constants(const Tensor& scale, const Tensor& shift, const Tensor& stats) {
    Tensor inverse = stats.select(0, 1);
    factor = scale.defined() ? scale.detach().to(DType::f64) * inverse : inverse;
    offset = shift.defined() ? dense(shift, DType::f64) : zeros_like(inverse);
  }
};

Tensor apply(const Tensor& x, const Tensor& scale, const Tensor& shift, const Tensor& stats,
             const Tensor& residual, bool relu, Caller at) {
  Constants constants(scale, shift, stats);
  Tensor out = empty_like(x);
  ChannelAffineArgs args;
  args.x = x.raw();
  args.residual = raw_or_null(residual);
  args.y = out.raw();
  args.mean = f64(stats);
  args.factor = f64(constants.factor);
  args.offset = f64(constants.offset);
  args.rows = row_count(x);
  args.channels = x.size(-1);
  args.dtype = x.dtype();
  args.relu = relu;
  on(x.device(), op, at, cpu::channel_affine, gpu::channel_affine, args);
  return out;
}

enum SavedIndex { saved_x, saved_scale, saved_shift, saved_stats, saved_out };

// The formula in public ops; gradients in the order x, scale, shift, residual.
Gradients composed_gradient(const Tensor& g, const Saved& s, const BatchNormOptions& options) {
  DType compute = compute_type(s[saved_x].dtype());
  Tensor gradient = g.to(compute), x = s[saved_x].to(compute), stats = s[saved_stats];
  if (options.relu) {
    Tensor out = s[saved_out].defined()
                     ? s[saved_out].detach()
                     : apply(dense(s[saved_x], s[saved_x].dtype()), s[saved_scale], s[saved_shift],
                             stats, {}, true, Caller{});
    gradient = gradient * greater(out, scalar(0, out.dtype())).to(compute);
  }
  Dims axes;
  for (int axis = 0; axis + 1 < x.rank(); ++axis) axes.push_back(axis);
  Normalised normalised;
  if (options.training) {
    normalised = normalise(x, axes, options.epsilon, true);
  } else {
    normalised.inverse = stats.select(0, 1).to(compute);
    normalised.z = (x - stats.select(0, 0).to(compute)) * normalised.inverse;
  }
  Gradients out(4);
  if (s.needs(0)) {
    Tensor scale = s[saved_scale];
    Tensor u = scale.defined() ? gradient * scale.to(compute) : gradient;
    out[0] =
        options.training ? normalise_gradient(u, normalised, axes, true) : u * normalised.inverse;
  }
  if (s.needs(1)) out[1] = gradient * normalised.z;
  if (s.needs(2)) out[2] = gradient;
  if (s.needs(3)) out[3] = gradient;
  return out;
}

// Two passes over memory: the sums (and the masked gradient, if the residual wants it), then dx.
Gradients fused_gradient(const Tensor& g, const Saved& s, const BatchNormOptions& options) {
  DType dtype = s[saved_x].dtype();
  Tensor x = dense(s[saved_x], dtype), dy = dense(g, dtype), stats = s[saved_stats];
  Tensor y = s[saved_out];
  int64_t channels = x.size(-1), rows = row_count(x);
  Tensor mean = stats.select(0, 0), inverse = stats.select(0, 1);
  Constants constants(s[saved_scale], s[saved_shift], stats);
  const void* out_values = raw_or_null(y);
  Tensor sum_g = zeros({channels}, DType::f64, x.device()), sum_gx = zeros_like(sum_g);
  Gradients out(4);
  bool masked = s.needs(3) && options.relu;
  if (masked) out[3] = empty_like(x);
  if (masked || s.needs(1) || s.needs(2) || (s.needs(0) && options.training)) {
    on(x.device(), op, Caller{}, cpu::channel_gradient_sums, gpu::channel_gradient_sums,
       ChannelGradientSumsArgs{x.raw(), out_values, dy.raw(), masked ? out[3].raw() : nullptr,
                               f64(mean), f64(constants.factor), f64(constants.offset), f64(sum_g),
                               f64(sum_gx), 1, rows, channels, dtype, options.relu});
  }
  if (s.needs(3) && !masked) out[3] = g;
  if (s.needs(0)) {
    Tensor b, c;
    if (options.training) {
      Tensor share = constants.factor * (-1 / static_cast<double>(rows));
      b = share * sum_g;
      c = share * sum_gx * square(inverse);
    } else {
      b = c = zeros_like(sum_g);
    }
    out[0] = empty_like(x);
    const Tensor& from = masked ? out[3] : dy;
    on(x.device(), op, Caller{}, cpu::channel_gradient, gpu::channel_gradient,
       ChannelGradientArgs{x.raw(), out_values, from.raw(), out[0].raw(), f64(mean),
                           f64(constants.factor), f64(constants.offset), f64(constants.factor),
                           f64(b), f64(c), 1, rows, channels, dtype, options.relu && !masked});
  }
  if (s.needs(1)) out[1] = sum_gx * inverse;
  if (s.needs(2)) out[2] = sum_g;
  return out;
}

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& scale, const Tensor& shift,
                  const Tensor& running_mean, const Tensor& running_var,
                  const BatchNormOptions& options, const Tensor& residual, Caller at) {
  check(x, scale, shift, running_mean, running_var, options, residual, at);
  if (PlainOps::active() && (options.relu || residual.defined())) {
    BatchNormOptions plain = options;
    plain.relu = false;
    return PlainOps::finish(batch_norm(x, scale, shift, running_mean, running_var, plain, {}, at),
                            residual, options.relu, at);
  }
  Tensor stats, out;
  {
    NoGrad off;
    Tensor values = dense(x, x.dtype()), added = dense(residual, x.dtype());
    stats = statistics(values, running_mean, running_var, options, at);
    out = apply(values, scale, shift, stats, added, options.relu, at);
  }
  Tensor kept = options.relu && residual.defined() ? out : Tensor();
  return record(out, op, at, {x, scale, shift, residual}, {x, scale, shift, stats, kept},
                [options](const Tensor& g, const Saved& s) {
                  return grad_enabled() ? composed_gradient(g, s, options)
                                        : fused_gradient(g, s, options);
                });
}

}  // namespace strata

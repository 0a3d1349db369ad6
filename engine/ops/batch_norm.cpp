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

std::vector<double> values_or(const Tensor& parameter, int64_t channels, double otherwise) {
  if (parameter.defined()) return parameter.to_vector<double>();
  return std::vector<double>(static_cast<size_t>(channels), otherwise);
}

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

void update_running(const Tensor& running, const std::vector<double>& batch, double momentum,
                    Caller at) {
  if (!running.defined()) return;
  visit_float(running.dtype(), [&]<class T>(Type<T>) {
    T* values = static_cast<T*>(running.raw());
    for (size_t c = 0; c < batch.size(); ++c) {
      values[c] =
          static_cast<T>((1 - momentum) * static_cast<double>(values[c]) + momentum * batch[c]);
    }
  });
  note_write(running, op, at);
}

// Mean and inverse deviation, f64 [2, C]: of the batch (the running ones are updated) or running.
Tensor statistics(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                  const BatchNormOptions& options, Caller at) {
  int64_t channels = x.size(-1), rows = row_count(x);
  Tensor out = empty({2, channels}, DType::f64);
  double *mean = out.data<double>(), *inverse = mean + channels;
  if (!options.training) {
    std::vector<double> means = running_mean.to_vector<double>();
    std::vector<double> variances = running_var.to_vector<double>();
    for (int64_t c = 0; c < channels; ++c) {
      mean[c] = means[static_cast<size_t>(c)];
      inverse[c] = 1 / std::sqrt(variances[static_cast<size_t>(c)] + options.epsilon);
    }
    return out;
  }
  std::vector<double> m2(static_cast<size_t>(channels));
  cpu::channel_moments({x.raw(), mean, m2.data(), 1, rows, channels, x.dtype()});
  for (int64_t c = 0; c < channels; ++c) {
    double& sum = m2[static_cast<size_t>(c)];
    inverse[c] = 1 / std::sqrt(sum / static_cast<double>(rows) + options.epsilon);
    sum /= static_cast<double>(rows - 1);  // the unbiased variance
  }
  update_running(running_mean, {mean, mean + channels}, options.momentum, at);
  update_running(running_var, m2, options.momentum, at);
  return out;
}

// What the kernels want for each channel: factor = scale / deviation, and the shift.
struct Constants {
  std::vector<double> factor, offset;
  Constants(const Tensor& scale, const Tensor& shift, const Tensor& stats)
      : factor(values_or(scale, stats.size(1), 1)), offset(values_or(shift, stats.size(1), 0)) {
    const double* inverse = stats.data<double>() + stats.size(1);
    for (size_t c = 0; c < factor.size(); ++c) factor[c] *= inverse[c];
  }
};

Tensor apply(const Tensor& x, const Tensor& scale, const Tensor& shift, const Tensor& stats,
             const Tensor& residual, bool relu) {
  Constants constants(scale, shift, stats);
  Tensor out = empty_like(x);
  ChannelAffineArgs args;
  args.x = x.raw();
  args.residual = raw_or_null(residual);
  args.y = out.raw();
  args.mean = stats.data<double>();
  args.factor = constants.factor.data();
  args.offset = constants.offset.data();
  args.rows = row_count(x);
  args.channels = x.size(-1);
  args.dtype = x.dtype();
  args.relu = relu;
  cpu::channel_affine(args);
  return out;
}

enum SavedIndex { saved_x, saved_scale, saved_shift, saved_stats, saved_out };

// The formula in public ops; gradients in the order x, scale, shift, residual.
Gradients composed_gradient(const Tensor& g, const Saved& s, const BatchNormOptions& options) {
  DType compute = compute_type(s[saved_x].dtype());
  Tensor gradient = g.to(compute), x = s[saved_x].to(compute), stats = s[saved_stats];
  if (options.relu) {
    Tensor out = s[saved_out].defined() ? s[saved_out].detach()
                                        : apply(dense(s[saved_x], s[saved_x].dtype()),
                                                s[saved_scale], s[saved_shift], stats, {}, true);
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

Tensor from_sums(const std::vector<double>& sums) {
  return from_vector(sums, {static_cast<int64_t>(sums.size())});
}

// Two passes over memory: the sums (and the masked gradient, if the residual wants it), then dx.
Gradients fused_gradient(const Tensor& g, const Saved& s, const BatchNormOptions& options) {
  DType dtype = s[saved_x].dtype();
  Tensor x = dense(s[saved_x], dtype), dy = dense(g, dtype), stats = s[saved_stats];
  Tensor y = s[saved_out];
  int64_t channels = x.size(-1), rows = row_count(x);
  auto size = static_cast<size_t>(channels);
  const double *mean = stats.data<double>(), *inverse = mean + channels;
  Constants constants(s[saved_scale], s[saved_shift], stats);
  const void* out_values = raw_or_null(y);
  std::vector<double> sum_g(size), sum_gx(size);
  Gradients out(4);
  bool masked = s.needs(3) && options.relu;
  if (masked) out[3] = empty_like(x);
  if (masked || s.needs(1) || s.needs(2) || (s.needs(0) && options.training)) {
    cpu::channel_gradient_sums({x.raw(), out_values, dy.raw(), masked ? out[3].raw() : nullptr,
                                mean, constants.factor.data(), constants.offset.data(),
                                sum_g.data(), sum_gx.data(), 1, rows, channels, dtype,
                                options.relu});
  }
  if (s.needs(3) && !masked) out[3] = g;
  if (s.needs(0)) {
    std::vector<double> b(size), c(size);
    for (size_t i = 0; i < size && options.training; ++i) {
      double share = constants.factor[i] / static_cast<double>(rows);
      b[i] = -share * sum_g[i];
      c[i] = -share * sum_gx[i] * inverse[i] * inverse[i];
    }
    out[0] = empty_like(x);
    const Tensor& from = masked ? out[3] : dy;
    cpu::channel_gradient({x.raw(), out_values, from.raw(), out[0].raw(), mean,
                           constants.factor.data(), constants.offset.data(),
                           constants.factor.data(), b.data(), c.data(), 1, rows, channels, dtype,
                           options.relu && !masked});
  }
  if (s.needs(1)) {
    for (size_t i = 0; i < size; ++i) sum_gx[i] *= inverse[i];
    out[1] = from_sums(sum_gx);
  }
  if (s.needs(2)) out[2] = from_sums(sum_g);
  return out;
}

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& scale, const Tensor& shift,
                  const Tensor& running_mean, const Tensor& running_var,
                  const BatchNormOptions& options, const Tensor& residual, Caller at) {
  check(x, scale, shift, running_mean, running_var, options, residual, at);
  Tensor stats, out;
  on(x.device(), op, at, [&] {
    Tensor values = dense(x, x.dtype()), added = dense(residual, x.dtype());
    stats = statistics(values, running_mean, running_var, options, at);
    out = apply(values, scale, shift, stats, added, options.relu);
  });
  Tensor kept = options.relu && residual.defined() ? out : Tensor();
  return record(out, op, at, {x, scale, shift, residual}, {x, scale, shift, stats, kept},
                [options](const Tensor& g, const Saved& s) {
                  return grad_enabled() ? composed_gradient(g, s, options)
                                        : fused_gradient(g, s, options);
                });
}

}  // namespace strata

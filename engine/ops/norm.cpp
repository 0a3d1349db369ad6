// Layer norm and RMS norm. What is saved: x, and the mean and inverse deviation of each row.
#include "engine/ops/norm.h"

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/ops/detail/normalise.h"
#include "kernels/norm/rows.h"

namespace strata {

namespace {

using namespace detail;

struct RowNorm {
  const char* op;
  bool centred;  // layer norm; otherwise RMS norm
  double epsilon;
};

Gradients composed_gradient(const RowNorm& norm, const Tensor& g, const Saved& s) {
  const Dims last{-1};
  DType compute = compute_type(s[0].dtype());
  Tensor gradient = g.to(compute);
  Normalised x = normalise(s[0].to(compute), last, norm.epsilon, norm.centred);
  Gradients out(3);
  if (s.needs(0)) {
    Tensor u = s[1].defined() ? gradient * s[1].to(compute) : gradient;
    out[0] = normalise_gradient(u, x, last, norm.centred);
  }
  if (s.needs(1)) out[1] = gradient * x.z;
  if (s.needs(2)) out[2] = gradient;
  return out;
}

Gradients fused_gradient(const RowNorm& norm, const Tensor& g, const Saved& s) {
  DType dtype = s[0].dtype(), compute = compute_type(dtype);
  Tensor x = dense(s[0], dtype), dy = dense(g, dtype), scale = dense(s[1], compute);
  int64_t channels = x.size(-1);
  Gradients out(3);
  RowNormGradientArgs args;
  args.x = x.raw();
  args.dy = dy.raw();
  args.scale = raw_or_null(scale);
  args.mean = norm.centred ? s[2].raw() : nullptr;
  args.inverse = s[3].raw();
  if (s.needs(0)) args.dx = (out[0] = empty_like(x)).raw();
  if (s.needs(1)) args.dscale = (out[1] = empty({channels}, compute, x.device())).raw();
  if (s.needs(2)) args.dshift = (out[2] = empty({channels}, compute, x.device())).raw();
  args.channels = channels;
  args.rows = channels > 0 ? x.numel() / channels : 0;
  args.dtype = dtype;
  on(x.device(), norm.op, Caller{}, cpu::row_norm_gradient, gpu::row_norm_gradient, args);
  return out;
}

Tensor row_norm(const RowNorm& norm, const Tensor& x, const Tensor& scale, const Tensor& shift,
                Caller at) {
  check_norm_input(norm.op, x, 1, at);
  check_norm_parameter(norm.op, "scale", scale, x, at);
  check_norm_parameter(norm.op, "shift", shift, x, at);
  DType dtype = x.dtype(), compute = compute_type(dtype);
  Tensor from = dense(x, dtype), factor = dense(scale, compute), offset = dense(shift, compute);
  int64_t channels = x.size(-1), rows = channels > 0 ? x.numel() / channels : 0;
  Tensor out = empty(x.shape(), dtype, x.device()), inverse = empty({rows}, compute, x.device());
  Tensor mean = norm.centred ? empty({rows}, compute, x.device()) : Tensor();
  RowNormArgs args;
  args.x = from.raw();
  args.y = out.raw();
  args.scale = raw_or_null(factor);
  args.shift = raw_or_null(offset);
  args.mean = raw_or_null(mean);
  args.inverse = inverse.raw();
  args.rows = rows;
  args.channels = channels;
  args.epsilon = norm.epsilon;
  args.dtype = dtype;
  on(x.device(), norm.op, at, cpu::row_norm, gpu::row_norm, args);
  return record(out, norm.op, at, {x, scale, shift}, {x, scale, mean, inverse},
                [norm](const Tensor& g, const Saved& s) {
                  return grad_enabled() ? composed_gradient(norm, g, s)
                                        : fused_gradient(norm, g, s);
                });
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& scale, const Tensor& shift, double epsilon,
                  Caller at) {
  return row_norm({"layer_norm", true, epsilon}, x, scale, shift, at);
}

Tensor rms_norm(const Tensor& x, const Tensor& scale, double epsilon, Caller at) {
  return row_norm({"rms_norm", false, epsilon}, x, scale, Tensor(), at);
}

}  // namespace strata

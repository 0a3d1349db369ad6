// The norms whose statistics are a channel's (batch norm): [rows, C], one pass for the sums and one
// for the map.
#include "kernels/norm/channels.h"

#include "tools/xray/subjects.h"

namespace strata::xray {

namespace {

Ready moments(Operands& o, const Shape& s, DType dtype) {
  ChannelMomentsArgs args;
  args.x = o.random(s[0] * s[1], dtype);
  args.mean = static_cast<double*>(o.empty(s[1], DType::f64));
  args.m2 = static_cast<double*>(o.empty(s[1], DType::f64));
  args.rows = s[0], args.channels = s[1], args.dtype = dtype;
  return {0, bytes_of(s[0] * s[1], dtype) + bytes_of(2 * s[1], DType::f64),
          [=] { gpu::channel_moments(args); }};
}

// A constant for each channel.
const double* constants(Operands& o, const Shape& s) {
  return static_cast<const double*>(o.random(s[1], DType::f64));
}

Ready affine(Operands& o, const Shape& s, DType dtype) {
  ChannelAffineArgs args;
  args.x = o.random(s[0] * s[1], dtype);
  args.y = o.empty(s[0] * s[1], dtype);
  args.mean = constants(o, s), args.factor = constants(o, s), args.offset = constants(o, s);
  args.rows = s[0], args.channels = s[1], args.dtype = dtype;
  return {0, 2 * bytes_of(s[0] * s[1], dtype) + bytes_of(3 * s[1], DType::f64),
          [=] { gpu::channel_affine(args); }};
}

Ready gradient_sums(Operands& o, const Shape& s, DType dtype) {
  ChannelGradientSumsArgs args;
  args.x = o.random(s[0] * s[1], dtype);
  args.dy = o.random(s[0] * s[1], dtype);
  args.mean = constants(o, s);
  args.sum_g = static_cast<double*>(o.empty(s[1], DType::f64));
  args.sum_gx = static_cast<double*>(o.empty(s[1], DType::f64));
  args.rows = s[0], args.channels = s[1], args.dtype = dtype;
  return {0, 2 * bytes_of(s[0] * s[1], dtype) + bytes_of(3 * s[1], DType::f64),
          [=] { gpu::channel_gradient_sums(args); }};
}

Ready gradient(Operands& o, const Shape& s, DType dtype) {
  ChannelGradientArgs args;
  args.x = o.random(s[0] * s[1], dtype);
  args.dy = o.random(s[0] * s[1], dtype);
  args.dx = o.empty(s[0] * s[1], dtype);
  args.mean = constants(o, s);
  args.a = constants(o, s), args.b = constants(o, s), args.c = constants(o, s);
  args.rows = s[0], args.channels = s[1], args.dtype = dtype;
  return {0, 3 * bytes_of(s[0] * s[1], dtype) + bytes_of(4 * s[1], DType::f64),
          [=] { gpu::channel_gradient(args); }};
}

}  // namespace

std::vector<Subject> channel_subjects() {
  const Shape shape{1024, 64};
  const std::vector<DType> floats{DType::f32, DType::bf16, DType::f16, DType::f64};
  const char* axes = "rowsxC";
  return {
      made_by("norm/channels/moments", "mean and deviation of each channel", axes, shape, floats,
              moments),
      made_by("norm/channels/affine", "the map behind them", axes, shape, floats, affine),
      made_by("norm/channels/gradient_sums", "the two sums of a backward pass", axes, shape, floats,
              gradient_sums),
      made_by("norm/channels/gradient", "the map behind those", axes, shape, floats, gradient),
  };
}

}  // namespace strata::xray

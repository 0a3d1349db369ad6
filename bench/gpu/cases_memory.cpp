// Norms, softmax, cross entropy and batch norm, at sizes past every L2.
#include <fmt/format.h>

#include "bench/gpu/memory_case.h"
#include "kernels/loss/cross_entropy.h"
#include "kernels/norm/channels.h"
#include "kernels/norm/rows.h"
#include "kernels/softmax/softmax.h"

namespace strata::bench {

namespace {

// Arrays of rows x columns that a kind reads and writes.
int arrays_of(const std::string& kind) { return kind.ends_with("gradient") ? 3 : 2; }

std::function<void()> norm_run(const RowsCase& c, bool layer, xray::Operands& operands) {
  RowNormArgs args;
  args.x = operands.random(c.rows * c.columns, c.dtype);
  args.y = operands.empty(c.rows * c.columns, c.dtype);
  args.scale = operands.random(c.columns, DType::f32);
  args.shift = layer ? operands.random(c.columns, DType::f32) : nullptr;
  args.mean = layer ? operands.empty(c.rows, DType::f32) : nullptr;
  args.inverse = operands.empty(c.rows, DType::f32);
  args.rows = c.rows, args.channels = c.columns, args.dtype = c.dtype;
  return [args] { gpu::row_norm(args); };
}

std::function<void()> norm_gradient_run(const RowsCase& c, bool layer, xray::Operands& operands) {
  RowNormGradientArgs args;
  args.x = operands.random(c.rows * c.columns, c.dtype);
  args.dy = operands.random(c.rows * c.columns, c.dtype);
  args.dx = operands.empty(c.rows * c.columns, c.dtype);
  args.scale = operands.random(c.columns, DType::f32);
  args.mean = layer ? operands.random(c.rows, DType::f32) : nullptr;
  args.inverse = operands.random(c.rows, DType::f32);
  args.dscale = operands.empty(c.columns, DType::f32);
  args.dshift = layer ? operands.empty(c.columns, DType::f32) : nullptr;
  args.rows = c.rows, args.channels = c.columns, args.dtype = c.dtype;
  return [args] { gpu::row_norm_gradient(args); };
}

std::function<void()> softmax_run(const RowsCase& c, xray::Operands& operands) {
  SoftmaxArgs args;
  args.x = operands.random(c.rows * c.columns, c.dtype);
  args.y = operands.empty(c.rows * c.columns, c.dtype);
  args.outer = c.rows, args.size = c.columns, args.dtype = c.dtype;
  return [args] { gpu::softmax(args); };
}

std::function<void()> softmax_gradient_run(const RowsCase& c, xray::Operands& operands) {
  SoftmaxGradientArgs args;
  args.y = operands.random(c.rows * c.columns, c.dtype);
  args.dy = operands.random(c.rows * c.columns, c.dtype);
  args.dx = operands.empty(c.rows * c.columns, c.dtype);
  args.outer = c.rows, args.size = c.columns, args.dtype = c.dtype;
  return [args] { gpu::softmax_gradient(args); };
}

// The gradient takes the logits' place, so from the second run on the logits are gradients; the
// time does not depend on values.
std::function<void()> cross_entropy_run(const RowsCase& c, xray::Operands& operands) {
  CrossEntropyInPlaceArgs args;
  args.logits = operands.random(c.rows * c.columns, c.dtype);
  args.target = static_cast<const int64_t*>(operands.indices(c.rows, c.columns));
  args.loss = operands.empty(c.rows, DType::f32);
  args.gradient = static_cast<const double*>(operands.random(1, DType::f64));
  args.rows = c.rows, args.classes = c.columns, args.dtype = c.dtype;
  return [args] { gpu::cross_entropy_in_place(args); };
}

std::function<void()> run_of(const RowsCase& c, xray::Operands& operands) {
  if (c.kind == "layer norm" || c.kind == "rms norm")
    return norm_run(c, c.kind == "layer norm", operands);
  if (c.kind == "layer norm gradient" || c.kind == "rms norm gradient")
    return norm_gradient_run(c, c.kind == "layer norm gradient", operands);
  if (c.kind == "softmax") return softmax_run(c, operands);
  if (c.kind == "softmax gradient") return softmax_gradient_run(c, operands);
  return cross_entropy_run(c, operands);
}

}  // namespace

Case rows_case(const RowsCase& c) {
  const double bytes = static_cast<double>(arrays_of(c.kind) * c.rows * c.columns) *
                       static_cast<double>(size_of(c.dtype));
  const std::string family = c.kind.find("norm") != c.kind.npos ? "norm"
                             : c.kind.find("softmax") == 0      ? "softmax"
                                                                : "loss";
  return memory_case({family, "rows", c.kind, fmt::format("{}x{}", c.rows, c.columns), c.dtype,
                      bytes, [c](xray::Operands& operands) { return run_of(c, operands); }});
}

Case batch_norm_case(int64_t rows, int64_t channels, DType dtype) {
  // The statistics read x, the normalisation reads it again and writes y.
  const double bytes =
      static_cast<double>(3 * rows * channels) * static_cast<double>(size_of(dtype));
  const auto make = [=](xray::Operands& operands) {
    ChannelMomentsArgs moments;
    moments.x = operands.random(rows * channels, dtype);
    moments.mean = static_cast<double*>(operands.empty(channels, DType::f64));
    moments.m2 = static_cast<double*>(operands.empty(channels, DType::f64));
    moments.rows = rows, moments.channels = channels, moments.dtype = dtype;
    ChannelAffineArgs affine;
    affine.x = moments.x;
    affine.y = operands.empty(rows * channels, dtype);
    affine.mean = moments.mean;
    affine.factor = static_cast<double*>(operands.random(channels, DType::f64));
    affine.offset = static_cast<double*>(operands.random(channels, DType::f64));
    affine.rows = rows, affine.channels = channels, affine.dtype = dtype;
    affine.relu = true;
    return [moments, affine] {
      gpu::channel_moments(moments);
      gpu::channel_affine(affine);
    };
  };
  return memory_case({"norm", "ResNet-50", "batch norm, training",
                      fmt::format("{}x{}", rows, channels), dtype, bytes, make});
}

std::vector<Case> memory_cases() {
  constexpr int64_t elements = int64_t{1} << 27;  // 256 MiB of bf16
  std::vector<Case> cases;
  for (const char* kind : {"layer norm", "rms norm", "layer norm gradient", "rms norm gradient",
                           "softmax", "softmax gradient"})
    for (int64_t columns : {768, 2048, 8192, 32768, 131072})
      cases.push_back(rows_case({kind, elements / columns, columns}));
  for (int64_t columns : {50257, 50304, 128256})
    cases.push_back(rows_case({"cross entropy, loss and gradient in place", 4096, columns}));
  for (int64_t side : {56, 28, 14})
    cases.push_back(batch_norm_case(128 * side * side, 256 * (56 / side)));
  return cases;
}

}  // namespace strata::bench

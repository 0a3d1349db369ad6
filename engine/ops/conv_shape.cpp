#include "engine/ops/conv_shape.h"

#include "engine/ops/detail/check.h"
#include "engine/ops/detail/kernel_inputs.h"

namespace strata::detail {
namespace {

void check_axis(const char* op, const SlidingAxis& axis, Caller at) {
  if (axis.window < 1 || axis.stride < 1 || axis.dilation < 1) {
    fail(op, at, "window {}, stride {} and dilation {} of the {} must be 1 or more", axis.window,
         axis.stride, axis.dilation, axis.name);
  }
  if (axis.before < 0 || axis.after < 0) {
    fail(op, at, "padding {} and {} of the {} must not be negative; slice() x instead", axis.before,
         axis.after, axis.name);
  }
}

}  // namespace

int64_t output_size(const char* op, const Tensor& x, const SlidingAxis& axis, Caller at) {
  check_axis(op, axis, at);
  int64_t room = axis.in + axis.before + axis.after - axis.dilation * (axis.window - 1) - 1;
  if (room < 0) {
    fail(op, at,
         "x {} is too small: its output {} would be floor(({} + {} + {} - {} ({} - 1) - 1) / {}) + "
         "1 "
         "= {} (size + padding - dilation (window - 1) - 1, by stride), which is not positive. Pad "
         "it, or use a smaller window",
         describe(x), axis.name, axis.in, axis.before, axis.after, axis.dilation, axis.window,
         axis.stride, -((-room + axis.stride - 1) / axis.stride) + 1);
  }
  return room / axis.stride + 1;
}

int64_t transposed_output_size(const char* op, const Tensor& x, const SlidingAxis& axis,
                               int64_t output_padding, Caller at) {
  check_axis(op, axis, at);
  if (output_padding < 0 || output_padding >= axis.stride) {
    fail(op, at, "output_padding {} of the {} must be at least 0 and less than the stride {}",
         output_padding, axis.name, axis.stride);
  }
  int64_t out = (axis.in - 1) * axis.stride - axis.before - axis.after +
                axis.dilation * (axis.window - 1) + 1 + output_padding;
  if (out < 1) {
    fail(op, at,
         "x {} is too small: its output {} would be ({} - 1) {} - {} - {} + {} ({} - 1) + 1 + {} = "
         "{} "
         "((size - 1) stride - padding + dilation (window - 1) + 1 + output_padding), which is not "
         "positive. Use less padding",
         describe(x), axis.name, axis.in, axis.stride, axis.before, axis.after, axis.dilation,
         axis.window, output_padding, out);
  }
  return out;
}

void check_convolution(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                       int rank, int64_t groups, bool is_transposed, Caller at) {
  check_floating(op, "x", x, at);
  check_floating(op, "weight", weight, at);
  check_one_device(op, {&x, &weight, &bias}, at);
  if (x.rank() != rank || weight.rank() != rank) {
    fail(op, at, "x {} and weight {}: expected x [{}] and weight [{}]", describe(x),
         describe(weight), rank == 4 ? "N, H, W, C" : "N, T, C",
         is_transposed ? (rank == 4 ? "C, kernel H, kernel W, out channels / groups"
                                    : "C, kernel, out channels / groups")
                       : (rank == 4 ? "out channels, kernel H, kernel W, C / groups"
                                    : "out channels, kernel, C / groups"));
  }
  int64_t first = weight.size(0), last = weight.size(-1), channels = x.size(-1);
  if (groups < 1 || first % groups != 0) {
    fail(op, at, "groups {} must be 1 or more and divide the {} channels that weight {} {}", groups,
         first, describe(weight), is_transposed ? "expects" : "makes");
  }
  int64_t expected = is_transposed ? first : last * groups;
  if (channels != expected) {
    fail(op, at,
         "input {} has {} channels but weight {} expects {}{}: images are [N, H, W, C] with the "
         "channels last, and weights have {}",
         describe(x), channels, describe(weight), expected,
         groups > 1 ? fmt::format(" (in {} groups)", groups) : "",
         is_transposed ? "the input's channels first" : "the input's channels / groups last");
  }
  int64_t outputs = is_transposed ? last * groups : first;
  if (bias.defined() && (!is_float(bias.dtype()) || bias.shape() != Dims{outputs})) {
    fail(op, at, "weight {} makes {} channels and needs a floating bias of shape [{}], not {}",
         describe(weight), outputs, outputs, describe(bias));
  }
}

}  // namespace strata::detail

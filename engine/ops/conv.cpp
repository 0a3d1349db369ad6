// Convolutions: three bilinear ops (forward, gradient for x, gradient for the weight) that are each
// other's gradients, and the public ops made of them.
#include "engine/ops/conv.h"

#include "engine/autograd/autograd.h"
#include "engine/ops/conv_shape.h"
#include "engine/ops/create.h"
#include "engine/ops/detail/kernel_inputs.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/packed_weights.h"
#include "engine/ops/plain.h"
#include "engine/ops/reduce.h"
#include "engine/ops/view.h"
#include "engine/tensor/allocator.h"
#include "kernels/conv/conv.h"

namespace strata {
namespace {

using detail::dense;
using detail::raw_or_null;

// A convolution of given shapes, asked for at `at`.
struct Plan {
  ConvShape shape;
  DType dtype = DType::f32;  // of results
  Caller at;

  Dims x() const { return {shape.N, shape.H, shape.W, shape.C}; }
  Dims weight() const { return {shape.O, shape.R, shape.S, shape.C / shape.groups}; }
  Dims out() const { return {shape.N, shape.P, shape.Q, shape.O}; }
};

Tensor converted(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  NoGrad off;
  return to_dtype(x, dtype);
}

// The three ops; each other's gradients.
struct Epilogue;
Tensor forward(const char* op, const Plan& plan, const Tensor& x, const Tensor& weight,
               const Epilogue& epilogue);
Tensor input_gradient(const char* op, const Plan& plan, const Tensor& gradient,
                      const Tensor& weight);
Tensor weight_gradient(const Plan& plan, const Tensor& x, const Tensor& gradient);

// What the forward pass does besides the convolution.
struct Epilogue {
  Tensor bias, residual;
  bool relu = false;
};

Tensor run_forward(const char* op, const Plan& plan, const Tensor& x, const Tensor& weight,
                   const Epilogue& epilogue) {
  DType type = plan.shape.dtype;
  Tensor image = dense(x, type), kernel = dense(weight, type), bias = dense(epilogue.bias, type),
         residual = dense(epilogue.residual, type);
  memory::Holder holder(op);
  Tensor out = empty(plan.out(), type, x.device());
  auto on_cpu = [&](auto... arguments) {
    cpu::conv2d(arguments..., detail::packed_weight(kernel));
  };
  on(x.device(), op, plan.at, on_cpu, gpu::conv2d, plan.shape, image.raw(), kernel.raw(),
     raw_or_null(bias), raw_or_null(residual), epilogue.relu, out.raw());
  return converted(out, plan.dtype);
}

Tensor run_weight_gradient(const Plan& plan, const Tensor& x, const Tensor& gradient,
                           Tensor* bias_gradient) {
  DType type = plan.shape.dtype;
  Tensor image = dense(x, type), g = dense(gradient, type);
  memory::Holder holder("conv2d_weight_gradient");
  Tensor out = empty(plan.weight(), type, x.device());
  if (bias_gradient) *bias_gradient = empty({plan.shape.O}, type, x.device());
  on(x.device(), "conv2d_weight_gradient", plan.at, cpu::conv2d_weight_gradient,
     gpu::conv2d_weight_gradient, plan.shape, image.raw(), g.raw(), out.raw(),
     bias_gradient ? bias_gradient->raw() : nullptr);
  return converted(out, plan.dtype);
}

// The gradient in front of the ReLU: the fused kernel in an ordinary pass, public ops under
// create_graph.
Tensor relu_masked(const Plan& plan, const Tensor& gradient, const Tensor& out) {
  if (grad_enabled()) {
    Tensor positive = greater(out, full({}, 0.0, out.dtype()), plan.at);
    return mul(gradient, to_dtype(positive, gradient.dtype(), plan.at), plan.at);
  }
  Tensor g = dense(gradient, out.dtype()), masked = empty_like(out);
  on(out.device(), "conv2d", plan.at, cpu::relu_gradient, gpu::relu_gradient, out.dtype(),
     out.numel(), out.raw(), g.raw(), masked.raw());
  return masked;
}

// Gradients for x, weight, bias and residual, given the one in front of the ReLU.
Gradients forward_gradients(const Plan& plan, const Tensor& g, const Saved& saved) {
  Gradients gradients(4);
  if (saved.needs(0)) gradients[0] = input_gradient("conv2d_input_gradient", plan, g, saved[1]);
  if (saved.needs(1) && saved.needs(2) && !grad_enabled()) {
    gradients[1] = run_weight_gradient(plan, saved[0], g, &gradients[2]);
  } else {
    if (saved.needs(1)) gradients[1] = weight_gradient(plan, saved[0], g);
    if (saved.needs(2)) gradients[2] = sum(g, {0, 1, 2}, false, plan.at);
  }
  if (saved.needs(3)) gradients[3] = g;
  return gradients;
}

// relu(conv(x, weight) + bias + residual).
Tensor forward(const char* op, const Plan& plan, const Tensor& x, const Tensor& weight,
               const Epilogue& epilogue) {
  Tensor out = run_forward(op, plan, x, weight, epilogue);
  const Tensor& bias = epilogue.bias;
  const Tensor& residual = epilogue.residual;
  if (!epilogue.relu) {
    return record(
        std::move(out), op, plan.at, {x, weight, bias, residual}, {x, weight},
        [plan](const Tensor& g, const Saved& saved) { return forward_gradients(plan, g, saved); });
  }
  return record(out, op, plan.at, {x, weight, bias, residual}, {x, weight, out},
                [plan](const Tensor& g, const Saved& saved) {
                  return forward_gradients(plan, relu_masked(plan, g, saved[2]), saved);
                });
}

// [N, H, W, C]: sum over r, s, o of gradient[n, p, q, o] weight[o, r, s, c].
Tensor input_gradient(const char* op, const Plan& plan, const Tensor& gradient,
                      const Tensor& weight) {
  DType type = plan.shape.dtype;
  Tensor g = dense(gradient, type), kernel = dense(weight, type), out;
  {
    memory::Holder holder(op);
    out = empty(plan.x(), type, gradient.device());
  }
  auto on_cpu = [&](auto... arguments) {
    cpu::conv2d_input_gradient(arguments..., detail::packed_weight(kernel));
  };
  on(out.device(), op, plan.at, on_cpu, gpu::conv2d_input_gradient, plan.shape, g.raw(),
     kernel.raw(), out.raw());
  return record(converted(out, plan.dtype), op, plan.at, {gradient, weight}, {gradient, weight},
                [plan](const Tensor& u, const Saved& saved) {
                  Gradients gradients(2);
                  if (saved.needs(0)) gradients[0] = forward("conv2d", plan, u, saved[1], {});
                  if (saved.needs(1)) gradients[1] = weight_gradient(plan, u, saved[0]);
                  return gradients;
                });
}

// [O, R, S, C / groups]: sum over n, p, q of gradient[n, p, q, o] x[n, ..., ..., c].
Tensor weight_gradient(const Plan& plan, const Tensor& x, const Tensor& gradient) {
  Tensor out = run_weight_gradient(plan, x, gradient, nullptr);
  return record(std::move(out), "conv2d_weight_gradient", plan.at, {x, gradient}, {x, gradient},
                [plan](const Tensor& u, const Saved& saved) {
                  Gradients gradients(2);
                  if (saved.needs(0)) {
                    gradients[0] = input_gradient("conv2d_input_gradient", plan, saved[1], u);
                  }
                  if (saved.needs(1)) gradients[1] = forward("conv2d", plan, saved[0], u, {});
                  return gradients;
                });
}

void set_window(ConvShape& shape, const Pair& stride, const Padding& padding, const Pair& dilation,
                int64_t groups) {
  shape.stride_h = stride.h;
  shape.stride_w = stride.w;
  shape.dilation_h = dilation.h;
  shape.dilation_w = dilation.w;
  shape.top = padding.top;
  shape.bottom = padding.bottom;
  shape.left = padding.left;
  shape.right = padding.right;
  shape.groups = groups;
}

DType joint_type(std::initializer_list<const Tensor*> tensors) {
  DType dtype = (*tensors.begin())->dtype();
  for (const Tensor* tensor : tensors) {
    if (tensor->defined()) dtype = promote(dtype, tensor->dtype());
  }
  return dtype;
}

// x [N, H, W, C] with checked operands; `shown` is what the caller gave as x.
Tensor convolve(const char* op, const Tensor& x, const Tensor& weight, const Epilogue& epilogue,
                const Conv2dOptions& options, const Tensor& shown, Caller at) {
  Plan plan;
  plan.at = at;
  ConvShape& shape = plan.shape;
  set_window(shape, options.stride, options.padding, options.dilation, options.groups);
  shape.N = x.size(0);
  shape.H = x.size(1);
  shape.W = x.size(2);
  shape.C = x.size(3);
  shape.O = weight.size(0);
  shape.R = weight.size(1);
  shape.S = weight.size(2);
  shape.P = detail::output_size(
      op, shown,
      {"height", shape.H, shape.top, shape.bottom, shape.R, shape.stride_h, shape.dilation_h}, at);
  shape.Q = detail::output_size(op, shown,
                                {shown.rank() == 4 ? "width" : "length", shape.W, shape.left,
                                 shape.right, shape.S, shape.stride_w, shape.dilation_w},
                                at);
  const Tensor& residual = epilogue.residual;
  if (residual.defined() && (!is_float(residual.dtype()) || residual.shape() != plan.out())) {
    fail(op, at, "the residual {} must be floating and have the result's shape {}",
         describe(residual), to_string(plan.out()));
  }
  plan.dtype = joint_type({&x, &weight, &epilogue.bias, &residual});
  shape.dtype = detail::product_type(plan.dtype, x.device());
  return forward(op, plan, x, weight, epilogue);
}

// x [N, H, W, C] with checked operands: the gradient for x of the convolution with this weight.
Tensor convolve_transposed(const char* op, const Tensor& x, const Tensor& weight,
                           const Tensor& bias, const ConvTranspose2dOptions& options,
                           const Tensor& shown, Caller at) {
  Plan plan;
  plan.at = at;
  ConvShape& shape = plan.shape;
  set_window(shape, options.stride, options.padding, options.dilation, options.groups);
  shape.N = x.size(0);
  shape.P = x.size(1);
  shape.Q = x.size(2);
  shape.O = x.size(3);
  shape.C = weight.size(3) * options.groups;
  shape.R = weight.size(1);
  shape.S = weight.size(2);
  shape.H = detail::transposed_output_size(
      op, shown,
      {"height", shape.P, shape.top, shape.bottom, shape.R, shape.stride_h, shape.dilation_h},
      options.output_padding.h, at);
  shape.W =
      detail::transposed_output_size(op, shown,
                                     {shown.rank() == 4 ? "width" : "length", shape.Q, shape.left,
                                      shape.right, shape.S, shape.stride_w, shape.dilation_w},
                                     options.output_padding.w, at);
  plan.dtype = joint_type({&x, &weight, &bias});
  shape.dtype = detail::product_type(plan.dtype, x.device());
  Tensor out = input_gradient(op, plan, x, weight);
  return bias.defined() ? add(out, bias, at) : out;
}

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
              const Conv2dOptions& options, const Tensor& residual, Caller at) {
  detail::check_convolution("conv2d", x, weight, bias, 4, options.groups, false, at);
  if (PlainOps::active() && (options.relu || residual.defined())) {
    Conv2dOptions plain = options;
    plain.relu = false;
    return PlainOps::finish(conv2d(x, weight, bias, plain, {}, at), residual, options.relu, at);
  }
  return convolve("conv2d", x, weight, {bias, residual, options.relu}, options, x, at);
}

Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias,
              const Conv1dOptions& options, Caller at) {
  detail::check_convolution("conv1d", x, weight, bias, 3, options.groups, false, at);
  Conv2dOptions wide;
  wide.stride = {1, options.stride};
  wide.padding = {0, 0, options.padding_left, options.padding_right};
  wide.dilation = {1, options.dilation};
  wide.groups = options.groups;
  Tensor image = unsqueeze(x, 1, at), kernel = unsqueeze(weight, 1, at);
  return squeeze(convolve("conv1d", image, kernel, {bias, {}, false}, wide, x, at), 1, at);
}

Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const ConvTranspose2dOptions& options, Caller at) {
  detail::check_convolution("conv_transpose2d", x, weight, bias, 4, options.groups, true, at);
  return convolve_transposed("conv_transpose2d", x, weight, bias, options, x, at);
}

Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t stride,
                        int64_t padding, int64_t output_padding, Caller at) {
  detail::check_convolution("conv_transpose1d", x, weight, bias, 3, 1, true, at);
  ConvTranspose2dOptions wide;
  wide.stride = {1, stride};
  wide.padding = {0, 0, padding, padding};
  wide.output_padding = {0, output_padding};
  Tensor image = unsqueeze(x, 1, at), kernel = unsqueeze(weight, 1, at);
  return squeeze(convolve_transposed("conv_transpose1d", image, kernel, bias, wide, x, at), 1, at);
}

}  // namespace strata

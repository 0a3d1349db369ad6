// Pooling: an op plans its windows, then applies one of two linear maps, the mean or the picking of
// the switches, or finds the switches first.
#include "engine/ops/pool.h"

#include "engine/autograd/autograd.h"
#include "engine/ops/conv_shape.h"
#include "engine/ops/detail/kernel_inputs.h"
#include "engine/ops/detail/linear_map.h"
#include "engine/ops/view.h"
#include "kernels/index/index.h"
#include "kernels/pool/pool.h"

namespace strata {
namespace {

using cpu::PoolShape;
using detail::LinearMap;

void check_image(const char* op, const Tensor& x, Caller at) {
  detail::check_floating(op, "x", x, at);
  if (x.rank() != 4) fail(op, at, "x {} must be images [N, H, W, C]", describe(x));
  if (x.size(1) == 0 || x.size(2) == 0) {
    fail(op, at, "x {} has no pixels: its height and width must be 1 or more", describe(x));
  }
}

cpu::PoolAxis plan_axis(const char* op, const Tensor& shown, const detail::SlidingAxis& axis,
                        bool count_padding, Caller at) {
  int64_t out = detail::output_size(op, shown, axis, at);
  if (axis.before >= axis.window || axis.after >= axis.window) {
    fail(op, at,
         "padding {} and {} of the {} must be less than the window {}: a window that sees only "
         "padding has no value",
         axis.before, axis.after, axis.name, axis.window);
  }
  return cpu::sliding_axis(axis.in, out, axis.window, axis.stride, axis.before, count_padding);
}

// `shown` is what the caller gave as x.
PoolShape plan_sliding(const char* op, const Tensor& x, const Tensor& shown,
                       const PoolOptions& options, bool count_padding, Caller at) {
  PoolShape shape;
  const Padding& pad = options.padding;
  Pair stride = options.stride;
  if (stride.h == 0) stride.h = options.window.h;
  if (stride.w == 0) stride.w = options.window.w;
  shape.N = x.size(0);
  shape.C = x.size(3);
  shape.rows = plan_axis(op, shown,
                         {"height", x.size(1), pad.top, pad.bottom, options.window.h, stride.h, 1},
                         count_padding, at);
  shape.columns = plan_axis(op, shown,
                            {shown.rank() == 4 ? "width" : "length", x.size(2), pad.left, pad.right,
                             options.window.w, stride.w, 1},
                            count_padding, at);
  return shape;
}

PoolShape plan_adaptive(const char* op, const Tensor& x, int64_t height, int64_t width, Caller at) {
  if (height < 1 || width < 1) {
    fail(op, at, "the output size {} x {} asked of x {} must be 1 or more", height, width,
         describe(x));
  }
  PoolShape shape;
  shape.N = x.size(0);
  shape.C = x.size(3);
  shape.rows = cpu::adaptive_axis(x.size(1), height);
  shape.columns = cpu::adaptive_axis(x.size(2), width);
  return shape;
}

Dims image_dims(const PoolShape& shape) {
  return {shape.N, shape.rows.in, shape.columns.in, shape.C};
}
Dims pooled_dims(const PoolShape& shape) {
  return {shape.N, shape.rows.out(), shape.columns.out(), shape.C};
}

PoolShape typed(PoolShape shape, DType dtype) {
  shape.dtype = dtype;
  return shape;
}

// Values put where the switches say, and the gathering of them.
std::shared_ptr<const LinearMap> switch_map(const char* name, const char* adjoint_name,
                                            const PoolShape& shape, Caller at) {
  return std::make_shared<LinearMap>(
      LinearMap{name, adjoint_name, pooled_dims(shape), image_dims(shape),
                [shape, name, at](Device device, DType dtype, const void* values,
                                  const void* switches, void* image) {
                  on(device, name, at, cpu::pool_scatter, gpu::pool_scatter, typed(shape, dtype),
                     values, switches, image);
                },
                [shape, adjoint_name, at](Device device, DType dtype, const void* image,
                                          const void* switches, void* values) {
                  on(device, adjoint_name, at, cpu::pool_gather, gpu::pool_gather,
                     typed(shape, dtype), image, switches, values);
                },
                at});
}

// The maximum of each window; switches are kept when somebody wants them or the gradient.
PoolWithSwitches pool_max(const char* op, const Tensor& x, PoolShape shape, bool want_switches,
                          Caller at) {
  DType computed = detail::compute_type(x.dtype());
  Tensor image = detail::dense(x, computed), out = empty(pooled_dims(shape), computed, x.device());
  shape.compact = !want_switches && shape.fits_compact();
  shape.dtype = computed;
  bool keep = want_switches || (grad_enabled() && x.requires_grad());
  Tensor switches;
  if (keep) {
    switches = empty(out.shape(), shape.compact ? DType::u8 : DType::i64, x.device());
  }
  on(x.device(), op, at, cpu::max_pool, gpu::max_pool, shape, image.raw(), out.raw(),
     detail::raw_or_null(switches));
  out = detail::dense(out, x.dtype());
  if (!keep) return {record(std::move(out), op, at), switches};
  auto vjp = [shape, at](const Tensor& g, const Saved& saved) {
    auto map = switch_map("max_pool2d_gradient", "max_pool2d_at_switches", shape, at);
    return Gradients{detail::apply(map, false, g, saved[0])};
  };
  return {record(std::move(out), op, at, {x}, {switches}, vjp), switches};
}

Tensor pool_mean(const char* op, const Tensor& x, const PoolShape& shape, Caller at) {
  auto map = std::make_shared<LinearMap>(LinearMap{
      op, "avg_pool2d_gradient", image_dims(shape), pooled_dims(shape),
      [shape, op, at](Device device, DType dtype, const void* image, const void*, void* values) {
        on(device, op, at, cpu::mean_pool, gpu::mean_pool, typed(shape, dtype), image, values);
      },
      [shape, at](Device device, DType dtype, const void* values, const void*, void* image) {
        on(device, "avg_pool2d_gradient", at, cpu::mean_pool_adjoint, gpu::mean_pool_adjoint,
           typed(shape, dtype), values, image);
      },
      at});
  return detail::apply(map, false, x);
}

// x [N, T, C] as an image of one row.
Tensor as_row(const char* op, const Tensor& x, Caller at) {
  detail::check_floating(op, "x", x, at);
  if (x.rank() != 3) fail(op, at, "x {} must be sequences [N, T, C]", describe(x));
  return unsqueeze(x, 1, at);
}
PoolOptions row_options(int64_t window, int64_t stride, int64_t padding) {
  PoolOptions options;
  options.window = {1, window};
  options.stride = {1, stride};
  options.padding = {0, 0, padding, padding};
  return options;
}

}  // namespace

Tensor max_pool2d(const Tensor& x, const PoolOptions& options, Caller at) {
  check_image("max_pool2d", x, at);
  PoolShape shape = plan_sliding("max_pool2d", x, x, options, false, at);
  return pool_max("max_pool2d", x, shape, false, at).values;
}

PoolWithSwitches max_pool2d_with_switches(const Tensor& x, const PoolOptions& options, Caller at) {
  const char* op = "max_pool2d_with_switches";
  check_image(op, x, at);
  return pool_max(op, x, plan_sliding(op, x, x, options, false, at), true, at);
}

Tensor max_unpool2d(const Tensor& x, const Tensor& switches, int64_t height, int64_t width,
                    Caller at) {
  const char* op = "max_unpool2d";
  detail::check_floating(op, "x", x, at);
  if (x.rank() != 4) fail(op, at, "x {} must be images [N, H, W, C]", describe(x));
  if (!switches.defined() || switches.dtype() != DType::i64 || switches.shape() != x.shape()) {
    fail(op, at, "x {} needs i64 switches of its shape, as max_pool2d_with_switches gives, not {}",
         describe(x), switches.defined() ? describe(switches) : "an undefined tensor");
  }
  if (height < 1 || width < 1) {
    fail(op, at, "the image size {} x {} must be 1 or more", height, width);
  }
  Tensor places = detail::dense(switches, DType::i64);
  const int64_t pixels = height * width;
  const int64_t bad =
      on(places.device(), op, at, cpu::find_bad_index, gpu::find_bad_index, places.raw(),
         places.dtype(), places.rank(), places.shape().begin(), places.strides().begin(), pixels);
  if (bad >= 0) {
    fail(op, at, "switch {} is outside the image of {} x {} = {} pixels",
         make_view(places, {}, {}, places.offset() + bad).to_vector<int64_t>()[0], height, width,
         pixels);
  }
  PoolShape shape;
  shape.N = x.size(0);
  shape.C = x.size(3);
  // Plane switches need no windows, only the sizes.
  shape.rows = cpu::sliding_axis(height, x.size(1), 1, 0, 0, false);
  shape.columns = cpu::sliding_axis(width, x.size(2), 1, 0, 0, false);
  return detail::apply(switch_map(op, "max_unpool2d_gradient", shape, at), false, x, places);
}

Tensor avg_pool2d(const Tensor& x, const PoolOptions& options, bool include_padding, Caller at) {
  check_image("avg_pool2d", x, at);
  PoolShape shape = plan_sliding("avg_pool2d", x, x, options, include_padding, at);
  return pool_mean("avg_pool2d", x, shape, at);
}

Tensor adaptive_avg_pool2d(const Tensor& x, int64_t height, int64_t width, Caller at) {
  const char* op = "adaptive_avg_pool2d";
  check_image(op, x, at);
  return pool_mean(op, x, plan_adaptive(op, x, height, width, at), at);
}

Tensor adaptive_max_pool2d(const Tensor& x, int64_t height, int64_t width, Caller at) {
  const char* op = "adaptive_max_pool2d";
  check_image(op, x, at);
  return pool_max(op, x, plan_adaptive(op, x, height, width, at), false, at).values;
}

Tensor global_avg_pool2d(const Tensor& x, Caller at) {
  const char* op = "global_avg_pool2d";
  check_image(op, x, at);
  Tensor mean = pool_mean(op, x, plan_adaptive(op, x, 1, 1, at), at);
  return reshape(mean, {x.size(0), x.size(3)}, at);
}

Tensor max_pool1d(const Tensor& x, int64_t window, int64_t stride, int64_t padding, Caller at) {
  Tensor row = as_row("max_pool1d", x, at);
  PoolShape shape =
      plan_sliding("max_pool1d", row, x, row_options(window, stride, padding), false, at);
  return squeeze(pool_max("max_pool1d", row, shape, false, at).values, 1, at);
}

Tensor avg_pool1d(const Tensor& x, int64_t window, int64_t stride, int64_t padding, Caller at) {
  Tensor row = as_row("avg_pool1d", x, at);
  PoolShape shape =
      plan_sliding("avg_pool1d", row, x, row_options(window, stride, padding), true, at);
  return squeeze(pool_mean("avg_pool1d", row, shape, at), 1, at);
}

}  // namespace strata

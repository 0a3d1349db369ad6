// Convolutions in f32 on oneDNN: primitives cached, weights reordered on the way or kept so, bias,
// residual and ReLU in the same pass. Other types, and shapes that oneDNN has only reference code
// for, go to kernels/conv/loops.h.
#include "kernels/conv/conv.h"

#include <algorithm>

#include "kernels/conv/loops.h"
#include "kernels/dnnl/packed_weight.h"

namespace strata::cpu {
namespace {

using onednn::Layout;
using onednn::Prepared;

enum Family { forward = 1, input_gradient, weight_gradient };

onednn::Key key_of(Family family, const ConvShape& k, int epilogue) {
  onednn::Key key(family);
  key << k.N << k.H << k.W << k.C << k.O << k.R << k.S << k.P << k.Q << k.stride_h << k.stride_w;
  key << k.dilation_h << k.dilation_w << k.top << k.bottom << k.left << k.right << k.groups;
  return key << epilogue;
}

// oneDNN names axes N C H W and (G) O I H W; strides say that memory is NHWC and OHWI.
Layout image(int64_t N, int64_t C, int64_t H, int64_t W) {
  return onednn::layout({N, C, H, W}, {H * W * C, 1, W * C, C});
}
onednn::Sizes weight_sizes(const ConvShape& k) {
  if (k.groups == 1) return {k.O, k.C, k.R, k.S};
  return {k.groups, k.O / k.groups, k.C / k.groups, k.R, k.S};
}
Layout plain_weight(const ConvShape& k) {
  int64_t C = k.C / k.groups, kernel = k.R * k.S * C;
  if (k.groups == 1) return onednn::layout(weight_sizes(k), {kernel, 1, k.S * C, C});
  return onednn::layout(weight_sizes(k), {k.O / k.groups * kernel, kernel, 1, k.S * C, C});
}

// Padding at the end as oneDNN wants it: what the last output position needs, which is less than
// what was asked when the stride leaves a rest.
int64_t padding_end(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t dilation,
                    int64_t begin) {
  return (out - 1) * stride + dilation * (kernel - 1) + 1 - in - begin;
}

onednn::ConvolutionLayouts layouts_of(const ConvShape& k, bool bias) {
  onednn::ConvolutionLayouts layouts;
  layouts.x = image(k.N, k.C, k.H, k.W);
  layouts.weight = onednn::any_layout(weight_sizes(k));
  if (bias) layouts.bias = onednn::row_major({k.O});
  layouts.out = image(k.N, k.O, k.P, k.Q);
  layouts.stride = {k.stride_h, k.stride_w};
  layouts.dilation = {k.dilation_h - 1, k.dilation_w - 1};
  layouts.padding_begin = {k.top, k.left};
  layouts.padding_end = {padding_end(k.H, k.P, k.R, k.stride_h, k.dilation_h, k.top),
                         padding_end(k.W, k.Q, k.S, k.stride_w, k.dilation_w, k.left)};
  return layouts;
}

// A primitive and, when it wants its weight in another layout than ours, the reorder there (or, for
// the weight gradient, back).
struct Convolution {
  Prepared primitive;  // empty: use our own loops
  Prepared reorder;    // empty: none needed
  Layout weight;       // the primitive's
  size_t weight_bytes = 0;

  bool small_weight() const { return static_cast<int64_t>(weight_bytes) < onednn::worth_threads; }
  void set_reorder(const Layout& from, const Layout& to, const Layout& wanted) {
    weight = wanted;
    weight_bytes = wanted.get_size();
    onednn::OneThread alone(small_weight());
    if (from != to) reorder = onednn::prepare_reorder(from, to);
  }
  void run_reorder(const void* from, void* to) {
    onednn::OneThread alone(small_weight());
    reorder.run({from, to});
  }
};

// Where a reordered weight lives during a call: one buffer a thread, for all convolutions.
void* weight_buffer(size_t bytes) {
  static thread_local Scratch scratch;
  return scratch.get<char>(bytes);
}

template <class Make>
Convolution make_convolution(Make&& make) {
  try {
    return make();
  } catch (const dnnl::error&) {
    return {};  // oneDNN refuses this shape: an empty one sends the caller to its own loop
  }
}

Convolution make_forward(const ConvShape& k, bool bias, bool residual, bool relu) {
  auto layouts = layouts_of(k, bias);
  auto description = onednn::describe_convolution(layouts, {.add_to_out = residual, .relu = relu});
  if (onednn::is_reference(description)) return {};
  Layout plain = plain_weight(k), weight = description.weights_desc();
  Convolution convolution;
  std::vector<Prepared::Argument> arguments = {
      {DNNL_ARG_SRC, layouts.x}, {DNNL_ARG_WEIGHTS, weight}, {DNNL_ARG_DST, layouts.out}};
  if (bias) arguments.push_back({DNNL_ARG_BIAS, layouts.bias});
  convolution.primitive = {dnnl::convolution_forward(description), arguments};
  convolution.set_reorder(plain, weight, weight);
  return convolution;
}

Convolution make_input_gradient(const ConvShape& k) {
  auto layouts = layouts_of(k, false);
  auto description = onednn::describe_convolution_input_gradient(layouts);
  if (onednn::is_reference(description)) return {};
  Layout plain = plain_weight(k), weight = description.weights_desc();
  Convolution convolution;
  convolution.primitive = {dnnl::convolution_backward_data(description),
                           {{DNNL_ARG_DIFF_DST, layouts.out},
                            {DNNL_ARG_WEIGHTS, weight},
                            {DNNL_ARG_DIFF_SRC, layouts.x}}};
  convolution.set_reorder(plain, weight, weight);
  return convolution;
}

Convolution make_weight_gradient(const ConvShape& k, bool bias) {
  auto layouts = layouts_of(k, bias);
  auto description = onednn::describe_convolution_weight_gradient(layouts);
  if (onednn::is_reference(description)) return {};
  Layout plain = plain_weight(k), weight = description.diff_weights_desc();
  Convolution convolution;
  std::vector<Prepared::Argument> arguments = {
      {DNNL_ARG_SRC, layouts.x}, {DNNL_ARG_DIFF_DST, layouts.out}, {DNNL_ARG_DIFF_WEIGHTS, weight}};
  if (bias) arguments.push_back({DNNL_ARG_DIFF_BIAS, layouts.bias});
  convolution.primitive = {dnnl::convolution_backward_weights(description), arguments};
  convolution.set_reorder(weight, plain, weight);
  return convolution;
}

template <class Make>
Convolution& cached(const onednn::Key& key, Make&& make) {
  static thread_local onednn::Cache<Convolution> cache;
  return cache.find_or_make(key, [&] { return make_convolution(make); });
}

const void* reordered(Convolution& convolution, const void* weight, PackedWeight* packed) {
  if (!convolution.reorder) return weight;
  if (packed) {
    return packed->in(convolution.weight, [&](void* to) { convolution.run_reorder(weight, to); });
  }
  void* buffer = weight_buffer(convolution.weight_bytes);
  convolution.run_reorder(weight, buffer);
  return buffer;
}

void copy(const void* from, void* to, int64_t count) {
  const float* source = static_cast<const float*>(from);
  float* target = static_cast<float*>(to);
  parallel_for(count, 1 << 15, [&](int64_t begin, int64_t end) {
    std::copy(source + begin, source + end, target + begin);
  });
}

// Whether each output position along an axis meets the image, not only padding.
bool all_meet_image(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t dilation,
                    int64_t begin) {
  for (int64_t p = 0; p < out; ++p) {
    bool meets = false;
    for (int64_t r = 0; r < kernel; ++r) {
      int64_t i = p * stride - begin + r * dilation;
      meets |= i >= 0 && i < in;
    }
    if (!meets) return false;
  }
  return true;
}
bool all_meet_image(const ConvShape& k) {
  return all_meet_image(k.H, k.P, k.R, k.stride_h, k.dilation_h, k.top) &&
         all_meet_image(k.W, k.Q, k.S, k.stride_w, k.dilation_w, k.left);
}

bool forward_f32(const ConvShape& k, const void* x, const void* weight, const void* bias,
                 const void* residual, bool relu, void* out, PackedWeight* packed) {
  // oneDNN 2.6 crashes when it adds to an output position that meets only padding.
  if (residual && !all_meet_image(k)) return false;
  auto key = key_of(forward, k, (bias ? 1 : 0) + (residual ? 2 : 0) + (relu ? 4 : 0));
  Convolution& convolution =
      cached(key, [&] { return make_forward(k, bias != nullptr, residual != nullptr, relu); });
  if (!convolution.primitive) return false;
  const void* ready = reordered(convolution, weight, packed);
  if (residual) copy(residual, out, k.N * k.P * k.Q * k.O);
  if (bias) {
    convolution.primitive.run({x, ready, out, bias});
  } else {
    convolution.primitive.run({x, ready, out});
  }
  return true;
}

bool input_gradient_f32(const ConvShape& k, const void* gradient, const void* weight, void* out,
                        PackedWeight* packed) {
  Convolution& convolution =
      cached(key_of(input_gradient, k, 0), [&] { return make_input_gradient(k); });
  if (!convolution.primitive) return false;
  convolution.primitive.run({gradient, reordered(convolution, weight, packed), out});
  return true;
}

bool weight_gradient_f32(const ConvShape& k, const void* x, const void* gradient, void* out,
                         void* bias_out) {
  Convolution& convolution = cached(key_of(weight_gradient, k, bias_out ? 1 : 0),
                                    [&] { return make_weight_gradient(k, bias_out != nullptr); });
  if (!convolution.primitive) return false;
  void* raw = convolution.reorder ? weight_buffer(convolution.weight_bytes) : out;
  if (bias_out) {
    convolution.primitive.run({x, gradient, raw, bias_out});
  } else {
    convolution.primitive.run({x, gradient, raw});
  }
  if (convolution.reorder) convolution.run_reorder(raw, out);
  return true;
}

int64_t multiply_adds(const ConvShape& k) {
  return k.N * k.P * k.Q * k.O * k.R * k.S * (k.C / std::max<int64_t>(k.groups, 1));
}

// Sizes of 0, which oneDNN refuses, go through our loops as well.
bool for_onednn(const ConvShape& k) { return k.dtype == DType::f32 && multiply_adds(k) > 0; }

bool on_one_thread(const ConvShape& k) { return multiply_adds(k) < onednn::worth_threads; }

template <class F>
void visit_type(const ConvShape& k, F&& f) {
  if (k.dtype == DType::f64) {
    f(Type<double>{});
  } else {
    f(Type<float>{});
  }
}

}  // namespace

void conv2d(const ConvShape& shape, const void* x, const void* weight, const void* bias,
            const void* residual, bool relu, void* out, PackedWeight* packed) {
  onednn::OneThread alone(on_one_thread(shape));
  if (for_onednn(shape) && forward_f32(shape, x, weight, bias, residual, relu, out, packed)) return;
  visit_type(shape, [&]<class T>(Type<T>) {
    loops::conv2d<T>(shape, static_cast<const T*>(x), static_cast<const T*>(weight),
                     static_cast<const T*>(bias), static_cast<const T*>(residual), relu,
                     static_cast<T*>(out));
  });
}

void conv2d_input_gradient(const ConvShape& shape, const void* gradient, const void* weight,
                           void* out, PackedWeight* packed) {
  onednn::OneThread alone(on_one_thread(shape));
  if (for_onednn(shape) && input_gradient_f32(shape, gradient, weight, out, packed)) return;
  visit_type(shape, [&]<class T>(Type<T>) {
    loops::conv2d_input_gradient<T>(shape, static_cast<const T*>(gradient),
                                    static_cast<const T*>(weight), static_cast<T*>(out));
  });
}

void conv2d_weight_gradient(const ConvShape& shape, const void* x, const void* gradient, void* out,
                            void* bias_out) {
  onednn::OneThread alone(on_one_thread(shape));
  if (for_onednn(shape) && weight_gradient_f32(shape, x, gradient, out, bias_out)) return;
  visit_type(shape, [&]<class T>(Type<T>) {
    loops::conv2d_weight_gradient<T>(shape, static_cast<const T*>(x),
                                     static_cast<const T*>(gradient), static_cast<T*>(out),
                                     static_cast<T*>(bias_out));
  });
}

void relu_gradient(DType dtype, int64_t count, const void* out, const void* gradient,
                   void* masked) {
  visit_float(dtype, [&]<class T>(Type<T>) {
    const T* o = static_cast<const T*>(out);
    const T* g = static_cast<const T*>(gradient);
    T* m = static_cast<T*>(masked);
    parallel_for(count, 1 << 15, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        m[i] = static_cast<float>(o[i]) > 0 ? g[i] : T(0);
      }
    });
  });
}

}  // namespace strata::cpu

// Rows of engine/ops/conv.h. One oracle: the sum as conv.h writes it; sequences are images of one
// row, and a transposed convolution is the same loop with x and the result changing places.
#include "tests/support/op_table.h"

namespace strata::test {
namespace {

// visit(n, p, q, o, h, w, c, r, s, kernel channel) for every product of a convolution from an image
// [N, H, W, C] to [N, P, Q, O].
template <class Visit>
void for_each_product(const Dims& image, const Dims& weight, const Dims& out,
                      const Conv2dOptions& k, Visit&& visit) {
  int64_t out_group = weight[0] / k.groups, group_channels = weight[3];
  Dims all = {out[0], out[1], out[2], weight[0], weight[1], weight[2], group_channels};
  for_each_index(all, [&](const Dims& i) {
    int64_t h = i[1] * k.stride.h - k.padding.top + i[4] * k.dilation.h;
    int64_t w = i[2] * k.stride.w - k.padding.left + i[5] * k.dilation.w;
    if (h < 0 || h >= image[1] || w < 0 || w >= image[2]) return;
    int64_t c = i[3] / out_group * group_channels + i[6];
    visit(Dims{i[0], h, w, c}, Dims{i[3], i[4], i[5], i[6]}, Dims{i[0], i[1], i[2], i[3]});
  });
}

Array with_bias(Array out, const Array& bias) {
  if (bias.undefined) return out;
  return zip(out, bias, [](double a, double b) { return a + b; });
}

Array conv_oracle(const Array& x, const Array& weight, const Array& bias, const Conv2dOptions& k) {
  auto size = [](int64_t in, int64_t pad, int64_t window, int64_t stride, int64_t dilation) {
    return (in + pad - dilation * (window - 1) - 1) / stride + 1;
  };
  Array out = array({x.shape[0],
                     size(x.shape[1], k.padding.top + k.padding.bottom, weight.shape[1], k.stride.h,
                          k.dilation.h),
                     size(x.shape[2], k.padding.left + k.padding.right, weight.shape[2], k.stride.w,
                          k.dilation.w),
                     weight.shape[0]});
  for_each_product(x.shape, weight.shape, out.shape, k,
                   [&](const Dims& image, const Dims& kernel, const Dims& place) {
                     out[place] += x[image] * weight[kernel];
                   });
  return with_bias(out, bias);
}

Array conv_transpose_oracle(const Array& x, const Array& weight, const Array& bias,
                            const ConvTranspose2dOptions& k) {
  Conv2dOptions forward{k.stride, k.padding, k.dilation, k.groups, false};
  int64_t height = (x.shape[1] - 1) * k.stride.h - k.padding.top - k.padding.bottom +
                   k.dilation.h * (weight.shape[1] - 1) + 1 + k.output_padding.h;
  int64_t width = (x.shape[2] - 1) * k.stride.w - k.padding.left - k.padding.right +
                  k.dilation.w * (weight.shape[2] - 1) + 1 + k.output_padding.w;
  Array out = array({x.shape[0], height, width, weight.shape[3] * k.groups});
  for_each_product(out.shape, weight.shape, x.shape, forward,
                   [&](const Dims& image, const Dims& kernel, const Dims& place) {
                     out[image] += x[place] * weight[kernel];
                   });
  return with_bias(out, bias);
}

Array as_image(Array a) {
  a.shape.insert(1, 1);
  return a;
}
Array as_sequence(Array a) {
  a.shape.erase(1);
  return a;
}

void relax(Row& row) {
  row.tolerance = 20;
  row.gradient_tolerance = 20;
}

}  // namespace

OP_ROW(conv2d) {
  Random random(61);
  auto add = [&](const char* label, Array x, Array weight, Array bias, Conv2dOptions options = {},
                 Array residual = none()) {
    row.add(
        label, {std::move(x), std::move(weight), std::move(bias), std::move(residual)},
        [=](const Tensors& in) { return conv2d(in[0], in[1], in[2], options, in[3]); },
        [=](const Arrays& in) {
          Array out = conv_oracle(in[0], in[1], in[2], options);
          if (!in[3].undefined) {
            out = zip(out, in[3], [](double a, double b) { return a + b; });
          }
          return options.relu ? map(out, [](double v) { return std::max(v, 0.0); }) : out;
        });
  };
  add("3x3", random.uniform({2, 4, 5, 2}), random.uniform({3, 3, 3, 2}), random.uniform({3}));
  add("no bias", random.uniform({1, 3, 3, 2}), random.uniform({2, 2, 2, 2}), none());
  add("1x1", random.uniform({2, 2, 3, 3}), random.uniform({4, 1, 1, 3}), random.uniform({4}));
  add("padded", random.uniform({1, 3, 4, 2}), random.uniform({2, 3, 3, 2}), none(), {.padding = 1});
  add("padded unevenly", random.uniform({1, 3, 4, 2}), random.uniform({2, 2, 3, 2}),
      random.uniform({2}), {.padding = {0, 2, 1, 0}});
  add("stride", random.uniform({1, 6, 7, 2}), random.uniform({2, 3, 2, 2}), none(),
      {.stride = {2, 3}, .padding = 1});
  add("dilation", random.uniform({1, 6, 6, 1}), random.uniform({2, 2, 3, 1}), none(),
      {.dilation = {3, 2}});
  add("groups", random.uniform({1, 3, 3, 4}), random.uniform({6, 2, 2, 2}), random.uniform({6}),
      {.groups = 2});
  add("depthwise", random.uniform({1, 4, 4, 3}), random.uniform({3, 3, 3, 1}), none(),
      {.padding = 1, .groups = 3});
  add("depthwise, twice the channels", random.uniform({1, 3, 3, 2}), random.uniform({4, 2, 2, 1}),
      none(), {.groups = 2});
  // The bias keeps each result away from the kink of the ReLU.
  add("relu, all on", random.uniform({1, 3, 3, 2}, 0.1, 1), random.uniform({2, 2, 2, 2}, 0.1, 1),
      array({2}, {1.0, -40.0}), {.relu = true});
  add("residual", random.uniform({1, 3, 3, 2}), random.uniform({2, 3, 3, 2}), none(),
      {.padding = 1}, random.uniform({1, 3, 3, 2}));
  add("bias, residual, relu", random.uniform({1, 3, 3, 2}, -0.3, 0.3),
      random.uniform({2, 3, 3, 2}, -0.3, 0.3), random.uniform({2}, -0.1, 0.1),
      {.padding = 1, .relu = true}, random.uniform_away({1, 3, 3, 2}, -6, 6, {0}, 3.5));
  add("no images", array({0, 4, 4, 2}), random.uniform({3, 3, 3, 2}), random.uniform({3}));
  add("no channels", array({1, 3, 3, 0}), array({2, 2, 2, 0}), random.uniform({2}));
  add("large", random.uniform({2, 9, 9, 16}), random.uniform({16, 3, 3, 16}), random.uniform({16}),
      {.padding = 1});
  row.no_scalar = "an image has four axes";
  relax(row);
  Tensor x = empty({8, 32, 32, 3}), w = empty({16, 3, 3, 4}), good = empty({16, 3, 3, 3});
  row.errors = {
      {"channels", [=] { conv2d(x, w); }, R"(3 channels but weight f32\[16,3,3,4\] expects 4)", ""},
      {"rank",
       [=] {
         conv2d(empty({32, 32, 3}), good);
       },
       R"(\[N, H, W, C\])", ""},
      {"bias", [=] { conv2d(x, good, empty({3})); }, R"(16 channels.*\[16\].*\[3\])", ""},
      {"groups", [=] { conv2d(x, good, {}, {.groups = 5}); }, "groups 5.*divide", ""},
      {"stride", [=] { conv2d(x, good, {}, {.stride = 0}); }, "stride 0.*1 or more", ""},
      {"padding", [=] { conv2d(x, good, {}, {.padding = -1}); }, "negative", ""},
      {"too small",
       [=] {
         conv2d(empty({1, 2, 9, 3}), good);
       },
       R"(height would be floor\(\(2 \+ 0 \+ 0 - 1 \(3 - 1\) - 1\) / 1\) \+ 1 = 0)", ""},
      {"residual",
       [=] {
         conv2d(x, good, {}, {}, empty({8, 32, 32, 16}));
       },
       R"(residual.*\[8,30,30,16\])", ""},
      {"integers", [=] { conv2d(x.to(DType::i32), good); }, "x i32.*floating", ""},
      {"undefined", [=] { conv2d(x, Tensor()); }, "weight is undefined", ""}};
}

OP_ROW(conv1d) {
  Random random(62);
  auto add = [&](const char* label, Array x, Array weight, Array bias, Conv1dOptions options = {}) {
    row.add(
        label, {std::move(x), std::move(weight), std::move(bias)},
        [=](const Tensors& in) { return conv1d(in[0], in[1], in[2], options); },
        [=](const Arrays& in) {
          Conv2dOptions wide{{1, options.stride},
                             {0, 0, options.padding_left, options.padding_right},
                             {1, options.dilation},
                             options.groups,
                             false};
          return as_sequence(conv_oracle(as_image(in[0]), as_image(in[1]), in[2], wide));
        });
  };
  add("plain", random.uniform({2, 6, 2}), random.uniform({3, 3, 2}), random.uniform({3}));
  add("causal, dilated", random.uniform({1, 7, 2}), random.uniform({2, 3, 2}), none(),
      {.padding_left = 4, .dilation = 2});
  add("stride, groups", random.uniform({1, 8, 4}), random.uniform({4, 2, 2}), random.uniform({4}),
      {.stride = 3, .padding_right = 1, .groups = 2});
  add("empty", array({0, 6, 2}), random.uniform({3, 3, 2}), none());
  add("large", random.uniform({2, 40, 12}), random.uniform({16, 5, 12}), random.uniform({16}),
      {.padding_left = 2, .padding_right = 2});
  row.no_scalar = "a sequence has three axes";
  relax(row);
  Tensor x = empty({2, 6, 2}), w = empty({3, 3, 2});
  row.errors = {{"rank",
                 [=] {
                   conv1d(empty({2, 6, 2, 1}), w);
                 },
                 R"(\[N, T, C\])", ""},
                {"too small",
                 [=] {
                   conv1d(empty({2, 2, 2}), w);
                 },
                 "f32.2,2,2.*length would be.*= 0", ""}};
}

OP_ROW(conv_transpose2d) {
  Random random(63);
  auto add = [&](const char* label, Array x, Array weight, Array bias,
                 ConvTranspose2dOptions options = {}) {
    row.add(
        label, {std::move(x), std::move(weight), std::move(bias)},
        [=](const Tensors& in) { return conv_transpose2d(in[0], in[1], in[2], options); },
        [=](const Arrays& in) { return conv_transpose_oracle(in[0], in[1], in[2], options); });
  };
  add("plain", random.uniform({2, 3, 2, 2}), random.uniform({2, 2, 3, 3}), random.uniform({3}));
  add("stride", random.uniform({1, 2, 3, 2}), random.uniform({2, 3, 2, 2}), none(),
      {.stride = {2, 3}, .padding = {1, 0, 0, 1}, .output_padding = {1, 2}});
  add("dilation", random.uniform({1, 2, 2, 1}), random.uniform({1, 2, 3, 2}), none(),
      {.dilation = {3, 2}});
  add("groups", random.uniform({1, 2, 2, 4}), random.uniform({4, 2, 2, 1}), random.uniform({2}),
      {.stride = 2, .groups = 2});
  add("empty", array({0, 2, 2, 2}), random.uniform({2, 2, 2, 3}), random.uniform({3}));
  add("large", random.uniform({2, 5, 5, 12}), random.uniform({12, 4, 4, 8}), random.uniform({8}),
      {.stride = 2, .padding = 1});
  row.no_scalar = "an image has four axes";
  relax(row);
  Tensor x = empty({1, 4, 4, 2}), w = empty({2, 2, 2, 3});
  row.errors = {{"channels",
                 [=] {
                   conv_transpose2d(empty({1, 4, 4, 3}), w);
                 },
                 "3 channels.*expects 2", ""},
                {"output padding", [=] { conv_transpose2d(x, w, {}, {.output_padding = 1}); },
                 "output_padding 1 .*less than the stride 1", ""},
                {"too small",
                 [=] {
                   conv_transpose2d(empty({1, 1, 1, 2}), w, {}, {.padding = 1});
                 },
                 "height would be .*= 0.*Use less padding", ""},
                {"undefined", [=] { conv_transpose2d(Tensor(), w); }, "x is undefined", ""}};
}

OP_ROW(conv_transpose1d) {
  Random random(64);
  auto add = [&](const char* label, Array x, Array weight, Array bias, int64_t stride,
                 int64_t padding, int64_t output_padding) {
    row.add(
        label, {std::move(x), std::move(weight), std::move(bias)},
        [=](const Tensors& in) {
          return conv_transpose1d(in[0], in[1], in[2], stride, padding, output_padding);
        },
        [=](const Arrays& in) {
          ConvTranspose2dOptions wide;
          wide.stride = {1, stride};
          wide.padding = {0, 0, padding, padding};
          wide.output_padding = {0, output_padding};
          return as_sequence(conv_transpose_oracle(as_image(in[0]), as_image(in[1]), in[2], wide));
        });
  };
  add("plain", random.uniform({2, 4, 2}), random.uniform({2, 3, 3}), random.uniform({3}), 1, 0, 0);
  add("stride", random.uniform({1, 4, 2}), random.uniform({2, 3, 2}), none(), 3, 1, 2);
  add("empty", array({0, 4, 2}), random.uniform({2, 3, 3}), none(), 1, 0, 0);
  add("large", random.uniform({2, 30, 8}), random.uniform({8, 4, 12}), random.uniform({12}), 2, 1,
      0);
  row.no_scalar = "a sequence has three axes";
  relax(row);
  Tensor x = empty({2, 4, 2}), w = empty({2, 3, 3});
  row.errors = {{"rank", [=] { conv_transpose1d(empty({2, 4, 2, 1}), w); }, R"(\[N, T, C\])", ""}};
}

}  // namespace strata::test

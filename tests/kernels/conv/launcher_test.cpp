// The entry points of conv.h: which kernel runs where, and that they take what the CPU's take.
#include "kernels/gpu/tf32.h"
#include "tests/kernels/conv/conv_support.h"

namespace strata::test {
namespace {

std::string chosen(const ConvShape& k, Pass pass = Pass::forward, bool odd_address = false) {
  const void* there = reinterpret_cast<const void*>(uintptr_t{odd_address ? 4096u + 2u : 4096u});
  Problem problem{.pass = pass, .shape = k, .x = there, .weight = there, .gradient = there};
  problem.out = const_cast<void*>(there);
  return gpu::conv::choose(problem).name;
}
constexpr Window same{.top = 1, .bottom = 1, .left = 1, .right = 1};

TEST(ConvLauncher, ChoosesByShapeTypeAndDevice) {
  SKIP_ON_A_GPU();
  const ConvShape half = shape_of(DType::bf16, {8, 14, 14, 256}, {256, 3, 3}, same);
  const ConvShape strided = shape_of(DType::bf16, {8, 14, 14, 256}, {256, 3, 3},
                                     {.stride_h = 2, .stride_w = 2, .top = 1, .left = 1});
  const ConvShape single = shape_of(DType::f32, {8, 14, 14, 256}, {256, 3, 3}, same);
  const ConvShape pointwise = shape_of(DType::f32, {8, 14, 14, 256}, {256, 1, 1});
  {
    Pretend pretend(gpu::h100());
    EXPECT_EQ(chosen(half), "05_persistent");
    EXPECT_EQ(chosen(half, Pass::input_gradient), "05_persistent");
    EXPECT_EQ(chosen(half, Pass::weight_gradient), "04_tma_im2col");
    const auto one = [](int64_t C, int64_t O) {
      return shape_of(DType::bf16, {8, 14, 14, C}, {O, 1, 1});
    };
    EXPECT_EQ(chosen(one(256, 64)), "05_persistent");  // narrow
    EXPECT_EQ(chosen(one(256, 64), Pass::input_gradient), "pointwise");
    EXPECT_EQ(chosen(one(256, 64), Pass::weight_gradient), "04_tma_im2col");  // thin
    EXPECT_EQ(chosen(one(1024, 512), Pass::weight_gradient), "pointwise");
    EXPECT_EQ(chosen(strided), "05_persistent");
    EXPECT_EQ(chosen(strided, Pass::input_gradient), "05_persistent");
    Window far = same;
    far.dilation_h = far.dilation_w = 130;  // the copy engine's offsets end at 255
    EXPECT_EQ(chosen(shape_of(DType::bf16, {8, 300, 300, 64}, {64, 3, 3}, far)), "03_tensor_core");
  }
  Pretend pretend(gpu::a100());
  EXPECT_EQ(chosen(half), "03_tensor_core");
  EXPECT_EQ(chosen(half, Pass::weight_gradient), "03_tensor_core");
  EXPECT_EQ(chosen(half, Pass::forward, true), "02_implicit_gemm");  // not aligned to 16 bytes
  EXPECT_EQ(chosen(single), "winograd");
  EXPECT_EQ(chosen(single, Pass::input_gradient), "winograd");
  EXPECT_EQ(chosen(single, Pass::weight_gradient), "02_implicit_gemm");
  EXPECT_EQ(chosen(pointwise), "pointwise");
  EXPECT_EQ(chosen(pointwise, Pass::weight_gradient), "pointwise");
  gpu::allow_tf32(true);
  EXPECT_EQ(chosen(single), "03_tensor_core");
  EXPECT_EQ(chosen(pointwise), "pointwise");
  gpu::allow_tf32(false);
  EXPECT_EQ(chosen(shape_of(DType::f64, {8, 14, 14, 256}, {256, 3, 3}, same)), "02_implicit_gemm");
  EXPECT_EQ(chosen(shape_of(DType::bf16, {8, 14, 14, 36}, {36, 3, 3}, same)), "02_implicit_gemm");
  EXPECT_EQ(chosen(shape_of(DType::bf16, {8, 64, 64, 3}, {64, 7, 7}, same)), "stem");
  EXPECT_EQ(chosen(shape_of(DType::bf16, {8, 64, 64, 3}, {64, 7, 7}, same), Pass::weight_gradient),
            "stem");
  EXPECT_EQ(chosen(shape_of(DType::f32, {8, 64, 64, 3}, {64, 7, 7}, same)), "02_implicit_gemm");
  Window each = same, few = same;
  each.groups = 32, few.groups = 8;
  EXPECT_EQ(chosen(shape_of(DType::f32, {8, 14, 14, 32}, {32, 3, 3}, each)), "depthwise_strip");
  EXPECT_EQ(chosen(shape_of(DType::f64, {8, 14, 14, 32}, {32, 3, 3}, each)), "depthwise");
  EXPECT_EQ(chosen(shape_of(DType::f32, {8, 14, 14, 32}, {32, 3, 5}, each)), "depthwise");
  EXPECT_EQ(chosen(shape_of(DType::f32, {8, 14, 14, 32}, {32, 3, 3}, few)), "01_direct");
  EXPECT_EQ(chosen(shape_of(DType::f32, {8, 14, 14, 32}, {32, 3, 3}, few), Pass::weight_gradient),
            "02_implicit_gemm");
  EXPECT_EQ(chosen(shape_of(DType::f32, {0, 14, 14, 32}, {32, 3, 3}, same)), "01_direct");
}

// The entry points on `device`, with everything that the CPU's twin takes.
template <class T>
void expect_entry_points(const ConvShape& k) {
  SCOPED_TRACE(text(k));
  const ConvData<T> data(k, ConvData<T>::Kind::integers);
  DeviceBuffer<T> x(data.x), weight(data.weight), gradient(data.gradient), bias(data.bias),
      residual(data.residual);
  auto blank = [](size_t n) { return std::vector<T>(n, T(NAN)); };
  DeviceBuffer<T> out(blank(size_of_out(k))), gx(blank(size_of_x(k))), gw(blank(size_of_weight(k))),
      gb(blank(static_cast<size_t>(k.O)));
  gpu::conv2d(k, x.data(), weight.data(), bias.data(), residual.data(), true, out.data());
  gpu::conv2d_input_gradient(k, gradient.data(), weight.data(), gx.data());
  gpu::conv2d_weight_gradient(k, x.data(), gradient.data(), gw.data(), gb.data());
  auto zero = [](size_t) { return 0.0; };
  expect_within(out.host(), oracle(Pass::forward, k, data, true).value, zero, "out");
  expect_within(gx.host(), oracle(Pass::input_gradient, k, data, false).value, zero, "gx");
  expect_within(gw.host(), oracle(Pass::weight_gradient, k, data, false).value, zero, "gw");
  Doubles sums(static_cast<size_t>(k.O), 0);
  for (size_t i = 0; i < data.gradient.size(); ++i)
    sums[i % sums.size()] += static_cast<double>(data.gradient[i]);
  expect_within(gb.host(), sums, zero, "bias gradient");
}

TEST(ConvLauncher, EntryPointsOnEachDevice) {
  for (const gpu::DeviceInfo& device : {gpu::a100(), gpu::rtx4090(), gpu::h100()}) {
    SCOPED_TRACE(device.name);
    Pretend pretend(device);
    expect_entry_points<f16>(shape_of(DType::f16, {1, 6, 7, 16}, {24, 3, 3}, same));
    expect_entry_points<float>(shape_of(DType::f32, {1, 6, 7, 16}, {24, 3, 3}, same));
  }
  expect_entry_points<double>(shape_of(DType::f64, {1, 6, 7, 5}, {7, 3, 3}, same));
}

TEST(ConvLauncher, EmptySizes) {
  for (DType dtype : {DType::f32}) {
    expect_entry_points<float>(shape_of(dtype, {0, 6, 7, 4}, {8, 3, 3}, same));
    expect_entry_points<float>(shape_of(dtype, {2, 6, 7, 0}, {8, 3, 3}, same));
    expect_entry_points<float>(shape_of(dtype, {2, 6, 7, 4}, {0, 3, 3}, same));
    expect_entry_points<float>(shape_of(dtype, {2, 2, 2, 4}, {8, 3, 3}));  // no output
  }
}

TEST(ConvLauncher, OddAddressesTakeAnotherKernel) {
  const ConvShape k = shape_of(DType::f16, {1, 6, 7, 16}, {24, 3, 3}, same);
  const ConvData<f16> data(k, ConvData<f16>::Kind::integers);
  for (Pass pass : {Pass::forward, Pass::input_gradient, Pass::weight_gradient})
    expect_within(run_conv<f16>(nullptr, pass, k, data, true, 1), oracle(pass, k, data, true).value,
                  [](size_t) { return 0.0; });
}

TEST(ConvLauncher, RefusesWhatItCannotDo) {
  ConvShape k = shape_of(DType::i32, {1, 6, 7, 16}, {24, 3, 3}, same);
  auto message = [&] {
    try {
      gpu::conv2d(k, nullptr, nullptr, nullptr, nullptr, false, nullptr);
    } catch (const gpu::Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(message().find("i32"), std::string::npos) << message();
  k.dtype = DType::f32, k.groups = 5;
  EXPECT_NE(message().find("5 groups"), std::string::npos) << message();
  EXPECT_THROW(gpu::conv_rung("05_none"), gpu::Error);
}

TEST(ConvLauncher, GradientOfTheRelu) {
  const std::vector<float> out = {1, 0, -1, 2, NAN, 0.5f}, gradient = {1, 2, 3, NAN, 5, 6};
  DeviceBuffer<float> o(out), g(gradient), masked(out.size());
  gpu::relu_gradient(DType::f32, static_cast<int64_t>(out.size()), o.data(), g.data(),
                     masked.data());
  expect_within(masked.host(), {1, 0, 0, NAN, 0, 6}, [](size_t) { return 0.0; });
}

// What a batch norm asks for: against the formula, on the kernels that take each part.
template <class T>
void expect_norm(const ConvShape& k, bool input, bool sums) {
  SCOPED_TRACE(text(k) + (input ? " input" : "") + (sums ? " sums" : ""));
  ConvData<T> data(k, ConvData<T>::Kind::integers);
  const std::vector<float> input_scale = small_integers<float>(static_cast<size_t>(k.C), 6, 2),
                           input_shift = small_integers<float>(static_cast<size_t>(k.C), 7, 2),
                           scale = small_integers<float>(static_cast<size_t>(k.O), 8, 2);
  DeviceBuffer<float> d_scale(scale), d_input_scale(input_scale), d_input_shift(input_shift),
      d_sums(static_cast<size_t>(2 * k.O));
  DeviceBuffer<T> x(data.x), weight(data.weight), bias(data.bias), residual(data.residual),
      out(size_of_out(k));
  gpu::ConvNorm norm;
  norm.scale = d_scale.data();
  if (sums) norm.sums = d_sums.data();
  if (input) {
    norm.input_scale = d_input_scale.data(), norm.input_shift = d_input_shift.data();
    norm.input_relu = true;
    for (size_t i = 0; i < data.x.size(); ++i) {
      const size_t c = i % static_cast<size_t>(k.C);
      data.x[i] = std::max(0.0f, static_cast<float>(data.x[i]) * input_scale[c] + input_shift[c]);
    }
  }
  gpu::conv2d_norm(k, norm, x.data(), weight.data(), bias.data(), residual.data(), true,
                   out.data());
  Doubles want = oracle(Pass::forward, k, data, false).value;
  Doubles want_sums(static_cast<size_t>(2 * k.O), 0);
  for (size_t i = 0; i < want.size(); ++i) {
    const size_t o = i % static_cast<size_t>(k.O);
    want_sums[o] += want[i];
    want_sums[o + static_cast<size_t>(k.O)] += want[i] * want[i];
    want[i] = std::max(0.0, want[i] * scale[o] + static_cast<double>(data.bias[o]) +
                                static_cast<double>(data.residual[i]));
  }
  expect_within(
      out.host(), want, [&](size_t i) { return 1.01 * unit_roundoff<T>() * want[i]; }, "out");
  if (sums)
    expect_within(
        d_sums.host(), want_sums, [](size_t) { return 0.0; }, "sums");
}

TEST(ConvLauncher, BatchNormAroundTheConvolution) {
  for (const gpu::DeviceInfo& device : {gpu::a100(), gpu::h100()}) {
    SCOPED_TRACE(device.name);
    Pretend pretend(device);
    for (bool input : {false, true})
      for (bool sums : {false, true}) {
        expect_norm<f16>(shape_of(DType::f16, {3, 9, 7, 16}, {24, 3, 3}, same), input, sums);
        expect_norm<bf16>(shape_of(DType::bf16, {1, 9, 7, 3}, {9, 3, 3}, same), input, sums);
        expect_norm<float>(shape_of(DType::f32, {3, 9, 7, 16}, {24, 3, 3}, same), input, sums);
        Window two = same;
        two.groups = 2;
        expect_norm<float>(shape_of(DType::f32, {1, 9, 7, 16}, {24, 3, 3}, two), input, sums);
      }
    Window each = same;
    each.groups = 8;
    expect_norm<float>(shape_of(DType::f32, {1, 9, 7, 8}, {8, 3, 3}, each), true, false);
  }
}

}  // namespace
}  // namespace strata::test

// Pooling and resampling against their CPU twins: sums come in the same order, so the bits agree;
// and against float64 on the CPU.
#include "kernels/pool/pool.h"

#include "kernels/pool/resample.h"
#include "tests/kernels/support/gpu_test.h"

namespace strata {
namespace {

using cpu::PoolShape;
using test::DeviceBuffer;

struct Named {
  const char* name;
  PoolShape shape;
};

std::vector<Named> shapes() {
  using cpu::adaptive_axis;
  using cpu::sliding_axis;
  std::vector<Named> all;
  auto add = [&](const char* name, int64_t N, int64_t C, cpu::PoolAxis rows,
                 cpu::PoolAxis columns) {
    PoolShape shape;
    shape.N = N;
    shape.C = C;
    shape.rows = std::move(rows);
    shape.columns = std::move(columns);
    all.push_back({name, shape});
  };
  add("2x2, stride 2", 2, 8, sliding_axis(6, 3, 2, 2, 0, false),
      sliding_axis(8, 4, 2, 2, 0, false));
  add("3x3, stride 2, padding 1", 2, 5, sliding_axis(7, 4, 3, 2, 1, false),
      sliding_axis(9, 5, 3, 2, 1, false));
  add("3x2, stride 1, padding counted", 1, 4, sliding_axis(5, 5, 3, 1, 1, true),
      sliding_axis(4, 3, 2, 1, 0, true));
  add("2x2, stride 3 (gaps)", 1, 3, sliding_axis(8, 3, 2, 3, 0, false),
      sliding_axis(5, 2, 2, 3, 0, false));
  // What decides how many outputs, and how many pixels of a window, a thread asks for at once.
  add("2x2, stride 2, odd sides", 1, 4, sliding_axis(9, 4, 2, 2, 0, false),
      sliding_axis(7, 3, 2, 2, 0, false));
  add("2x2, stride 2, padding 1", 2, 4, sliding_axis(8, 5, 2, 2, 1, false),
      sliding_axis(7, 4, 2, 2, 1, true));
  add("3x3, stride 2, padding 1, whole vectors", 2, 8, sliding_axis(16, 8, 3, 2, 1, false),
      sliding_axis(11, 6, 3, 2, 1, false));
  add("3x3, stride 1, padding 1", 1, 4, sliding_axis(8, 8, 3, 1, 1, false),
      sliding_axis(6, 6, 3, 1, 1, false));
  add("4x4, stride 1, odd channels", 2, 3, sliding_axis(7, 4, 4, 1, 0, false),
      sliding_axis(6, 5, 4, 1, 1, false));
  add("9x10, stride 1", 1, 4, sliding_axis(12, 4, 9, 1, 0, false),
      sliding_axis(14, 5, 10, 1, 0, false));
  add("7x1, strides 3 and 1", 2, 4, sliding_axis(20, 5, 7, 3, 0, false),
      sliding_axis(5, 5, 1, 1, 0, false));
  add("1x1, stride 5 (gaps)", 1, 4, sliding_axis(12, 3, 1, 5, 0, false),
      sliding_axis(9, 2, 1, 5, 0, false));
  add("adaptive 8x8 to 4x4", 1, 4, adaptive_axis(8, 4), adaptive_axis(8, 4));
  add("adaptive 7x5 to 3x4", 2, 4, adaptive_axis(7, 3), adaptive_axis(5, 4));
  add("adaptive 2x3 to 5x3", 1, 6, adaptive_axis(2, 5), adaptive_axis(3, 3));
  add("global", 3, 7, adaptive_axis(4, 1), adaptive_axis(6, 1));
  add("no images", 0, 4, adaptive_axis(4, 1), adaptive_axis(6, 1));
  add("no channels", 2, 0, adaptive_axis(4, 1), adaptive_axis(6, 1));
  return all;
}

template <class T>
std::vector<T> pixels(int64_t n, uint64_t seed, bool special) {
  std::vector<T> values = test::random_values<T>(static_cast<size_t>(n), seed);
  for (size_t i = 0; special && i < values.size(); ++i) {
    if (i % 5 == 1) values[i] = values[i / 2];  // ties
    if (i % 31 == 7) values[i] = std::numeric_limits<T>::quiet_NaN();
    if (i % 31 == 9) values[i] = -std::numeric_limits<T>::infinity();
  }
  return values;
}

template <class T>
class Pools : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Pools, Types);

template <class T, class Switch>
void check_max(PoolShape shape, bool keep, size_t misalign = 0) {
  shape.dtype = dtype_of<T>();
  shape.compact = sizeof(Switch) == 1;
  const int64_t image = shape.N * shape.rows.in * shape.columns.in * shape.C;
  const int64_t pooled = shape.N * shape.rows.out() * shape.columns.out() * shape.C;
  const std::vector<T> x = pixels<T>(image, 1, true), g = pixels<T>(pooled, 2, false);
  std::vector<T> out(static_cast<size_t>(pooled)), scattered(x.size()), gathered(out.size());
  std::vector<Switch> switches(out.size());
  DeviceBuffer<T> dx(x, misalign), dg(g), dout(out.size()), dscattered(x.size(), misalign),
      dgathered(out.size());
  DeviceBuffer<Switch> dswitches(out.size());
  cpu::max_pool(shape, x.data(), out.data(), keep ? switches.data() : nullptr);
  gpu::max_pool(shape, dx.data(), dout.data(), keep ? dswitches.data() : nullptr);
  test::expect_same_values(dout.host(), out, "maximum");
  if (!keep) return;
  EXPECT_EQ(dswitches.host(), switches);
  cpu::pool_scatter(shape, g.data(), switches.data(), scattered.data());
  gpu::pool_scatter(shape, dg.data(), dswitches.data(), dscattered.data());
  test::expect_same_bits(dscattered.host(), scattered, "scatter");
  cpu::pool_gather(shape, x.data(), switches.data(), gathered.data());
  gpu::pool_gather(shape, dx.data(), dswitches.data(), dgathered.data());
  test::expect_same_bits(dgathered.host(), gathered, "gather");
}

TYPED_TEST(Pools, MaximumAndSwitches) {
  for (const Named& c : shapes()) {
    SCOPED_TRACE(c.name);
    check_max<TypeParam, uint8_t>(c.shape, true);
    check_max<TypeParam, int64_t>(c.shape, true);
    check_max<TypeParam, uint8_t>(c.shape, false);
    check_max<TypeParam, uint8_t>(c.shape, true, 1);
  }
}

TYPED_TEST(Pools, SwitchesMayPointAnywhere) {
  // Unpooling to where somebody says, several values to one place.
  PoolShape shape;
  shape.dtype = dtype_of<TypeParam>();
  shape.N = 2;
  shape.C = 3;
  shape.rows = cpu::sliding_axis(6, 3, 1, 0, 0, false);
  shape.columns = cpu::sliding_axis(5, 2, 1, 0, 0, false);
  const std::vector<TypeParam> values = pixels<TypeParam>(36, 1, false);
  std::vector<int64_t> switches(36);
  for (size_t i = 0; i < 36; ++i) switches[i] = static_cast<int64_t>(i * 7 % 4 * 9 % 30);
  std::vector<TypeParam> image(180);
  DeviceBuffer<TypeParam> dvalues(values), dimage(180);
  DeviceBuffer<int64_t> dswitches(switches);
  cpu::pool_scatter(shape, values.data(), switches.data(), image.data());
  gpu::pool_scatter(shape, dvalues.data(), dswitches.data(), dimage.data());
  test::expect_same_bits(dimage.host(), image, "image");
}

TYPED_TEST(Pools, MeanAndItsAdjoint) {
  for (Named c : shapes()) {
    SCOPED_TRACE(c.name);
    PoolShape& shape = c.shape;
    shape.dtype = dtype_of<TypeParam>();
    const int64_t image = shape.N * shape.rows.in * shape.columns.in * shape.C;
    const int64_t pooled = shape.N * shape.rows.out() * shape.columns.out() * shape.C;
    for (size_t misalign : {0u, 1u}) {
      const std::vector<TypeParam> x = pixels<TypeParam>(image, 1, false),
                                   g = pixels<TypeParam>(pooled, 2, false);
      std::vector<TypeParam> out(g.size()), back(x.size());
      DeviceBuffer<TypeParam> dx(x, misalign), dg(g), dout(g.size()), dback(x.size(), misalign);
      cpu::mean_pool(shape, x.data(), out.data());
      gpu::mean_pool(shape, dx.data(), dout.data());
      test::expect_same_bits(dout.host(), out, "mean");
      cpu::mean_pool_adjoint(shape, g.data(), back.data());
      gpu::mean_pool_adjoint(shape, dg.data(), dback.data());
      // scale * value may or may not be fused with the addition.
      test::expect_within(
          dback.host(), std::vector<double>(back.begin(), back.end()),
          [](size_t) { return 16 * test::unit_roundoff<TypeParam>(); }, "adjoint");
    }
  }
}

// Which kernel runs is decided by the windows: the shapes above lead to every one.
std::vector<std::string> launched;
TEST(Pool, ShapesReachEveryPatch) {
  launched.clear();
  gpu::observe_launches(
      [](std::string_view name, const gpu::LaunchConfig&) { launched.emplace_back(name); });
  for (Named c : shapes()) {
    PoolShape& shape = c.shape;
    shape.compact = true;
    const int64_t image = shape.N * shape.rows.in * shape.columns.in * shape.C;
    const int64_t pooled = shape.N * shape.rows.out() * shape.columns.out() * shape.C;
    DeviceBuffer<float> x(pixels<float>(image, 1, false)), out(static_cast<size_t>(pooled));
    DeviceBuffer<uint8_t> switches(static_cast<size_t>(pooled));
    gpu::max_pool(shape, x.data(), out.data(), switches.data());
    gpu::pool_scatter(shape, out.data(), switches.data(), x.data());
    gpu::mean_pool(shape, x.data(), out.data());
    gpu::mean_pool_adjoint(shape, out.data(), x.data());
    gpu::synchronize(nullptr);
  }
  gpu::observe_launches(nullptr);
  const std::pair<std::vector<const char*>, std::vector<const char*>> expected[] = {
      {{"max_kernel", "mean_kernel"}, {"Patch<2, 2>", "Patch<3, 3>", "Patch<1, 8>"}},
      {{"scatter_kernel", "mean_adjoint_kernel"},
       {"Patch<1, 1, true>", "Patch<2, 2, true>", "Patch<1, 4, true>", "Patch<1, 4, false>"}}};
  for (const auto& [kernels, patches] : expected) {
    for (const char* kernel : kernels) {
      for (const char* patch : patches) {
        for (const char* width : {"<float, 4,", "<float, 1,"}) {
          EXPECT_TRUE(std::ranges::any_of(launched,
                                          [&](const std::string& name) {
                                            return name.find(std::string(kernel) + width) !=
                                                       name.npos &&
                                                   name.find(patch) != name.npos;
                                          }))
              << kernel << width << " " << patch;
        }
      }
    }
  }
}

TEST(Pool, MeanIsThatOfFloat64) {
  PoolShape shape = shapes()[1].shape;
  const int64_t image = shape.N * shape.rows.in * shape.columns.in * shape.C;
  const std::vector<float> x = pixels<float>(image, 1, false);
  const std::vector<double> wide(x.begin(), x.end());
  std::vector<double> expected(
      static_cast<size_t>(shape.N * shape.rows.out() * shape.columns.out() * shape.C));
  shape.dtype = DType::f64;
  cpu::mean_pool(shape, wide.data(), expected.data());
  shape.dtype = DType::f32;
  DeviceBuffer<float> dx(x), out(expected.size());
  gpu::mean_pool(shape, dx.data(), out.data());
  test::expect_sum_of_products(out.host(), expected, std::vector<double>(expected.size(), 1.0), 9);
}

TYPED_TEST(Pools, ResamplingAndItsAdjoint) {
  using cpu::linear_axis;
  using cpu::nearest_axis;
  const std::pair<cpu::ResampleAxis, cpu::ResampleAxis> axes[] = {
      {nearest_axis(4, 8), nearest_axis(5, 3)},
      {linear_axis(4, 9, false), linear_axis(5, 5, false)},
      {linear_axis(7, 3, false), linear_axis(3, 11, true)},
      {linear_axis(1, 4, true), linear_axis(6, 1, true)},
      {linear_axis(5, 10, true), linear_axis(8, 2, false)},
  };
  for (const auto& [rows, columns] : axes) {
    for (int64_t C : {4, 3}) {
      cpu::ResampleShape shape;
      shape.dtype = dtype_of<TypeParam>();
      shape.N = 2;
      shape.C = C;
      shape.rows = rows;
      shape.columns = columns;
      const int64_t image = 2 * rows.in * columns.in * C,
                    outputs = 2 * rows.out() * columns.out() * C;
      const std::vector<TypeParam> x = pixels<TypeParam>(image, 1, false),
                                   g = pixels<TypeParam>(outputs, 2, false);
      std::vector<TypeParam> out(g.size()), back(x.size());
      DeviceBuffer<TypeParam> dx(x), dg(g), dout(g.size()), dback(x.size());
      cpu::resample(shape, x.data(), out.data());
      gpu::resample(shape, dx.data(), dout.data());
      cpu::resample_adjoint(shape, g.data(), back.data());
      gpu::resample_adjoint(shape, dg.data(), dback.data());
      // Products of weights may be fused differently: an ulp or two of values below 1.
      const double bound = 4 * test::unit_roundoff<TypeParam>();
      test::expect_within(
          dout.host(), std::vector<double>(out.begin(), out.end()), [&](size_t) { return bound; },
          "resampled");
      test::expect_within(
          dback.host(), std::vector<double>(back.begin(), back.end()),
          [&](size_t) { return 16 * bound; }, "adjoint");
    }
  }
  cpu::ResampleShape empty;
  empty.dtype = dtype_of<TypeParam>();
  empty.rows = nearest_axis(2, 4);
  empty.columns = nearest_axis(2, 4);
  gpu::resample(empty, nullptr, nullptr);
  gpu::resample_adjoint(empty, nullptr, nullptr);
}

}  // namespace
}  // namespace strata

// Reductions on the (simulated) GPU: every kind, type and walk against float64 (integers exactly),
// rung by rung.
#include "kernels/reduce/rung.h"
#include "tests/kernels/support/gpu_test.h"

namespace strata {
namespace {

using cpu::ReduceArgs;
using cpu::ReduceKind;
using test::DeviceBuffer;

// bool lies in memory as a byte.
template <class T>
using Stored = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;

struct Case {
  std::vector<int64_t> shape;
  uint32_t reduced;
  std::vector<int64_t> strides = {};  // empty: row-major
  size_t misalign = 0;

  Case(std::vector<int64_t> of, uint32_t axes, std::vector<int64_t> steps = {}, size_t shift = 0)
      : shape(std::move(of)), reduced(axes), strides(std::move(steps)), misalign(shift) {
    if (!strides.empty() || shape.empty()) return;
    strides.assign(shape.size(), 1);
    for (size_t i = shape.size() - 1; i > 0; --i) strides[i - 1] = strides[i] * shape[i];
  }
  // Elements that the strides reach, and where the first one is.
  std::pair<int64_t, int64_t> extent() const {
    int64_t size = 1, first = 0;
    for (size_t i = 0; i < shape.size(); ++i) {
      size += std::max<int64_t>(shape[i] - 1, 0) * std::abs(strides[i]);
      if (strides[i] < 0) first -= (shape[i] - 1) * strides[i];
    }
    return {size, first};
  }
  // For each output the offsets of its terms.
  std::vector<std::vector<int64_t>> terms() const {
    int64_t outputs = 1, all = 1;
    for (size_t i = 0; i < shape.size(); ++i) {
      all *= shape[i];
      if (!(reduced >> i & 1)) outputs *= shape[i];
    }
    std::vector<std::vector<int64_t>> of(static_cast<size_t>(outputs));
    for (int64_t flat = 0; flat < all; ++flat) {
      int64_t rest = flat, at = extent().second, out = 0, step = 1;
      for (size_t i = shape.size(); i-- > 0;) {
        const int64_t index = rest % shape[i];
        rest /= shape[i];
        at += index * strides[i];
        if (reduced >> i & 1) continue;
        out += index * step;
        step *= shape[i];
      }
      of[static_cast<size_t>(out)].push_back(at);
    }
    return of;
  }
  std::string name() const {
    std::string text = "[";
    for (int64_t size : shape) text += std::to_string(size) + ",";
    return text + "] axes " + std::to_string(reduced) + " misaligned by " +
           std::to_string(misalign);
  }
};

template <class T>
double value_of(T x) {
  if constexpr (std::is_same_v<T, bf16> || std::is_same_v<T, f16>)
    return static_cast<float>(x);
  else
    return static_cast<double>(x);
}
template <class T>
std::vector<Stored<T>> values_for(ReduceKind kind, size_t n, uint64_t seed) {
  if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, uint8_t>) {
    std::vector<uint8_t> values;
    for (int value : test::small_integers<int>(n, seed, 3))
      values.push_back(std::is_same_v<T, bool> || kind == ReduceKind::product ? value > -3
                                                                              : uint8_t(value + 3));
    return values;
  } else {
    const bool truth = kind == ReduceKind::any || kind == ReduceKind::all;
    std::vector<T> values = truth || !std::is_floating_point_v<Compute<T>>
                                ? test::small_integers<T>(n, seed)
                                : test::random_values<T>(n, seed, -1, 2);
    if (kind == ReduceKind::product)
      for (T& value : values)
        value = static_cast<T>(std::is_floating_point_v<Compute<T>>
                                   ? 1 + static_cast<float>(value_of(value) - 0.5) / 32
                                   : (value_of(value) > 0 ? 1.0f : -1.0f));
    return values;
  }
}

// The result in float64, and the sum of the terms' sizes.
std::pair<double, double> oracle(ReduceKind kind, const std::vector<double>& x, double shift,
                                 double divisor, double lowest, double highest) {
  double sum = 0, size = 0, product = 1, largest = lowest, smallest = highest;
  bool any = false, all = true;
  for (double value : x) {
    const double term = kind == ReduceKind::squared_deviation  ? (value - shift) * (value - shift)
                        : kind == ReduceKind::root_sum_squares ? value * value
                        : kind == ReduceKind::exponential_sum  ? std::exp(value - shift)
                                                               : value;
    sum += term;
    size += std::abs(term);
    product *= value;
    largest = std::isnan(value) || std::isnan(largest) ? NAN : std::max(largest, value);
    smallest = std::isnan(value) || std::isnan(smallest) ? NAN : std::min(smallest, value);
    any |= value != 0;
    all &= value != 0;
  }
  switch (kind) {
    case ReduceKind::sum:
    case ReduceKind::squared_deviation:
      return {sum / divisor, size / divisor};
    case ReduceKind::root_sum_squares:
      return {std::sqrt(sum), std::sqrt(sum)};
    case ReduceKind::exponential_sum:
      return {sum, size};
    case ReduceKind::product:
      return {product, std::abs(product)};
    case ReduceKind::maximum:
      return {largest, 0};
    case ReduceKind::minimum:
      return {smallest, 0};
    case ReduceKind::any:
      return {any, 0};
    case ReduceKind::all:
      return {all, 0};
  }
  return {};
}

DType result_type(ReduceKind kind, DType x, DType wanted) {
  switch (kind) {
    case ReduceKind::sum:
    case ReduceKind::product:
      return wanted;
    case ReduceKind::exponential_sum:
      return x == DType::f64 ? DType::f64 : DType::f32;
    case ReduceKind::any:
    case ReduceKind::all:
      return DType::boolean;
    default:
      return x;
  }
}

// Runs one rung and checks what it writes.
template <class T>
void check(const gpu::ReduceRung& rung, ReduceKind kind, const Case& c, DType wanted,
           double divisor, uint64_t seed) {
  SCOPED_TRACE(std::string(rung.name) + " kind " + std::to_string(static_cast<int>(kind)) + " " +
               name_of(dtype_of<T>()) + " " + c.name());
  const auto [size, first] = c.extent();
  const auto x = values_for<T>(kind, static_cast<size_t>(size), seed);
  const auto terms = c.terms();
  DeviceBuffer<Stored<T>> dev_x(x, c.misalign);
  const bool wide_shift = kind == ReduceKind::squared_deviation || sizeof(T) == 8;
  const auto shift = test::random_values<float>(terms.size(), seed + 1);
  DeviceBuffer<float> shift32(shift);
  DeviceBuffer<double> shift64(std::vector<double>(shift.begin(), shift.end()));
  const bool shifted = kind == ReduceKind::squared_deviation || kind == ReduceKind::exponential_sum;
  const DType type = result_type(kind, dtype_of<T>(), wanted);
  ReduceArgs args{dev_x.data() + first,
                  dtype_of<T>(),
                  static_cast<int>(c.shape.size()),
                  c.shape.data(),
                  c.strides.data(),
                  c.reduced,
                  nullptr,
                  wanted,
                  divisor,
                  !shifted     ? nullptr
                  : wide_shift ? static_cast<const void*>(shift64.data())
                               : shift32.data()};
  if (!rung.takes(kind, args)) return;
  std::vector<double> expected, magnitude;
  int64_t most = 1;
  for (size_t out = 0; out < terms.size(); ++out) {
    std::vector<double> values;
    for (int64_t at : terms[out]) values.push_back(value_of(x[static_cast<size_t>(at)]));
    double low = -INFINITY, high = INFINITY;
    if constexpr (!std::is_floating_point_v<Compute<T>>) {
      low = static_cast<double>(std::numeric_limits<T>::lowest());
      high = static_cast<double>(std::numeric_limits<T>::max());
    }
    const auto [result, sum] =
        oracle(kind, values, static_cast<double>(shift[out]), divisor, low, high);
    expected.push_back(result);
    magnitude.push_back(sum);
    most = std::max<int64_t>(most, static_cast<int64_t>(values.size()));
  }
  visit(type, [&]<class Out>(Type<Out>) {
    DeviceBuffer<Stored<Out>> out(terms.size());
    args.out = out.data();
    rung.run(kind, args);
    const bool wide = type == DType::f64 || !std::is_floating_point_v<Compute<T>>;
    const double u = wide ? 0x1p-50 : 0x1p-24;
    test::expect_within(out.host(), expected, [&](size_t i) {
      // 32 terms in the compute type, then f64.
      double rounding = 0;
      if constexpr (std::is_floating_point_v<Compute<Out>>)
        rounding = 1.01 * test::unit_roundoff<Out>() * std::abs(expected[i]) +
                   (std::is_same_v<Out, f16> ? 0x1p-25 : 0);  // below f16's normal numbers
      return magnitude[i] == 0 && kind >= ReduceKind::maximum ? 0.0
             : std::is_floating_point_v<Compute<Out>> ? 16 * u * magnitude[i] + rounding + 1e-300
                                                      : 0.0;
    });
  });
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {{}, 0},
      {{5}, 1},
      {{3, 7}, 2, {}, 1},
      {{64, 33}, 1},
      {{4, 5, 6}, 5},
      {{4, 5, 6}, 2},
      {{2, 1000}, 2, {}, 3},
      {{300, 3}, 1},
      {{6, 10}, 2, {1, 6}},
      {{4, 8}, 1, {0, 1}},
      {{5, 9}, 2, {9, -1}},
      {{5, 9}, 3, {-9, 2}},
      {{7, 6}, 0},
  };
  return all;
}
template <class T>
void check_all(const Case& c, const std::vector<ReduceKind>& kinds, uint64_t seed) {
  for (const gpu::ReduceRung& rung : gpu::reduce_rungs)
    for (ReduceKind kind : kinds) {
      const bool real = std::is_floating_point_v<Compute<T>>;
      check<T>(rung, kind, c, real ? dtype_of<T>() : DType::i64, 1, seed);
    }
}
const std::vector<ReduceKind> real_kinds = {ReduceKind::sum,
                                            ReduceKind::squared_deviation,
                                            ReduceKind::root_sum_squares,
                                            ReduceKind::exponential_sum,
                                            ReduceKind::product,
                                            ReduceKind::maximum,
                                            ReduceKind::minimum,
                                            ReduceKind::any,
                                            ReduceKind::all};
const std::vector<ReduceKind> integer_kinds = {ReduceKind::sum,     ReduceKind::product,
                                               ReduceKind::maximum, ReduceKind::minimum,
                                               ReduceKind::any,     ReduceKind::all};

template <class T>
class ReduceReal : public ::testing::Test {};
using Reals = ::testing::Types<double, float, bf16, f16>;
TYPED_TEST_SUITE(ReduceReal, Reals);
template <class T>
class ReduceInteger : public ::testing::Test {};
using Integers = ::testing::Types<int64_t, int32_t, uint8_t, bool>;
TYPED_TEST_SUITE(ReduceInteger, Integers);

TYPED_TEST(ReduceReal, EveryKindWalkAndRung) {
  for (const Case& c : cases()) check_all<TypeParam>(c, real_kinds, 71);
}
TYPED_TEST(ReduceInteger, EveryKindWalkAndRung) {
  for (const Case& c : cases()) check_all<TypeParam>(c, integer_kinds, 72);
}
TYPED_TEST(ReduceReal, UnderEverySchedule) {
  test::for_each_schedule([] {
    for (const Case& c : {Case({2, 700}, 2, {}, 1), Case({40, 35}, 1)})
      check_all<TypeParam>(c, {ReduceKind::sum, ReduceKind::maximum}, 73);
  });
}
TYPED_TEST(ReduceReal, MeansAndSumsInOtherTypes) {
  for (const gpu::ReduceRung& rung : gpu::reduce_rungs) {
    check<TypeParam>(rung, ReduceKind::sum, Case({3, 100}, 2), dtype_of<TypeParam>(), 100, 74);
    check<TypeParam>(rung, ReduceKind::sum, Case({3, 100}, 1), DType::f64, 3, 75);
    check<TypeParam>(rung, ReduceKind::squared_deviation, Case({3, 100}, 1), DType::f64, 3, 76);
    check<int32_t>(rung, ReduceKind::sum, Case({3, 100}, 2), DType::f32, 100, 77);
    check<uint8_t>(rung, ReduceKind::sum, Case({3, 100}, 2), DType::f64, 100, 78);
  }
}

TEST(Reduce, LongRowsAndColumnsAreCutIntoParts) {
  for (const gpu::ReduceRung& rung : gpu::reduce_rungs) {
    check<float>(rung, ReduceKind::sum, Case({70000}, 1, {}, 1), DType::f32, 1, 79);
    check<bf16>(rung, ReduceKind::sum, Case({2, 40001}, 2), DType::bf16, 1, 80);
    check<float>(rung, ReduceKind::maximum, Case({2, 40001}, 2), DType::f32, 1, 81);
    check<int64_t>(rung, ReduceKind::sum, Case({20000, 3}, 1), DType::i64, 1, 82);
    check<float>(rung, ReduceKind::minimum, Case({5000, 9}, 1), DType::f32, 1, 83);
  }
}

// Whole vectors of columns or single ones; widths that are no power of two, rows that are no
// multiple of those in flight, several axes that go, arrays that do not start on 16 bytes.
const std::vector<Case>& column_cases() {
  static const std::vector<Case> all = {
      {{1, 1000}, 1},
      {{37, 8}, 1},
      {{129, 40}, 1},
      {{130, 528}, 1},
      {{130, 528}, 1, {}, 1},
      {{131, 527}, 1},
      {{66, 2, 48}, 3},
      {{70, 3, 4, 16}, 5},
      {{33, 96}, 1, {112, 1}},       // a slice of wider rows
      {{33, 96}, 1, {111, 1}},       // of rows that do not lie on 16 bytes
      {{33, 96}, 1, {-96, 1}},       // upwards
      {{64, 32}, 1, {64, 2}},        // every other column
      {{5, 48, 32}, 2, {0, 32, 1}},  // repeated
  };
  return all;
}
TYPED_TEST(ReduceReal, ColumnsOfEveryShape) {
  for (const Case& c : column_cases())
    for (ReduceKind kind : real_kinds)
      check<TypeParam>(gpu::reduce_rungs[4], kind, c, dtype_of<TypeParam>(), 1, 87);
}
TYPED_TEST(ReduceInteger, ColumnsOfEveryShape) {
  for (const Case& c : column_cases())
    for (ReduceKind kind : integer_kinds)
      check<TypeParam>(gpu::reduce_rungs[4], kind, c, DType::i64, 1, 88);
}
TEST(ReduceColumns, OneMultiprocessorOrMany) {
  SKIP_ON_A_GPU();
  gpu::DeviceInfo one = gpu::h100();
  one.multiprocessors = 1;
  test::Pretend pretend(one);
  for (const Case& c : {Case({700, 64}, 1), Case({700, 63}, 1), Case({3000, 5}, 1)}) {
    check<bf16>(gpu::reduce_rungs[4], ReduceKind::sum, c, DType::bf16, 1, 89);
    check<float>(gpu::reduce_rungs[4], ReduceKind::minimum, c, DType::f32, 1, 90);
  }
}
// A bias gradient of whole numbers: no rounding, in whatever order.
TEST(ReduceColumns, SumsOfIntegersAreExact) {
  const int64_t shape[] = {1500, 72}, strides[] = {72, 1};
  const auto x = test::small_integers<bf16>(1500 * 72, 91);
  std::vector<double> expected(72);
  for (size_t i = 0; i < x.size(); ++i)
    expected[i % 72] += static_cast<double>(static_cast<float>(x[i]));
  DeviceBuffer<bf16> dev_x(x);
  DeviceBuffer<double> out(72);
  gpu::reduce_columns(ReduceKind::sum,
                      {dev_x.data(), DType::bf16, 2, shape, strides, 1, out.data(), DType::f64});
  EXPECT_EQ(out.host(), expected);
}

TEST(Reduce, NothingToAddIsTheIdentity) {
  const Case none({3, 0}, 2);
  for (const gpu::ReduceRung& rung : gpu::reduce_rungs) {
    check<float>(rung, ReduceKind::sum, none, DType::f32, 1, 84);
    check<float>(rung, ReduceKind::product, none, DType::f32, 1, 84);
    check<bf16>(rung, ReduceKind::maximum, none, DType::f32, 1, 84);
    check<int32_t>(rung, ReduceKind::minimum, none, DType::i64, 1, 84);
    check<bool>(rung, ReduceKind::all, none, DType::i64, 1, 84);
    check<bool>(rung, ReduceKind::minimum, none, DType::i64, 1, 84);
  }
  const int64_t shape[] = {0, 4}, strides[] = {4, 1};
  gpu::reduce(ReduceKind::sum, {nullptr, DType::f32, 2, shape, strides, 2, nullptr});
  gpu::synchronize(nullptr);
}

TEST(Reduce, NaNWinsAndInfinityPasses) {
  const int64_t shape[] = {4, 300}, strides[] = {300, 1};
  auto x = test::random_values<float>(1200, 85);
  x[17] = NAN;
  x[300 + 299] = INFINITY;
  x[600] = -INFINITY;
  for (ReduceKind kind :
       {ReduceKind::maximum, ReduceKind::minimum, ReduceKind::sum, ReduceKind::any}) {
    std::vector<float> expected(4);
    cpu::reduce(kind, {x.data(), DType::f32, 2, shape, strides, 2, expected.data()});
    for (const gpu::ReduceRung& rung : gpu::reduce_rungs) {
      DeviceBuffer<float> dev_x(x), out(std::vector<float>(4, 0));
      const ReduceArgs args{dev_x.data(), DType::f32, 2, shape, strides, 2, out.data()};
      if (!rung.takes(kind, args) || kind == ReduceKind::any) continue;
      rung.run(kind, args);
      test::expect_within(
          out.host(), {expected.begin(), expected.end()}, [](size_t) { return 1e-5; }, rung.name);
    }
  }
}

TEST(ReduceLauncher, PicksByShapeAndArchitecture) {
  if (!gpu::simulated()) GTEST_SKIP() << "needs a device that can be pretended";
  auto picked = [](std::vector<int64_t> shape, uint32_t reduced) {
    const Case c(shape, reduced);
    return std::string(
        gpu::pick_reduce(ReduceKind::sum, {nullptr, DType::f32, static_cast<int>(c.shape.size()),
                                           c.shape.data(), c.strides.data(), c.reduced})
            .name);
  };
  EXPECT_EQ(picked({1000, 64}, 2), "vectorised");
  EXPECT_EQ(picked({1 << 30}, 1), "vectorised");
  EXPECT_EQ(picked({100, 100000}, 2), "cluster");
  EXPECT_EQ(picked({1000, 64}, 1), "columns");
  test::Pretend pretend(gpu::a100());
  EXPECT_EQ(picked({100, 100000}, 2), "vectorised");
}

TEST(Reduce, EqualBitsRunToRun) {
  const auto x = test::random_values<float>(60000, 86);
  auto check_run_to_run = [&](const gpu::ReduceRung& rung, const Case& c) {
    std::vector<std::vector<float>> results;
    test::for_each_schedule(
        [&] {
          DeviceBuffer<float> dev_x(x), out(c.terms().size());
          rung.run(ReduceKind::sum, {dev_x.data(), DType::f32, 2, c.shape.data(), c.strides.data(),
                                     c.reduced, out.data()});
          results.push_back(out.host());
        },
        2);
    for (size_t run = 1; run < results.size(); ++run)
      test::expect_same_bits(results[0], results[run], rung.name);
  };
  for (const gpu::ReduceRung& rung : gpu::reduce_rungs) check_run_to_run(rung, Case({3, 20000}, 2));
  check_run_to_run(gpu::reduce_rungs[4], Case({1500, 40}, 1));
  check_run_to_run(gpu::reduce_rungs[4], Case({1463, 41}, 1));
}

}  // namespace
}  // namespace strata

// Gather and scatter against their CPU twins, bit for bit: every type, layout and rung.
#include "kernels/index/index.h"

#include "tests/kernels/support/gpu_test.h"

namespace strata {
namespace {

using test::DeviceBuffer;

enum class What { gather, scatter, scatter_add };

// A problem over arrays with their own strides. Elements are random bytes, or small numbers for
// sums.
struct Problem {
  std::vector<int64_t> shape;
  int axis;
  int64_t target_size;
  std::vector<int64_t> target, source, index;  // strides
  DType index_type = DType::i64;
};

int64_t reach(const std::vector<int64_t>& shape, const std::vector<int64_t>& strides) {
  int64_t last = 0;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0) return 1;
    last += (shape[i] - 1) * strides[i];
  }
  return last + 1;
}
// Whole rows of a dense [target_size, width...] by a list.
Problem rows(int64_t count, int64_t width, int64_t target_size) {
  return {{count, width}, 0, target_size, {width, 1}, {width, 1}, {1, 0}};
}

template <class T>
void check(What what, DType dtype, const Problem& p, uint64_t seed, size_t misalign = 0) {
  std::mt19937_64 generator(seed);
  std::vector<int64_t> target_shape = p.shape;
  if (!target_shape.empty()) target_shape[static_cast<size_t>(p.axis)] = p.target_size;
  std::vector<T> target(static_cast<size_t>(reach(target_shape, p.target)));
  std::vector<T> source(static_cast<size_t>(reach(p.shape, p.source)));
  std::vector<int64_t> index(static_cast<size_t>(reach(p.shape, p.index)));
  auto fill = [&](std::vector<T>& values) {
    for (T& value : values)
      value = static_cast<T>(static_cast<double>(generator() % 2001) / 7 - 100);
  };
  fill(target);
  fill(source);
  for (int64_t& i : index)
    i = static_cast<int64_t>(generator() % static_cast<uint64_t>(p.target_size));
  const std::vector<int32_t> narrow(index.begin(), index.end());
  DeviceBuffer<T> device_target(target, misalign), device_source(source, misalign);
  DeviceBuffer<int64_t> device_index(index);
  DeviceBuffer<int32_t> device_narrow(narrow);

  cpu::IndexArgs args;
  args.dtype = dtype;
  args.index_type = p.index_type;
  args.rank = static_cast<int>(p.shape.size());
  args.axis = p.axis;
  args.target_size = p.target_size;
  args.shape = p.shape.data();
  args.target_strides = p.target.data();
  args.source_strides = p.source.data();
  args.index_strides = p.index.data();
  cpu::IndexArgs device = args;
  args.target = target.data();
  args.source = source.data();
  args.index = p.index_type == DType::i32 ? static_cast<const void*>(narrow.data()) : index.data();
  device.target = device_target.data();
  device.source = device_source.data();
  device.index = p.index_type == DType::i32 ? static_cast<const void*>(device_narrow.data())
                                            : device_index.data();
  switch (what) {
    case What::gather:
      cpu::gather(args);
      gpu::gather(device);
      break;
    case What::scatter:
      cpu::scatter(args);
      gpu::scatter(device);
      break;
    case What::scatter_add:
      cpu::scatter_add(args);
      gpu::scatter_add(device);
      break;
  }
  test::expect_same_bits(device_target.host(), target, "target");
  test::expect_same_bits(device_source.host(), source, "source");
}

template <class T>
void check_moves(DType dtype, const Problem& p, uint64_t seed) {
  check<T>(What::gather, dtype, p, seed);
  check<T>(What::scatter, dtype, p, seed);
}

TEST(Index, EveryTypeMoves) {
  for (DType index_type : {DType::i64, DType::i32}) {
    for (Problem p :
         {rows(40, 6, 9), Problem{{3, 50, 2}, 1, 7, {14, 2, 1}, {100, 2, 1}, {100, 2, 1}}}) {
      p.index_type = index_type;
      check_moves<double>(DType::f64, p, 1);
      check_moves<float>(DType::f32, p, 2);
      check_moves<uint16_t>(DType::bf16, p, 3);
      check_moves<uint16_t>(DType::f16, p, 4);
      check_moves<int64_t>(DType::i64, p, 5);
      check_moves<int32_t>(DType::i32, p, 6);
      check_moves<uint8_t>(DType::u8, p, 7);
      check_moves<uint8_t>(DType::boolean, p, 8);
      check<double>(What::scatter_add, DType::f64, p, 1);
      check<float>(What::scatter_add, DType::f32, p, 2);
      check<int64_t>(What::scatter_add, DType::i64, p, 5);
      check<int32_t>(What::scatter_add, DType::i32, p, 6);
      check<uint8_t>(What::scatter_add, DType::u8, p, 7);
    }
  }
}

TEST(Index, GathersRowsSixteenBytesAtATime) {
  std::vector<std::string> names;
  static std::vector<std::string>* seen = nullptr;
  seen = &names;
  gpu::observe_launches(
      [](std::string_view name, const gpu::LaunchConfig&) { seen->emplace_back(name); });
  check<float>(What::gather, DType::f32, rows(33, 12, 8), 1);
  check<float>(What::gather, DType::f32, rows(33, 12, 8), 1, 1);
  check<float>(What::gather, DType::f32, rows(33, 13, 8), 1);
  gpu::observe_launches(nullptr);
  ASSERT_EQ(names.size(), 3u);
  EXPECT_NE(names[0].find("Vec"), std::string::npos) << names[0];
  EXPECT_EQ(names[1].find("Vec"), std::string::npos)
      << "misaligned rows cannot be vectors: " << names[1];
  EXPECT_EQ(names[2].find("Vec"), std::string::npos) << names[2];
}

// The gradient of an embedding: many rows, few of them often. Under every schedule of the threads.
TEST(Index, EmbeddingGradientHasOneOrder) {
  test::for_each_schedule([] {
    check<float>(What::scatter_add, DType::f32, rows(300, 5, 11), 3);
    check<float>(What::scatter, DType::f32, rows(300, 5, 700), 4);
  });
  check<float>(What::scatter_add, DType::f32, rows(40000, 1, 70000),
               5);  // three passes, 20 tiles
}

// A list of which place 3 r + 1 is runs[r] entries, shuffled.
std::vector<int64_t> list_of_runs(const std::vector<int64_t>& runs) {
  std::vector<int64_t> index;
  for (size_t r = 0; r < runs.size(); ++r)
    index.insert(index.end(), static_cast<size_t>(runs[r]), 3 * static_cast<int64_t>(r) + 1);
  std::shuffle(index.begin(), index.end(), std::mt19937_64(index.size()));
  return index;
}

// What goes to one place is summed by segments of 64 rows: against float64, and, where there are no
// more, against one chain.
template <class T>
void check_runs(DType dtype, const std::vector<int64_t>& runs, int64_t width, size_t misalign = 0) {
  const std::vector<int64_t> index = list_of_runs(runs);
  const int64_t places = 3 * static_cast<int64_t>(runs.size()) + 2;
  const size_t row = static_cast<size_t>(width);
  const std::vector<T> source = test::random_values<T>(index.size() * row, 21);
  std::vector<T> target = test::random_values<T>(static_cast<size_t>(places) * row, 22);
  std::vector<double> exact(target.begin(), target.end()), magnitude(exact.size(), 1);
  std::vector<int64_t> taken(exact.size());
  for (size_t e = 0; e < source.size(); ++e) {
    const size_t at = static_cast<size_t>(index[e / row]) * row + e % row;
    exact[at] += static_cast<double>(source[e]);
    magnitude[at] += std::abs(static_cast<double>(source[e]));
    ++taken[at];
  }
  DeviceBuffer<T> device_target(target, misalign), device_source(source, misalign);
  DeviceBuffer<int64_t> device_index(index);
  const Problem p = rows(static_cast<int64_t>(index.size()), width, places);
  cpu::IndexArgs args{device_target.data(),
                      device_source.data(),
                      device_index.data(),
                      dtype,
                      DType::i64,
                      2,
                      0,
                      places,
                      p.shape.data(),
                      p.target.data(),
                      p.source.data(),
                      p.index.data()};
  gpu::scatter_add(args);
  const std::vector<T> sums = device_target.host();
  test::expect_same_bits(device_source.host(), source, "source");
  test::expect_within<T>(sums, exact, [&](size_t i) {
    double additions = 0;  // of the longest chain of each round
    for (int64_t left = taken[i]; left > 0; left = (left - 1) / 64) additions += 64;
    return additions * test::unit_roundoff<T>() * magnitude[i];
  });
  std::vector<T> chain = source;
  args.target = target.data(), args.source = chain.data(), args.index = index.data();
  cpu::scatter_add(args);
  for (size_t i = 0; i < sums.size(); ++i)
    if (taken[i] <= 64) {
      ASSERT_EQ(sums[i], target[i]) << "element " << i << " of " << taken[i];
    }
}
TEST(Index, LongRunsAreSummedInSegments) {
  for (int64_t width : {1, 3, 4, 20}) {
    for (size_t misalign : {0, 1}) {
      check_runs<float>(DType::f32, {1, 63, 64, 65, 2, 127, 128, 129, 0, 7}, width, misalign);
      check_runs<float>(DType::f32, {900, 1, 1000}, width, misalign);
      check_runs<double>(DType::f64, {64, 65, 700}, width, misalign);
    }
  }
  check_runs<float>(DType::f32, {4159, 4160, 4161, 3}, 4);  // two rounds, and three
  check_runs<float>(DType::f32, {70000}, 4);                // all rows to one place
}
TEST(Index, LongRunsOfIntegersAreExact) {
  test::for_each_schedule(
      [] { check<int32_t>(What::scatter_add, DType::i32, rows(1500, 8, 3), 1); });
  for (size_t misalign : {0, 1}) {
    check<int64_t>(What::scatter_add, DType::i64, rows(9000, 2, 2), 2, misalign);
    check<int32_t>(What::scatter_add, DType::i32, rows(9000, 4, 1), 3, misalign);
    check<uint8_t>(What::scatter_add, DType::u8, rows(9000, 16, 2), 4, misalign);
    check<uint16_t>(What::scatter, DType::bf16, rows(900, 8, 5), 5, misalign);
  }
  // A place of one of several lines, and rows along two axes.
  check<int32_t>(What::scatter_add, DType::i32, {{3, 900}, 1, 4, {4, 1}, {900, 1}, {900, 1}}, 6);
  check<int32_t>(What::scatter_add, DType::i32,
                 {{900, 3, 8}, 0, 4, {32, 8, 1}, {24, 8, 1}, {1, 0, 0}}, 7);
}

TEST(Index, LinesInAnyLayout) {
  for (What what : {What::gather, What::scatter, What::scatter_add}) {
    check<float>(what, DType::f32, {{70, 5}, 1, 9, {9, 1}, {5, 1}, {5, 1}}, 1);  // short lines
    check<float>(what, DType::f32, {{4, 90}, 1, 33, {33, 1}, {90, 1}, {90, 1}},
                 2);  // long lines: sorted
    check<float>(what, DType::f32, {{90, 4}, 0, 33, {4, 1}, {1, 90}, {4, 1}},
                 3);  // source transposed
    check<float>(what, DType::f32, {{6, 40}, 1, 20, {40, 2}, {80, 2}, {0, 1}},
                 4);  // one list for all
    check<float>(what, DType::f32, {{64}, 0, 5, {1}, {1}, {1}}, 5);
    check<float>(what, DType::f32, {{64}, 0, 5, {1}, {1}, {0}}, 6);  // one index for all
    check<float>(what, DType::f32, {{}, 0, 1, {}, {}, {}}, 7);
    check<float>(what, DType::f32, {{0, 4}, 0, 3, {4, 1}, {4, 1}, {1, 0}}, 8);
    check<float>(what, DType::f32, {{3, 0}, 0, 3, {4, 1}, {4, 1}, {1, 0}}, 9);
  }
}

TEST(Index, FindsTheFirstBadIndex) {
  for (int64_t bad : {int64_t{-1}, int64_t{10}, int64_t{1} << 40}) {
    std::vector<int64_t> values(600, 3);
    DeviceBuffer<int64_t> good(values);
    const std::vector<int64_t> shape = {20, 30}, strides = {30, 1}, turned = {1, 20};
    EXPECT_EQ(gpu::find_bad_index(good.data(), DType::i64, 2, shape.data(), strides.data(), 10),
              -1);
    values[431] = values[77] = bad;
    DeviceBuffer<int64_t> index(values);
    for (const auto& s : {strides, turned})
      EXPECT_EQ(gpu::find_bad_index(index.data(), DType::i64, 2, shape.data(), s.data(), 10),
                cpu::find_bad_index(values.data(), DType::i64, 2, shape.data(), s.data(), 10));
  }
  std::vector<int32_t> list(8, 0);
  list[5] = 9;
  DeviceBuffer<int32_t> index(list);
  const std::vector<int64_t> shape = {8, 4}, strides = {1, 0}, empty = {0, 4};
  EXPECT_EQ(gpu::find_bad_index(index.data(), DType::i32, 2, shape.data(), strides.data(), 9), 20);
  EXPECT_EQ(gpu::find_bad_index(index.data(), DType::i32, 2, empty.data(), strides.data(), 9), -1);
  EXPECT_EQ(gpu::find_bad_index(index.data(), DType::i32, 0, nullptr, nullptr, 9), -1);
}

}  // namespace
}  // namespace strata

// The radix sort against std::stable_sort: both sizes of keys and of tiles, any number of pairs,
// any bits of the key.
#include "kernels/index/radix.h"

#include <numeric>

#include "tests/kernels/support/gpu_test.h"

namespace strata {
namespace {

enum class Keys { random, equal, two_values, ordered };

template <class Key>
std::vector<Key> make_keys(Keys kind, int64_t count) {
  std::mt19937_64 generator(static_cast<uint64_t>(count));
  std::vector<Key> keys(static_cast<size_t>(count));
  for (size_t i = 0; i < keys.size(); ++i) {
    const Key random = static_cast<Key>(generator());
    keys[i] = kind == Keys::random       ? random
              : kind == Keys::equal      ? static_cast<Key>(~Key{0})
              : kind == Keys::two_values ? static_cast<Key>(random % 2 ? ~Key{0} : Key{0})
                                         : static_cast<Key>(i);
  }
  return keys;
}

template <class Key>
void check(int64_t count, int high, int low = 0, Keys kind = Keys::random) {
  SCOPED_TRACE(testing::Message() << count << " keys of " << sizeof(Key) << " bytes by bits " << low
                                  << " to " << high);
  const std::vector<Key> keys = make_keys<Key>(kind, count);
  std::vector<uint32_t> values(keys.size());
  std::iota(values.begin(), values.end(), 7u);
  gpu::RadixSort<Key> order(count);
  const size_t key_bytes = keys.size() * sizeof(Key), value_bytes = values.size() * 4;
  gpu::copy_to_device(order.keys(), keys.data(), key_bytes, nullptr);
  gpu::copy_to_device(order.values(), values.data(), value_bytes, nullptr);
  order.sort(high, low);
  std::vector<Key> sorted(keys.size());
  std::vector<uint32_t> moved(keys.size());
  gpu::copy_to_host(sorted.data(), order.keys(), key_bytes, nullptr);
  gpu::copy_to_host(moved.data(), order.values(), value_bytes, nullptr);
  gpu::synchronize(nullptr);

  const auto digits = [&](uint32_t value) {  // the sorts by whole digits
    const int last = low + (high - low + 7) / 8 * 8, bits = static_cast<int>(sizeof(Key)) * 8;
    const Key key = keys[value - 7];
    return static_cast<Key>((last < bits ? key % (Key{1} << last) : key) >> low);
  };
  std::stable_sort(values.begin(), values.end(),
                   [&](uint32_t a, uint32_t b) { return digits(a) < digits(b); });
  test::expect_same_bits(moved, values, "values");
  for (size_t i = 0; i < sorted.size(); ++i)
    ASSERT_EQ(sorted[i], keys[values[i] - 7]) << "the key beside value " << i;
}

template <class Key>
void check_sizes() {
  const int bits = static_cast<int>(sizeof(Key)) * 8;
  for (int64_t count : {1, 31, 33, 255, 257, 1023, 1024, 1025, 4097}) check<Key>(count, 16);
  check<Key>(3000, bits);
  check<Key>(3000, 16);
  check<Key>(3000, bits, 13);
  check<Key>(3000, 1);
  check<Key>(3000, 12, 4);
  for (Keys kind : {Keys::equal, Keys::two_values, Keys::ordered}) check<Key>(3000, 16, 0, kind);
  check<Key>(0, bits);
}
TEST(RadixSort, AnyCount) {
  check_sizes<uint32_t>();
  check_sizes<uint64_t>();
}

TEST(RadixSort, LargeTiles) {
  SKIP_ON_A_GPU();
  gpu::DeviceInfo one = gpu::h100();
  one.multiprocessors = 1;
  test::Pretend pretend(one);
  for (int64_t count : {8191, 8192, 8193, 12288, 12289 + 32 * 7}) check<uint32_t>(count, 16);
  for (int64_t count : {4095, 4096, 4097, 6144, 6145 + 32 * 7}) check<uint64_t>(count, 16, 3);
  for (Keys kind : {Keys::equal, Keys::two_values, Keys::ordered})
    check<uint32_t>(9000, 24, 0, kind);
  check<uint32_t>(80000, 8);  // 20 tiles
}

// More tiles than a block scans at once, 2048: of 1024 pairs on a device so wide.
TEST(RadixSort, ManyTiles) {
  SKIP_ON_A_GPU();
  gpu::DeviceInfo wide = gpu::h100();
  wide.multiprocessors = 4000;
  test::Pretend pretend(wide);
  check<uint32_t>(2049 * 1024 + 5, 8);
}
#ifdef STRATA_CUDA
TEST(RadixSort, ManyLargeTiles) {
  check<uint32_t>(int64_t{3} << 22, 32);
  check<uint64_t>(int64_t{3} << 21, 40);
}
#endif

TEST(RadixSort, EverySchedule) {
  test::for_each_schedule([] {
    check<uint32_t>(1100, 16);
    check<uint64_t>(300, 16);
  });
}

}  // namespace
}  // namespace strata

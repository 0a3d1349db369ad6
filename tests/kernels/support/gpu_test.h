// What tests of GPU kernels share: device buffers between guard bands, schedules of the simulator,
// random and exact data, and comparison with a float64 oracle under a bound that is stated. The
// same tests run on the simulator and, unchanged, on a GPU.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/common/numeric.h"
#include "kernels/gpu/launch.h"
#include "kernels/gpu/runtime.h"
#ifndef STRATA_CUDA
#include "kernels/sim/simulator.h"
#endif

namespace strata::test {

// n elements of device memory between two guard bands that must not change. `misalign` shifts the
// first element by that many elements, for kernels that take any address.
template <class T>
class DeviceBuffer {
 public:
  explicit DeviceBuffer(size_t n, size_t misalign = 0) : count_(n), misalign_(misalign) {
    image_.assign(bytes(), guard);
    memory_ = static_cast<unsigned char*>(gpu::allocate(bytes()));
    gpu::copy_to_device(memory_, image_.data(), bytes(), nullptr);
    gpu::synchronize(nullptr);
  }
  explicit DeviceBuffer(const std::vector<T>& values, size_t misalign = 0)
      : DeviceBuffer(values.size(), misalign) {
    upload(values);
  }
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  ~DeviceBuffer() { gpu::release(memory_); }

  T* data() { return reinterpret_cast<T*>(memory_ + offset()); }
  size_t size() const { return count_; }
  void upload(const std::vector<T>& values) {
    if (values.empty()) return;
    gpu::copy_to_device(data(), values.data(), values.size() * sizeof(T), nullptr);
    gpu::synchronize(nullptr);
  }
  // Waits for the default stream, checks the guard bands, brings the elements back.
  std::vector<T> host() {
    gpu::synchronize(nullptr);
    gpu::copy_to_host(image_.data(), memory_, bytes(), nullptr);
    gpu::synchronize(nullptr);
    for (size_t i = 0; i < bytes(); ++i) {
      if (i >= offset() && i < offset() + count_ * sizeof(T)) continue;
      if (image_[i] == guard) continue;
      ADD_FAILURE() << "a kernel wrote outside its buffer of " << count_ << " elements: byte "
                    << static_cast<std::ptrdiff_t>(i) - static_cast<std::ptrdiff_t>(offset())
                    << " from its start";
      break;
    }
    std::vector<T> values(count_);
    if (count_)
      std::memcpy(static_cast<void*>(values.data()), image_.data() + offset(), count_ * sizeof(T));
    return values;
  }

 private:
  static constexpr unsigned char guard = 0xa5;
  static constexpr size_t band = 256;
  size_t offset() const { return band + misalign_ * sizeof(T); }
  size_t bytes() const { return 2 * band + (count_ + misalign_) * sizeof(T); }
  size_t count_, misalign_;
  std::vector<unsigned char> image_;
  unsigned char* memory_ = nullptr;
};

// Sanitizers slow the simulator down several times, and look for what does not depend on the
// schedule.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr int most_seeds = 1;
#else
inline constexpr int most_seeds = 8;
#endif

// Runs `body` under the fixed schedule and eight seeded ones of the simulator (one under a
// sanitizer); twice on a GPU.
inline void for_each_schedule(const std::function<void()>& body, int seeds = 8) {
#ifdef STRATA_CUDA
  (void)seeds;
  body();
  body();
#else
  sim::Scoped scoped;
  for (int seed = 0; seed <= std::min(seeds, most_seeds); ++seed) {
    SCOPED_TRACE("schedule " + std::to_string(seed));
    sim::config().seed = static_cast<uint64_t>(seed);
    body();
    if (::testing::Test::HasFailure()) return;
  }
#endif
}

// Pretends to be `device` for the scope (simulator only; on a GPU the device is what it is, and a
// test of what is done on another one begins with SKIP_ON_A_GPU).
#ifdef STRATA_CUDA
#define SKIP_ON_A_GPU() GTEST_SKIP() << "the device is what it is"
#else
#define SKIP_ON_A_GPU() static_cast<void>(0)
#endif
class Pretend {
 public:
  explicit Pretend([[maybe_unused]] const gpu::DeviceInfo& device) {
#ifndef STRATA_CUDA
    sim::config().device = device;
#endif
  }

 private:
#ifndef STRATA_CUDA
  sim::Scoped scoped_;
#endif
};

template <class T>
std::vector<T> random_values(size_t n, uint64_t seed, double low = -1, double high = 1) {
  std::mt19937_64 generator(seed);
  std::uniform_real_distribution<double> uniform(low, high);
  std::vector<T> values(n);
  for (T& value : values) value = static_cast<T>(static_cast<float>(uniform(generator)));
  return values;
}
// Integers in -largest..largest: sums of their products are exact, so results compare bit for bit.
template <class T>
std::vector<T> small_integers(size_t n, uint64_t seed, int largest = 3) {
  std::mt19937_64 generator(seed);
  std::uniform_int_distribution<int> uniform(-largest, largest);
  std::vector<T> values(n);
  for (T& value : values) value = static_cast<T>(static_cast<float>(uniform(generator)));
  return values;
}

// Half the distance from 1 to the next number of the type.
template <class T>
constexpr double unit_roundoff() {
  if constexpr (std::is_same_v<T, bf16>)
    return 0x1p-8;
  else if constexpr (std::is_same_v<T, f16>)
    return 0x1p-11;
  else
    return static_cast<double>(std::numeric_limits<T>::epsilon()) / 2;
}

// Each |actual - expected| is at most bound(i); NaN equals NaN. One failure, at the worst place.
template <class T>
void expect_within(const std::vector<T>& actual, const std::vector<double>& expected,
                   const std::function<double(size_t)>& bound, const char* what = "result") {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  size_t worst = 0;
  double worst_ratio = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double a = static_cast<double>(actual[i]), e = expected[i];
    if ((std::isnan(a) && std::isnan(e)) || a == e) continue;
    const double ratio = std::abs(a - e) / std::max(bound(i), 1e-300);
    if (!(ratio <= worst_ratio)) {
      worst_ratio = std::isnan(ratio) ? std::numeric_limits<double>::infinity() : ratio;
      worst = i;
    }
  }
  EXPECT_LE(worst_ratio, 1) << what << "[" << worst << "] is " << static_cast<double>(actual[worst])
                            << ", expected " << expected[worst] << " within " << bound(worst);
}

// A sum of K products, accumulated in f32 and stored as T: magnitude[i] = sum of |products|. The
// bound is 8 sqrt(K) u32 magnitude + 1.01 u_T |expected|, u the unit roundoffs.
template <class T>
void expect_sum_of_products(const std::vector<T>& actual, const std::vector<double>& expected,
                            const std::vector<double>& magnitude, int64_t K,
                            const char* what = "result") {
  const double u32 = std::is_same_v<T, double> ? 0x1p-53 : 0x1p-24;
  expect_within(
      actual, expected,
      [&](size_t i) {
        return 8 * std::sqrt(static_cast<double>(std::max<int64_t>(K, 1))) * u32 * magnitude[i] +
               1.01 * unit_roundoff<T>() * std::abs(expected[i]) + 1e-30;
      },
      what);
}

// Bit for bit.
template <class T>
void expect_same_bits(const std::vector<T>& a, const std::vector<T>& b,
                      const char* what = "result") {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (size_t i = 0; i < a.size(); ++i)
    ASSERT_EQ(std::memcmp(&a[i], &b[i], sizeof(T)), 0) << what << "[" << i << "] differs";
}

// Bit for bit, but for NaN: which of them comes out of an instruction is the device's business.
template <class T>
void expect_same_values(const std::vector<T>& a, const std::vector<T>& b,
                        const char* what = "result") {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != a[i] && b[i] != b[i]) continue;
    ASSERT_EQ(std::memcmp(&a[i], &b[i], sizeof(T)), 0) << what << "[" << i << "] differs";
  }
}

}  // namespace strata::test

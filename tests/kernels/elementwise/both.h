// An elementwise call made twice, by the CPU twin on host memory and by the kernel on device
// memory, on the same operands, for tests.
#pragma once

#include <cstdlib>
#include <memory>

#include "kernels/elementwise/chain.h"
#include "tests/kernels/support/gpu_test.h"

namespace strata::test {

inline double value_at(DType type, const void* data, int64_t i) {
  return visit(
      type, [&]<class T>(Type<T>) { return static_cast<double>(static_cast<const T*>(data)[i]); });
}
inline void set_value(DType type, void* data, int64_t i, double value) {
  cpu::convert(1, &value, DType::f64, 0,
               static_cast<char*>(data) + i * static_cast<int64_t>(size_of(type)), type, 0);
}

// Describes the operands of a call; add() gives them values. Strides in elements; offsets of
// negative strides are taken care of.
class Both {
 public:
  Both(std::vector<int64_t> sizes, DType compute) {
    args_.rank = static_cast<int>(sizes.size());
    args_.operands = 0;
    args_.compute = compute;
    args_.parameter[0] = args_.parameter[1] = 0;
    for (size_t axis = 0; axis < sizes.size(); ++axis) args_.sizes[axis] = sizes[axis];
  }
  int64_t count() const {
    int64_t count = 1;
    for (int axis = 0; axis < args_.rank; ++axis) count *= args_.sizes[axis];
    return count;
  }
  std::vector<int64_t> dense() const {
    std::vector<int64_t> strides(static_cast<size_t>(args_.rank));
    int64_t step = 1;
    for (int axis = args_.rank - 1; axis >= 0; --axis) {
      strides[static_cast<size_t>(axis)] = step;
      step *= args_.sizes[axis];
    }
    return strides;
  }
  // `value(i)` of the i-th element in memory. `misalign` in elements.
  Both& add(DType type, const std::function<double(int64_t)>& value, std::vector<int64_t> strides,
            size_t misalign = 0) {
    int64_t lowest = 0, highest = 0;
    for (int axis = 0; axis < args_.rank; ++axis) {
      const int64_t reach =
          strides[static_cast<size_t>(axis)] * std::max<int64_t>(0, args_.sizes[axis] - 1);
      (reach < 0 ? lowest : highest) += reach;
      args_.strides[args_.operands][axis] = strides[static_cast<size_t>(axis)];
    }
    const int64_t elements = count() == 0 ? 1 : highest - lowest + 1,
                  size = static_cast<int64_t>(size_of(type));
    std::vector<unsigned char> bytes(static_cast<size_t>(elements * size));
    for (int64_t i = 0; i < elements; ++i) set_value(type, bytes.data(), i, value(i));
    args_.dtype[args_.operands++] = type;
    first_.push_back(-lowest * size);
    device_.push_back(
        std::make_unique<DeviceBuffer<unsigned char>>(bytes, misalign * size_of(type)));
    host_.push_back(std::move(bytes));
    return *this;
  }
  Both& add(DType type, const std::function<double(int64_t)>& value) {
    return add(type, value, dense());
  }
  Both& add_number(DType type, double value) {
    const int k = args_.operands++;
    args_.dtype[k] = type;
    set_value(type, args_.number[k], 0, value);
    args_.numbers = static_cast<uint8_t>(args_.numbers | 1u << k);
    for (int axis = 0; axis < args_.rank; ++axis) args_.strides[k][axis] = 0;
    host_.emplace_back(args_.number[k], args_.number[k] + 8);
    device_.push_back(nullptr);
    first_.push_back(0);
    return *this;
  }
  Both& parameters(double first, double second = 0) {
    args_.parameter[0] = first;
    args_.parameter[1] = second;
    return *this;
  }

  // Calls both; the output's whole memory must agree: bits for other than floats, floats within
  // `ulps` of the output's type, of the larger of the value and 1: the two compilers fuse products
  // with additions differently, which shows where the rest cancels.
  template <class Cpu, class Gpu>
  void expect_equal(Cpu&& on_cpu, Gpu&& on_gpu, double ulps, const std::string& what) {
    cpu::ElementwiseArgs host = args_, device = args_;
    for (int k = 0; k < args_.operands; ++k) {
      host.data[k] = host_[static_cast<size_t>(k)].data() + first_[static_cast<size_t>(k)];
      device.data[k] = device_[static_cast<size_t>(k)] ? device_[static_cast<size_t>(k)]->data() +
                                                             first_[static_cast<size_t>(k)]
                                                       : nullptr;
    }
    on_gpu(device);
    on_cpu(host);
    const std::vector<unsigned char> result = device_[0]->host();
    const DType type = args_.dtype[0];
    const double epsilon =
        visit_float(type, []<class T>(Type<T>) { return 2 * unit_roundoff<T>(); });
    for (int64_t i = 0; i < static_cast<int64_t>(result.size() / size_of(type)); ++i) {
      const double a = value_at(type, result.data(), i), b = value_at(type, host_[0].data(), i);
      if (is_float(type)) {
        if ((std::isnan(a) && std::isnan(b)) || a == b) continue;
        ASSERT_LE(std::abs(a - b), ulps * epsilon * std::max(1.0, std::abs(b)))
            << what << "[" << i << "] is " << a << ", on the CPU " << b;
      } else {
        ASSERT_EQ(
            std::memcmp(result.data() + i * static_cast<int64_t>(size_of(type)),
                        host_[0].data() + i * static_cast<int64_t>(size_of(type)), size_of(type)),
            0)
            << what << "[" << i << "] is " << a << ", on the CPU " << b;
      }
    }
  }

 private:
  cpu::ElementwiseArgs args_{};
  std::vector<std::vector<unsigned char>> host_;
  std::vector<std::unique_ptr<DeviceBuffer<unsigned char>>> device_;
  std::vector<int64_t> first_;
};

// Values that spread over signs and sizes, with NaN, infinities and zeros among them.
inline std::function<double(int64_t)> spread(uint64_t seed, double scale = 4, bool special = true) {
  return [=](int64_t i) {
    std::mt19937_64 generator(seed * 7919 + static_cast<uint64_t>(i));
    const double u = std::uniform_real_distribution<double>(-scale, scale)(generator);
    if (special && i % 37 == 5) return std::numeric_limits<double>::quiet_NaN();
    if (special && i % 37 == 11) return std::numeric_limits<double>::infinity();
    if (special && i % 37 == 17) return -std::numeric_limits<double>::infinity();
    if (special && i % 37 == 23) return -0.0;
    return static_cast<double>(static_cast<float>(u));
  };
}

inline constexpr DType all_types[] = {DType::f64, DType::f32, DType::bf16, DType::f16,
                                      DType::i64, DType::i32, DType::u8,   DType::boolean};

}  // namespace strata::test

// A product on the device with its float64 oracle, for tests of the Hopper rungs. Rows of the
// operands are padded to 16 bytes with NaN, which nobody may read.
#pragma once

#include <optional>

#include "kernels/gemm/gemm.h"
#include "tests/kernels/support/gpu_test.h"

namespace strata::test {

// Along which axis an operand is contiguous: K, or M (N of B).
enum class Along { k, rows };

class OnHopper : public ::testing::Test {
 protected:
  void SetUp() override {
    if (gpu::device().arch != 90) GTEST_SKIP() << "TMA and wgmma need a device of sm_90";
  }
};

struct ProductShape {
  int64_t M, N, K;
  Along a = Along::k, b = Along::k;
  int64_t batches = 1;
  bool a_shared = false, b_shared = false;  // one matrix for all of the batch
  bool integers = true;                     // small ones: sums are exact
};

// A matrix of `rows` (of A; columns of B) by K for each of the batch, in either order.
template <class T>
struct TestOperand {
  int64_t rows, K, stride, matrices;
  Along order;
  std::vector<double> values;  // [matrices, rows, K]
  std::optional<DeviceBuffer<T>> memory;

  TestOperand(int64_t rows, int64_t K, Along order, int64_t matrices, bool integers, uint64_t seed)
      : rows(rows), K(K), matrices(matrices), order(order) {
    const int64_t inner = order == Along::k ? K : rows, outer = order == Along::k ? rows : K;
    constexpr int64_t unit = 16 / static_cast<int64_t>(sizeof(T));
    stride = (inner + unit - 1) / unit * unit;
    const auto count = static_cast<size_t>(matrices * rows * K);
    const std::vector<T> chosen =
        integers ? small_integers<T>(count, seed) : random_values<T>(count, seed);
    for (T value : chosen) values.push_back(static_cast<double>(static_cast<float>(value)));
    std::vector<T> stored(static_cast<size_t>(matrices * outer * stride),
                          T(std::numeric_limits<float>::quiet_NaN()));
    for (int64_t m = 0; m < matrices; ++m)
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t k = 0; k < K; ++k)
          stored[static_cast<size_t>(order == Along::k ? (m * rows + r) * stride + k
                                                       : (m * K + k) * stride + r)] =
              chosen[static_cast<size_t>((m * rows + r) * K + k)];
    memory.emplace(stored);
  }
  int64_t row_stride() const { return order == Along::k ? stride : 1; }
  int64_t k_stride() const { return order == Along::k ? 1 : stride; }
  int64_t batch_stride() const {
    return matrices == 1 ? 0 : stride * (order == Along::k ? rows : K);
  }
  const double* matrix(int64_t batch) const {
    return values.data() + (matrices == 1 ? 0 : batch) * rows * K;
  }
};

// Operands of In, C and what the epilogue reads of T.
template <class T, class In = T>
class TestProduct {
 public:
  ProductShape shape;
  TestOperand<In> a, b;
  DeviceBuffer<T> c;
  GemmArguments arguments;
  std::vector<double> sums, magnitudes;  // of exact arithmetic

  explicit TestProduct(const ProductShape& shape, uint64_t seed = 1)
      : shape(shape),
        a(shape.M, shape.K, shape.a, shape.a_shared ? 1 : shape.batches, shape.integers, seed),
        b(shape.N, shape.K, shape.b, shape.b_shared ? 1 : shape.batches, shape.integers, seed + 1),
        c(count()) {
    arguments.dtype = dtype_of<T>();
    arguments.M = shape.M, arguments.N = shape.N, arguments.K = shape.K;
    arguments.a = a.memory->data(), arguments.b = b.memory->data(), arguments.c = c.data();
    arguments.a_row = a.row_stride(), arguments.a_column = a.k_stride();
    arguments.b_row = b.k_stride(), arguments.b_column = b.row_stride();
    if (shape.batches > 1) {
      arguments.batch_rank = 1;
      arguments.batch[0] = shape.batches;
      arguments.a_batch[0] = a.batch_stride(), arguments.b_batch[0] = b.batch_stride();
    }
    multiply();
  }
  size_t count() const { return static_cast<size_t>(shape.batches * shape.M * shape.N); }

  // What exact sums round to.
  std::vector<T> rounded() const {
    std::vector<T> values;
    for (double sum : sums) values.push_back(static_cast<T>(static_cast<float>(sum)));
    return values;
  }

 private:
  void multiply() {
    sums.reserve(count());
    magnitudes.reserve(count());
    for (int64_t batch = 0; batch < shape.batches; ++batch)
      for (int64_t i = 0; i < shape.M; ++i)
        for (int64_t j = 0; j < shape.N; ++j) {
          const double *row = a.matrix(batch) + i * shape.K,
                       *column = b.matrix(batch) + j * shape.K;
          double sum = 0, magnitude = 0;
          for (int64_t k = 0; k < shape.K; ++k) {
            sum += row[k] * column[k];
            magnitude += std::abs(row[k] * column[k]);
          }
          sums.push_back(sum);
          magnitudes.push_back(magnitude);
        }
  }
};

}  // namespace strata::test

// Cell steps: the CPU twin against the formulas and finite differences in f64, the kernels against
// the CPU twin.
#include "kernels/recurrent/recurrent.h"

#include <memory>

#include "tests/kernels/support/gpu_test.h"

namespace strata {
namespace {

// Arrays of rows on both devices, with a gap after each row that nobody may touch.
template <class T>
class Arrays {
 public:
  Arrays(int64_t N, int64_t H) : N_(N), H_(H) {}
  // [N, width H] of random values; returns its number.
  size_t add(int64_t width, uint64_t seed) {
    const int64_t stride = width * H_ + 3;
    auto values = test::random_values<T>(static_cast<size_t>(N_ * stride), seed, -2, 2);
    device_.push_back(std::make_unique<test::DeviceBuffer<T>>(values));
    host_.push_back(std::move(values));
    stride_.push_back(stride);
    return host_.size() - 1;
  }
  Rows host(size_t i) { return {host_[i].data(), stride_[i]}; }
  Rows device(size_t i) { return {device_[i]->data(), stride_[i]}; }
  std::vector<T>& values(size_t i) { return host_[i]; }
  void check(double ulps) {
    for (size_t i = 0; i < host_.size(); ++i) {
      const std::vector<double> expected(host_[i].begin(), host_[i].end());
      test::expect_within(
          device_[i]->host(), expected,
          [&](size_t j) {
            return ulps * 2 * test::unit_roundoff<T>() * std::max(0.5, std::abs(expected[j]));
          },
          ("array " + std::to_string(i)).c_str());
    }
  }

 private:
  int64_t N_, H_;
  std::vector<std::vector<T>> host_;
  std::vector<std::unique_ptr<test::DeviceBuffer<T>>> device_;
  std::vector<int64_t> stride_;
};

template <class T>
void check_lstm(int64_t N, int64_t H, bool whole) {
  Arrays<T> arrays(N, H);
  std::vector<size_t> id;
  for (int64_t width : {4, 4, 1, 1, 1, 4, 1, 1, 4, 1}) id.push_back(arrays.add(width, id.size()));
  auto forward = [&](auto rows) {
    LstmArgs a{N, H, dtype_of<T>(), rows(0), {}, {}, rows(3), rows(4), rows(5)};
    if (whole) a.h_gates = rows(1), a.cell = rows(2);
    if (!whole) a.kept = {};
    return a;
  };
  auto backward = [&](auto rows) {
    LstmGradientArgs a{N, H, dtype_of<T>(), rows(5), {}, rows(3), rows(6), {}, rows(8), {}};
    if (whole) a.cell = rows(2), a.cell_gradient = rows(7), a.old_cell_gradient = rows(9);
    return a;
  };
  auto host = [&](size_t i) { return arrays.host(id[i]); };
  auto device = [&](size_t i) { return arrays.device(id[i]); };
  cpu::lstm_step(forward(host));
  gpu::lstm_step(forward(device));
  cpu::lstm_step_gradient(backward(host));
  gpu::lstm_step_gradient(backward(device));
  arrays.check(8);
}

template <class T>
void check_gru(int64_t N, int64_t H, bool whole) {
  Arrays<T> arrays(N, H);
  std::vector<size_t> id;
  for (int64_t width : {3, 3, 1, 1, 4, 1, 3, 3, 1}) id.push_back(arrays.add(width, id.size()));
  auto forward = [&](auto rows) {
    GruArgs a{N, H, dtype_of<T>(), rows(0), rows(1), {}, rows(3), rows(4)};
    if (whole) a.hidden = rows(2);
    return a;
  };
  auto backward = [&](auto rows) {
    GruGradientArgs a{N, H, dtype_of<T>(), rows(4), {}, rows(5), rows(6), rows(7), rows(8)};
    if (whole) a.hidden = rows(2);
    return a;
  };
  auto host = [&](size_t i) { return arrays.host(id[i]); };
  auto device = [&](size_t i) { return arrays.device(id[i]); };
  cpu::gru_step(forward(host));
  gpu::gru_step(forward(device));
  cpu::gru_step_gradient(backward(host));
  gpu::gru_step_gradient(backward(device));
  arrays.check(8);
}

template <class T>
void check_type() {
  for (auto [N, H] : {std::pair<int64_t, int64_t>{5, 70}, {1, 1}, {0, 4}, {4, 0}}) {
    for (bool whole : {false, true}) {
      check_lstm<T>(N, H, whole);
      check_gru<T>(N, H, whole);
    }
  }
}

TEST(Recurrent, KernelsComputeWhatTheCpuDoes) {
  check_type<float>();
  check_type<double>();
  check_type<bf16>();
  check_type<f16>();
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

TEST(Recurrent, LstmIsItsFormulaAndItsGradientTheDifference) {
  const int64_t H = 6;
  Arrays<double> arrays(1, H);
  const size_t x = arrays.add(4, 1), y = arrays.add(4, 2), cell = arrays.add(1, 3),
               next = arrays.add(1, 4), hidden = arrays.add(1, 5), kept = arrays.add(4, 6),
               dh = arrays.add(1, 7), dc = arrays.add(1, 8), gates = arrays.add(4, 9),
               dcell = arrays.add(1, 10);
  auto step = [&] {
    cpu::lstm_step({1, H, DType::f64, arrays.host(x), arrays.host(y), arrays.host(cell),
                    arrays.host(next), arrays.host(hidden), arrays.host(kept)});
    double loss = 0;
    for (size_t h = 0; h < 6; ++h)
      loss += arrays.values(hidden)[h] * arrays.values(dh)[h] +
              arrays.values(next)[h] * arrays.values(dc)[h];
    return loss;
  };
  step();
  for (size_t h = 0; h < 6; ++h) {
    auto gate = [&](size_t k) { return arrays.values(x)[k * 6 + h] + arrays.values(y)[k * 6 + h]; };
    const double c =
        sigmoid(gate(1)) * arrays.values(cell)[h] + sigmoid(gate(0)) * std::tanh(gate(2));
    ASSERT_NEAR(arrays.values(next)[h], c, 1e-14);
    ASSERT_NEAR(arrays.values(hidden)[h], sigmoid(gate(3)) * std::tanh(c), 1e-14);
  }
  cpu::lstm_step_gradient({1, H, DType::f64, arrays.host(kept), arrays.host(cell),
                           arrays.host(next), arrays.host(dh), arrays.host(dc), arrays.host(gates),
                           arrays.host(dcell)});
  auto difference = [&](double& value) {
    const double at = value, step_size = 1e-5;
    value = at + step_size;
    const double high = step();
    value = at - step_size;
    const double low = step();
    value = at;
    return (high - low) / (2 * step_size);
  };
  for (size_t i = 0; i < 24; ++i) {
    ASSERT_NEAR(arrays.values(gates)[i], difference(arrays.values(x)[i]), 1e-8);
    ASSERT_NEAR(arrays.values(gates)[i], difference(arrays.values(y)[i]), 1e-8);
  }
  for (size_t i = 0; i < 6; ++i)
    ASSERT_NEAR(arrays.values(dcell)[i], difference(arrays.values(cell)[i]), 1e-8);
}

TEST(Recurrent, GruIsItsFormulaAndItsGradientTheDifference) {
  const int64_t H = 6;
  Arrays<double> arrays(1, H);
  const size_t x = arrays.add(3, 1), y = arrays.add(3, 2), hidden = arrays.add(1, 3),
               next = arrays.add(1, 4), kept = arrays.add(4, 5), g = arrays.add(1, 6),
               dx = arrays.add(3, 7), dy = arrays.add(3, 8), dhidden = arrays.add(1, 9);
  auto step = [&] {
    cpu::gru_step({1, H, DType::f64, arrays.host(x), arrays.host(y), arrays.host(hidden),
                   arrays.host(next), arrays.host(kept)});
    double loss = 0;
    for (size_t h = 0; h < 6; ++h) loss += arrays.values(next)[h] * arrays.values(g)[h];
    return loss;
  };
  step();
  for (size_t h = 0; h < 6; ++h) {
    const auto &a = arrays.values(x), &b = arrays.values(y);
    const double r = sigmoid(a[h] + b[h]), z = sigmoid(a[6 + h] + b[6 + h]),
                 n = std::tanh(a[12 + h] + r * b[12 + h]);
    ASSERT_NEAR(arrays.values(next)[h], (1 - z) * n + z * arrays.values(hidden)[h], 1e-14);
  }
  cpu::gru_step_gradient({1, H, DType::f64, arrays.host(kept), arrays.host(hidden), arrays.host(g),
                          arrays.host(dx), arrays.host(dy), arrays.host(dhidden)});
  auto difference = [&](double& value) {
    const double at = value, step_size = 1e-5;
    value = at + step_size;
    const double high = step();
    value = at - step_size;
    const double low = step();
    value = at;
    return (high - low) / (2 * step_size);
  };
  for (size_t i = 0; i < 18; ++i) {
    ASSERT_NEAR(arrays.values(dx)[i], difference(arrays.values(x)[i]), 1e-8);
    ASSERT_NEAR(arrays.values(dy)[i], difference(arrays.values(y)[i]), 1e-8);
  }
  for (size_t i = 0; i < 6; ++i)
    ASSERT_NEAR(arrays.values(dhidden)[i], difference(arrays.values(hidden)[i]), 1e-8);
}

}  // namespace
}  // namespace strata

// The steps of t-SNE: the CPU twin against float64 loops, every rung of the kernels against both.
#include "kernels/embedding/embedding.h"

#include "kernels/embedding/rung.h"
#include "tests/kernels/support/gpu_test.h"

namespace strata {
namespace {

using test::DeviceBuffer;

std::vector<float> random_map(int64_t n, uint64_t seed) {
  std::vector<float> y = test::random_values<float>(static_cast<size_t>(2 * n), seed);
  for (float& v : y) v *= 8;
  return y;
}

struct Forces {
  std::vector<double> force, weight, size;  // size: of the terms of a force, for its bound
};
Forces plain(const std::vector<float>& y) {
  size_t n = y.size() / 2;
  Forces result{std::vector<double>(2 * n), std::vector<double>(n), std::vector<double>(2 * n)};
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) {
      if (i == j) continue;
      double d[2] = {double{y[2 * i]} - double{y[2 * j]},
                     double{y[2 * i + 1]} - double{y[2 * j + 1]}};
      double w = 1 / (1 + d[0] * d[0] + d[1] * d[1]);
      result.weight[i] += w;
      for (size_t c = 0; c < 2; ++c) {
        result.force[2 * i + c] += w * w * d[c];
        result.size[2 * i + c] += w * w * std::abs(d[c]);
      }
    }
  }
  return result;
}

// A sum of tiles of 128: each term is rounded some eight times, the sum tile + tiles times.
void expect_forces(const std::vector<float>& force, const std::vector<float>& weight,
                   const Forces& want, const char* what) {
  const double n = static_cast<double>(weight.size()), u = 0x1p-24;
  const double roundings = 8 + 128 + n / 128;
  test::expect_within(
      force, want.force, [&](size_t i) { return roundings * u * want.size[i] + 1e-12; }, what);
  test::expect_within(
      weight, want.weight, [&](size_t i) { return roundings * u * (1 + want.weight[i]); }, what);
}

TEST(Embedding, RepulsionIsThatOfFloat64OnEveryRung) {
  for (int64_t n : {1, 2, 127, 128, 129, 300}) {
    SCOPED_TRACE(n);
    const std::vector<float> y = random_map(n, 5);
    const Forces want = plain(y);
    std::vector<float> force(y.size()), weight(static_cast<size_t>(n));
    cpu::repulsion({n, y.data(), force.data(), weight.data()});
    expect_forces(force, weight, want, "cpu");
    for (const gpu::RepulsionRung& rung : gpu::repulsion_rungs) {
      DeviceBuffer<float> d_y(y), d_force(y.size()), d_weight(weight.size());
      rung.run({n, d_y.data(), d_force.data(), d_weight.data()});
      expect_forces(d_force.host(), d_weight.host(), want, rung.name);
    }
  }
}

TEST(Embedding, RungsHaveTheSameBitsUnderAnySchedule) {
#ifndef STRATA_CUDA
  const std::vector<float> y = random_map(200, 6);
  std::vector<float> first;
  for (uint64_t seed : {0u, 1u, 2u, 3u}) {
    sim::Scoped scope;
    sim::config().seed = seed;
    DeviceBuffer<float> d_y(y), d_force(y.size()), d_weight(200);
    gpu::repulsion({200, d_y.data(), d_force.data(), d_weight.data()});
    if (first.empty()) first = d_force.host();
    test::expect_same_bits(d_force.host(), first, "forces");
  }
#endif
}

TEST(Embedding, TotalWeightIsTheSum) {
  for (int64_t n : {1, 255, 257, 10000}) {
    const std::vector<float> weight = test::random_values<float>(static_cast<size_t>(n), 7);
    double want = 0, z = 0;
    for (float w : weight) want += double{w};
    cpu::total_weight(n, weight.data(), &z);
    EXPECT_NEAR(z, want, 1e-11 * static_cast<double>(n));
    DeviceBuffer<float> d_weight(weight);
    DeviceBuffer<double> d_z(1);
    gpu::total_weight(n, d_weight.data(), d_z.data());
    EXPECT_NEAR(d_z.host()[0], want, 1e-11 * static_cast<double>(n));
  }
}

// One step of both devices against the formula in float64.
TEST(Embedding, StepFollowsTheSlope) {
  const int64_t n = 70;
  const auto size = static_cast<size_t>(2 * n);
  const std::vector<float> y = random_map(n, 8), force = test::random_values<float>(size, 9),
                           velocity = test::random_values<float>(size, 10),
                           origin = random_map(n, 12);
  std::vector<float> gain = test::random_values<float>(size, 11);
  for (float& g : gain) g = std::abs(g) + 0.005f;  // some below the floor of 0.01 after a step
  std::vector<int64_t> start{0};
  std::vector<int32_t> column;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t k = 1; k <= i % 7; ++k) column.push_back(static_cast<int32_t>((i + 9 * k) % n));
    start.push_back(static_cast<int64_t>(column.size()));
  }
  const std::vector<float> value = test::random_values<float>(column.size(), 13);
  const double z = 3.7;
  std::vector<double> want(size);
  for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
    double pull[2] = {};
    for (auto e = static_cast<size_t>(start[i]); e < static_cast<size_t>(start[i + 1]); ++e) {
      auto j = static_cast<size_t>(column[e]);
      double dx = double{y[2 * i]} - double{y[2 * j]},
             dy = double{y[2 * i + 1]} - double{y[2 * j + 1]};
      pull[0] += double{value[e]} * dx / (1 + dx * dx + dy * dy);
      pull[1] += double{value[e]} * dy / (1 + dx * dx + dy * dy);
    }
    for (size_t c = 0; c < 2; ++c) {
      size_t at = 2 * i + c;
      double slope =
          4 * (12 * pull[c] - double{force[at]} / z) + 0.1 * (double{y[at]} - double{origin[at]});
      double g = double{gain[at]};
      g = std::max(0.01, slope * double{velocity[at]} < 0 ? g + 0.2 : g * 0.8);
      want[at] = double{y[at]} + 0.5 * double{velocity[at]} - 0.3 * g * slope;
    }
  }
  std::vector<float> next(size), v = velocity, g = gain;
  MapStepArgs args{
      n,    start.data(), column.data(), value.data(), force.data(), &z,       origin.data(), 12,
      0.1f, 0.3f,         0.5f,          y.data(),     next.data(),  v.data(), g.data()};
  cpu::map_step(args);
  auto near = [](size_t) { return 1e-4; };
  test::expect_within(next, want, near, "cpu");

  DeviceBuffer<int64_t> d_start(start);
  DeviceBuffer<int32_t> d_column(column);
  DeviceBuffer<float> d_value(value), d_force(force), d_origin(origin), d_y(y), d_next(size),
      d_velocity(velocity), d_gain(gain);
  DeviceBuffer<double> d_z(std::vector<double>{z});
  gpu::map_step({n, d_start.data(), d_column.data(), d_value.data(), d_force.data(), d_z.data(),
                 d_origin.data(), 12, 0.1f, 0.3f, 0.5f, d_y.data(), d_next.data(),
                 d_velocity.data(), d_gain.data()});
  test::expect_within(d_next.host(), want, near, "gpu");
  test::expect_within(
      d_gain.host(), std::vector<double>(g.begin(), g.end()), [](size_t) { return 1e-6; }, "gain");
}

}  // namespace
}  // namespace strata

// Optimiser updates of many tensors in one launch, against the CPU twin over several steps.
#include "kernels/optim/optim.h"

#include <memory>

#include "kernels/gpu/launch.h"
#include "tests/kernels/support/gpu_test.h"

namespace strata {
namespace {

using cpu::OptimTensor;
using test::DeviceBuffer;

// The same parameters, gradients and states on both devices.
class Model {
 public:
  // `states`: bit i: state i exists.
  template <class T>
  void add(int64_t size, unsigned states, size_t misalign = 0) {
    using S = std::conditional_t<std::is_same_v<T, double>, double, float>;
    const size_t n = static_cast<size_t>(size);
    auto parameter = std::make_shared<Array<T>>(test::random_values<T>(n, 2 * seed_ + 1), misalign);
    auto gradient = std::make_shared<Array<T>>(test::random_values<T>(n, 2 * seed_ + 2), 0);
    OptimTensor host{parameter->host.data(), gradient->host.data(), {}, size, dtype_of<T>()};
    OptimTensor device{parameter->device.data(), gradient->device.data(), {}, size, dtype_of<T>()};
    checks_.push_back([parameter](double ulps) { parameter->check(ulps); });
    for (int i = 0; i < 3; ++i) {
      if (!(states >> i & 1)) continue;
      auto state = std::make_shared<Array<S>>(std::vector<S>(n), 0);
      host.state[i] = state->host.data();
      device.state[i] = state->device.data();
      checks_.push_back([state](double ulps) { state->check(ulps); });
    }
    keep_.push_back(gradient);
    host_.push_back(host);
    device_.push_back(device);
    ++seed_;
  }
  void add_all(unsigned states) {
    add<float>(9000, states);  // three pieces
    add<float>(7, states);
    add<float>(0, states);
    add<bf16>(130, states);
    add<float>(65, states, 1);  // misaligned
    add<f16>(33, states);
    add<double>(70, states);
  }
  std::span<const OptimTensor> host() const { return host_; }
  std::span<const OptimTensor> device() const { return device_; }
  // Within this many units in the last place of the larger of value and 1.
  void check(double ulps) {
    for (auto& check : checks_) check(ulps);
  }

 private:
  template <class T>
  struct Array {
    std::vector<T> host;
    DeviceBuffer<T> device;
    Array(std::vector<T> values, size_t misalign)
        : host(std::move(values)), device(host, misalign) {}
    void check(double ulps) {
      std::vector<double> expected;
      for (T value : host) expected.push_back(static_cast<double>(value));
      test::expect_within(device.host(), expected, [&](size_t i) {
        return ulps * 2 * test::unit_roundoff<T>() * std::max(1.0, std::abs(expected[i]));
      });
    }
  };
  std::vector<OptimTensor> host_, device_;
  std::vector<std::function<void(double)>> checks_;
  std::vector<std::shared_ptr<void>> keep_;
  uint64_t seed_ = 0;
};

int launches = 0;
int count_launches(const std::function<void()>& work) {
  launches = 0;
  gpu::observe_launches([](std::string_view, const gpu::LaunchConfig&) { ++launches; });
  work();
  gpu::observe_launches(nullptr);
  return launches;
}

TEST(Optim, SgdInAllItsForms) {
  for (unsigned states : {0u, 1u}) {
    for (bool nesterov : {false, true}) {
      Model model;
      model.add_all(states);
      for (int step = 0; step < 3; ++step) {
        const cpu::SgdArgs args{0.1,  states ? 0.9 : 0, states && !nesterov ? 0.1 : 0,
                                0.01, nesterov,         step == 0};
        cpu::sgd(model.host(), args);
        EXPECT_EQ(count_launches([&] { gpu::sgd(model.device(), args); }), 1);
      }
      model.check(2);
    }
  }
}

TEST(Optim, AdamAndAdamW) {
  for (bool decoupled : {false, true}) {
    Model model;
    model.add_all(3);
    for (int step = 1; step <= 3; ++step) {
      const cpu::AdamArgs args{
          0.01,     0.9, 0.999, 1e-8, 0.1, 1 - std::pow(0.9, step), 1 - std::pow(0.999, step),
          decoupled};
      cpu::adam(model.host(), args);
      EXPECT_EQ(count_launches([&] { gpu::adam(model.device(), args); }), 1);
    }
    model.check(4);
  }
}

TEST(Optim, RmspropInAllItsForms) {
  for (unsigned states : {1u, 3u, 5u, 7u}) {
    Model model;
    model.add_all(states);
    for (int step = 0; step < 3; ++step) {
      const cpu::RmspropArgs args{0.01, 0.9, 1e-4, 0.1, 0.5};
      cpu::rmsprop(model.host(), args);
      gpu::rmsprop(model.device(), args);
    }
    // g + weight_decay p and (centred) v - a^2 cancel, and u = g / sqrt(v') makes much of what is
    // left: the two devices fuse those differences otherwise.
    model.check(128);
  }
}

TEST(Optim, AveragesScalesAndClamps) {
  Model model;
  model.add_all(1);
  cpu::moving_average(model.host(), 0.75);
  gpu::moving_average(model.device(), 0.75);
  model.check(1);
  cpu::scale(model.host(), 0.3);
  gpu::scale(model.device(), 0.3);
  cpu::clamp(model.host(), 0.125);
  gpu::clamp(model.device(), 0.125);
  model.check(1);
}

TEST(Optim, ANaNStaysWhereItIs) {
  std::vector<float> values = {1, std::numeric_limits<float>::quiet_NaN(), -3,
                               std::numeric_limits<float>::infinity(), 0.25f};
  DeviceBuffer<float> device(values);
  const OptimTensor tensor{device.data(), nullptr, {}, 5, DType::f32};
  gpu::clamp({&tensor, 1}, 2);
  test::expect_within(device.host(), {1, std::nan(""), -2, 2, 0.25}, [](size_t) { return 0.0; });
}

TEST(Optim, GradientSquareSumHasOneOrder) {
  Model model;
  model.add_all(0);
  const double expected = cpu::gradient_square_sum(model.host());
  std::vector<double> seen;
  test::for_each_schedule([&] { seen.push_back(gpu::gradient_square_sum(model.device())); });
  for (double sum : seen) EXPECT_EQ(sum, seen[0]);
  EXPECT_NEAR(seen[0], expected, 1e-12 * expected);
  EXPECT_EQ(gpu::gradient_square_sum({}), 0);
}

TEST(Optim, MoreTensorsThanATableHolds) {
  Model model;
  for (int i = 0; i < 700; ++i) model.add<float>(3, 0);
  const cpu::SgdArgs args{0.1, 0, 0, 0, false, true};
  cpu::sgd(model.host(), args);
  EXPECT_EQ(count_launches([&] { gpu::sgd(model.device(), args); }), 2);
  model.check(1);
  EXPECT_NEAR(gpu::gradient_square_sum(model.device()), cpu::gradient_square_sum(model.host()),
              1e-9);
  gpu::sgd({}, args);
}

}  // namespace
}  // namespace strata

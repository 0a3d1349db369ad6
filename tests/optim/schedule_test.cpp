// Schedules against PyTorch's (tests/fixtures), and how they compose.
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/optim.h"
#include "tests/support/expect.h"

namespace strata::test {
namespace {

using nlohmann::json;

void expect_golden(const char* name, const Schedule& schedule) {
  static const json golden = json::parse(
      std::ifstream(std::string(STRATA_SOURCE_DIR) + "/tests/fixtures/optim_golden.json"));
  SCOPED_TRACE(name);
  auto want = golden.at(name).get<std::vector<double>>();
  std::vector<double> got;
  for (size_t i = 0; i < want.size(); ++i) got.push_back(schedule(static_cast<int64_t>(i)));
  expect_near(got, want, 1e-12);
}

TEST(Schedule, AsPyTorch) {
  expect_golden("step_decay", step_decay(3, 0.5));
  expect_golden("milestones", milestones({2, 5}, 0.1));
  expect_golden("cosine", cosine(9, 0.1));
  expect_golden("one_cycle", one_cycle(20));
  expect_golden("one_cycle_early", one_cycle(13, 0.2, 10, 100));
}

TEST(Schedule, WarmUpGoesBeforeAnyOther) {
  Schedule schedule = warm_up(4, cosine(10), 0.2);
  expect_near({schedule(0), schedule(2), schedule(4), schedule(9), schedule(14), schedule(99)},
              {0.2, 0.6, 1, 0.5, 0, 0}, 1e-15);
  EXPECT_EQ(warm_up(0, constant_schedule(0.5))(0), 0.5);
}

TEST(Schedule, LinearDecayEndsAtItsFloor) {
  Schedule schedule = linear_decay(4, 0.5);
  expect_near({schedule(0), schedule(1), schedule(4), schedule(8)}, {1, 0.875, 0.5, 0.5}, 1e-15);
}

TEST(Schedule, MultipliesTheInitialRateOfEachGroup) {
  Tensor a = leaf({1}), b = leaf({1});
  SGD sgd({ParameterGroup{.parameters = {{"a", a}}},
           ParameterGroup{.parameters = {{"b", b}}, .learning_rate = 0.5}},
          {.learning_rate = 0.1});
  Scheduler scheduler(sgd, warm_up(2, step_decay(2, 0.1)));
  EXPECT_EQ(sgd.groups()[0].learning_rate, 0);
  for (int i = 0; i < 4; ++i) scheduler.step();
  EXPECT_NEAR(sgd.groups()[0].learning_rate, 0.01, 1e-15);
  EXPECT_NEAR(sgd.groups()[1].learning_rate, 0.05, 1e-15);
  scheduler.set_step(1);
  EXPECT_NEAR(sgd.groups()[1].learning_rate, 0.25, 1e-15);
}

TEST(Schedule, LengthsMustBePositive) {
  EXPECT_FAILS(cosine(0), "total must be at least 1; got 0");
  EXPECT_FAILS(step_decay(-1), "every must be at least 1");
  EXPECT_FAILS(one_cycle(10, 1.5), "rise is a fraction");
}

}  // namespace
}  // namespace strata::test

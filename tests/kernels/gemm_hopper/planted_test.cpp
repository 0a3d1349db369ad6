// Mistakes of synchronisation and layout must be caught by the simulator: by a report, or by wrong
// results under one of nine schedules. The same kernel without a mistake passes all of them.
#ifndef STRATA_CUDA
#include "tests/kernels/gemm_hopper/planted.h"

#include <fstream>

#include "tests/kernels/gemm_hopper/hopper_product.h"

namespace strata::test {
namespace {

struct Finding {
  int wrong = 0, reports = 0, schedules = 0;
  std::string report, first_report;  // the last one; that of the fixed schedule
};

Finding run_under_every_schedule(Planted mistake, const ProductShape& shape) {
  TestProduct<bf16> product(shape);
  const std::vector<bf16> expected = product.rounded();
  Finding finding;
  sim::Scoped scoped;
  for (uint64_t seed = 0; seed <= 8; ++seed) {
    sim::config().seed = seed;
    ++finding.schedules;
    product.c.upload(std::vector<bf16>(product.count(), bf16(0.0f)));
    try {
      run_planted(mistake, product.arguments);
      const std::vector<bf16> c = product.c.host();
      if (std::memcmp(c.data(), expected.data(), c.size() * sizeof(bf16)) != 0) ++finding.wrong;
    } catch (const gpu::Error& error) {
      ++finding.reports;
      finding.report = error.what();
      if (seed == 0) finding.first_report = error.what();
    }
  }
  return finding;
}

// K is 5 stages of a ring of 2.
constexpr ProductShape one_tile{.M = 128, .N = 128, .K = 320};

TEST(PlantedMistakes, NoneIsNoAlarm) {
  const Finding finding = run_under_every_schedule(Planted::none, one_tile);
  EXPECT_EQ(finding.wrong, 0);
  EXPECT_EQ(finding.reports, 0) << finding.report;
}
TEST(PlantedMistakes, ConsumersThatDoNotWaitForCopies) {
  const Finding finding = run_under_every_schedule(Planted::no_full_wait, one_tile);
  EXPECT_EQ(finding.wrong + finding.reports, finding.schedules) << finding.report;
}
TEST(PlantedMistakes, AProducerThatDoesNotWaitForConsumers) {
  const Finding finding = run_under_every_schedule(Planted::no_empty_wait, one_tile);
  EXPECT_GE(finding.wrong + finding.reports, 6) << finding.report;
}
TEST(PlantedMistakes, AStageReleasedBeforeItsProductsAreComplete) {
  const Finding finding = run_under_every_schedule(Planted::early_release, one_tile);
  EXPECT_GE(finding.wrong + finding.reports, 6) << finding.report;
}
TEST(PlantedMistakes, SumsReadBeforeTheirProductsAreComplete) {
  const Finding finding = run_under_every_schedule(Planted::no_products_wait, one_tile);
  EXPECT_EQ(finding.wrong + finding.reports, finding.schedules) << finding.report;
}
TEST(PlantedMistakes, MoreBytesExpectedThanComeIsADeadlockThatIsReported) {
  const Finding finding = run_under_every_schedule(Planted::too_many_bytes, one_tile);
  EXPECT_EQ(finding.reports, finding.schedules);
  EXPECT_NE(finding.report.find("mbarrier_wait"), std::string::npos) << finding.report;
  EXPECT_NE(finding.report.find("planted.cu"), std::string::npos) << finding.report;
  // kernels/README.md shows this very report.
  const size_t body = finding.first_report.find("  block");
  ASSERT_NE(body, std::string::npos) << finding.first_report;
  std::ifstream file(STRATA_SOURCE_DIR "/kernels/README.md");
  const std::string page((std::istreambuf_iterator<char>(file)), {});
  EXPECT_NE(page.find(finding.first_report.substr(body)), std::string::npos)
      << finding.first_report;
}
TEST(PlantedMistakes, ASwizzleThatIsNotTheMaps) {
  const Finding finding = run_under_every_schedule(Planted::wrong_swizzle, one_tile);
  EXPECT_EQ(finding.wrong + finding.reports, finding.schedules);
}
TEST(PlantedMistakes, RowsOfTheOtherWarpgroup) {
  const Finding finding = run_under_every_schedule(Planted::wrong_rows, one_tile);
  EXPECT_EQ(finding.wrong + finding.reports, finding.schedules);
}
// Whoever looks at an mbarrier two rounds ahead sees the parity it waits for: steps are chosen so
// that the second warpgroup begins an odd number of rounds ahead.
TEST(PlantedMistakes, PingPongWithoutTurns) {
  const Finding finding =
      run_under_every_schedule(Planted::no_turns, {.M = 128, .N = 512, .K = 128});
  EXPECT_GE(finding.wrong + finding.reports, 1) << finding.report;
}

}  // namespace
}  // namespace strata::test
#endif

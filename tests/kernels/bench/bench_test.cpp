// The GPU benchmarks without their clock: every kind of case runs on small shapes, and what is
// reckoned from times is right for times that are made up.
#include <gtest/gtest.h>

#include <set>

#include "bench/gpu/results.h"
#include "kernels/gpu/runtime.h"
#include "tests/kernels/support/gpu_test.h"

namespace strata::bench {
namespace {

void run_all_copies(const Case& c) {
  SCOPED_TRACE(c.family + " " + c.name);
  const Prepared prepared = c.prepare(2);
  EXPECT_GT(prepared.workload.bytes, 0);
  EXPECT_EQ(prepared.workload.bytes, c.bytes);
  EXPECT_FALSE(prepared.kernel.empty());
  for (int copy : {0, 1}) {
    prepared.workload.run(copy);
    for (const Rival& rival : prepared.rivals) rival.run(copy);
  }
  gpu::synchronize(gpu::current_stream());
}

TEST(GpuBench, EveryKindOfCaseRuns) {
  for (const char* layout : {"NT", "NN", "TN"})
    run_all_copies(gemm_case({"small", "product", 40, 24, 16, layout}));
  run_all_copies(gemm_case({"small", "product", 16, 16, 16, "NT", DType::f32, true}));
  for (const char* pass : {"forward", "input gradient", "weight gradient"})
    run_all_copies(conv_case({"small", "layer", 1, 8, 16, 16, 3, 2, pass}));
  for (bool backward : {false, true})
    run_all_copies(attention_case({"small", 1, 32, 1, 64, true, backward}));
  for (const char* kind : {"layer norm", "layer norm gradient", "rms norm", "rms norm gradient",
                           "softmax", "softmax gradient", "cross entropy"})
    run_all_copies(rows_case({kind, 3, 64}));
  run_all_copies(batch_norm_case(32, 16));
  run_all_copies(adamw_case("small", {100, 7}));
}

TEST(GpuBench, CasesHaveTheWorkOfTheirShape) {
  const Prepared product = gemm_case({"", "", 4, 8, 16}).prepare(1);
  EXPECT_EQ(product.workload.flops, 2.0 * 4 * 8 * 16);
  EXPECT_EQ(product.workload.bytes, 2.0 * (4 * 16 + 16 * 8 + 4 * 8));
  const Prepared layer = conv_case({"", "", 1, 8, 4, 6, 3, 2}).prepare(1);
  EXPECT_EQ(layer.workload.flops, 2.0 * 4 * 4 * 6 * 9 * 4);
  const Prepared causal = attention_case({"", 2, 32, 1, 64, true, false}).prepare(1);
  EXPECT_EQ(causal.workload.flops, 4.0 * 2 * 32 * 32 * 64 / 2);
}

TEST(GpuBench, NamesAreUnique) {
  std::set<std::string> seen;
  for (const Case& c : plan()) {
    const std::string name = c.family + c.set + c.name + c.shape + name_of(c.dtype);
    EXPECT_TRUE(seen.insert(name).second) << name;
  }
  EXPECT_GT(seen.size(), 200u);
}

TEST(GpuBench, SetsOfOperandsGoPastTheCache) {
  EXPECT_GE(copies_past_cache(1e6, 50e6) * 1e6, 3 * 50e6);
  EXPECT_EQ(copies_past_cache(1e9, 50e6), 2);
}

TEST(GpuBench, QuantilesLieBetweenNeighbours) {
  EXPECT_EQ(quantile({3, 1, 2}, 0.5), 2);
  EXPECT_EQ(quantile({4, 1, 2, 3}, 0.5), 2.5);
  EXPECT_EQ(quantile({7}, 0.8), 7);
  EXPECT_THROW(quantile({}, 0.5), std::invalid_argument);
}

Row row_of(const std::string& family, const std::string& by, double microseconds, double ratio) {
  Row row{family, "set", "a \"name\", with signs", "1x2", "bf16", by, "", 2e6, 1e6, {}, ratio};
  row.time.median = row.time.p20 = row.time.p80 = microseconds;
  return row;
}

TEST(GpuBench, SpeedsAreWorkByTime) {
  const Row row = row_of("gemm", "strata", 10, 0);
  EXPECT_DOUBLE_EQ(row.tflops(), 0.2);
  EXPECT_DOUBLE_EQ(row.gigabytes_a_second(), 100);
}

TEST(GpuBench, FamiliesAreSummarised) {
  const std::vector<Summary> summaries =
      summarise({row_of("gemm", "strata", 1, 2), row_of("gemm", "cuBLAS", 2, 0),
                 row_of("gemm", "strata", 1, 0.5), row_of("gemm", "strata", 1, 0),
                 row_of("norm", "strata", 1, 0)});
  ASSERT_EQ(summaries.size(), 2u);
  EXPECT_EQ(summaries[0].cases, 3);
  EXPECT_EQ(summaries[0].compared, 2);
  EXPECT_DOUBLE_EQ(summaries[0].geometric_mean, 1);
  EXPECT_EQ(summaries[0].worst, 0.5);
  EXPECT_EQ(summaries[1].compared, 0);
}

TEST(GpuBench, CsvQuotesWhatNeedsIt) {
  const std::string csv =
      to_csv({row_of("gemm", "strata", 1, 2)}, {"Card, big", "1", "13.0", "strata bench", "today"});
  EXPECT_NE(csv.find("\"a \"\"name\"\", with signs\""), csv.npos);
  EXPECT_NE(csv.find("\"Card, big\""), csv.npos);
}

TEST(GpuBench, PageHoldsTheRows) {
  Row row = row_of("gemm", "strata", 1, 2);
  row.name = "</script>";
  const std::string page = to_page({row}, {"Card", "1", "13.0", "strata bench", "today"});
  EXPECT_NE(page.find("\\u003c/script>"), page.npos);
  EXPECT_EQ(page.find("<!--scripts-->"), page.npos);
}

#ifndef STRATA_CUDA
TEST(GpuBench, TheSimulatorGivesNoSpeeds) {
  EXPECT_THROW(measure([](int) {}, 1, {}, {}), gpu::Error);
}
#endif

}  // namespace
}  // namespace strata::bench

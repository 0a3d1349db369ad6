// The GPU benchmarks without their clock: every kind of case runs on small shapes, and what is
// reckoned from times is right for times that are made up.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
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
  if (gpu::device().arch == 90)
    run_all_copies(
        gemm_case({"small", "product", 40, 24, 32, "NT", DType::bf16, false, /*fp8=*/true}));
  for (const char* pass : {"forward", "input gradient", "weight gradient"})
    for (int64_t groups : {1, 16})
      run_all_copies(conv_case({"small", "layer", 1, 8, 16, 16, 3, 2, pass, DType::bf16, groups}));
  for (bool backward : {false, true})
    run_all_copies(attention_case({"small", 1, 32, 1, 64, true, backward}));
  for (const char* kind : {"layer norm", "layer norm gradient", "rms norm", "rms norm gradient",
                           "softmax", "softmax gradient", "cross entropy"})
    run_all_copies(rows_case({kind, 3, 64}));
  run_all_copies(batch_norm_case(32, 16));
  run_all_copies(adamw_case("small", {100, 7}));
}

TEST(GpuBench, EveryKindOfReductionRuns) {
  for (const char* over : {"rows", "columns"})
    for (const char* kind : {"sum", "max", "mean and variance", "argmax", "cumulative sum"})
      run_all_copies(reduce_case({kind, over, 5, 70}));
  run_all_copies(reduce_case({"sum", "all", 5, 70, DType::f32}));
}

TEST(GpuBench, EveryKindOfElementwiseAndRandomCaseRuns) {
  for (const char* kind : {"gelu(x + row) y", "x + row", "x + column", "to f32"})
    run_all_copies(elementwise_case({kind, 6, 40}));
  run_all_copies(elementwise_case({"to bf16", 6, 40, DType::f32}));
  run_all_copies(permute_case({"small", "transpose", {16, 24}, {1, 0}}));
  run_all_copies(permute_case({"small", "heads before time", {2, 8, 3, 16}, {0, 2, 1, 3}}));
  for (const char* kind : {"uniform", "normal", "dropout", "dropout, backward"})
    run_all_copies(random_case({kind, 1000, DType::bf16}));
}

TEST(GpuBench, EveryKindOfCaseThatGoesByIndexRuns) {
  for (bool gradient : {false, true})
    for (bool as_text : {false, true})
      run_all_copies(embedding_case({"small", 50, 20, 16, gradient, as_text, DType::f32}));
  run_all_copies(sort_case({"small", 3, 100, 100}));
  run_all_copies(sort_case({"small", 2, 3000, 5}));
  for (const char* kind : {"sum", "max", "sum, gradient", "transpose"})
    run_all_copies(graph_case({"small", kind, 30, 100, 8}));
}

TEST(GpuBench, EveryKindOfWindowAndStepRuns) {
  for (bool largest : {false, true})
    for (bool backward : {false, true}) {
      run_all_copies(pool_case({"small", 1, 8, 4, 3, 2, 1, largest, backward}));
      run_all_copies(pool_case({"small", 1, 8, 4, 2, 2, 0, largest, backward}));
    }
  for (const char* kind : {"lstm", "lstm gradient", "gru", "gru gradient"})
    run_all_copies(cell_case({kind, 2, 16}));
  run_all_copies(sgd_case("small", {100, 7}));
  run_all_copies(repulsion_case(100));
}

TEST(GpuBench, CasesHaveTheWorkOfTheirShape) {
  const Prepared product = gemm_case({"", "", 4, 8, 16}).prepare(1);
  EXPECT_EQ(product.workload.flops, 2.0 * 4 * 8 * 16);
  EXPECT_EQ(product.workload.bytes, 2.0 * (4 * 16 + 16 * 8 + 4 * 8));
  const Prepared layer = conv_case({"", "", 1, 8, 4, 6, 3, 2}).prepare(1);
  EXPECT_EQ(layer.workload.flops, 2.0 * 4 * 4 * 6 * 9 * 4);
  const Prepared depthwise =
      conv_case({"", "", 1, 8, 4, 4, 3, 2, "forward", DType::bf16, 4}).prepare(1);
  EXPECT_EQ(depthwise.workload.flops, 2.0 * 4 * 4 * 4 * 9);
  EXPECT_EQ(depthwise.workload.bytes, 2.0 * (8 * 8 + 4 * 4 + 9) * 4);
  EXPECT_EQ(reduce_case({"sum", "rows", 5, 70}).bytes, 2.0 * 5 * 70);
  EXPECT_EQ(reduce_case({"mean and variance", "rows", 5, 70}).bytes, 2 * 2.0 * 5 * 70);
  EXPECT_EQ(elementwise_case({"gelu(x + row) y", 6, 40}).bytes, 2.0 * 3 * 6 * 40);
  EXPECT_EQ(elementwise_case({"to f32", 6, 40}).bytes, (2.0 + 4) * 6 * 40);
  EXPECT_EQ(random_case({"dropout", 1000, DType::bf16}).bytes, 5.0 * 1000);
  // One token: its row of the list, and its row of the table, read or read and written.
  EXPECT_EQ(embedding_case({"", 1, 20, 16, false, false, DType::f32}).bytes, 4.0 * 2 * 16 + 8);
  EXPECT_EQ(embedding_case({"", 1, 20, 16, true, false, DType::f32}).bytes, 4.0 * 3 * 16 + 8);
  EXPECT_EQ(sort_case({"", 2, 3000, 5}).bytes, 4.0 * 2 * 3005 + 8.0 * 2 * 5);
  EXPECT_EQ(pool_case({"", 1, 8, 4, 3, 2, 1, true, false}).bytes,
            4.0 * (8 * 8 + 4 * 4) * 4 + 4 * 4 * 4);
  EXPECT_EQ(graph_case({"", "sum", 30, 100, 8}).bytes, 4.0 * 130 * 8 + 8.0 * 131);
  EXPECT_EQ(cell_case({"lstm", 2, 16}).bytes, 4.0 * 15 * 2 * 16);
  EXPECT_EQ(repulsion_case(100).prepare(1).workload.flops, 14.0 * 100 * 100);
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

// PyTorch is measured at the same shapes, with operations counted in the same way.
TEST(GpuBench, PyTorchsAttentionIsThatOfTheCases) {
  const std::string script = STRATA_SOURCE_DIR "/bench/peers/attention_peer.py";
  if (!std::filesystem::exists(script)) GTEST_SKIP() << "the source is not on this machine";
  if (std::system("python3 -c '' 2>/dev/null") != 0) GTEST_SKIP() << "there is no python3";
  std::FILE* pipe = popen(("python3 '" + script + "' --list").c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string theirs;
  std::array<char, 4096> part;
  while (const size_t n = std::fread(part.data(), 1, part.size(), pipe))
    theirs.append(part.data(), n);
  ASSERT_EQ(pclose(pipe), 0) << script << " failed";
  std::string ours;
  for (const AttentionCase& shape : attention_shapes())
    ours += title(attention_case(shape)) + "\t" +
            std::to_string(static_cast<int64_t>(attention_flops(shape))) + "\n";
  EXPECT_EQ(theirs, ours);
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

TEST(Ladders, AreMeasuredAtShapesOfTheirKernels) {
  const std::vector<Case> cases = ladder_cases();
  EXPECT_GT(cases.size(), 60u);
  for (const Case& c : cases) {
    const xray::Subject& subject = xray::subject(c.name);
    EXPECT_EQ(xray::parse_shape(c.shape).size(), subject.shape.size())
        << c.name << " takes " << subject.axes << ", not " << c.shape;
  }
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

// The x-ray against kernels whose traffic is known by hand, and planted races that it must find.
#include "kernels/sim/xray/recorder.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/kernels/support/gpu_test.h"
#include "tests/xray/planted.h"

namespace strata::sim {
namespace {

KernelReport record(const std::function<void()>& run, uint64_t seed = 0) {
  Scoped scoped;
  Recorder recorder;
  config().tracer = &recorder;
  config().seed = seed;
  run();
  gpu::synchronize(nullptr);
  std::vector<KernelReport> reports = recorder.reports();
  EXPECT_EQ(reports.size(), 1u);
  return reports.at(0);
}

const Traffic* find(const KernelReport& report, Space space, bool write) {
  for (const PlaceReport& place : report.places)
    for (const Traffic& traffic : place.traffic)
      if (traffic.space == space && traffic.write == write) return &traffic;
  return nullptr;
}
std::string races_of(const KernelReport& report) {
  std::string text;
  for (const Race& race : report.races)
    text += race.kind + " at " + to_string(race.first) + " and " + to_string(race.second) + ": " +
            race.detail + "\n";
  return text;
}

TEST(Xray, CountsSectorsOfCoalescedAndStridedLoads) {
  test::DeviceBuffer<float> in(8 * 256), out(256);
  const KernelReport good = record([&] { gpu::planted::copy(1, 256, in.data(), out.data()); });
  EXPECT_EQ(find(good, Space::global, false)->units_each(), 4);  // 32 lanes of 4 bytes: 128 bytes
  EXPECT_EQ(good.sector_excess(), 1);
  EXPECT_EQ(good.bytes_read, 1024u);
  EXPECT_EQ(good.bytes_written, 1024u);
  const KernelReport bad = record([&] { gpu::planted::copy(8, 256, in.data(), out.data()); });
  EXPECT_EQ(find(bad, Space::global, false)->units_each(), 32);  // each lane a sector of its own
  EXPECT_EQ(find(bad, Space::global, false)->excess(), 8);
  EXPECT_EQ(bad.bytes_read, 8192u);
}

TEST(Xray, CountsBankConflicts) {
  test::DeviceBuffer<float> in(std::vector<float>(64 * 64, 1)), out(64 * 64);
  const KernelReport padded =
      record([&] { gpu::planted::transpose(true, 64, in.data(), out.data()); });
  EXPECT_EQ(padded.wavefront_excess(), 1);
  const KernelReport unpadded =
      record([&] { gpu::planted::transpose(false, 64, in.data(), out.data()); });
  EXPECT_EQ(find(unpadded, Space::shared, false)->units_each(), 32);  // all lanes in one bank
  EXPECT_EQ(find(unpadded, Space::shared, true)->units_each(), 1);
  EXPECT_TRUE(padded.races.empty()) << races_of(padded);
}

TEST(Xray, FindsAMissingBarrier) {
  test::DeviceBuffer<float> values(std::vector<float>(128, 1));
  const KernelReport good = record([&] { gpu::planted::neighbour(true, values.data()); });
  EXPECT_TRUE(good.races.empty()) << races_of(good);
  const KernelReport bad = record([&] { gpu::planted::neighbour(false, values.data()); });
  ASSERT_FALSE(bad.races.empty());
  const std::string text = races_of(bad);
  EXPECT_NE(text.find("planted.cu:"), std::string::npos) << text;
  EXPECT_TRUE(text.find("read after write") != std::string::npos ||
              text.find("write after read") != std::string::npos)
      << text;
}

TEST(Xray, FindsWarpSynchronousCode) {
  test::DeviceBuffer<float> values(std::vector<float>(128, 1));
  const KernelReport good = record([&] { gpu::planted::broadcast(true, values.data()); });
  EXPECT_TRUE(good.races.empty()) << races_of(good);
  const KernelReport bad = record([&] { gpu::planted::broadcast(false, values.data()); });
  EXPECT_FALSE(bad.races.empty());
}

TEST(Xray, FindsReadsOfWhatNobodyWrote) {
  test::DeviceBuffer<float> values(128);
  const KernelReport report = record([&] { gpu::planted::uninitialised(values.data()); });
  ASSERT_FALSE(report.races.empty());
  EXPECT_EQ(report.races[0].kind, "read of what nobody wrote");
}

// What is told of missing fences, one line a pair of places.
std::vector<Race> missing_fences(const KernelReport& report) {
  std::vector<Race> found;
  for (const Race& race : report.races)
    if (race.kind == "read without a proxy fence after a thread's write") found.push_back(race);
  EXPECT_EQ(found.size(), report.races.size()) << races_of(report);
  return found;
}

using gpu::planted::Copy;
using gpu::planted::Fence;
using gpu::planted::Freed;

// Whatever the schedule: late fences may have been called when the copy lands.
class CopiedRow : public ::testing::TestWithParam<std::tuple<Copy, uint64_t>> {};
INSTANTIATE_TEST_SUITE_P(Xray, CopiedRow,
                         ::testing::Combine(::testing::Values(Copy::plain, Copy::reduce,
                                                              Copy::tensor),
                                            ::testing::Values(0, 1, 2, 3)));

TEST_P(CopiedRow, WantsTheWritersFenceBeforeTheBarrier) {
  const auto [how, seed] = GetParam();
  const Copy copy = how;
  test::DeviceBuffer<float> out(std::vector<float>(128, 0));
  for (const Fence right : {Fence::writers, Fence::before_another_barrier}) {
    const KernelReport report =
        record([&] { gpu::planted::copied_row(copy, right, out.data()); }, seed);
    EXPECT_TRUE(report.races.empty()) << races_of(report);
  }
  for (const Fence wrong : {Fence::none, Fence::reader, Fence::late}) {
    const KernelReport report =
        record([&] { gpu::planted::copied_row(copy, wrong, out.data()); }, seed);
    const std::vector<Race> fences = missing_fences(report);
    ASSERT_EQ(fences.size(), 1u) << static_cast<int>(wrong) << races_of(report);
    // The store and the copy; every two bytes, but for the reader's own four.
    EXPECT_EQ(fences[0].first.file.substr(fences[0].first.file.rfind('/') + 1), "planted_async.cu");
    EXPECT_LT(fences[0].first.line, report.places.back().place.line);
    EXPECT_EQ(fences[0].count, wrong == Fence::none ? 256u : 254u);
    EXPECT_NE(fences[0].detail.find("fence_async_shared() by the writer is missing"),
              std::string::npos)
        << fences[0].detail;
  }
}

TEST(Xray, WantsAFenceBeforeAThreadCopiesWhatItStoredItself) {
  test::DeviceBuffer<float> out(128);
  const KernelReport good = record([&] { gpu::planted::own_row(true, out.data()); });
  EXPECT_TRUE(good.races.empty()) << races_of(good);
  const KernelReport bad = record([&] { gpu::planted::own_row(false, out.data()); });
  EXPECT_EQ(missing_fences(bad).size(), 1u) << races_of(bad);
}

// Who arrives at a barrier without waiting hands over what it has done by then, and no more.
TEST(Xray, WantsTheFenceBeforeAnArrival) {
  test::DeviceBuffer<float> out(std::vector<float>(32, 0));
  for (const uint64_t seed : {0, 1, 2, 3}) {
    const KernelReport good =
        record([&] { gpu::planted::handed_row(Fence::writers, out.data()); }, seed);
    EXPECT_TRUE(good.races.empty()) << races_of(good);
    const KernelReport bad =
        record([&] { gpu::planted::handed_row(Fence::late, out.data()); }, seed);
    EXPECT_EQ(missing_fences(bad).size(), 1u) << races_of(bad);
  }
}

TEST(Xray, WantsAFenceBetweenStoresAndWgmma) {
  test::DeviceBuffer<float> out(128);
  for (const Fence right : {Fence::writers, Fence::before_another_barrier}) {
    const KernelReport report = record([&] { gpu::planted::stored_operands(right, out.data()); });
    EXPECT_TRUE(report.races.empty()) << races_of(report);
  }
  for (const Fence wrong : {Fence::none, Fence::late}) {
    const KernelReport report = record([&] { gpu::planted::stored_operands(wrong, out.data()); });
    EXPECT_EQ(missing_fences(report).size(), 2u) << races_of(report);  // of A, of B
  }
}

// The tile may be filled again when all four warps are known to have read it. The numbers of the
// simulator, whose wgmma_wait is of the whole warpgroup, are right either way.
TEST(Xray, FindsAStageFilledBeforeAllWarpsHaveReadIt) {
  constexpr int steps = 3;
  test::DeviceBuffer<bf16> operands(test::small_integers<bf16>(steps * 1152, 3));
  test::DeviceBuffer<float> out(128);
  const auto writes_after_reads = [](const KernelReport& report) {
    return std::count_if(report.races.begin(), report.races.end(),
                         [](const Race& race) { return race.kind == "write after read"; });
  };
  const KernelReport good =
      record([&] { gpu::planted::turns(true, steps, operands.data(), out.data()); });
  EXPECT_TRUE(good.races.empty()) << races_of(good);
  const KernelReport bad =
      record([&] { gpu::planted::turns(false, steps, operands.data(), out.data()); });
  EXPECT_EQ(writes_after_reads(bad), 1) << races_of(bad);  // wgmma, then the copy
  EXPECT_NE(races_of(bad).find("it speaks for the part of its own warp"), std::string::npos);

  for (const Freed right : {Freed::by_each_warp, Freed::by_one_for_all}) {
    const KernelReport report =
        record([&] { gpu::planted::freed(right, steps, operands.data(), out.data()); });
    EXPECT_TRUE(report.races.empty()) << races_of(report);
  }
  for (const Freed wrong : {Freed::by_one, Freed::too_early}) {
    const KernelReport report =
        record([&] { gpu::planted::freed(wrong, steps, operands.data(), out.data()); });
    EXPECT_GE(writes_after_reads(report), 1) << races_of(report);
  }
}

TEST(Xray, SeesTensorCoresAndTheirOperands) {
  test::DeviceBuffer<bf16> a(test::small_integers<bf16>(256, 1)),
      b(test::small_integers<bf16>(128, 2));
  test::DeviceBuffer<float> c(128);
  const KernelReport report = record([&] { gpu::planted::product(a.data(), b.data(), c.data()); });
  EXPECT_TRUE(report.races.empty()) << races_of(report);
  ASSERT_EQ(report.multiply_adds.size(), 1u);
  EXPECT_EQ(report.multiply_adds.begin()->second, 16u * 8 * 16);
  bool seen = false;  // rows 32 bytes apart: eight rows of 16 bytes lie in 16 banks, twice
  for (const PlaceReport& place : report.places)
    for (const Traffic& t : place.traffic)
      if (t.space == Space::shared && !t.write && t.size == 16) {
        seen = true;
        EXPECT_EQ(t.excess(), 2) << to_string(place.place);
      }
  EXPECT_TRUE(seen);
}

}  // namespace
}  // namespace strata::sim

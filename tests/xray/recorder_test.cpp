// The x-ray against kernels whose traffic is known by hand, and planted races that it must find.
#include "kernels/sim/xray/recorder.h"

#include <gtest/gtest.h>

#include "tests/kernels/support/gpu_test.h"
#include "tests/xray/planted.h"

namespace strata::sim {
namespace {

KernelReport record(const std::function<void()>& run) {
  Scoped scoped;
  Recorder recorder;
  config().tracer = &recorder;
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

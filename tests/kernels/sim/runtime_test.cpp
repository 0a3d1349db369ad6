// Streams, events, graphs, memory and launches of the simulated device.
#include "kernels/gpu/runtime.h"

#include "kernels/gpu/launch.h"
#include "kernels/gpu/memory.h"
#include "tests/kernels/support/gpu_test.h"

namespace strata::gpu {
namespace {

__global__ void add_kernel(int n, const float* a, const float* b, float* c) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) c[i] = a[i] + b[i];
}
__global__ void reverse_kernel(float* values) {
  struct Tile {
    float value[256];
  };
  Tile& tile = block_shared<Tile>();
  tile.value[threadIdx.x] = values[threadIdx.x];
  __syncthreads();
  values[threadIdx.x] = tile.value[blockDim.x - 1 - threadIdx.x];
}
__global__ void sum_kernel(const float* values, float* sum) {
  float value = values[threadIdx.x];
  for (int offset = 16; offset > 0; offset /= 2)
    value += __shfl_xor_sync(0xffffffffu, value, offset);
  struct Partial {
    float value[32];
  };
  Partial& partial = block_shared<Partial>();
  if (threadIdx.x % 32 == 0) partial.value[threadIdx.x / 32] = value;
  __syncthreads();
  if (threadIdx.x == 0) {
    float total = 0;
    for (unsigned warp = 0; warp < blockDim.x / 32; ++warp) total += partial.value[warp];
    *sum = total;
  }
}

// Rounds through shared memory: each thread reads what a thread of the next warp wrote. Without the
// second barrier, a warp that is ahead overwrites what a slow one has yet to read.
template <bool SecondBarrier>
__global__ void rounds_kernel(int rounds, int* wrong) {
  struct Row {
    int value[128];
  };
  Row& row = block_shared<Row>();
  for (int round = 0; round < rounds; ++round) {
    row.value[threadIdx.x] = round;
    __syncthreads();
    if (row.value[(threadIdx.x + 32) % 128] != round) wrong[threadIdx.x] = 1;
    if (SecondBarrier) __syncthreads();
  }
}

std::vector<float> counting(size_t n) {
  std::vector<float> values(n);
  for (size_t i = 0; i < n; ++i) values[i] = static_cast<float>(i);
  return values;
}

TEST(SimulatedDevice, KernelsComputeUnderEverySchedule) {
  const std::vector<float> a = counting(1000), b = counting(1000);
  test::for_each_schedule([&] {
    test::DeviceBuffer<float> da(a), db(b), dc(1000), values(counting(256)), sum(1);
    launch<add_kernel>({.grid = divide_up(1000, 128), .block = 128}, 1000, da.data(), db.data(),
                       dc.data());
    launch<sum_kernel>({.block = 256}, values.data(), sum.data());
    launch<reverse_kernel>({.block = 256}, values.data());
    const std::vector<float> c = dc.host(), reversed = values.host();
    for (size_t i = 0; i < 1000; ++i) ASSERT_EQ(c[i], 2 * static_cast<float>(i));
    for (size_t i = 0; i < 256; ++i) ASSERT_EQ(reversed[i], 255 - static_cast<float>(i));
    EXPECT_EQ(sum.host()[0], 255 * 128);
  });
}

TEST(SimulatedDevice, SeedsLetAWarpRunAhead) {
  int found = 0;
  test::for_each_schedule([&] {
    test::DeviceBuffer<int> right(std::vector<int>(128, 0)), wrong(std::vector<int>(128, 0));
    launch<rounds_kernel<true>>({.block = 128}, 4, right.data());
    launch<rounds_kernel<false>>({.block = 128}, 4, wrong.data());
    EXPECT_EQ(right.host(), std::vector<int>(128, 0));
    found += wrong.host() != std::vector<int>(128, 0);
  });
  EXPECT_GT(found, 0) << "no schedule showed the missing barrier";
}

TEST(SimulatedDevice, NothingHappensBeforeSynchronise) {
  test::DeviceBuffer<float> values(std::vector<float>{1, 2, 3});
  std::vector<float> seen(3, -1);
  copy_to_host(seen.data(), values.data(), 12, nullptr);
  EXPECT_EQ(seen[0], -1);
  synchronize(nullptr);
  EXPECT_EQ(seen[0], 1);
}

TEST(SimulatedDevice, EventsOrderStreams) {
  Stream first = create_stream(), second = create_stream();
  Event event = create_event();
  test::DeviceBuffer<float> values(std::vector<float>(4, 0));
  const std::vector<float> ones(4, 1);
  std::vector<float> seen(4, -1);
  copy_to_device(values.data(), ones.data(), 16, first);
  record(event, first);
  wait(second, event);
  copy_to_host(seen.data(), values.data(), 16, second);
  synchronize(second);
  EXPECT_EQ(seen[3], 1);
  destroy_event(event);
  destroy_stream(first);
  destroy_stream(second);
}

TEST(SimulatedDevice, AGraphIsReplayed) {
  test::DeviceBuffer<float> one(std::vector<float>(8, 1)), sum(std::vector<float>(8, 0));
  Graph graph = capture(
      nullptr, [&] { launch<add_kernel>({.block = 32}, 8, one.data(), sum.data(), sum.data()); });
  EXPECT_EQ(sum.host()[0], 0);
  for (int i = 0; i < 3; ++i) replay(graph, nullptr);
  EXPECT_EQ(sum.host()[7], 3);
  EXPECT_THROW(capture(nullptr, [] { synchronize(nullptr); }), Error);
  destroy_graph(graph);
}

TEST(SimulatedDevice, RefusesWhatCudaRefuses) {
  float* nothing = nullptr;
  launch<reverse_kernel>({.block = 2048}, nothing);
  EXPECT_THROW(synchronize(nullptr), Error);
  launch<reverse_kernel>({.block = 32, .shared = 1 << 20}, nothing);
  EXPECT_THROW(synchronize(nullptr), Error);
  test::Pretend pretend(a100());
  launch<reverse_kernel>({.grid = 4, .block = 32, .cluster = 2}, nothing);
  try {
    synchronize(nullptr);
    FAIL() << "an A100 has no clusters";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("A100"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("reverse_kernel"), std::string::npos) << error.what();
  }
  float host = 0;
  EXPECT_THROW(copy_to_device(&host, &host, 4, nullptr), Error);
}

// Reads device memory from the host, with and without protection.
[[noreturn]] void read_device_memory(bool protect) {
  sim::config().protect = protect;
  float* memory = static_cast<float*>(allocate(4096));
  fill_bytes(memory, 0, 4096, nullptr);
  synchronize(nullptr);
  volatile float read = *memory;
  std::exit(read == 0 ? 0 : 1);
}

TEST(SimulatedDeviceDeathTest, TheHostIsKeptOutOfProtectedMemory) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(read_device_memory(false), ::testing::ExitedWithCode(0), "");
  EXPECT_DEATH(read_device_memory(true), "");
}

}  // namespace
}  // namespace strata::gpu

// The caching allocator: reuse, counts, limits, and the report when memory runs out.
#include "engine/tensor/allocator.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "engine/tensor/tensor.h"
#include "tests/support/expect.h"
#include "tests/support/oracle.h"

namespace strata {
namespace {

constexpr size_t MiB = size_t{1} << 20;

class Allocator : public ::testing::Test {
 protected:
  void SetUp() override {
    memory::clear_cache();
    memory::reset_peak();
    before_ = memory::stats();
  }
  void TearDown() override {
    memory::set_limit(0);
    EXPECT_EQ(memory::stats().active, before_.active) << "a block was not given back";
    memory::clear_cache();
  }
  memory::Stats before_;
};

TEST_F(Allocator, ReusesBlocks) {
  void* a = memory::allocate(1000);
  memory::release(a, 1000);
  void* b = memory::allocate(1000);
  EXPECT_EQ(a, b);
  EXPECT_EQ(memory::stats().allocations, before_.allocations + 2);
  EXPECT_EQ(memory::stats().from_system, before_.from_system + 1);
  memory::release(b, 1000);
  void* other = memory::allocate(5000);
  EXPECT_EQ(memory::stats().from_system, before_.from_system + 2) << "another size class";
  memory::release(other, 5000);
}

TEST_F(Allocator, CountsActiveCachedAndPeak) {
  void* a = memory::allocate(MiB);
  EXPECT_EQ(memory::stats().active, before_.active + MiB);
  void* b = memory::allocate(2 * MiB);
  memory::release(a, MiB);
  EXPECT_EQ(memory::stats().active, before_.active + 2 * MiB);
  EXPECT_EQ(memory::stats().cached, MiB);
  EXPECT_EQ(memory::stats().peak, before_.active + 3 * MiB);
  memory::reset_peak();
  EXPECT_EQ(memory::stats().peak, before_.active + 2 * MiB);
  memory::release(b, 2 * MiB);
  EXPECT_EQ(memory::stats().cached, 3 * MiB);
  memory::clear_cache();
  EXPECT_EQ(memory::stats().cached, 0u);
}

TEST_F(Allocator, BlocksAreAlignedAndWasteLittle) {
  test::Random random(1);
  for (int i = 0; i < 2000; ++i) {
    size_t bytes = static_cast<size_t>(random.integer(1, int64_t{1} << random.integer(1, 22)));
    size_t active = memory::stats().active;
    void* data = memory::allocate(bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(data) % 64, 0u);
    std::memset(data, 1, bytes);
    size_t taken = memory::stats().active - active;
    EXPECT_GE(taken, bytes);
    EXPECT_LE(taken, std::max<size_t>(64, bytes + bytes / 8)) << bytes;
    memory::release(data, bytes);
  }
  EXPECT_EQ(memory::allocate(0), nullptr);
  memory::release(nullptr, 0);
}

TEST_F(Allocator, TensorsGiveTheirMemoryBack) {
  {
    Tensor x = empty({1024, 1024});
    EXPECT_EQ(memory::stats().active, before_.active + 4 * MiB);
    Tensor view = make_view(x, {1024}, {1}, 0);
    x = Tensor();
    EXPECT_EQ(memory::stats().active, before_.active + 4 * MiB) << "the view still needs it";
  }
  EXPECT_EQ(memory::stats().active, before_.active);
  EXPECT_EQ(memory::stats().cached, 4 * MiB);
}

TEST_F(Allocator, RespectsTheLimit) {
  memory::set_limit(before_.active + 10 * MiB);
  void* a = memory::allocate(6 * MiB);
  EXPECT_THROW(memory::allocate(6 * MiB), OutOfMemory);
  memory::release(a, 6 * MiB);
  void* b = memory::allocate(7 * MiB);  // fits only when the cached 6 MiB are given up
  EXPECT_EQ(memory::stats().cached, 0u);
  memory::release(b, 7 * MiB);
  memory::set_limit(before_.active + 2 * MiB);
  EXPECT_EQ(memory::stats().cached, 0u) << "a lower limit gives up the cache";
  memory::set_limit(0);
  memory::release(memory::allocate(20 * MiB), 20 * MiB);
}

TEST_F(Allocator, NeverExceedsTheLimitWithTheCache) {
  test::Random random(2);
  size_t limit = before_.active + 8 * MiB;
  memory::set_limit(limit);
  std::vector<std::pair<void*, size_t>> held;
  for (int i = 0; i < 3000; ++i) {
    if (!held.empty() && random.integer(0, 2)) {
      auto [data, bytes] = held.back();
      held.pop_back();
      memory::release(data, bytes);
    } else {
      size_t bytes = static_cast<size_t>(random.integer(1, int64_t{2} << 20));
      try {
        held.emplace_back(memory::allocate(bytes), bytes);
      } catch (const OutOfMemory&) {
      }
    }
    auto now = memory::stats();
    ASSERT_LE(now.active + now.cached, limit);
  }
  for (auto [data, bytes] : held) memory::release(data, bytes);
}

TEST_F(Allocator, OutOfMemoryNamesTheThreeLargestHolders) {
  struct Block {
    size_t bytes;
    void* data;
    Block(const char* op, size_t bytes) : bytes(bytes) {
      memory::Holder holder(op);
      data = memory::allocate(bytes);
    }
    ~Block() { memory::release(data, bytes); }
  };
  Block a("conv2d", 3 * MiB), b("conv2d", 3 * MiB), c("matmul", 4 * MiB), d("relu", 2 * MiB),
      e("exp", MiB);
  memory::set_limit(memory::stats().active + MiB);
  memory::Holder holder("softmax");
  std::string message = test::error_of([] { memory::allocate(16 * MiB); });
  EXPECT_TRUE(std::regex_search(
      message, std::regex(R"(^\[softmax\] out of memory: asked for 16\.0 MiB; in use \d+\.\d MiB, )"
                          R"(cached .*, peak .*, limit \d+.*largest holders: )"
                          R"(conv2d 6\.0 MiB, matmul 4\.0 MiB, relu 2\.0 MiB\.)")))
      << message;
  auto holders = memory::largest_holders(1);
  ASSERT_EQ(holders.size(), 1u);
  EXPECT_EQ(holders[0].op, "conv2d");
  EXPECT_EQ(holders[0].bytes, 6 * MiB);
}

TEST_F(Allocator, AbsurdSizesAreErrorsNotCrashes) {
  EXPECT_THROW(memory::allocate(~size_t{0}), OutOfMemory);
  EXPECT_THROW(memory::allocate(size_t{1} << 62), OutOfMemory);
}

TEST_F(Allocator, SurvivesAFailure) {
  memory::set_limit(before_.active + MiB);
  EXPECT_THROW(empty({1024, 1024}), OutOfMemory);
  Tensor small = empty({100});
  EXPECT_EQ(small.numel(), 100);
}

TEST_F(Allocator, ServesManyThreads) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([t, &wrong] {
      test::Random random(static_cast<uint64_t>(t));
      std::vector<std::pair<unsigned char*, size_t>> held;
      for (int i = 0; i < 2000; ++i) {
        if (held.size() > 20 || (!held.empty() && random.integer(0, 2))) {
          auto [data, bytes] = held.back();
          held.pop_back();
          if (data[0] != t || data[bytes - 1] != t) ++wrong;  // somebody else wrote here
          memory::release(data, bytes);
        } else {
          size_t bytes = static_cast<size_t>(random.integer(1, 100000));
          auto* data = static_cast<unsigned char*>(memory::allocate(bytes));
          data[0] = data[bytes - 1] = static_cast<unsigned char>(t);
          held.emplace_back(data, bytes);
        }
      }
      for (auto [data, bytes] : held) memory::release(data, bytes);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

#if defined(__SANITIZE_ADDRESS__)
TEST_F(Allocator, FreedBlocksArePoisoned) {
  EXPECT_DEATH(
      {
        auto* data = static_cast<volatile char*>(memory::allocate(1000));
        memory::release(const_cast<char*>(data), 1000);
        data[10] = 1;
      },
      "use-after-poison");
  EXPECT_DEATH(
      {
        auto* data = static_cast<volatile char*>(memory::allocate(1000));
        data[1000] = 1;
      },
      "use-after-poison");
}
#endif

}  // namespace
}  // namespace strata

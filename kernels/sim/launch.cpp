// A launch: checks what CUDA would check, then runs the grid's clusters on the host's threads, each
// with a gang of its own.
#include "kernels/sim/launch.h"

#include <fmt/format.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <thread>

#include "kernels/gpu/runtime.h"
#include "kernels/sim/block.h"
#include "kernels/sim/tracer.h"

namespace strata::sim {

Config& config() {
  static Config instance;
  return instance;
}

namespace {

std::atomic<uint64_t> launches, blocks, switches, collectives;

uint64_t volume(dim3 size) { return static_cast<uint64_t>(size.x) * size.y * size.z; }
std::string text(dim3 size) { return fmt::format("({},{},{})", size.x, size.y, size.z); }

void check(const Launch& launch) {
  const gpu::DeviceInfo& device = config().device;
  const auto refuse = [&](const std::string& why) {
    throw gpu::Error(fmt::format("launch of {} with grid {}, block {}: {}", launch.name,
                                 text(launch.grid), text(launch.block), why));
  };
  if (volume(launch.block) == 0 || volume(launch.block) > 1024 || launch.block.z > 64)
    refuse(fmt::format("a block has 1 to 1024 threads (z at most 64), this one {}",
                       volume(launch.block)));
  if (launch.grid.x > 0x7fffffffu || launch.grid.y > 65535 || launch.grid.z > 65535)
    refuse("a grid has at most 2^31-1 by 65535 by 65535 blocks");
  if (launch.dynamic_shared > device.shared_per_block)
    refuse(fmt::format("{} bytes of shared memory; the {} has {} for a block",
                       launch.dynamic_shared, device.name, device.shared_per_block));
  const uint64_t cluster = volume(launch.cluster);
  if (cluster > 1 && device.arch < 90)
    refuse(fmt::format("clusters need compute capability 9.0; the {} has {}.{}", device.name,
                       device.arch / 10, device.arch % 10));
  if (cluster == 0 || cluster > 8)
    refuse(fmt::format("a cluster has 1 to 8 blocks, this one {}", cluster));
  if (launch.grid.x % launch.cluster.x || launch.grid.y % launch.cluster.y ||
      launch.grid.z % launch.cluster.z)
    refuse(fmt::format("the cluster {} does not divide the grid", text(launch.cluster)));
}

void prepare(Gang& gang, const Launch& launch) {
  gang.launch = &launch;
  gang.block_count = static_cast<uint32_t>(volume(launch.cluster));
  const auto threads = static_cast<int>(volume(launch.block));
  while (gang.blocks.size() < gang.block_count) gang.blocks.push_back(std::make_unique<Block>());
  for (uint32_t rank = 0; rank < gang.block_count; ++rank) {
    Block& block = *gang.blocks[rank];
    block.gang = &gang;
    block.rank = rank;
    block.thread_count = threads;
    block.warps = (threads + 31) / 32;
    block.threads.resize(static_cast<size_t>(threads));
    block.rendezvous.resize(static_cast<size_t>(block.warps) * 32);
    block.warpgroups.resize(static_cast<size_t>(threads + 127) / 128);
    for (int i = 0; i < threads; ++i) {
      Thread& thread = block.threads[static_cast<size_t>(i)];
      const auto n = static_cast<unsigned>(i);
      thread.block = &block;
      thread.index = {n % launch.block.x, n / launch.block.x % launch.block.y,
                      n / (launch.block.x * launch.block.y)};
      thread.linear = static_cast<uint16_t>(i);
      thread.warp = static_cast<uint16_t>(i / 32);
      thread.lane = static_cast<uint16_t>(i % 32);
    }
  }
  gang.ring.resize(std::bit_ceil(static_cast<size_t>(threads) * gang.block_count));
}

// Threads that wait for work; one pool for all launches.
class Pool {
 public:
  static Pool& instance() {
    static Pool pool;
    return pool;
  }
  // Runs job on `count` threads, the caller one of them.
  void run(int count, const std::function<void()>& job) {
    {
      std::lock_guard lock(mutex_);
      while (static_cast<int>(threads_.size()) < count - 1)
        threads_.emplace_back([this] { serve(); });
      job_ = &job;
      open_ = count - 1;
      running_ = count - 1;
    }
    work_.notify_all();
    job();
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return running_ == 0; });
  }

 private:
  ~Pool() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    work_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      work_.wait(lock, [this] { return open_ > 0 || stop_; });
      if (stop_) return;
      --open_;
      const std::function<void()>* job = job_;
      lock.unlock();
      (*job)();
      lock.lock();
      if (--running_ == 0) done_.notify_all();
    }
  }
  std::mutex mutex_;
  std::condition_variable work_, done_;
  std::vector<std::thread> threads_;
  const std::function<void()>* job_ = nullptr;
  int open_ = 0, running_ = 0;
  bool stop_ = false;
};

// The order of clusters: 0, 1, 2, ... or, with a seed, a permutation by an odd stride.
struct Order {
  uint64_t total, stride = 1, offset = 0;
  Order(uint64_t total, uint64_t seed) : total(total) {
    if (!seed) return;
    offset = seed * 0x9e3779b97f4a7c15ull % total;
    stride = seed % total | 1;
    while (std::gcd(stride, total) != 1) ++stride;
  }
  uint64_t operator()(uint64_t i) const { return (i * stride + offset) % total; }
};

}  // namespace

Statistics statistics() { return {launches, blocks, switches, collectives}; }

void run(const Launch& launch) {
  check(launch);
  const uint64_t clusters = volume(launch.grid) / volume(launch.cluster);
  const Order order(clusters, config().seed);
  std::atomic<uint64_t> next{0};
  std::mutex error_mutex;
  std::string error;
  const std::function<void()> work = [&] {
    static thread_local Gang gang;
    const uint64_t switches_before = gang.switches, collectives_before = gang.collectives;
    try {
      prepare(gang, launch);
      for (uint64_t i; (i = next.fetch_add(1)) < clusters;) {
        run_gang(gang, order(i));
        if (gang.failed) throw gpu::Error(gang.error);
      }
    } catch (const std::exception& e) {
      std::lock_guard lock(error_mutex);
      if (error.empty()) error = e.what();
      next = clusters;
    }
    switches += gang.switches - switches_before;
    collectives += gang.collectives - collectives_before;
  };
  ++launches;
  blocks += volume(launch.grid);
  if (Tracer* tracer = config().tracer) tracer->launch_began(launch);
  int threads = config().host_threads ? config().host_threads
                                      : static_cast<int>(std::thread::hardware_concurrency());
  threads =
      static_cast<int>(std::min<uint64_t>(static_cast<uint64_t>(std::max(threads, 1)), clusters));
  if (config().tracer) threads = 1;
  if (threads == 1)
    work();
  else
    Pool::instance().run(threads, work);
  if (Tracer* tracer = config().tracer) tracer->launch_ended(launch);
  if (!error.empty()) throw gpu::Error(fmt::format("{}: {}", launch.name, error));
}

}  // namespace strata::sim

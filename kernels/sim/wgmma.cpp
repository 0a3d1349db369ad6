// wgmma: products of a warpgroup that run later than they are issued. The threads of a warpgroup
// number their products alike; a product runs after all 128 threads have issued it, in order, and
// then reads shared memory and the accumulators and writes the accumulators. In the fixed order
// that is when its group is waited for, as late as can be; in seeded schedules it is at issue, at
// commit or at the wait, drawn for each.
//
// wgmma_wait brings the warpgroup together, as it does in practice: one thread may release a buffer
// for all. The PTX text does not say it, and the x-ray goes by the text (warpgroup_waited).
#include "kernels/sim/wgmma.h"

#include <fmt/format.h>

#include "kernels/gpu/tensor_map.h"
#include "kernels/sim/block.h"
#include "kernels/sim/tensor_core.h"
#include "kernels/sim/tracer.h"

namespace strata::sim {

namespace {

using gpu::Swizzle;

constexpr int threads = 128, rows = 64, rows_of_warp = 16, max_n = 256, max_k = 32;

constexpr int k_of(MatrixType type) { return 32 / size_of(type); }

// ---- operands in shared memory ----

struct Descriptor {
  uint32_t start, leading, stride;
  Swizzle swizzle;
  int base_offset;
};

Descriptor read_descriptor(uint64_t bits) {
  constexpr Swizzle modes[] = {Swizzle::none, Swizzle::b128, Swizzle::b64, Swizzle::b32};
  const auto field = [bits](int shift) {
    return static_cast<uint32_t>(bits >> shift & 0x3fff) << 4;
  };
  return {field(0), field(16), field(32), modes[bits >> 62], static_cast<int>(bits >> 49 & 7)};
}

// The pattern of a swizzle must begin where the tile does; only a step inside a line may be added.
void check_descriptor(uint64_t bits, const char* operand, Site site) {
  const Descriptor d = read_descriptor(bits);
  const auto span = static_cast<uint32_t>(gpu::swizzle_span(d.swizzle));
  const uint32_t pattern = gpu::swizzle_pattern(d.swizzle);
  if (d.swizzle != Swizzle::none && (d.start % pattern) / span != 0)
    fail(fmt::format("wgmma: the tile of {} begins at byte {} of shared memory; with the {}-byte "
                     "swizzle a tile begins at a "
                     "multiple of {}, plus a step of less than {}",
                     operand, d.start, span, pattern, span),
         site);
  if (d.base_offset != 0)
    fail(fmt::format("wgmma: the descriptor of {} has a base offset of {}; the simulator wants "
                     "tiles that begin where the "
                     "pattern of the swizzle does",
                     operand, d.base_offset),
         site);
}

// Where 16 bytes of an operand lie (kernels/gpu/ptx/wgmma.h has the layouts). K-major: chunk j
// along K of row i. MN-major: chunk j along M or N of k = i.
uint32_t chunk_address(const Descriptor& d, bool mn_major, uint32_t i, uint32_t j) {
  const auto span = static_cast<uint32_t>(gpu::swizzle_span(d.swizzle)), width = span / 16;
  const bool plain = d.swizzle == Swizzle::none;
  uint32_t address = d.start + span * (i % 8);
  if (mn_major)
    address += plain ? d.leading * (i / 8) + d.stride * j
                     : d.stride * (i / 8) + 16 * (j % width) + d.leading * (j / width);
  else
    address += d.stride * (i / 8) + (plain ? d.leading : 16) * j;
  return gpu::swizzled(address & 0x3ffff, d.swizzle);
}

// Reads an operand of `size` rows (of A, each by the warp that multiplies it) or columns (of B, by
// all four) as floats: element (i, k) to out[i * row_pitch + k * k_pitch].
template <MatrixType Type>
void load_operand(const WgmmaOperation& operation, bool is_a, uint64_t bits, bool mn_major,
                  int size, float* out, int row_pitch, int k_pitch) {
  Block& block = *current->block;
  const Descriptor descriptor = read_descriptor(bits);
  constexpr int per_chunk = 16 / size_of(Type), k = k_of(Type);
  const int lines = mn_major ? k : size, chunks = (mn_major ? size : k) / per_chunk;
  const int line_pitch = mn_major ? k_pitch : row_pitch,
            element_pitch = mn_major ? row_pitch : k_pitch;
  Tracer* tracer = config().tracer;
  for (int i = 0; i < lines; ++i)
    for (int j = 0; j < chunks; ++j) {
      const uint32_t address =
          chunk_address(descriptor, mn_major, static_cast<uint32_t>(i), static_cast<uint32_t>(j));
      if (address + 16 > block.arena.used)
        fail(fmt::format("wgmma: the descriptor 0x{:016x} (leading {}, stride {}) reaches byte {} "
                         "of shared memory; the block has {}",
                         bits, descriptor.leading, descriptor.stride, address, block.arena.used),
             operation.site);
      const unsigned char* chunk = block.arena.base + address;
      if (tracer) {
        const int row = mn_major ? j * per_chunk : i;
        tracer->async_access(operation.ticket, &block, chunk, 16, false,
                             is_a ? row / rows_of_warp : every_warp);
      }
      uint32_t words[4];
      float values[16];
      std::memcpy(words, chunk, 16);
      decode<Type>(words, 4, values);
      float* to = out + i * line_pitch + j * per_chunk * element_pitch;
      for (int e = 0; e < per_chunk; ++e) to[e * element_pitch] = values[e];
    }
}

// ---- fragments ----

// The rows of A from the registers of the 128 threads, as the fragments of mma.
template <MatrixType Type>
void load_registers(const WgmmaOperation& operation, float* a) {
  constexpr int per_register = 4 / size_of(Type), k = k_of(Type);
  for (int thread = 0; thread < threads; ++thread) {
    const int warp = thread / 32, g = thread % 32 / 4, t = thread % 4;
    for (int r = 0; r < 4; ++r)
      decode<Type>(&operation.a_registers[thread][r], 1,
                   a + (16 * warp + g + 8 * (r & 1)) * k + per_register * (t + 4 * (r >> 1)));
  }
}

// Copies between the accumulators of the 128 threads and d[64][n].
template <bool ToThreads>
void move_accumulators(float* const* accumulators, int n, float* d) {
  for (int thread = 0; thread < threads; ++thread) {
    const int warp = thread / 32, g = thread % 32 / 4, column = thread % 4 * 2;
    for (int j = 0; j < n / 8; ++j)
      for (int half = 0; half < 2; ++half) {
        float* in_thread = accumulators[thread] + 4 * j + 2 * half;
        float* in_tile = d + (16 * warp + 8 * half + g) * n + 8 * j + column;
        std::memcpy(ToThreads ? in_thread : in_tile, ToThreads ? in_tile : in_thread,
                    2 * sizeof(float));
      }
  }
}

// ---- running ----

struct Scratch {
  std::vector<float> a = std::vector<float>(rows * max_k), b = std::vector<float>(max_k * max_n),
                     d = std::vector<float>(rows * max_n);
};

template <MatrixType Type>
void run_one(const WgmmaOperation& operation, Scratch& scratch) {
  const WgmmaShape& shape = operation.shape;
  const int n = shape.n;
  constexpr int k = k_of(Type);
  if (!shape.accumulate) std::fill_n(scratch.d.begin(), rows * n, 0.0f);
  if (operation.a_in_registers)
    load_registers<Type>(operation, scratch.a.data());
  else
    load_operand<Type>(operation, true, operation.a, shape.a_mn_major, rows, scratch.a.data(), k,
                       1);
  load_operand<Type>(operation, false, operation.b, shape.b_mn_major, n, scratch.b.data(), 1, n);
  multiply_add(scratch.a.data(), scratch.b.data(), scratch.d.data(), rows, n, k);
  if (Tracer* tracer = config().tracer) {
    tracer->tensor_operations(*current, name_of(Type), static_cast<uint64_t>(rows * n * k),
                              operation.site);
    tracer->async_landed(operation.ticket, nullptr);
  }
}

void run_one(const WgmmaOperation& operation, Scratch& scratch) {
  switch (operation.shape.type) {
    case MatrixType::bf16:
      return run_one<MatrixType::bf16>(operation, scratch);
    case MatrixType::f16:
      return run_one<MatrixType::f16>(operation, scratch);
    case MatrixType::tf32:
      return run_one<MatrixType::tf32>(operation, scratch);
    case MatrixType::e4m3:
      return run_one<MatrixType::e4m3>(operation, scratch);
    case MatrixType::e5m2:
      return run_one<MatrixType::e5m2>(operation, scratch);
    case MatrixType::int8:
      break;  // the interface does not offer it
  }
}

bool same_accumulators(const WgmmaOperation& one, const WgmmaOperation& other) {
  return one.shape.n == other.shape.n &&
         std::equal(one.accumulators, one.accumulators + threads, other.accumulators);
}

// Runs the products before number `upto`. What follows on the same accumulators keeps them
// gathered.
void run_until(Warpgroup& group, uint64_t upto) {
  static thread_local Scratch scratch;
  while (group.first < upto) {
    const WgmmaOperation front = group.operations.front();
    move_accumulators<false>(front.accumulators, front.shape.n, scratch.d.data());
    do {
      run_one(group.operations.front(), scratch);
      group.operations.pop_front();
      ++group.first;
    } while (group.first < upto && same_accumulators(group.operations.front(), front));
    move_accumulators<true>(front.accumulators, front.shape.n, scratch.d.data());
  }
}

// ---- issuing ----

Warpgroup& group_of(Thread& thread, const char* what, Site site) {
  require_arch(90, what, site);
  const int group = thread.linear / threads;
  if ((group + 1) * threads > thread.block->thread_count)
    fail(fmt::format("{}: warpgroup {} is not whole: the block has {} threads, and a warpgroup is "
                     "128 of them from a multiple "
                     "of 128",
                     what, group, thread.block->thread_count),
         site);
  return thread.block->warpgroups[static_cast<size_t>(group)];
}

std::string describe(const WgmmaShape& shape, uint64_t a, bool a_in_registers, uint64_t b) {
  return fmt::format("m64n{}k{} {}, A {}{}, B 0x{:016x}{}, {}", shape.n, k_of(shape.type),
                     name_of(shape.type),
                     a_in_registers ? "in registers" : fmt::format("0x{:016x}", a),
                     shape.a_mn_major ? " (M-major)" : "", b, shape.b_mn_major ? " (N-major)" : "",
                     shape.accumulate ? "D += A B" : "D = A B");
}

void start_operation(WgmmaOperation& operation, const WgmmaShape& shape, uint64_t a,
                     bool a_in_registers, uint64_t b, Site site) {
  if (!a_in_registers) check_descriptor(a, "A", site);
  check_descriptor(b, "B", site);
  operation.shape = shape;
  operation.a = a;
  operation.b = b;
  operation.a_in_registers = a_in_registers;
  operation.site = site;
  operation.first = current->linear;
  Gang& gang = *current->block->gang;
  operation.moment = gang.seeded ? static_cast<WgmmaOperation::Moment>(gang.random() % 3)
                                 : WgmmaOperation::Moment::wait;
}

void check_agreement(const WgmmaOperation& operation, const WgmmaShape& shape, uint64_t a,
                     bool a_in_registers, uint64_t b, Site site) {
  if (operation.shape == shape && operation.a == a && operation.b == b &&
      operation.a_in_registers == a_in_registers && operation.site == site)
    return;
  const Thread& first = current->block->threads[operation.first];
  fail(fmt::format("wgmma: the threads of a warpgroup disagree.\n  {} issued {} at {}\n  this "
                   "thread issues {}",
                   name_of(first),
                   describe(operation.shape, operation.a, operation.a_in_registers, operation.b),
                   place(operation.site), describe(shape, a, a_in_registers, b)),
       site);
}

}  // namespace

uint32_t wgmma_tile_address(const void* tile, Site site) {
  const uint32_t offset = shared_offset(tile, site);
  if (offset % 16)
    fail(fmt::format("wgmma_descriptor: the tile begins at byte {} of shared memory, which is not "
                     "a multiple of 16",
                     offset),
         site);
  return offset;
}

void wgmma(const WgmmaShape& shape, float* d, uint64_t a, const uint32_t* a_registers, uint64_t b,
           Site site) {
  Thread& self = *current;
  Warpgroup& group = group_of(self, "wgmma", site);
  if (!self.wgmma_fenced)
    fail(
        "wgmma: no wgmma_fence() since the accumulators could last be touched (at the start, or "
        "after a wgmma_wait)",
        site);
  const uint64_t number = self.wgmma_issued++;
  const size_t place_in_queue = number - group.first;
  if (place_in_queue == group.operations.size())
    start_operation(group.operations.emplace_back(), shape, a, a_registers != nullptr, b, site);
  WgmmaOperation& operation = group.operations[place_in_queue];
  check_agreement(operation, shape, a, a_registers != nullptr, b, site);
  const int thread = self.linear % threads;
  operation.accumulators[thread] = d;
  if (a_registers) std::copy_n(a_registers, 4, operation.a_registers[thread]);
  if (Tracer* tracer = config().tracer) {
    if (operation.issued == 0)
      operation.ticket = tracer->async_issued(self, Agent::tensor_core, site);
    else
      tracer->async_joined(operation.ticket, self);
  }
  if (++operation.issued < threads) return;
  if (operation.moment == WgmmaOperation::Moment::issue) run_until(group, number + 1);
}

void wgmma_fence(Site site) {
  group_of(*current, "wgmma_fence", site);
  current->wgmma_fenced = true;
}

void wgmma_commit(Site site) {
  Thread& self = *current;
  Warpgroup& group = group_of(self, "wgmma_commit", site);
  self.wgmma_groups.push_back(self.wgmma_issued);
  const size_t place_in_queue = self.wgmma_committed++ - group.first_commit;
  if (place_in_queue == group.commits.size()) group.commits.push_back({self.wgmma_issued, 0});
  WgmmaCommit& commit = group.commits[place_in_queue];
  if (commit.upto != self.wgmma_issued)
    fail(fmt::format("wgmma_commit: one thread of the warpgroup has issued {} products by its "
                     "commit number {}, this one {}",
                     commit.upto, self.wgmma_committed, self.wgmma_issued),
         site);
  if (++commit.committed < threads) return;
  const uint64_t upto = commit.upto;
  group.commits.pop_front();
  ++group.first_commit;
  for (uint64_t number = upto; number > group.first; --number)
    if (group.operations[number - 1 - group.first].moment == WgmmaOperation::Moment::commit)
      return run_until(group, number);
}

void wgmma_wait(int groups, Site site) {
  Thread& self = *current;
  Warpgroup& group = group_of(self, "wgmma_wait", site);
  const auto complete = static_cast<std::ptrdiff_t>(self.wgmma_groups.size()) - groups;
  if (complete <= 0) return;
  const uint64_t upto = self.wgmma_groups[static_cast<size_t>(complete) - 1];
  self.wgmma_groups.erase(self.wgmma_groups.begin(), self.wgmma_groups.begin() + complete);
  self.wgmma_fenced = false;
  if (group.waiting > 0 && group.wanted != upto)
    fail(fmt::format("wgmma_wait: one thread of the warpgroup waits for its first {} products, "
                     "this one for {}",
                     group.wanted, upto),
         site);
  group.wanted = upto;
  if (++group.waiting < threads) {
    group.waiters.push_back(self.linear);
    suspend(Wait::wgmma, "wgmma_wait", site);
  } else {
    group.waiting = 0;
    run_until(group, upto);
    for (uint16_t waiter : group.waiters) make_ready(current->block->threads[waiter]);
    group.waiters.clear();
    if (self.block->gang->seeded) yield();
  }
  if (Tracer* tracer = config().tracer) tracer->async_waited(self, Agent::tensor_core, site);
}

void warpgroup_waited(Site site) {
  if (Tracer* tracer = config().tracer) tracer->warpgroup_waited(*current, site);
}

void set_registers(Site site) { group_of(*current, "setmaxnreg", site); }

void check_wgmma_complete(const Thread& thread) {
  if (thread.wgmma_issued == 0) return;
  const Warpgroup& group = thread.block->warpgroups[static_cast<size_t>(thread.linear / threads)];
  if (thread.wgmma_issued > group.first)
    fail("the thread ended without waiting for its wgmma (wgmma_commit, then wgmma_wait<0>)",
         group.operations[thread.wgmma_issued - 1 - group.first].site);
}

}  // namespace strata::sim

// wgmma against loops: every n, type, major order and swizzle. The layout probe makes one operand
// one-hot, so that D names the element of the other that was read; what misuse says; when the
// products run.
#include "kernels/common/fp8.h"
#include "tests/kernels/sim/misuse.h"
#include "tests/kernels/sim/wgmma_probe.h"
#include "tests/kernels/support/gpu_test.h"

namespace strata::test {
namespace {

using gpu::Swizzle;
using Bytes = std::vector<unsigned char>;

constexpr Swizzle swizzles[] = {Swizzle::none, Swizzle::b32, Swizzle::b64, Swizzle::b128};
constexpr WgmmaKind kinds[] = {WgmmaKind::bf16, WgmmaKind::f16, WgmmaKind::tf32, WgmmaKind::e4m3,
                               WgmmaKind::e5m2};

int bytes_of(WgmmaKind kind) {
  return kind == WgmmaKind::tf32 ? 4 : kind == WgmmaKind::bf16 || kind == WgmmaKind::f16 ? 2 : 1;
}
int depth_of(WgmmaKind kind) { return 32 / bytes_of(kind); }

// The bit pattern of a small integer.
uint32_t encode(WgmmaKind kind, int value) {
  const auto x = static_cast<float>(value);
  switch (kind) {
    case WgmmaKind::bf16:
      return bf16(x).bits;
    case WgmmaKind::f16:
      return f16(x).bits;
    case WgmmaKind::tf32:
      return std::bit_cast<uint32_t>(x);
    case WgmmaKind::e4m3:
      return fp8_e4m3(x).bits;
    case WgmmaKind::e5m2:
      break;
  }
  return fp8_e5m2(x).bits;
}

// A matrix of integers, [rows of A or columns of B][k].
struct Matrix {
  int size, k;
  std::vector<int> values;
  Matrix(int size, int k) : size(size), k(k), values(static_cast<size_t>(size * k)) {}
  int& at(int i, int p) { return values[static_cast<size_t>(i * k + p)]; }
};

// The canonical layouts of the PTX ISA ("Asynchronous Warpgroup Level Canonical Layouts"), as bytes
// from the tile's start, of element (i, k): T elements make 16 bytes, w chunks a line of the
// swizzle.
//   K-major   ((8,m),(T,2k)) : ((wT,SBO),(1,T)), without swizzle ((T,SBO),(1,LBO))
//   MN-major  ((T,w,m),(8,k)) : ((1,T,LBO),(wT,SBO)), without swizzle ((T,1,m),(8,k)) :
//   ((1,T,SBO),(T,LBO))
int element_offset(const WgmmaOperand& o, int bytes, int i, int k) {
  const int T = 16 / bytes, w = o.swizzle == Swizzle::none ? 1 : 1 << static_cast<int>(o.swizzle);
  const int lbo = static_cast<int>(o.leading), sbo = static_cast<int>(o.stride);
  const bool plain = o.swizzle == Swizzle::none;
  if (o.mn_major) {
    if (plain) return i % T * bytes + i / T * sbo + k % 8 * 16 + k / 8 * lbo;
    return i % T * bytes + i / T % w * 16 + i / T / w * lbo + k % 8 * w * 16 + k / 8 * sbo;
  }
  return i % 8 * w * 16 + i / 8 * sbo + k % T * bytes + k / T * (plain ? lbo : 16);
}

// Swizzle<b,4,3>: bits 4 .. 4+b-1 of the address are xored with bits 7 .. 7+b-1.
int permuted(int address, Swizzle swizzle) {
  for (int bit = 0; bit < static_cast<int>(swizzle); ++bit)
    if (address >> (7 + bit) & 1) address ^= 16 << bit;
  return address;
}

// Lays a matrix into an image, from K column `k0` of a tile that is wide enough; `spread` leaves
// gaps between the atoms. Returns the operand; `image` grows.
WgmmaOperand place(WgmmaKind kind, bool mn_major, Swizzle swizzle, int step, bool spread,
                   Matrix& matrix, Bytes& image) {
  const int bytes = bytes_of(kind), span = gpu::swizzle_span(swizzle), gap = spread ? 2 : 1;
  const int atom = 8 * span * gap;  // 8 lines
  const int per_line = span / bytes, depth = depth_of(kind), k_total = step * depth + depth;
  WgmmaOperand o{.mn_major = mn_major, .swizzle = swizzle};
  o.tile = static_cast<unsigned>((image.size() + 1023) / 1024 * 1024 + 1024);
  int extent = 0;
  if (swizzle == Swizzle::none) {
    const int along_k = mn_major ? k_total / 8 : k_total * bytes / 16,
              across = matrix.size / (mn_major ? 16 / bytes : 8);
    // 128-byte blocks: along K first, then across; leading is along K, stride across.
    o.leading = static_cast<unsigned>(128 * gap);
    o.stride = o.leading * static_cast<unsigned>(along_k);
    o.advance = o.leading * static_cast<unsigned>(mn_major ? step * depth / 8 : step * 2);
    extent = static_cast<int>(o.stride) * across;
  } else if (mn_major) {
    o.stride = static_cast<unsigned>(atom);
    o.leading = o.stride * static_cast<unsigned>(k_total / 8);
    o.advance = o.stride * static_cast<unsigned>(step * depth / 8);
    extent = static_cast<int>(o.leading) * ((matrix.size + per_line - 1) / per_line);
  } else {
    o.stride = static_cast<unsigned>(atom);
    o.leading = 16;
    o.advance = static_cast<unsigned>(step * 32);
    extent = atom * (matrix.size / 8);
  }
  image.resize(o.tile + static_cast<size_t>(extent), 0xff);  // NaN where nothing lies
  for (int i = 0; i < matrix.size; ++i)
    for (int k = 0; k < depth; ++k) {
      const uint32_t code = encode(kind, matrix.at(i, k));
      const int address = static_cast<int>(o.tile) + element_offset(o, bytes, i, step * depth + k);
      for (int byte = 0; byte < bytes; ++byte)
        image[static_cast<size_t>(permuted(address + byte, swizzle))] =
            static_cast<unsigned char>(code >> (8 * byte));
    }
  return o;
}

struct Case {
  WgmmaKind kind;
  int n;
  bool a_mn, b_mn;
  Swizzle a_swizzle, b_swizzle;
  bool registers;
  int a_step, b_step;  // products along K before this one, in the tile
  bool spread;
};

std::string describe(const Case& c) {
  return (testing::Message() << "kind " << static_cast<int>(c.kind) << ", n " << c.n << ", A "
                             << (c.registers ? "registers"
                                 : c.a_mn    ? "M-major"
                                             : "K-major")
                             << " swizzle " << gpu::swizzle_span(c.a_swizzle) << " step "
                             << c.a_step << ", B " << (c.b_mn ? "N-major" : "K-major")
                             << " swizzle " << gpu::swizzle_span(c.b_swizzle) << " step "
                             << c.b_step << (c.spread ? ", spread" : ""))
      .GetString();
}

std::vector<float> run(const Case& c, Matrix& a, Matrix& b, const std::vector<float>& sums,
                       bool accumulate) {
  Bytes image;
  WgmmaProbe probe;
  probe.kind = c.kind;
  probe.n = c.n;
  probe.a_in_registers = c.registers;
  probe.accumulate = accumulate;
  if (!c.registers) probe.a = place(c.kind, c.a_mn, c.a_swizzle, c.a_step, c.spread, a, image);
  probe.b = place(c.kind, c.b_mn, c.b_swizzle, c.b_step, c.spread, b, image);
  const int bytes = bytes_of(c.kind);
  Bytes rows(64 * 32);
  for (int i = 0; i < 64; ++i)
    for (int k = 0; k < a.k; ++k) {
      const uint32_t code = encode(c.kind, a.at(i, k));
      std::memcpy(&rows[static_cast<size_t>(i * 32 + k * bytes)], &code,
                  static_cast<size_t>(bytes));
    }
  DeviceBuffer<unsigned char> device_image(image), device_rows(rows);
  DeviceBuffer<float> d(sums);
  probe_wgmma(probe, device_image.data(), static_cast<unsigned>(image.size()), device_rows.data(),
              d.data());
  return d.host();
}

// D = A B and D += A B of small random integers, exact.
void check_product(const Case& c) {
  SCOPED_TRACE(describe(c));
  std::mt19937 generator(static_cast<unsigned>(c.n));
  std::uniform_int_distribution<int> uniform(-4, 4);
  Matrix a(64, depth_of(c.kind)), b(c.n, depth_of(c.kind));
  for (Matrix* matrix : {&a, &b})
    for (int& value : matrix->values) value = uniform(generator);
  const bool accumulate = c.n / 8 % 2;
  const std::vector<float> sums(static_cast<size_t>(64 * c.n),
                                accumulate ? 100.0f : std::numeric_limits<float>::quiet_NaN());
  const std::vector<float> result = run(c, a, b, sums, accumulate);
  for (int i = 0; i < 64; ++i)
    for (int j = 0; j < c.n; ++j) {
      int expected = accumulate ? 100 : 0;
      for (int k = 0; k < a.k; ++k) expected += a.at(i, k) * b.at(j, k);
      ASSERT_EQ(result[static_cast<size_t>(i * c.n + j)], static_cast<float>(expected))
          << "row " << i << ", column " << j;
    }
}

// One operand one-hot: row i of A (column j of B) selects k = i (j) mod K. The other holds the
// digits of each element's own number, one pass a digit; D then names the element that was read.
void check_layout(const Case& c, bool of_a) {
  SCOPED_TRACE(describe(c) + (of_a ? ", layout of A" : ", layout of B"));
  const int depth = depth_of(c.kind), base = bytes_of(c.kind) == 1 ? 8 : 128;
  Matrix a(64, depth), b(c.n, depth);
  Matrix &probed = of_a ? a : b, &one_hot = of_a ? b : a;
  for (int i = 0; i < one_hot.size; ++i) one_hot.at(i, i % depth) = 1;
  const auto count = static_cast<int>(probed.values.size());
  std::vector<int> read(static_cast<size_t>(64 * c.n), 0);
  for (int digit = 1; digit < count; digit *= base) {
    for (int e = 0; e < count; ++e) probed.values[static_cast<size_t>(e)] = e / digit % base;
    const std::vector<float> result = run(c, a, b, std::vector<float>(read.size(), 0.0f), true);
    for (size_t e = 0; e < read.size(); ++e) read[e] += static_cast<int>(result[e]) * digit;
  }
  for (int i = 0; i < 64; ++i)
    for (int j = 0; j < c.n; ++j) {
      const int expected = of_a ? i * depth + j % depth : j * depth + i % depth,
                seen = read[static_cast<size_t>(i * c.n + j)];
      ASSERT_EQ(seen, expected) << "D[" << i << "][" << j << "] read element (" << seen / depth
                                << ", k " << seen % depth << ") instead of (" << expected / depth
                                << ", k " << expected % depth << ")";
    }
}

int steps_in_line(Swizzle swizzle, bool mn_major) {
  return mn_major || swizzle == Swizzle::none ? 3 : gpu::swizzle_span(swizzle) / 32;
}

template <class F>
void for_each_case(WgmmaKind kind, F&& f) {
  const bool is_16_bit = bytes_of(kind) == 2;
  for (int majors = 0; majors < (is_16_bit ? 4 : 1); ++majors)
    for (bool registers : {false, true}) {
      const bool a_mn = majors & 1, b_mn = majors & 2;
      if (registers && a_mn) continue;
      for (int n : probed_n(kind, a_mn, b_mn, registers))
        for (Swizzle b_swizzle : swizzles) {
          // A runs through its modes while n and B's mode do.
          const Swizzle a_swizzle = swizzles[(n / 8 + static_cast<int>(b_swizzle)) % 4];
          const int turn = n / 8 + static_cast<int>(b_swizzle);
          f(Case{kind, n, a_mn, b_mn, a_swizzle, b_swizzle, registers,
                 turn % steps_in_line(a_swizzle, a_mn), (turn + 1) % steps_in_line(b_swizzle, b_mn),
                 turn % 3 == 0});
          if (testing::Test::HasFatalFailure()) return;
        }
    }
}

TEST(Wgmma, MultipliesEveryShapeTypeAndLayout) {
  for (WgmmaKind kind : kinds) for_each_case(kind, check_product);
}

TEST(Wgmma, ReadsEachElementWhereTheLayoutPutsIt) {
  for (WgmmaKind kind : kinds)
    for_each_case(kind, [](const Case& c) {
      if (c.n != 24 && c.n != 136) return;
      if (!c.registers) check_layout(c, true);
      check_layout(c, false);
    });
}

TEST(Wgmma, IsTheSameUnderEverySchedule) {
  for_each_schedule([] {
    check_product(
        {WgmmaKind::bf16, 64, false, true, Swizzle::b128, Swizzle::b128, false, 1, 1, false});
    check_product({WgmmaKind::f16, 24, true, false, Swizzle::b64, Swizzle::b32, false, 0, 0, true});
    check_product(
        {WgmmaKind::e4m3, 8, false, false, Swizzle::none, Swizzle::none, true, 0, 2, true});
  });
}

TEST(Wgmma, AcceptsWhatTheCopyEngineBrings) {
  const std::vector<bf16> a = small_integers<bf16>(64 * 64, 1),
                          b = small_integers<bf16>(64 * 128, 2);
  for_each_schedule([&] {
    for (bool a_mn : {false, true})
      for (bool b_mn : {false, true}) {
        DeviceBuffer<bf16> da(a), db(b);
        DeviceBuffer<float> d(64 * 128);
        probe_tma_wgmma(a_mn, b_mn, da.data(), db.data(), d.data());
        const std::vector<float> result = d.host();
        for (size_t i = 0; i < 64; ++i)
          for (size_t j = 0; j < 128; ++j) {
            float expected = 0;
            for (size_t k = 0; k < 64; ++k)
              expected += static_cast<float>(a[a_mn ? k * 64 + i : i * 64 + k]) *
                          static_cast<float>(b[b_mn ? k * 128 + j : j * 64 + k]);
            ASSERT_EQ(result[i * 128 + j], expected)
                << (a_mn ? "M" : "K") << (b_mn ? "N" : "K") << " row " << i << ", column " << j;
          }
      }
  });
}

#ifndef STRATA_CUDA

enum class Mistake {
  none,
  no_fence,
  no_second_fence,
  no_wait,
  other_descriptor,
  other_line,
  half_a_group,
  misaligned_tile,
  outside,
  uneven_commit,
  write_before_commit,
  write_before_wait
};

__device__ void overwrite(bf16* tile) {
  __syncthreads();
  for (unsigned i = threadIdx.x; i < 64 * 64; i += 128) tile[i] = bf16(2.0f);
  __syncthreads();
}

// D = A B with A and B all ones in a tile of the 128-byte swizzle, and one mistake.
template <Mistake M>
__global__ void mistaken_wgmma(float* d) {
  bf16* tile = gpu::dynamic_shared<bf16>();
  for (unsigned i = threadIdx.x; i < 64 * 64; i += 128) tile[i] = bf16(1.0f);
  gpu::fence_async_shared();
  __syncthreads();
  float sums[4];
  uint64_t a = gpu::descriptor_k128(tile);
  const uint64_t b = a;
  if (M == Mistake::misaligned_tile) a = gpu::descriptor_k128(tile + 64);
  if (M == Mistake::outside) a = gpu::wgmma_descriptor(tile, Swizzle::b128, 16, 2048);
  if (M == Mistake::other_descriptor && threadIdx.x == 77) a = gpu::descriptor_advance(a, 32);
  if (M != Mistake::no_fence) gpu::wgmma_fence();
  if (M == Mistake::half_a_group && threadIdx.x >= 64) return;
  if (M == Mistake::other_line && threadIdx.x >= 96)
    gpu::wgmma<8, bf16>(sums, a, b, false);
  else
    gpu::wgmma<8, bf16>(sums, a, b, false);
  if (M == Mistake::uneven_commit && threadIdx.x == 5) gpu::wgmma_commit();
  if (M == Mistake::uneven_commit && threadIdx.x == 6) gpu::wgmma<8, bf16>(sums, a, b, false);
  if (M == Mistake::write_before_commit) overwrite(tile);
  gpu::wgmma_commit();
  if (M == Mistake::write_before_wait) overwrite(tile);
  if (M != Mistake::no_wait) gpu::wgmma_wait<0>();
  if (M == Mistake::no_second_fence) gpu::wgmma<8, bf16>(sums, a, b, true);
  d[threadIdx.x] = sums[0];
}

template <Mistake M>
void run_mistake(float* d) {
  gpu::launch<mistaken_wgmma<M>>({.grid = 1, .block = 128, .shared = 8192}, d);
}

TEST(Wgmma, MisuseIsExplained) {
  DeviceBuffer<float> d(128);
  expect_error([&] { run_mistake<Mistake::no_fence>(d.data()); }, "no wgmma_fence()");
  expect_error([&] { run_mistake<Mistake::no_second_fence>(d.data()); }, "no wgmma_fence()");
  expect_error([&] { run_mistake<Mistake::no_wait>(d.data()); }, "without waiting for its wgmma");
  expect_error([&] { run_mistake<Mistake::other_descriptor>(d.data()); },
               "the threads of a warpgroup disagree");
  expect_error([&] { run_mistake<Mistake::other_line>(d.data()); },
               "the threads of a warpgroup disagree");
  expect_error([&] { run_mistake<Mistake::half_a_group>(d.data()); }, "wgmma_wait");
  expect_error([&] { run_mistake<Mistake::misaligned_tile>(d.data()); },
               "begins at a multiple of 1024");
  expect_error([&] { run_mistake<Mistake::outside>(d.data()); }, "of shared memory; the block has");
  expect_error([&] { run_mistake<Mistake::uneven_commit>(d.data()); }, "wgmma_commit: one thread");
  expect_error(
      [&] {
        gpu::launch<mistaken_wgmma<Mistake::none>>({.grid = 1, .block = 96, .shared = 8192},
                                                   d.data());
      },
      "is not whole");
  Pretend a100(gpu::a100());
  expect_error(
      [&] {
        gpu::launch<mistaken_wgmma<Mistake::none>>({.grid = 1, .block = 128, .shared = 8192},
                                                   d.data());
      },
      "needs compute capability 9.0");
}

// How many of 64 seeds read the tile before it was overwritten.
template <Mistake M>
int early_runs(DeviceBuffer<float>& d) {
  sim::Scoped scoped;
  int early = 0;
  for (uint64_t seed = 1; seed <= 64; ++seed) {
    sim::config().seed = seed;
    run_mistake<M>(d.data());
    early += d.host()[0] == 16;
  }
  return early;
}

// In the fixed order a product reads its tile at the wait; under seeds at issue, at commit or
// there.
TEST(Wgmma, RunsAsLateAsItMay) {
  DeviceBuffer<float> d(128);
  run_mistake<Mistake::none>(d.data());
  EXPECT_EQ(d.host()[0], 16);
  run_mistake<Mistake::write_before_wait>(d.data());
  EXPECT_EQ(d.host()[0], 64);
  const int at_issue = early_runs<Mistake::write_before_commit>(d);
  const int by_commit = early_runs<Mistake::write_before_wait>(d);
  EXPECT_GT(at_issue, 0);
  EXPECT_LT(at_issue, by_commit);
  EXPECT_LT(by_commit, 64);
}

// Two groups: wait<1> completes the first only.
__global__ void two_groups(float* d) {
  bf16* tile = gpu::dynamic_shared<bf16>();
  for (unsigned i = threadIdx.x; i < 64 * 64; i += 128) tile[i] = bf16(1.0f);
  gpu::fence_async_shared();
  __syncthreads();
  float first[4] = {-1, -1, -1, -1}, second[4] = {-1, -1, -1, -1};
  const uint64_t a = gpu::descriptor_k128(tile);
  gpu::wgmma_fence();
  gpu::wgmma<8, bf16>(first, a, a, false);
  gpu::wgmma_commit();
  gpu::wgmma<8, bf16>(second, a, a, false);
  gpu::wgmma<8, bf16>(second, a, a, true);
  gpu::wgmma_commit();
  gpu::wgmma_wait<1>();
  d[threadIdx.x] = first[3];
  d[128 + threadIdx.x] = second[3];
  gpu::wgmma_wait<0>();
  d[256 + threadIdx.x] = second[3];
}

TEST(Wgmma, WaitLeavesTheLatestGroupsPending) {
  DeviceBuffer<float> d(384);
  gpu::launch<two_groups>({.grid = 1, .block = 128, .shared = 8192}, d.data());
  const std::vector<float> result = d.host();
  for (size_t thread = 0; thread < 128; ++thread) {
    ASSERT_EQ(result[thread], 16);
    ASSERT_EQ(result[128 + thread], -1);
    ASSERT_EQ(result[256 + thread], 32);
  }
}

#endif

}  // namespace
}  // namespace strata::test

// See wgmma_probe.h. Fragments are gathered here by the formulas of kernels/gpu/ptx/wgmma.h.
#include "tests/kernels/sim/wgmma_probe.h"

#include <utility>

#include "kernels/gpu/gpu.h"

namespace strata::test {

using namespace gpu;

namespace {

struct Operands {
  WgmmaOperand a, b;
  bool accumulate;
};

DEVICE uint64_t descriptor_of(const unsigned char* image, const WgmmaOperand& operand) {
  return descriptor_advance(
      wgmma_descriptor(image + operand.tile, operand.swizzle, operand.leading, operand.stride),
      operand.advance);
}

// The row of D that this thread holds in d[4j + 2 half + ...], and the column in d[4j + ...].
DEVICE int row_of(int half) {
  const int thread = static_cast<int>(threadIdx.x);
  return thread / 32 * 16 + thread % 32 / 4 + 8 * half;
}
DEVICE int column_of(int j) { return 8 * j + static_cast<int>(threadIdx.x) % 4 * 2; }

template <int N>
DEVICE void load_sums(float (&sums)[N / 2], const float* d) {
#pragma unroll
  for (int i = 0; i < N / 2; ++i) sums[i] = d[row_of(i / 2 % 2) * N + column_of(i / 4) + i % 2];
}
template <int N>
DEVICE void store_sums(const float (&sums)[N / 2], float* d) {
#pragma unroll
  for (int i = 0; i < N / 2; ++i) d[row_of(i / 2 % 2) * N + column_of(i / 4) + i % 2] = sums[i];
}

template <int N, class T, Major A, Major B, bool Registers>
__global__ void __launch_bounds__(128)
    wgmma_kernel(Operands operands, const unsigned char* image, unsigned bytes,
                 const unsigned char* a, float* d) {
  unsigned char* shared = dynamic_shared<unsigned char>();
  for (unsigned i = threadIdx.x; i < bytes; i += 128) shared[i] = image[i];
  fence_async_shared();
  __syncthreads();
  float sums[N / 2];
  load_sums<N>(sums, d);
  const uint64_t b_descriptor = descriptor_of(shared, operands.b);
  if constexpr (Registers) {
    uint32_t fragment[4];  // 32 bytes of each row
    for (int r = 0; r < 4; ++r)
      fragment[r] = *reinterpret_cast<const uint32_t*>(
          a + row_of(r & 1) * 32 + 4 * (static_cast<int>(threadIdx.x) % 4 + 4 * (r >> 1)));
    wgmma_fence();
    wgmma_register_a<N, T, B>(sums, fragment, b_descriptor, operands.accumulate);
  } else {
    const uint64_t a_descriptor = descriptor_of(shared, operands.a);
    wgmma_fence();
    wgmma<N, T, A, B>(sums, a_descriptor, b_descriptor, operands.accumulate);
  }
  wgmma_commit();
  wgmma_wait<0>();
  store_sums<N>(sums, d);
}

using ProbeKernel = void (*)(const LaunchConfig&, const Operands&, const unsigned char*, unsigned,
                             const unsigned char*, float*);

template <int N, class T, Major A, Major B, bool Registers>
void launch_probe(const LaunchConfig& config, const Operands& operands, const unsigned char* image,
                  unsigned bytes, const unsigned char* a, float* d) {
  launch<wgmma_kernel<N, T, A, B, Registers>>(config, operands, image, bytes, a, d);
}

struct Entry {
  int n;
  ProbeKernel kernel;
};

template <class T, Major A, Major B, bool Registers, int... N>
std::vector<Entry> entries(std::integer_sequence<int, N...>) {
  return {Entry{N, launch_probe<N, T, A, B, Registers>}...};
}

template <int... I>
std::integer_sequence<int, (I + 1) * 8 ...> multiples_of_8(std::integer_sequence<int, I...>) {
  return {};
}
using AllN = decltype(multiples_of_8(std::make_integer_sequence<int, 32>{}));
using SomeN = std::integer_sequence<int, 8, 24, 64, 136, 256>;

template <class T>
std::vector<Entry> table(bool a_mn_major, bool b_mn_major, bool registers) {
  if constexpr (std::is_same_v<T, bf16> || std::is_same_v<T, f16>) {
    if (registers && b_mn_major) return entries<T, Major::k, Major::mn, true>(SomeN{});
    if (a_mn_major && b_mn_major) return entries<T, Major::mn, Major::mn, false>(SomeN{});
    if (a_mn_major) return entries<T, Major::mn, Major::k, false>(SomeN{});
    if (b_mn_major) return entries<T, Major::k, Major::mn, false>(SomeN{});
  }
  if (registers) return entries<T, Major::k, Major::k, true>(SomeN{});
  if constexpr (std::is_same_v<T, bf16>)
    return entries<T, Major::k, Major::k, false>(AllN{});
  else
    return entries<T, Major::k, Major::k, false>(SomeN{});
}

std::vector<Entry> table_of(WgmmaKind kind, bool a_mn_major, bool b_mn_major, bool registers) {
  switch (kind) {
    case WgmmaKind::bf16:
      return table<bf16>(a_mn_major, b_mn_major, registers);
    case WgmmaKind::f16:
      return table<f16>(a_mn_major, b_mn_major, registers);
    case WgmmaKind::tf32:
      return table<tf32>(a_mn_major, b_mn_major, registers);
    case WgmmaKind::e4m3:
      return table<fp8_e4m3>(a_mn_major, b_mn_major, registers);
    case WgmmaKind::e5m2:
      break;
  }
  return table<fp8_e5m2>(a_mn_major, b_mn_major, registers);
}

struct TmaTiles {
  bf16 a[64 * 64];
  bf16 b[128 * 64];
  uint64_t barrier;
};

template <Major A, Major B>
__global__ void __launch_bounds__(128)
    tma_wgmma_kernel(const __grid_constant__ TensorMap map_a,
                     const __grid_constant__ TensorMap map_b, float* d) {
  TmaTiles& tiles = *dynamic_shared<TmaTiles>();
  if (threadIdx.x == 0) {
    mbarrier_init(&tiles.barrier, 1);
    mbarrier_fence_init();
    mbarrier_expect(&tiles.barrier, sizeof tiles.a + sizeof tiles.b);
    tma_load<2>(tiles.a, &map_a, {0, 0}, &tiles.barrier);
    if constexpr (B == Major::k) {
      tma_load<2>(tiles.b, &map_b, {0, 0}, &tiles.barrier);
    } else {  // two boxes of 64 columns
      tma_load<2>(tiles.b, &map_b, {0, 0}, &tiles.barrier);
      tma_load<2>(tiles.b + 64 * 64, &map_b, {64, 0}, &tiles.barrier);
    }
  }
  __syncthreads();
  mbarrier_wait(&tiles.barrier, 0);
  // A step of 16 along K: 32 bytes inside a line, or 16 lines of 128 bytes.
  const uint64_t a = A == Major::k ? descriptor_k128(tiles.a) : descriptor_mn128(tiles.a, 64 * 128);
  const uint64_t b = B == Major::k ? descriptor_k128(tiles.b) : descriptor_mn128(tiles.b, 64 * 128);
  float sums[64];
  wgmma_fence();
#pragma unroll
  for (int k = 0; k < 4; ++k)
    wgmma<128, bf16, A, B>(
        sums, descriptor_advance(a, static_cast<unsigned>(k) * (A == Major::k ? 32 : 2048)),
        descriptor_advance(b, static_cast<unsigned>(k) * (B == Major::k ? 32 : 2048)), k > 0);
  wgmma_commit();
  wgmma_wait<0>();
  store_sums<128>(sums, d);
}

template <Major A, Major B>
void launch_tma(const void* a, const void* b, float* d) {
  const TensorMap map_a = tensor_map(DType::bf16, a, {64, 64}, {64}, {64, 64}, Swizzle::b128);
  const TensorMap map_b =
      B == Major::k ? tensor_map(DType::bf16, b, {64, 128}, {64}, {64, 128}, Swizzle::b128)
                    : tensor_map(DType::bf16, b, {128, 64}, {128}, {64, 64}, Swizzle::b128);
  launch<tma_wgmma_kernel<A, B>>({.grid = 1, .block = 128, .shared = sizeof(TmaTiles)}, map_a,
                                 map_b, d);
}

}  // namespace

std::vector<int> probed_n(WgmmaKind kind, bool a_mn_major, bool b_mn_major, bool a_in_registers) {
  std::vector<int> result;
  for (const Entry& entry : table_of(kind, a_mn_major, b_mn_major, a_in_registers))
    result.push_back(entry.n);
  return result;
}

void probe_wgmma(const WgmmaProbe& probe, const unsigned char* image, unsigned bytes,
                 const unsigned char* a, float* d) {
  const LaunchConfig config{.grid = 1, .block = 128, .shared = bytes};
  for (const Entry& entry :
       table_of(probe.kind, probe.a.mn_major, probe.b.mn_major, probe.a_in_registers))
    if (entry.n == probe.n)
      return entry.kernel(config, {probe.a, probe.b, probe.accumulate}, image, bytes, a, d);
  throw Error("probe_wgmma: this n is not compiled for this kind");
}

void probe_tma_wgmma(bool a_mn_major, bool b_mn_major, const void* a, const void* b, float* d) {
  if (a_mn_major && b_mn_major) return launch_tma<Major::mn, Major::mn>(a, b, d);
  if (a_mn_major) return launch_tma<Major::mn, Major::k>(a, b, d);
  if (b_mn_major) return launch_tma<Major::k, Major::mn>(a, b, d);
  return launch_tma<Major::k, Major::k>(a, b, d);
}

}  // namespace strata::test

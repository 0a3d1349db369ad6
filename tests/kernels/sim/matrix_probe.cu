// See matrix_probe.h. Fragments are gathered here by the formulas of kernels/gpu/ptx/matrix.h.
#include "tests/kernels/sim/matrix_probe.h"

#include "kernels/gpu/gpu.h"

namespace strata::test {

using namespace gpu;

namespace {

struct Matrices {
  uint16_t element[4][8][8];
};

template <int Count, bool Transposed>
__global__ void ldmatrix_kernel(const uint16_t* matrices, uint32_t* registers) {
  auto& tile = block_shared<Matrices>();
  const unsigned lane = threadIdx.x;
  for (unsigned i = lane; i < Count * 64; i += 32) (&tile.element[0][0][0])[i] = matrices[i];
  __syncthreads();
  uint32_t r[Count];
  ldmatrix<Count, Transposed>(r, tile.element[lane / 8 % Count][lane % 8]);
  for (int j = 0; j < Count; ++j) registers[j * 32 + static_cast<int>(lane)] = r[j];
}

template <int Count, bool Transposed>
__global__ void stmatrix_kernel(const uint32_t* registers, uint16_t* matrices) {
  auto& tile = block_shared<Matrices>();
  const unsigned lane = threadIdx.x;
  uint32_t r[Count];
  for (int j = 0; j < Count; ++j) r[j] = registers[j * 32 + static_cast<int>(lane)];
  stmatrix<Count, Transposed>(tile.element[lane / 8 % Count][lane % 8], r);
  __syncthreads();
  for (unsigned i = lane; i < Count * 64; i += 32) matrices[i] = (&tile.element[0][0][0])[i];
}

template <MmaKind Kind>
inline constexpr int element_bytes = Kind == MmaKind::tf32                           ? 4
                                     : Kind == MmaKind::bf16 || Kind == MmaKind::f16 ? 2
                                                                                     : 1;

// Register r of A: row g + 8 (r & 1), and as many columns as fit, from there times (t + 4 (r >>
// 1)).
template <int Bytes>
DEVICE uint32_t fragment_a(const unsigned char* a, int pitch, int r) {
  const int g = static_cast<int>(threadIdx.x) / 4, t = static_cast<int>(threadIdx.x) % 4,
            k = 4 / Bytes * (t + 4 * (r >> 1));
  return *reinterpret_cast<const uint32_t*>(a + (g + 8 * (r & 1)) * pitch + k * Bytes);
}
// Register r of B: k from there times (t + 4r), column g of b[k][columns].
template <int Bytes>
DEVICE uint32_t fragment_b(const unsigned char* b, int columns, int r) {
  const int g = static_cast<int>(threadIdx.x) / 4, t = static_cast<int>(threadIdx.x) % 4;
  uint32_t packed = 0;
  for (int e = 0; e < 4 / Bytes; ++e) {
    const unsigned char* element = b + ((4 / Bytes * (t + 4 * r) + e) * columns + g) * Bytes;
    for (int byte = 0; byte < Bytes; ++byte)
      packed |= static_cast<uint32_t>(element[byte]) << (8 * (e * Bytes + byte));
  }
  return packed;
}

template <MmaKind Kind, class Sum>
__global__ void mma_kernel(const unsigned char* a, const unsigned char* b, Sum* d) {
  constexpr int bytes = element_bytes<Kind>, k = 32 / bytes;
  const int g = static_cast<int>(threadIdx.x) / 4, column = static_cast<int>(threadIdx.x) % 4 * 2;
  uint32_t fa[4], fb[2];
  for (int r = 0; r < 4; ++r) fa[r] = fragment_a<bytes>(a, k * bytes, r);
  for (int r = 0; r < 2; ++r) fb[r] = fragment_b<bytes>(b, 8, r);
  Sum sum[4];
  for (int i = 0; i < 4; ++i) sum[i] = d[(g + 8 * (i / 2)) * 8 + column + i % 2];
  if constexpr (Kind == MmaKind::bf16) mma<bf16>(sum, fa, fb);
  if constexpr (Kind == MmaKind::f16) mma<f16>(sum, fa, fb);
  if constexpr (Kind == MmaKind::tf32) mma_tf32(sum, fa, fb);
  if constexpr (Kind == MmaKind::int8) mma_int8(sum, fa, fb);
  if constexpr (Kind == MmaKind::e4m3) mma_fp8<fp8_e4m3>(sum, fa, fb);
  if constexpr (Kind == MmaKind::e5m2) mma_fp8<fp8_e5m2>(sum, fa, fb);
  for (int i = 0; i < 4; ++i) d[(g + 8 * (i / 2)) * 8 + column + i % 2] = sum[i];
}

template <bool Tf32>
__global__ void mma_tile_kernel(const unsigned char* a, const unsigned char* b, float* d) {
  constexpr int bytes = Tf32 ? 4 : 2;
  const int g = static_cast<int>(threadIdx.x) / 4, column = static_cast<int>(threadIdx.x) % 4 * 2;
  uint32_t fa[2][4], fb[3][2];
  for (int i = 0; i < 2; ++i)
    for (int r = 0; r < 4; ++r) fa[i][r] = fragment_a<bytes>(a + i * 16 * 32, 32, r);
  for (int j = 0; j < 3; ++j)
    for (int r = 0; r < 2; ++r) fb[j][r] = fragment_b<bytes>(b + j * 8 * bytes, 24, r);
  float sum[2][3][4];
  const auto place = [&](int i, int j, int e) {
    return (i * 16 + g + 8 * (e / 2)) * 24 + j * 8 + column + e % 2;
  };
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j)
      for (int e = 0; e < 4; ++e) sum[i][j][e] = d[place(i, j, e)];
  if constexpr (Tf32)
    mma_tile_tf32(sum, fa, fb);
  else
    mma_tile<bf16>(sum, fa, fb);
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j)
      for (int e = 0; e < 4; ++e) d[place(i, j, e)] = sum[i][j][e];
}

__global__ void to_tf32_kernel(int n, const float* values, uint32_t* bits) {
  for (int i = static_cast<int>(threadIdx.x); i < n; i += 32) bits[i] = to_tf32(values[i]);
}

}  // namespace

void probe_ldmatrix(int count, bool transposed, const uint16_t* matrices, uint32_t* registers) {
  const LaunchConfig warp{.grid = 1, .block = 32};
  if (count == 1 && !transposed) launch<ldmatrix_kernel<1, false>>(warp, matrices, registers);
  if (count == 2 && !transposed) launch<ldmatrix_kernel<2, false>>(warp, matrices, registers);
  if (count == 4 && !transposed) launch<ldmatrix_kernel<4, false>>(warp, matrices, registers);
  if (count == 1 && transposed) launch<ldmatrix_kernel<1, true>>(warp, matrices, registers);
  if (count == 2 && transposed) launch<ldmatrix_kernel<2, true>>(warp, matrices, registers);
  if (count == 4 && transposed) launch<ldmatrix_kernel<4, true>>(warp, matrices, registers);
}

void probe_stmatrix(int count, bool transposed, const uint32_t* registers, uint16_t* matrices) {
  const LaunchConfig warp{.grid = 1, .block = 32};
  if (count == 1 && !transposed) launch<stmatrix_kernel<1, false>>(warp, registers, matrices);
  if (count == 2 && !transposed) launch<stmatrix_kernel<2, false>>(warp, registers, matrices);
  if (count == 4 && !transposed) launch<stmatrix_kernel<4, false>>(warp, registers, matrices);
  if (count == 1 && transposed) launch<stmatrix_kernel<1, true>>(warp, registers, matrices);
  if (count == 2 && transposed) launch<stmatrix_kernel<2, true>>(warp, registers, matrices);
  if (count == 4 && transposed) launch<stmatrix_kernel<4, true>>(warp, registers, matrices);
}

void probe_mma(MmaKind kind, const void* a, const void* b, void* d) {
  const LaunchConfig warp{.grid = 1, .block = 32};
  const auto* left = static_cast<const unsigned char*>(a);
  const auto* right = static_cast<const unsigned char*>(b);
  auto* sums = static_cast<float*>(d);
  switch (kind) {
    case MmaKind::bf16:
      return launch<mma_kernel<MmaKind::bf16, float>>(warp, left, right, sums);
    case MmaKind::f16:
      return launch<mma_kernel<MmaKind::f16, float>>(warp, left, right, sums);
    case MmaKind::tf32:
      return launch<mma_kernel<MmaKind::tf32, float>>(warp, left, right, sums);
    case MmaKind::e4m3:
      return launch<mma_kernel<MmaKind::e4m3, float>>(warp, left, right, sums);
    case MmaKind::e5m2:
      return launch<mma_kernel<MmaKind::e5m2, float>>(warp, left, right, sums);
    case MmaKind::int8:
      return launch<mma_kernel<MmaKind::int8, int>>(warp, left, right, static_cast<int*>(d));
  }
}

void probe_mma_tile(bool tf32, const void* a, const void* b, float* d) {
  const LaunchConfig warp{.grid = 1, .block = 32};
  const auto* left = static_cast<const unsigned char*>(a);
  const auto* right = static_cast<const unsigned char*>(b);
  if (tf32)
    launch<mma_tile_kernel<true>>(warp, left, right, d);
  else
    launch<mma_tile_kernel<false>>(warp, left, right, d);
}

void probe_to_tf32(int n, const float* values, uint32_t* bits) {
  launch<to_tf32_kernel>({.grid = 1, .block = 32}, n, values, bits);
}

}  // namespace strata::test

// Kernels with one thing wrong each, or right as a control. The x-ray must tell them apart.
#include "tests/xray/planted.h"

#include "kernels/gpu/gpu.h"

namespace strata::gpu::planted {

namespace {

struct Tile {
  float value[32][33];
};
struct Unpadded {
  float value[32][32];
};

// A transpose through shared memory, 32 x 32 a block of 32 x 8 threads.
template <class T>
__global__ void transpose_kernel(int n, const float* in, float* out) {
  T& tile = block_shared<T>();
  const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);
  const int column = static_cast<int>(blockIdx.x) * 32, row = static_cast<int>(blockIdx.y) * 32;
  for (int i = y; i < 32; i += 8) tile.value[i][x] = in[(row + i) * n + column + x];
  __syncthreads();
  for (int i = y; i < 32; i += 8) out[(column + i) * n + row + x] = tile.value[x][i];
}

template <int Stride>
__global__ void copy_kernel(int n, const float* in, float* out) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) out[i] = in[i * Stride];
}

struct Row {
  float value[128];
};
// Each thread reads what its neighbour wrote.
template <bool Barrier>
__global__ void neighbour_kernel(float* values) {
  Row& row = block_shared<Row>();
  row.value[threadIdx.x] = values[threadIdx.x];
  if (Barrier) __syncthreads();
  const float next = row.value[(threadIdx.x + 1) % 128];
  if (Barrier) __syncthreads();
  values[threadIdx.x] = next;
}

// Lane 0 hands a value to its warp through shared memory.
template <bool Synchronised>
__global__ void broadcast_kernel(float* values) {
  Row& row = block_shared<Row>();
  if (threadIdx.x % 32 == 0) row.value[threadIdx.x / 32] = values[threadIdx.x];
  if (Synchronised) __syncwarp();
  values[threadIdx.x] = row.value[threadIdx.x / 32];
}

__global__ void uninitialised_kernel(float* values) {
  Row& row = block_shared<Row>();
  if (threadIdx.x < 64) row.value[threadIdx.x] = 1;
  __syncthreads();
  values[threadIdx.x] = row.value[threadIdx.x];
}

struct Product {
  bf16 a[16][16], b[8][16];
};
// 16 x 8 x 16 on a tensor core. Without padding, ldmatrix reads rows 32 bytes apart: two share a
// bank.
__global__ void mma_kernel(const bf16* a, const bf16* b, float* c) {
  Product& s = block_shared<Product>();
  const int lane = static_cast<int>(threadIdx.x);
  for (int i = lane; i < 256; i += 32) s.a[i / 16][i % 16] = a[i];
  for (int i = lane; i < 128; i += 32) s.b[i / 16][i % 16] = b[i];
  __syncwarp();
  uint32_t fragment_a[4], fragment_b[2];
  ldmatrix<4>(fragment_a, &s.a[lane % 16][lane / 16 * 8]);
  ldmatrix<2>(fragment_b, &s.b[lane % 8][lane / 8 % 2 * 8]);
  float d[4] = {};
  mma<bf16>(d, fragment_a, fragment_b);
  const int row = lane / 4, column = lane % 4 * 2;
  c[row * 8 + column] = d[0];
  c[row * 8 + column + 1] = d[1];
  c[(row + 8) * 8 + column] = d[2];
  c[(row + 8) * 8 + column + 1] = d[3];
}

}  // namespace

void transpose(bool padded, int n, const float* in, float* out) {
  const LaunchConfig config{.grid = dim3(divide_up(n, 32), divide_up(n, 32)), .block = dim3(32, 8)};
  if (padded)
    launch<transpose_kernel<Tile>>(config, n, in, out);
  else
    launch<transpose_kernel<Unpadded>>(config, n, in, out);
}
void copy(int stride, int n, const float* in, float* out) {
  const LaunchConfig config{.grid = divide_up(n, 128), .block = 128};
  if (stride == 1)
    launch<copy_kernel<1>>(config, n, in, out);
  else
    launch<copy_kernel<8>>(config, n, in, out);
}
void neighbour(bool barrier, float* values) {
  if (barrier)
    launch<neighbour_kernel<true>>({.block = 128}, values);
  else
    launch<neighbour_kernel<false>>({.block = 128}, values);
}
void broadcast(bool synchronised, float* values) {
  if (synchronised)
    launch<broadcast_kernel<true>>({.block = 128}, values);
  else
    launch<broadcast_kernel<false>>({.block = 128}, values);
}
void uninitialised(float* values) { launch<uninitialised_kernel>({.block = 128}, values); }
void product(const bf16* a, const bf16* b, float* c) { launch<mma_kernel>({.block = 32}, a, b, c); }

}  // namespace strata::gpu::planted

// See tma_probe.h.
#include "tests/kernels/sim/tma_probe.h"

#include "kernels/gpu/gpu.h"

namespace strata::test {

using namespace gpu;

namespace {

constexpr unsigned threads = 64;

struct Arguments {
  int at[5];
  unsigned offset, bytes;
};

DEVICE void copy_bytes(unsigned char* to, const unsigned char* from, unsigned bytes) {
  for (unsigned i = threadIdx.x; i < bytes; i += threads) to[i] = from[i];
}

DEVICE void init_barrier(uint64_t* barrier, unsigned bytes) {
  if (threadIdx.x == 0) {
    mbarrier_init(barrier, 1);
    mbarrier_fence_init();
    mbarrier_expect(barrier, bytes);
  }
}

template <int Rank>
__global__ void load_kernel(const __grid_constant__ TensorMap map, Arguments arguments,
                            unsigned char* out) {
  auto& barrier = block_shared<uint64_t>();
  unsigned char* tile = dynamic_shared<unsigned char>() + arguments.offset;
  init_barrier(&barrier, arguments.bytes);
  if (threadIdx.x == 0) {
    int at[Rank];
    for (int axis = 0; axis < Rank; ++axis) at[axis] = arguments.at[axis];
    tma_prefetch(&map);
    tma_load<Rank>(tile, &map, at, &barrier);
  }
  __syncthreads();
  mbarrier_wait(&barrier, 0);
  copy_bytes(out, tile, arguments.bytes);
}

__global__ void multicast_kernel(const __grid_constant__ TensorMap map, Arguments arguments,
                                 int step, unsigned mask, unsigned char* out) {
  auto& barrier = block_shared<uint64_t>();
  unsigned char* tiles = dynamic_shared<unsigned char>();
  const unsigned blocks = cluster_size(), rank = cluster_rank(), all = blocks * arguments.bytes;
  for (unsigned i = threadIdx.x; i < all; i += threads) tiles[i] = 0xee;
  fence_async_shared();
  init_barrier(&barrier, mask >> rank & 1 ? all : 0);
  __syncthreads();
  cluster_sync();
  if (threadIdx.x == 0) {
    const int at[2] = {arguments.at[0], arguments.at[1] + static_cast<int>(rank) * step};
    tma_load_multicast<2>(tiles + rank * arguments.bytes, &map, at, &barrier,
                          static_cast<uint16_t>(mask));
  }
  mbarrier_wait(&barrier, 0);
  copy_bytes(out + rank * all, tiles, all);
  cluster_sync();
}

__global__ void im2col_kernel(const __grid_constant__ TensorMap map, Arguments arguments,
                              unsigned offset_w, unsigned offset_h, unsigned char* out) {
  auto& barrier = block_shared<uint64_t>();
  unsigned char* tile = dynamic_shared<unsigned char>();
  init_barrier(&barrier, arguments.bytes);
  if (threadIdx.x == 0) {
    const int at[4] = {arguments.at[0], arguments.at[1], arguments.at[2], arguments.at[3]};
    const uint16_t offsets[2] = {static_cast<uint16_t>(offset_w), static_cast<uint16_t>(offset_h)};
    tma_load_im2col(tile, &map, at, offsets, &barrier);
  }
  __syncthreads();
  mbarrier_wait(&barrier, 0);
  copy_bytes(out, tile, arguments.bytes);
}

template <int Rank>
__global__ void store_kernel(const __grid_constant__ TensorMap map, Arguments arguments, bool add,
                             const unsigned char* in) {
  unsigned char* tile = dynamic_shared<unsigned char>();
  copy_bytes(tile, in, arguments.bytes);
  fence_async_shared();
  __syncthreads();
  if (threadIdx.x != 0) return;
  int at[Rank];
  for (int axis = 0; axis < Rank; ++axis) at[axis] = arguments.at[axis];
  if (add)
    tma_reduce_add<Rank>(&map, at, tile);
  else
    tma_store<Rank>(&map, at, tile);
  bulk_commit();
  bulk_wait_read<0>();
}

__global__ void bulk_kernel(const unsigned char* from, unsigned char* to, bool add,
                            unsigned bytes) {
  auto& barrier = block_shared<uint64_t>();
  unsigned char* tile = dynamic_shared<unsigned char>();
  init_barrier(&barrier, bytes);
  if (threadIdx.x != 0) return;
  bulk_load(tile, from, bytes, &barrier);
  mbarrier_wait(&barrier, 0);
  if (add)
    bulk_reduce_add_f32(reinterpret_cast<float*>(to), reinterpret_cast<const float*>(tile), bytes);
  else
    bulk_store(to, tile, bytes);
  bulk_commit();
  bulk_wait<0>();
}

TensorMap map_of(const Tensor& t) {
  const auto& s = t.sizes;
  const auto& p = t.strides;
  const auto& b = t.box;
  switch (t.rank) {
    case 1:
      return tensor_map(t.dtype, t.base, {s[0]}, {}, {b[0]}, t.swizzle);
    case 2:
      return tensor_map(t.dtype, t.base, {s[0], s[1]}, {p[1]}, {b[0], b[1]}, t.swizzle);
    case 3:
      return tensor_map(t.dtype, t.base, {s[0], s[1], s[2]}, {p[1], p[2]}, {b[0], b[1], b[2]},
                        t.swizzle);
    case 4:
      return tensor_map(t.dtype, t.base, {s[0], s[1], s[2], s[3]}, {p[1], p[2], p[3]},
                        {b[0], b[1], b[2], b[3]}, t.swizzle);
    default:
      break;
  }
  return tensor_map(t.dtype, t.base, {s[0], s[1], s[2], s[3], s[4]}, {p[1], p[2], p[3], p[4]},
                    {b[0], b[1], b[2], b[3], b[4]}, t.swizzle);
}

Arguments arguments_of(const Coordinates& at, unsigned offset, unsigned bytes) {
  return {{at[0], at[1], at[2], at[3], at[4]}, offset, bytes};
}

}  // namespace

void probe_load(const Tensor& tensor, const Coordinates& at, unsigned offset, unsigned bytes,
                unsigned char* tile) {
  const LaunchConfig config{.grid = 1, .block = threads, .shared = offset + bytes};
  const TensorMap map = map_of(tensor);
  const Arguments arguments = arguments_of(at, offset, bytes);
  switch (tensor.rank) {
    case 1:
      return launch<load_kernel<1>>(config, map, arguments, tile);
    case 2:
      return launch<load_kernel<2>>(config, map, arguments, tile);
    case 3:
      return launch<load_kernel<3>>(config, map, arguments, tile);
    case 4:
      return launch<load_kernel<4>>(config, map, arguments, tile);
    default:
      return launch<load_kernel<5>>(config, map, arguments, tile);
  }
}

void probe_multicast(const Tensor& tensor, const Coordinates& at, int step, int blocks,
                     uint16_t mask, unsigned bytes, unsigned char* tiles) {
  const auto count = static_cast<unsigned>(blocks);
  launch<multicast_kernel>(
      {.grid = count, .block = threads, .shared = count * bytes, .cluster = count}, map_of(tensor),
      arguments_of(at, 0, bytes), step, unsigned{mask}, tiles);
}

void probe_im2col(const Image& image, const std::array<int, 4>& at,
                  const std::array<uint16_t, 2>& offsets, unsigned bytes, unsigned char* tile) {
  const TensorMap map =
      im2col_map(image.dtype, image.base, image.sizes, image.strides, image.lower, image.upper,
                 image.channels, image.pixels, image.steps, image.swizzle);
  launch<im2col_kernel>({.grid = 1, .block = threads, .shared = bytes}, map,
                        arguments_of({at[0], at[1], at[2], at[3]}, 0, bytes), unsigned{offsets[0]},
                        unsigned{offsets[1]}, tile);
}

void probe_store(const Tensor& tensor, const Coordinates& at, bool add, unsigned bytes,
                 const unsigned char* tile) {
  const LaunchConfig config{.grid = 1, .block = threads, .shared = bytes};
  const TensorMap map = map_of(tensor);
  const Arguments arguments = arguments_of(at, 0, bytes);
  switch (tensor.rank) {
    case 1:
      return launch<store_kernel<1>>(config, map, arguments, add, tile);
    case 2:
      return launch<store_kernel<2>>(config, map, arguments, add, tile);
    case 3:
      return launch<store_kernel<3>>(config, map, arguments, add, tile);
    case 4:
      return launch<store_kernel<4>>(config, map, arguments, add, tile);
    default:
      return launch<store_kernel<5>>(config, map, arguments, add, tile);
  }
}

void probe_bulk(const void* from, void* to, bool add, unsigned bytes, int blocks) {
  launch<bulk_kernel>({.grid = static_cast<unsigned>(blocks), .block = threads, .shared = bytes},
                      static_cast<const unsigned char*>(from), static_cast<unsigned char*>(to), add,
                      bytes);
}

}  // namespace strata::test

// The tiles of A and B that a Hopper block multiplies: how they lie in shared memory, how the copy
// engine brings them and how wgmma finds them.
//
// A tile is `Rows` rows of A (columns of B) by 128 bytes of K: 64 bf16, 32 tf32, 128 fp8. In both
// majors it is Rows lines of 128 bytes, permuted by the 128-byte swizzle, so that the 8 lines that
// one wgmma reads at a time fall into 8 different groups of banks:
//
//   Major::k   memory runs along K.        Line r is row r.                     [Rows][depth]
//   Major::mn  memory runs along M or N.   Blocks of 64 rows; line k of block i
//              holds its 64 rows at depth k. [Rows/64][depth][64]
//
// The copy engine writes zeros where a box reaches past the matrix, so ragged M, N and K cost no
// code here: zeros add nothing, and what lies outside C is not stored.
#pragma once

#include "kernels/gpu/gpu.h"

namespace strata::gpu {

// What the copy engine calls the elements of T.
template <class T>
constexpr DType copied_as() {
  if constexpr (std::is_same_v<T, tf32>)
    return DType::f32;
  else if constexpr (sizeof(T) == 1)
    return DType::u8;
  else
    return dtype_of<T>();
}

// BoxRows: rows that one copy brings (Major::k).
template <class T, int Rows, Major Order = Major::k, int BoxRows = Rows>
struct OperandTile {
  using Type = T;
  static constexpr Major order = Order;
  static constexpr int rows = Rows;
  static constexpr int line = 128;
  static constexpr int depth = line / static_cast<int>(sizeof(T));
  static constexpr int bytes = Rows * line;
  static constexpr int box_rows = Order == Major::k ? BoxRows : 64;
  static constexpr int box_bytes = box_rows * line;
  // wgmma takes 32 bytes of K at a time.
  static constexpr int products = 4;
  static_assert(Rows % box_rows == 0 && box_rows % 8 == 0 && box_rows <= 256,
                "a box has at most 256 lines, in whole patterns of 8");
  static_assert(Order == Major::k || sizeof(T) == 2, "only 16-bit operands may be MN-major");

  // The map of `batches` matrices of `matrix_rows` by K; `stride` is between rows (Major::k) or
  // between ks (Major::mn), in elements as batch_stride is.
  static TensorMap map(const void* base, int64_t matrix_rows, int64_t K, int64_t stride,
                       int64_t batches, int64_t batch_stride) {
    if constexpr (Order == Major::k)
      return tensor_map(copied_as<T>(), base, {K, matrix_rows, batches}, {stride, batch_stride},
                        {depth, box_rows, 1}, Swizzle::b128);
    else
      return tensor_map(copied_as<T>(), base, {matrix_rows, K, batches}, {stride, batch_stride},
                        {box_rows, depth, 1}, Swizzle::b128);
  }

  // Starts the copies of the tile whose first element is (row, k); one thread.
  DEVICE static void load(unsigned char* tile, const TensorMap* map, int row, int k, int batch,
                          uint64_t* full SIM_SITE) {
#pragma unroll
    for (int box = 0; box < rows / box_rows; ++box) {
      const int first = row + box * box_rows;
      if constexpr (Order == Major::k)
        tma_load<3>(tile + box * box_bytes, map, {k, first, batch}, full SIM_PASS);
      else
        tma_load<3>(tile + box * box_bytes, map, {first, k, batch}, full SIM_PASS);
    }
  }
  // Brings only `share` of `blocks` equal shares of the tile, but into all blocks of the cluster:
  // together they bring it whole.
  DEVICE static void load_share(unsigned char* tile, const TensorMap* map, int row, int k,
                                int batch, uint64_t* full, unsigned share, int blocks SIM_SITE) {
    const int boxes = rows / box_rows / blocks;
    for (int i = 0; i < boxes; ++i) {
      const int box = static_cast<int>(share) * boxes + i, first = row + box * box_rows;
      const auto everyone = static_cast<uint16_t>((1 << blocks) - 1);
      if constexpr (Order == Major::k)
        tma_load_multicast<3>(tile + box * box_bytes, map, {k, first, batch}, full,
                              everyone SIM_PASS);
      else
        tma_load_multicast<3>(tile + box * box_bytes, map, {first, k, batch}, full,
                              everyone SIM_PASS);
    }
  }

  // The descriptor of the tile from `row` on, a multiple of 64, for product p of 0 to products - 1.
  DEVICE static uint64_t descriptor(const unsigned char* tile, int row, int p SIM_SITE) {
    if constexpr (Order == Major::k)  // inside the line: 32 bytes further
      return descriptor_advance(descriptor_k128(tile + row * line SIM_PASS),
                                static_cast<unsigned>(p * 32));
    else  // 16 lines further
      return descriptor_advance(descriptor_mn128(tile + row * line, box_bytes SIM_PASS),
                                static_cast<unsigned>(p * 16 * line));
  }
};

}  // namespace strata::gpu

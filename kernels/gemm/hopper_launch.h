// The host's side of the Hopper rungs: which products the copy engine can read, their tensor maps,
// and the choice of the template by dtype and order of the operands.
#pragma once

#include <functional>

#include "kernels/gemm/gemm.h"
#include "kernels/gemm/hopper_tile.h"
#include "kernels/gemm/product.h"

namespace strata::gpu {

// One operand as the copy engine sees it: `batches` matrices of `rows` (of A; columns of B) by K.
struct HopperOperand {
  const void* base = nullptr;
  Major order = Major::k;
  int64_t rows = 0, K = 0;
  int64_t stride = 0;  // elements, between rows or, MN-major, between ks
  int64_t batches = 1, batch_stride = 0;

  template <class Tile>
  TensorMap map() const {
    return Tile::map(base, rows, K, stride, batches, batch_stride);
  }
};

// A product with at most one batch axis.
struct HopperProduct {
  GemmArguments arguments;
  HopperOperand a, b;
  int batches;
};
// The matrices of A and of B that belong to the matrix `batch` of C: when there is one for all, the
// map has one.
template <class T>
DEVICE int batch_of_a(const Product<T>& product, int batch) {
  return product.a_batch[0] ? batch : 0;
}
template <class T>
DEVICE int batch_of_b(const Product<T>& product, int batch) {
  return product.b_batch[0] ? batch : 0;
}

// Whether the device has TMA and wgmma, and the copy engine can read both operands, of
// `element_bytes` bytes an element: each contiguous along one of its axes (along K, if
// `k_major_only`), the other strides and the addresses multiples of 16 bytes. No axis is empty.
bool hopper_reads(const GemmArguments& arguments, size_t element_bytes, bool k_major_only);

// Calls f for each product of `arguments` that one launch computes: batch axes that do not merge
// into one are walked here.
void for_each_product(const GemmArguments& arguments, size_t element_bytes,
                      const std::function<void(const HopperProduct&)>& f);

// Rung::launch<T, order of A, order of B>(product) for the orders at hand.
template <class Rung, class T>
void launch_by_order(const HopperProduct& product) {
  if (product.a.order == Major::k && product.b.order == Major::k)
    Rung::template launch<T, Major::k, Major::k>(product);
  else if (product.a.order == Major::k)
    Rung::template launch<T, Major::k, Major::mn>(product);
  else if (product.b.order == Major::k)
    Rung::template launch<T, Major::mn, Major::k>(product);
  else
    Rung::template launch<T, Major::mn, Major::mn>(product);
}

// The `supports` and `run` of the rungs for bf16 and f16.
inline bool supports_16_bit(const GemmArguments& arguments) {
  return (arguments.dtype == DType::bf16 || arguments.dtype == DType::f16) &&
         hopper_reads(arguments, 2, false);
}
template <class Rung>
void run_16_bit(const GemmArguments& arguments) {
  for_each_product(arguments, 2, [](const HopperProduct& product) {
    if (product.arguments.dtype == DType::bf16)
      launch_by_order<Rung, bf16>(product);
    else
      launch_by_order<Rung, f16>(product);
  });
}

}  // namespace strata::gpu

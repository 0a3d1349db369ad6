// What a launcher asks about a product before it goes to the device.
#pragma once

#include "kernels/gemm/gemm.h"
#include "kernels/gpu/runtime.h"

namespace strata::gpu {

// Throws gpu::Error for sizes that no kernel can index and for epilogues that mean nothing.
void check_product(const GemmArguments& arguments);

// Blocks for all tiles of all matrices; throws gpu::Error when a grid cannot have as many.
unsigned tile_count(const GemmArguments& arguments, int rows, int columns);

// Whether C and the operands of the epilogue allow vectors of so many bytes along rows.
bool epilogue_aligned(const GemmArguments& arguments, int64_t bytes);

// Along which axis the elements of an operand are neighbours: along k, along its other axis (m or
// n), or neither.
enum class Order : uint8_t { k, mn, neither };

// The order of an operand in which every vector of 16 bytes along it is aligned; neither: there is
// none.
Order a_order(const GemmArguments& arguments);
Order b_order(const GemmArguments& arguments);
inline bool has_vectors(const GemmArguments& arguments) {
  return a_order(arguments) != Order::neither && b_order(arguments) != Order::neither;
}

// f(Type<T>{}) for the types whose sums are f32: f32, bf16 and f16.
template <class F>
void visit_summed_in_f32(DType dtype, F&& f) {
  if (dtype == DType::bf16) return f(Type<bf16>{});
  if (dtype == DType::f16) return f(Type<f16>{});
  f(Type<float>{});
}

// f.operator()<order of A, order of B>(), both as constants.
template <class F>
void with_orders(const GemmArguments& arguments, F&& f) {
  const bool a_along_k = a_order(arguments) == Order::k, b_along_k = b_order(arguments) == Order::k;
  if (a_along_k && b_along_k)
    f.template operator()<Order::k, Order::k>();
  else if (a_along_k)
    f.template operator()<Order::k, Order::mn>();
  else if (b_along_k)
    f.template operator()<Order::mn, Order::k>();
  else
    f.template operator()<Order::mn, Order::mn>();
}

}  // namespace strata::gpu

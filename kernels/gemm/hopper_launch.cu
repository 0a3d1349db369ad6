// Which products the copy engine can read: see hopper_launch.h.
#include "kernels/gemm/hopper_launch.h"

#include <optional>

#include "kernels/gpu/runtime.h"

namespace strata::gpu {

namespace {

constexpr int64_t alignment = 16;  // bytes, of addresses and of all strides but the innermost

// The order of a matrix of `rows` by `K`, and the stride of its outer axis; the stride of an axis
// of size 1 means nothing, but the map wants one.
struct OuterAxis {
  Major order;
  int64_t stride;
};
std::optional<int64_t> outer_stride(int64_t inner, int64_t inner_stride, int64_t outer,
                                    int64_t stride, int64_t bytes) {
  if (inner != 1 && inner_stride != 1) return std::nullopt;
  const int64_t unit = alignment / bytes;
  if (outer == 1) return (inner + unit - 1) / unit * unit;
  if (stride <= 0 || stride % unit) return std::nullopt;
  return stride;
}
std::optional<OuterAxis> order_of(int64_t rows, int64_t row_stride, int64_t K, int64_t k_stride,
                                  int64_t bytes, bool k_major_only) {
  if (auto stride = outer_stride(K, k_stride, rows, row_stride, bytes))
    return OuterAxis{Major::k, *stride};
  if (k_major_only) return std::nullopt;
  if (auto stride = outer_stride(rows, row_stride, K, k_stride, bytes))
    return OuterAxis{Major::mn, *stride};
  return std::nullopt;
}
std::optional<OuterAxis> order_of_a(const GemmArguments& g, int64_t bytes, bool k_major_only) {
  return order_of(g.M, g.a_row, g.K, g.a_column, bytes, k_major_only);
}
std::optional<OuterAxis> order_of_b(const GemmArguments& g, int64_t bytes, bool k_major_only) {
  return order_of(g.N, g.b_column, g.K, g.b_row, bytes, k_major_only);
}

bool aligned(const void* base, const GemmArguments& g, const int64_t* strides, int64_t bytes) {
  for (int axis = 0; axis < g.batch_rank; ++axis)
    if (strides[axis] < 0 || strides[axis] * bytes % alignment) return false;
  return reinterpret_cast<uintptr_t>(base) % alignment == 0;
}

const void* advance(const void* pointer, int64_t elements, int64_t bytes) {
  return pointer ? static_cast<const char*>(pointer) + elements * bytes : nullptr;
}

// The stride of a batch of one means nothing either, but must be a valid one.
HopperOperand operand(const void* base, OuterAxis outer, int64_t rows, int64_t K, int64_t batches,
                      int64_t batch_stride) {
  HopperOperand operand{base, outer.order, rows, K, outer.stride, 1, outer.stride};
  if (batches > 1 && batch_stride > 0) {
    operand.batches = batches;
    operand.batch_stride = batch_stride;
  }
  return operand;
}

HopperProduct product_of(const GemmArguments& g, int64_t bytes) {
  const bool batched = g.batch_rank > 0;
  const int64_t batches = batched ? g.batch[0] : 1;
  const int64_t a_batch = batched ? g.a_batch[0] : 0, b_batch = batched ? g.b_batch[0] : 0;
  HopperProduct product;
  product.arguments = g;
  product.a = operand(g.a, *order_of_a(g, bytes, false), g.M, g.K, batches, a_batch);
  product.b = operand(g.b, *order_of_b(g, bytes, false), g.N, g.K, batches, b_batch);
  product.batches = static_cast<int>(batches);
  return product;
}

}  // namespace

bool hopper_reads(const GemmArguments& arguments, size_t element_bytes, bool k_major_only) {
  if (device().arch != 90) return false;  // wgmma exists on sm_90a alone
  const GemmArguments g = simplify(arguments);
  const auto bytes = static_cast<int64_t>(element_bytes);
  constexpr int64_t most = int64_t{1} << 30;
  if (g.M < 1 || g.N < 1 || g.K < 1 || g.M > most || g.N > most || g.K > most) return false;
  for (int axis = 0; axis < g.batch_rank; ++axis)
    if (g.batch[axis] < 1) return false;
  // Blocks are numbered by an int; the first rungs have columns in gridDim.y, the batch in z.
  const int64_t batches = g.batch_rank > 0 ? g.batch[g.batch_rank - 1] : 1;
  if (batches > 65535 || g.N > 65535 * 128) return false;
  if ((g.M / 64 + 1) * (g.N / 128 + 1) * batches > most) return false;
  return aligned(g.a, g, g.a_batch, bytes) && aligned(g.b, g, g.b_batch, bytes) &&
         order_of_a(g, bytes, k_major_only) && order_of_b(g, bytes, k_major_only);
}

void for_each_product(const GemmArguments& arguments, size_t element_bytes,
                      const std::function<void(const HopperProduct&)>& f) {
  const GemmArguments g = simplify(arguments);
  const auto bytes = static_cast<int64_t>(element_bytes);
  const auto c_bytes = static_cast<int64_t>(size_of(g.dtype));
  const int outer_axes = g.batch_rank > 0 ? g.batch_rank - 1 : 0;
  int64_t outer = 1;
  for (int axis = 0; axis < outer_axes; ++axis) outer *= g.batch[axis];
  const int64_t inner = g.batch_rank > 0 ? g.batch[outer_axes] : 1;
  for (int64_t index = 0; index < outer; ++index) {
    int64_t a = 0, b = 0, rest = index;
    for (int axis = outer_axes - 1; axis >= 0; rest /= g.batch[axis--]) {
      a += rest % g.batch[axis] * g.a_batch[axis];
      b += rest % g.batch[axis] * g.b_batch[axis];
    }
    GemmArguments part = g;
    const int64_t c = index * inner * g.M * g.N;
    part.a = advance(g.a, a, bytes);
    part.b = advance(g.b, b, bytes);
    part.c = const_cast<void*>(advance(g.c, c, c_bytes));
    part.epilogue.preactivation = const_cast<void*>(advance(g.epilogue.preactivation, c, c_bytes));
    part.epilogue.residual = advance(g.epilogue.residual, c, c_bytes);
    part.batch_rank = g.batch_rank > 0;
    part.batch[0] = inner;
    part.a_batch[0] = g.batch_rank > 0 ? g.a_batch[outer_axes] : 0;
    part.b_batch[0] = g.batch_rank > 0 ? g.b_batch[outer_axes] : 0;
    f(product_of(part, bytes));
  }
}

}  // namespace strata::gpu

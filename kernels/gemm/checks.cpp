#include "kernels/gemm/checks.h"

#include <fmt/format.h>

#include "kernels/gpu/launch.h"

namespace strata::gpu {
namespace {

struct Operand {
  const void* data;
  int64_t mn_size, mn_stride, k_size, k_stride;
  const int64_t* batch_strides;
};

Order order_of(const GemmArguments& g, const Operand& x) {
  const int64_t vector = 16 / static_cast<int64_t>(size_of(g.dtype));
  if (reinterpret_cast<uintptr_t>(x.data) % 16) return Order::neither;
  for (int i = 0; i < g.batch_rank; ++i)
    if (g.batch[i] > 1 && x.batch_strides[i] % vector) return Order::neither;
  auto along = [&](int64_t size, int64_t stride, int64_t lines, int64_t line_stride) {
    return (stride == 1 || size == 1) && (line_stride % vector == 0 || lines == 1);
  };
  if (along(x.k_size, x.k_stride, x.mn_size, x.mn_stride)) return Order::k;
  if (along(x.mn_size, x.mn_stride, x.k_size, x.k_stride)) return Order::mn;
  return Order::neither;
}

}  // namespace

Order a_order(const GemmArguments& g) {
  return order_of(g, {g.a, g.M, g.a_row, g.K, g.a_column, g.a_batch});
}
Order b_order(const GemmArguments& g) {
  return order_of(g, {g.b, g.N, g.b_column, g.K, g.b_row, g.b_batch});
}

void check_product(const GemmArguments& g) {
  constexpr int64_t largest = (int64_t{1} << 31) - 1;
  if (g.M > largest || g.N > largest || g.K > largest || batch_count(g) > largest) {
    throw Error(
        fmt::format("gpu::gemm: {} products of {}x{} with {}x{}: each size must be below 2^31",
                    batch_count(g), g.M, g.K, g.K, g.N));
  }
  if (g.epilogue.gradient && !g.epilogue.preactivation) {
    throw Error(
        "gpu::gemm: an epilogue that multiplies by the gradient of an activation needs its "
        "preactivation, which is null");
  }
  if (!is_float(g.dtype) &&
      (g.epilogue.activation != Activation::none || g.epilogue.preactivation)) {
    throw Error(fmt::format("gpu::gemm: an activation of {}; activations are of floating types",
                            name_of(g.dtype)));
  }
}

unsigned tile_count(const GemmArguments& g, int rows, int columns) {
  const int64_t count =
      batch_count(g) * divide_up(g.M, rows) * static_cast<int64_t>(divide_up(g.N, columns));
  if (count > (int64_t{1} << 31) - 1) {
    throw Error(
        fmt::format("gpu::gemm: {} products of {}x{} with {}x{} are {} tiles of {}x{}, more "
                    "than a grid has blocks (2^31 - 1); split the batch",
                    batch_count(g), g.M, g.K, g.K, g.N, count, rows, columns));
  }
  return static_cast<unsigned>(count);
}

bool epilogue_aligned(const GemmArguments& g, int64_t bytes) {
  auto address = [](const void* p) { return reinterpret_cast<uintptr_t>(p); };
  const uintptr_t all = address(g.c) | address(g.epilogue.bias) | address(g.epilogue.residual) |
                        address(g.epilogue.preactivation);
  return all % static_cast<uintptr_t>(bytes) == 0 &&
         g.N * static_cast<int64_t>(size_of(g.dtype)) % bytes == 0;
}

}  // namespace strata::gpu

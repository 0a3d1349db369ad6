// The gradients. A node's own gradient is scattered to its neighbours; seen from the neighbour it
// is a gather over the transposed graph, so the kernel is that of rung 1 with other edges: no
// atomics, one order. The gradient of a weight is a product of two rows: a warp takes a node, adds
// C products by shuffles in a fixed tree, edge after edge.
//
// Bytes: g once for every edge, x too for the weights. Registers: see README.md. Run on an H200 by
// its tests, not timed.
#include "kernels/graph/device.h"

namespace strata::gpu {
namespace graph {

template <class T, int V>
__global__ __launch_bounds__(threads) void x_gradient_kernel(AggregateGradientArgs args,
                                                             uint32_t count, Divisor parts) {
  using S = Compute<T>;
  const AggregateArgs& a = args.forward;
  const uint32_t thread = blockIdx.x * threads + threadIdx.x;
  if (thread >= count) return;
  const auto [column, c] = mine(thread, parts, V);
  S sum[V] = {}, value[V];
  const int64_t end = args.transposed.offsets[column + 1];
  for (int64_t t = args.transposed.offsets[column]; t < end; ++t) {
    const int64_t row = args.transposed.to[t], e = args.transposed.edge[t];
    load(value, static_cast<const T*>(args.g) + row * a.C + c);
    if (a.op == Aggregate::max) {
#pragma unroll
      for (int i = 0; i < V; ++i) sum[i] += a.chosen[row * a.C + c + i] == e ? value[i] : S(0);
    } else {
      const S w = weight_of<T>(a, e, row);
#pragma unroll
      for (int i = 0; i < V; ++i) sum[i] += w * value[i];
    }
  }
  store(sum, static_cast<T*>(args.x_gradient) + column * a.C + c);
}

template <class T>
__global__ __launch_bounds__(threads) void weight_gradient_kernel(AggregateGradientArgs args) {
  using S = Compute<T>;
  const AggregateArgs& a = args.forward;
  const int64_t row = (int64_t{blockIdx.x} * threads + threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (row >= a.graph.rows) return;
  const int64_t begin = a.graph.offsets[row], end = a.graph.offsets[row + 1];
  const S scale = a.op == Aggregate::mean ? S(1) / static_cast<S>(end - begin) : S(1);
  const T* g = static_cast<const T*>(args.g) + row * a.C;
  for (int64_t e = begin; e < end; ++e) {
    const T* x = static_cast<const T*>(a.x) + a.graph.from[e] * a.C;
    S sum = 0;
    for (int64_t c = lane; c < a.C; c += 32) sum += widen(g[c]) * widen(x[c]);
#pragma unroll
    for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
    if (lane == 0) static_cast<T*>(args.weight_gradient)[e] = narrow<T>(sum * scale);
  }
}

}  // namespace graph

void aggregate_gradient(const AggregateGradientArgs& args) {
  const AggregateArgs& a = args.forward;
  if (args.x_gradient && a.graph.columns * a.C > 0) {
    graph::visit_width(a.dtype, a.C, {args.g, args.x_gradient},
                       [&]<class T, int V>(Type<T>, std::integral_constant<int, V>) {
                         const uint32_t count = graph::threads_for(
                             a.graph.columns, a.C, V, "the gradient of an aggregation");
                         launch<graph::x_gradient_kernel<T, V>>(
                             {.grid = divide_up(count, graph::threads), .block = graph::threads},
                             args, count, Divisor(static_cast<uint32_t>(a.C / V)));
                       });
  }
  if (args.weight_gradient && a.graph.edges > 0) {
    visit_float(a.dtype, [&]<class T>(Type<T>) {
      launch<graph::weight_gradient_kernel<T>>(
          {.grid = divide_up(a.graph.rows * 32, graph::threads), .block = graph::threads}, args);
    });
  }
}

}  // namespace strata::gpu

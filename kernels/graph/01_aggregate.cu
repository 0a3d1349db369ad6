// Aggregation: one thread a node and 16 bytes of its features. The threads of a node read the same
// edges, from cache, and together whole rows of x; they add edge after edge, as the CPU does.
//
// Bytes: x once for every edge in rows of C (from L2 where the graph is local), the edges once, out
// once. FLOPs: 2 E C. Nodes of many edges are slow: their threads go on alone while others wait;
// sorting the nodes by degree helps. Registers: see README.md. Run on an H200 by its tests, not
// timed.
#include <limits>

#include "kernels/graph/device.h"

namespace strata::gpu {
namespace graph {

template <class T, int V>
__global__ __launch_bounds__(threads) void sum_kernel(AggregateArgs a, uint32_t count,
                                                      Divisor parts) {
  const uint32_t thread = blockIdx.x * threads + threadIdx.x;
  if (thread >= count) return;
  const auto [row, c] = mine(thread, parts, V);
  Compute<T> sum[V] = {}, value[V];
  const int64_t end = a.graph.offsets[row + 1];
  for (int64_t e = a.graph.offsets[row]; e < end; ++e) {
    load(value, static_cast<const T*>(a.x) + a.graph.from[e] * a.C + c);
    const Compute<T> w = weight_of<T>(a, e, row);
#pragma unroll
    for (int i = 0; i < V; ++i) sum[i] += w * value[i];
  }
  store(sum, static_cast<T*>(a.out) + row * a.C + c);
}

template <class T, int V>
__global__ __launch_bounds__(threads) void max_kernel(AggregateArgs a, uint32_t count,
                                                      Divisor parts) {
  using S = Compute<T>;
  const uint32_t thread = blockIdx.x * threads + threadIdx.x;
  if (thread >= count) return;
  const auto [row, c] = mine(thread, parts, V);
  const int64_t begin = a.graph.offsets[row], end = a.graph.offsets[row + 1];
  S best[V], value[V];
  int64_t where[V];
#pragma unroll
  for (int i = 0; i < V; ++i) {
    best[i] = begin < end ? -std::numeric_limits<S>::infinity() : S(0);
    where[i] = begin < end ? begin : -1;
  }
  for (int64_t e = begin; e < end; ++e) {
    load(value, static_cast<const T*>(a.x) + a.graph.from[e] * a.C + c);
#pragma unroll
    for (int i = 0; i < V; ++i) {
      const bool wins = !(value[i] <= best[i]) && best[i] == best[i];
      best[i] = wins ? value[i] : best[i];
      where[i] = wins ? e : where[i];
    }
  }
  store(best, static_cast<T*>(a.out) + row * a.C + c);
  if (!a.chosen) return;
#pragma unroll
  for (int i = 0; i < V; ++i) a.chosen[row * a.C + c + i] = where[i];
}

}  // namespace graph

void aggregate(const AggregateArgs& args) {
  if (args.graph.rows * args.C == 0) return;
  graph::visit_width(args.dtype, args.C, {args.x, args.out},
                     [&]<class T, int V>(Type<T>, std::integral_constant<int, V>) {
                       const uint32_t count =
                           graph::threads_for(args.graph.rows, args.C, V, "aggregation");
                       const Divisor parts(static_cast<uint32_t>(args.C / V));
                       const LaunchConfig config{.grid = divide_up(count, graph::threads),
                                                 .block = graph::threads};
                       if (args.op == Aggregate::max)
                         return launch<graph::max_kernel<T, V>>(config, args, count, parts);
                       launch<graph::sum_kernel<T, V>>(config, args, count, parts);
                     });
}

}  // namespace strata::gpu

// The transposed graph: edges sorted by the column they come from, stably (kernels/index/radix.h),
// so that each column has them in order. Where a column begins, and which row an edge goes into,
// are found by bisection. Bytes: the passes of the sort, 28 an edge before it and 28 after. Done
// once for a graph.
#include <bit>

#include "kernels/graph/device.h"
#include "kernels/index/radix.h"

namespace strata::gpu {
namespace graph {

// The first i < n with !(array[i] < value), or n.
template <class T>
DEVICE int64_t lower_bound(const T* array, int64_t n, T value) {
  int64_t low = 0, high = n;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (array[middle] < value)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

// rows[e]: the row that edge e goes into. Neighbouring edges bisect alike; sorted, each would go
// its own way.
template <class Key>
__global__ __launch_bounds__(threads) void keys_kernel(CsrGraph graph, Key* keys, uint32_t* values,
                                                       int64_t* rows) {
  const int64_t e = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (e >= graph.edges) return;
  keys[e] = static_cast<Key>(graph.from[e]);
  values[e] = static_cast<uint32_t>(e);
  rows[e] = lower_bound(graph.offsets, graph.rows + 1, e + 1) - 1;
}
template <class Key>
__global__ __launch_bounds__(threads) void columns_kernel(CsrGraph graph, const Key* keys,
                                                          TransposedGraph out) {
  const int64_t column = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (column <= graph.columns)
    out.offsets[column] = lower_bound(keys, graph.edges, static_cast<Key>(column));
}
__global__ __launch_bounds__(threads) void edges_kernel(int64_t edges, const uint32_t* values,
                                                        const int64_t* rows, TransposedGraph out) {
  const int64_t t = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (t >= edges) return;
  const uint32_t e = values[t];
  out.edge[t] = e;
  out.to[t] = rows[e];
}

template <class Key>
void transpose_by(const CsrGraph& graph, const TransposedGraph& out) {
  RadixSort<Key> order(graph.edges);
  const Scratch rows(static_cast<size_t>(graph.edges) * sizeof(int64_t));
  auto grid = [](int64_t n) {
    return LaunchConfig{.grid = divide_up(n, threads), .block = threads};
  };
  launch<keys_kernel<Key>>(grid(graph.edges), graph, order.keys(), order.values(),
                           rows.as<int64_t>());
  order.sort(std::bit_width(static_cast<uint64_t>(graph.columns - 1)));
  launch<columns_kernel<Key>>(grid(graph.columns + 1), graph, order.keys(), out);
  launch<edges_kernel>(grid(graph.edges), graph.edges, order.values(), rows.as<int64_t>(), out);
}

}  // namespace graph

void transpose(const CsrGraph& graph, const TransposedGraph& out) {
  if (graph.columns < int64_t{1} << 32)
    graph::transpose_by<uint32_t>(graph, out);
  else
    graph::transpose_by<uint64_t>(graph, out);
}

}  // namespace strata::gpu

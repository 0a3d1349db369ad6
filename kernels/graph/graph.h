// Sparse neighbour aggregation, the core of graph networks: each node gathers what its neighbours
// have.
//
//   sum   out[i, c] = sum over edges e into i of w[e] x[from(e), c]
//   mean  the same divided by the number of edges into i (0 without edges)
//   max   out[i, c] = max over edges e into i of x[from(e), c] (0 without edges; the first of
//   equals;
//         NaN wins)
//
// The graph is in compressed rows (CSR). Edges of a node are added one after the other, in f32 (f64
// for f64), so results have one order on every device. With C features and E edges: 2 E C
// operations, and E C reads of x, mostly scattered rows; the work is bound by memory.
//
// The gradient runs over the transposed graph, again a gather: no atomics. Kipf and Welling 2017
// (GCN), Hamilton et al. 2017 (GraphSAGE); Fey and Lenssen 2019 for the max with switches.
#pragma once

#include <cstdint>

#include "kernels/common/numeric.h"

namespace strata {

// Edges into row i are offsets[i] <= e < offsets[i + 1]; edge e comes from column from[e].
struct CsrGraph {
  int64_t rows = 0, columns = 0, edges = 0;
  const int64_t* offsets = nullptr;  // [rows + 1]
  const int64_t* from = nullptr;     // [edges], in [0, columns)
};

// The edges out of column j are offsets[j] <= t < offsets[j + 1]: edge[t], which goes into row
// to[t]. In order of the edges.
struct TransposedGraph {
  int64_t* offsets = nullptr;  // [columns + 1]
  int64_t* to = nullptr;       // [edges]
  int64_t* edge = nullptr;     // [edges]
};

enum class Aggregate : uint8_t { sum, mean, max };

struct AggregateArgs {
  CsrGraph graph;
  Aggregate op = Aggregate::sum;
  DType dtype = DType::f32;  // of x, weight, out and gradients: a floating type
  int64_t C = 0;
  const void* x = nullptr;       // [columns, C]
  const void* weight = nullptr;  // [edges]; null: ones. Not for max
  void* out = nullptr;           // [rows, C]
  int64_t* chosen = nullptr;     // max: [rows, C], the edge that won, -1 without edges; may be null
};

// Gradients of an aggregation whose `out` has the gradient g [rows, C].
struct AggregateGradientArgs {
  AggregateArgs forward;  // out is not read; max: chosen is
  TransposedGraph transposed;
  const void* g = nullptr;
  void* x_gradient = nullptr;       // [columns, C]; may be null
  void* weight_gradient = nullptr;  // [edges]; may be null
};

namespace cpu {
void transpose(const CsrGraph& graph, const TransposedGraph& out);
void aggregate(const AggregateArgs& args);
void aggregate_gradient(const AggregateGradientArgs& args);
}  // namespace cpu

// The same on the current stream; all arrays are device memory. The weights' gradients, which are
// sums over C, differ from the CPU's in the last bits; everything else has its bits.
namespace gpu {
void transpose(const CsrGraph& graph, const TransposedGraph& out);
void aggregate(const AggregateArgs& args);
void aggregate_gradient(const AggregateGradientArgs& args);
}  // namespace gpu

}  // namespace strata

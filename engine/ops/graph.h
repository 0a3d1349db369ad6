// Graphs, and what networks over them are made of: each node gathers what its neighbours have. The
// arithmetic is in kernels/graph/graph.h; edges are the rows of its compressed form (CSR).
//
// An edge goes from a column (a source) to a row (a target). In an ordinary graph both are the
// nodes; a sampled neighbourhood, the members of groups, or a sparse matrix has fewer of one. Edges
// are numbered by target, those of one target in the order they were given; tensors "by edge" have
// that order. E edges and C features cost 2 E C operations in both directions: gradients run over
// the transposed graph and need no atomics, so results are the same bits every time.
//
// Kipf and Welling 2017 (normalisation), Hamilton, Ying and Leskovec 2017 (mean, max), Velickovic
// et al. 2018 (softmax over edges).
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "engine/tensor/tensor.h"
#include "kernels/graph/graph.h"

namespace strata {

using Edges = std::vector<std::pair<int64_t, int64_t>>;  // (from, to)

// A value: copies share what never changes. Made on the cpu; to() moves it.
class Graph {
 public:
  Graph() = default;  // no nodes, no edges
  // Directed edges between `nodes` nodes. A repeated edge counts twice. A node outside 0..nodes - 1
  // is an error that names the edge.
  static Graph directed(int64_t nodes, const Edges& edges, Caller at = Caller::here());
  // Both directions of each edge; a loop stays one edge.
  static Graph undirected(int64_t nodes, const Edges& edges, Caller at = Caller::here());
  // From columns to rows that are not the same things.
  static Graph bipartite(int64_t rows, int64_t columns, const Edges& edges,
                         Caller at = Caller::here());
  // Row g gathers columns of group g: `sizes` of groups that lie one after the other.
  static Graph groups(const std::vector<int64_t>& sizes, Caller at = Caller::here());
  // One graph with all of them side by side, in order.
  static Graph disjoint(const std::vector<Graph>& graphs, Caller at = Caller::here());

  int64_t rows() const { return csr_.rows; }
  int64_t columns() const { return csr_.columns; }
  int64_t edges() const { return csr_.edges; }
  Device device() const { return offsets_.defined() ? offsets_.device() : Device::cpu; }

  // i64 tensors: edges into row i are offsets[i] <= e < offsets[i + 1]; from and to by edge.
  const Tensor& offsets() const { return offsets_; }  // [rows + 1]
  const Tensor& from() const { return from_; }        // [edges]
  const Tensor& to() const { return to_; }            // [edges]
  Edges edge_list() const;

  Graph to(Device device) const;
  // With an edge from each node to itself where there is none; rows and columns are the same nodes.
  Graph with_self_loops(Caller at = Caller::here()) const;
  // Edges turned round; its t-th edge is edge order[t] of this one.
  struct Transposed;
  Transposed transposed() const;
  // Row i gathers the edges into row i of this graph: its columns are this graph's edges.
  Graph incidence() const;
  // By edge, 1 / sqrt(edges into from(e) * edges into to(e)): of a graph with self loops, the
  // entries of D^-1/2 (A + I) D^-1/2.
  Tensor symmetric_normalisation(DType dtype = DType::f32, Caller at = Caller::here()) const;

  // The kernels' views; they live as long as this graph.
  const CsrGraph& csr() const { return csr_; }
  TransposedGraph transposed_csr() const;

 private:
  static Graph from_csr(int64_t rows, int64_t columns, Tensor offsets, Tensor from, Tensor to);
  void set_csr(int64_t rows, int64_t columns);

  CsrGraph csr_;
  Tensor offsets_, from_, to_;
  Tensor out_offsets_, out_to_, out_edge_;  // TransposedGraph
  Tensor numbers_;                          // 0, 1, ..., edges
};
struct Graph::Transposed {
  Graph graph;
  Tensor order;  // i64 [edges]
};

// "graph of 5 rows, 5 columns, 12 edges", as errors show it.
std::string describe(const Graph& graph);

// x [columns, ...] -> [rows, ...]. sum: out[i] = sum of weight[e] x[from(e)] over edges into i;
// mean: that divided by their number; max: the largest, element by element (the gradient goes to
// the first of equals). A row without edges gets 0. Floating types; 16-bit floats are added in f32.
//
// `weight` (not for max): [edges], or [edges, H] for x [columns, H, ...], a weight for each head.
Tensor aggregate(const Graph& graph, const Tensor& x, Aggregate op = Aggregate::sum,
                 const Tensor& weight = {}, Caller at = Caller::here());
// x [columns, ...] -> [edges, ...]: x[from(e)], what each edge brings.
Tensor edge_sources(const Graph& graph, const Tensor& x, Caller at = Caller::here());
// x [rows, ...] -> [edges, ...]: x[to(e)], where each edge goes.
Tensor edge_targets(const Graph& graph, const Tensor& x, Caller at = Caller::here());
// scores [edges, ...] -> the same shape: softmax over the edges into each row.
Tensor edge_softmax(const Graph& graph, const Tensor& scores, Caller at = Caller::here());

}  // namespace strata

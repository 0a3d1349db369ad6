// The graph value: edges into compressed rows, and what is made from them; see graph.h.
#include <algorithm>
#include <numeric>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/ops/detail/kernel_inputs.h"

namespace strata {
namespace {

int64_t* numbers_of(const Tensor& tensor) {
  return static_cast<int64_t*>(detail::raw_or_null(tensor));
}

Tensor list(const std::vector<int64_t>& values) {
  return from_vector(values, {static_cast<int64_t>(values.size())});
}

void check_square(const char* op, const Graph& graph, Caller at) {
  if (graph.rows() == graph.columns()) return;
  fail(op, at, "the {} has rows and columns that are not the same nodes", describe(graph));
}

}  // namespace

void Graph::set_csr(int64_t rows, int64_t columns) {
  csr_ = {rows, columns, from_.numel(), numbers_of(offsets_), numbers_of(from_)};
}

TransposedGraph Graph::transposed_csr() const {
  return {numbers_of(out_offsets_), numbers_of(out_to_), numbers_of(out_edge_)};
}

Graph Graph::from_csr(int64_t rows, int64_t columns, Tensor offsets, Tensor from, Tensor to) {
  Graph graph;
  const Device device = offsets.device();
  graph.offsets_ = std::move(offsets);
  graph.from_ = std::move(from);
  graph.to_ = std::move(to);
  graph.set_csr(rows, columns);
  graph.out_offsets_ = empty({columns + 1}, DType::i64, device);
  graph.out_to_ = empty({graph.edges()}, DType::i64, device);
  graph.out_edge_ = empty({graph.edges()}, DType::i64, device);
  on(device, "Graph", Caller{}, cpu::transpose, gpu::transpose, graph.csr_, graph.transposed_csr());
  graph.numbers_ = arange(0, static_cast<double>(graph.edges()) + 1).to(device);
  return graph;
}

Graph Graph::bipartite(int64_t rows, int64_t columns, const Edges& edges, Caller at) {
  if (rows < 0 || columns < 0)
    fail("Graph", at, "there cannot be {} rows and {} columns", rows, columns);
  std::vector<int64_t> offsets(static_cast<size_t>(rows) + 1), from(edges.size()), to(edges.size());
  for (size_t e = 0; e < edges.size(); ++e) {
    auto [source, target] = edges[e];
    if (source < 0 || source >= columns || target < 0 || target >= rows) {
      fail("Graph", at, "edge {} goes from {} to {}; expected 0 <= from < {} and 0 <= to < {}", e,
           source, target, columns, rows);
    }
    ++offsets[static_cast<size_t>(target) + 1];
  }
  std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
  std::vector<int64_t> next(offsets.begin(), offsets.end() - 1);
  for (auto [source, target] : edges) {
    const auto e = static_cast<size_t>(next[static_cast<size_t>(target)]++);
    from[e] = source;
    to[e] = target;
  }
  return from_csr(rows, columns, list(offsets), list(from), list(to));
}

Graph Graph::directed(int64_t nodes, const Edges& edges, Caller at) {
  return bipartite(nodes, nodes, edges, at);
}

Graph Graph::undirected(int64_t nodes, const Edges& edges, Caller at) {
  Edges both;
  both.reserve(2 * edges.size());
  for (auto [a, b] : edges) {
    both.emplace_back(a, b);
    if (a != b) both.emplace_back(b, a);
  }
  return bipartite(nodes, nodes, both, at);
}

Graph Graph::groups(const std::vector<int64_t>& sizes, Caller at) {
  Edges edges;
  int64_t column = 0;
  for (size_t g = 0; g < sizes.size(); ++g) {
    for (int64_t i = 0; i < sizes[g]; ++i) edges.emplace_back(column++, static_cast<int64_t>(g));
  }
  return bipartite(static_cast<int64_t>(sizes.size()), column, edges, at);
}

Graph Graph::disjoint(const std::vector<Graph>& graphs, Caller at) {
  Edges edges;
  int64_t rows = 0, columns = 0;
  for (const Graph& graph : graphs) {
    for (auto [source, target] : graph.edge_list())
      edges.emplace_back(columns + source, rows + target);
    rows += graph.rows();
    columns += graph.columns();
  }
  return bipartite(rows, columns, edges, at);
}

Edges Graph::edge_list() const {
  Edges edges;
  if (!offsets_.defined()) return edges;
  const auto from = from_.to_vector<int64_t>(), to = to_.to_vector<int64_t>();
  for (size_t e = 0; e < from.size(); ++e) edges.emplace_back(from[e], to[e]);
  return edges;
}

Graph Graph::to(Device device) const {
  if (device == this->device() || !offsets_.defined()) return *this;
  Graph graph = *this;
  for (Tensor* t : {&graph.offsets_, &graph.from_, &graph.to_, &graph.out_offsets_, &graph.out_to_,
                    &graph.out_edge_, &graph.numbers_})
    *t = t->to(device);
  graph.set_csr(rows(), columns());
  return graph;
}

Graph Graph::with_self_loops(Caller at) const {
  check_square("Graph::with_self_loops", *this, at);
  Edges edges = edge_list();
  std::vector<bool> has(static_cast<size_t>(rows()));
  for (auto [source, target] : edges) {
    if (source == target) has[static_cast<size_t>(source)] = true;
  }
  for (int64_t i = 0; i < rows(); ++i) {
    if (!has[static_cast<size_t>(i)]) edges.emplace_back(i, i);
  }
  return directed(rows(), edges, at).to(device());
}

Graph::Transposed Graph::transposed() const {
  if (!offsets_.defined()) return {};
  NoGrad off;
  return {from_csr(columns(), rows(), out_offsets_, out_to_, index_select(from_, 0, out_edge_)),
          out_edge_};
}

Graph Graph::incidence() const {
  Graph graph = *this;
  if (!offsets_.defined()) return graph;
  graph.from_ = graph.out_edge_ = numbers_.slice(0, 0, edges());
  graph.out_offsets_ = numbers_;
  graph.out_to_ = to_;
  graph.set_csr(rows(), edges());
  return graph;
}

Tensor Graph::symmetric_normalisation(DType dtype, Caller at) const {
  check_square("Graph::symmetric_normalisation", *this, at);
  if (!offsets_.defined()) return empty({0}, dtype);
  NoGrad off;
  Tensor counts = offsets_.slice(0, 1, rows() + 1) - offsets_.slice(0, 0, rows());
  // A source without edges into it (in a directed graph without loops) counts as if it had one.
  Tensor scale = rsqrt(clamp(counts.to(DType::f64), 1, std::max<double>(1, rows() + edges())));
  return (index_select(scale, 0, from_) * index_select(scale, 0, to_)).to(dtype);
}

std::string describe(const Graph& graph) {
  return fmt::format("graph of {} rows, {} columns, {} edges", graph.rows(), graph.columns(),
                     graph.edges());
}

}  // namespace strata

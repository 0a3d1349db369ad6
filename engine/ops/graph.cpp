// Ops over graphs; see graph.h. Weighted sums and means are linear, so their gradients are the same
// op over the transposed graph; the kernels' fused gradient is used where none of it is recorded.
#include "engine/ops/graph.h"

#include <algorithm>
#include <numeric>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/ops/detail/check.h"
#include "engine/ops/detail/kernel_inputs.h"
#include "engine/tensor/allocator.h"

namespace strata {
namespace {

using namespace detail;

int64_t* numbers_of(const Tensor& tensor) { return static_cast<int64_t*>(raw_or_null(tensor)); }

Tensor list(const std::vector<int64_t>& values) {
  return from_vector(values, {static_cast<int64_t>(values.size())});
}

void check_square(const char* op, const Graph& graph, Caller at) {
  if (graph.rows() == graph.columns()) return;
  fail(op, at, "the {} has rows and columns that are not the same nodes", describe(graph));
}

void check_features(const char* op, const char* name, const Graph& graph, const char* of,
                    int64_t size, const Tensor& x, Caller at) {
  check_defined(op, name, x, at);
  check_floating(op, name, x, at);
  if (x.rank() < 1 || x.size(0) != size) {
    fail(op, at, "{} {} must have the {} {} of the {} along its first axis", name, describe(x),
         size, of, describe(graph));
  }
  if (x.device() != graph.device()) {
    fail(op, at, "{} {} is on {} but the {} is on {}; move one with to(Device)", name, describe(x),
         name_of(x.device()), describe(graph), name_of(graph.device()));
  }
}

AggregateArgs arguments(const Graph& graph, Aggregate op, const Tensor& x, const Tensor& weight) {
  AggregateArgs args;
  args.graph = graph.csr();
  args.op = op;
  args.dtype = x.dtype();
  args.C = x.numel() / std::max<int64_t>(1, x.size(0));
  args.x = x.raw();
  args.weight = raw_or_null(weight);
  return args;
}

// By edge, what the values are multiplied with: the weight, and for a mean one over the number of
// edges into the same row. Undefined: ones.
Tensor factors(const Graph& graph, Aggregate op, const Tensor& weight, DType dtype, Caller at) {
  if (op != Aggregate::mean) return weight;
  const Tensor& ends = graph.offsets();
  Tensor counts = sub(ends.slice(0, 1, graph.rows() + 1), ends.slice(0, 0, graph.rows()), at);
  Tensor share = div(1.0, index_select(counts, 0, graph.to(), at).to(dtype), at);
  return weight.defined() ? mul(weight, share, at) : share;
}

Gradients composed_gradient(const Graph& graph, Aggregate op, const Tensor& g, const Saved& s,
                            const Dims& shape, Caller at) {
  const Tensor x = s[0], weight = s[1], chosen = s[2];
  Gradients gradients(2);
  if (op == Aggregate::max) {
    // The column each result was taken from; a row without edges gives nothing.
    Tensor there = greater_equal(chosen, zeros_like(chosen), at);
    Tensor edge = maximum(chosen, zeros_like(chosen), at).reshape({chosen.numel()});
    Tensor nothing = zeros(shape, g.dtype(), g.device());
    gradients[0] = nothing;
    if (graph.edges() == 0) return gradients;
    Tensor column = index_select(graph.from(), 0, edge, at).reshape(g.shape());
    gradients[0] = scatter_add(nothing, 0, column, where(there, g, zeros_like(g), at), at);
    return gradients;
  }
  Tensor factor = factors(graph, op, weight, g.dtype(), at);
  if (s.needs(0)) {
    const Graph::Transposed back = graph.transposed();
    Tensor turned = factor.defined() ? index_select(factor, 0, back.order, at) : Tensor();
    gradients[0] = aggregate(back.graph, g, Aggregate::sum, turned, at);
  }
  if (s.needs(1)) {
    Tensor products = edge_targets(graph, g, at) * edge_sources(graph, x, at);
    Dims axes;
    for (int i = 1; i < products.rank(); ++i) axes.push_back(i);
    gradients[1] = axes.empty() ? products : sum(products, axes, false, at);
    if (op == Aggregate::mean)
      gradients[1] = mul(gradients[1], factors(graph, op, {}, g.dtype(), at), at);
  }
  return gradients;
}

Gradients fused_gradient(const Graph& graph, Aggregate op, const Tensor& g, const Saved& s,
                         const Dims& shape, Caller at) {
  const DType dtype = g.dtype();
  Tensor x = s[0].defined() ? dense(s[0], dtype) : Tensor();
  Tensor weight = s[1].defined() ? dense(s[1], dtype) : Tensor(), chosen = s[2];
  Tensor dense_g = dense(g, dtype);
  Gradients gradients(2);
  AggregateGradientArgs args;
  args.forward.graph = graph.csr();
  args.forward.op = op;
  args.forward.dtype = dtype;
  args.forward.C = shape.product() / std::max<int64_t>(1, shape[0]);
  args.forward.x = raw_or_null(x);
  args.forward.weight = raw_or_null(weight);
  args.forward.chosen = numbers_of(chosen);
  args.transposed = graph.transposed_csr();
  args.g = dense_g.raw();
  if (s.needs(0)) args.x_gradient = (gradients[0] = empty(shape, dtype, g.device())).raw();
  if (s.needs(1)) {
    gradients[1] = empty({graph.edges()}, dtype, g.device());
    args.weight_gradient = gradients[1].raw();
  }
  on(g.device(), "aggregate", at, cpu::aggregate_gradient, gpu::aggregate_gradient, args);
  return gradients;
}

Tensor aggregate_one(const Graph& graph, const Tensor& x, Aggregate op, const Tensor& weight,
                     Caller at) {
  memory::Holder holder("aggregate");
  const bool recorded = grad_enabled();
  Tensor values = dense(x, x.dtype());
  Tensor factor = weight.defined() ? dense(weight, x.dtype()) : Tensor();
  Dims shape = x.shape();
  shape[0] = graph.rows();
  Tensor out = empty(shape, x.dtype(), x.device()), chosen;
  AggregateArgs args = arguments(graph, op, values, factor);
  if (out.numel() > 0 && graph.columns() == 0) args.C = out.numel() / graph.rows();
  if (op == Aggregate::max && recorded) chosen = empty(shape, DType::i64, x.device());
  args.out = out.raw();
  args.chosen = numbers_of(chosen);
  on(x.device(), "aggregate", at, cpu::aggregate, gpu::aggregate, args);
  // x is kept for the weights' gradient only.
  const Tensor kept = weight.defined() && weight.requires_grad() ? x : Tensor();
  return record(std::move(out), "aggregate", at, {x, weight}, {kept, weight, chosen},
                [graph, op, before = x.shape(), at](const Tensor& g, const Saved& s) {
                  return grad_enabled() ? composed_gradient(graph, op, g, s, before, at)
                                        : fused_gradient(graph, op, g, s, before, at);
                });
}

}  // namespace

// ---------------------------------------------------------------------------------------- Graph

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

// ------------------------------------------------------------------------------------------ ops

Tensor aggregate(const Graph& graph, const Tensor& x, Aggregate op, const Tensor& weight,
                 Caller at) {
  check_features("aggregate", "x", graph, "columns", graph.columns(), x, at);
  if (!weight.defined()) return aggregate_one(graph, x, op, weight, at);
  check_features("aggregate", "weight", graph, "edges", graph.edges(), weight, at);
  if (op == Aggregate::max) fail("aggregate", at, "a maximum takes no weights; scale x instead");
  if (weight.dtype() != x.dtype()) {
    fail("aggregate", at, "weight {} and x {} must have one type; convert one with to(DType::{})",
         describe(weight), describe(x), name_of(x.dtype()));
  }
  if (weight.rank() == 1) return aggregate_one(graph, x, op, weight, at);
  if (weight.rank() != 2 || x.rank() < 2 || weight.size(1) != x.size(1)) {
    fail("aggregate", at,
         "weight {} must be [edges], or [edges, H] for x [columns, H, ...]; x is {}",
         describe(weight), describe(x));
  }
  std::vector<Tensor> heads;
  for (int64_t h = 0; h < weight.size(1); ++h)
    heads.push_back(aggregate_one(graph, select(x, 1, h, at), op, select(weight, 1, h, at), at));
  if (heads.empty()) {
    Dims shape = x.shape();
    shape[0] = graph.rows();
    return zeros(shape, x.dtype(), x.device());
  }
  return stack(heads, 1, at);
}

Tensor edge_sources(const Graph& graph, const Tensor& x, Caller at) {
  check_features("edge_sources", "x", graph, "columns", graph.columns(), x, at);
  return index_select(x, 0, graph.from(), at);
}

Tensor edge_targets(const Graph& graph, const Tensor& x, Caller at) {
  check_features("edge_targets", "x", graph, "rows", graph.rows(), x, at);
  return index_select(x, 0, graph.to(), at);
}

Tensor edge_softmax(const Graph& graph, const Tensor& scores, Caller at) {
  check_features("edge_softmax", "scores", graph, "edges", graph.edges(), scores, at);
  const Graph edges = graph.incidence();
  Tensor out;
  {
    NoGrad off;
    const DType compute = detail::compute_type(scores.dtype());
    Tensor x = scores.detach().to(compute);
    Tensor largest = aggregate(edges, x, Aggregate::max, {}, at);
    Tensor grown = exp(x - edge_targets(graph, largest, at));
    Tensor total = aggregate(edges, grown, Aggregate::sum, {}, at);
    out = (grown / edge_targets(graph, total, at)).to(scores.dtype());
  }
  return record(out, "edge_softmax", at, {scores}, {out},
                [graph, edges, at](const Tensor& g, const Saved& s) {
                  const Tensor y = s[0], share = g * y;
                  Tensor total = aggregate(edges, share, Aggregate::sum, {}, at);
                  return Gradients{share - y * edge_targets(graph, total, at)};
                });
}

}  // namespace strata

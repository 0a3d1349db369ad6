// Ops over graphs; see graph.h. Weighted sums and means are linear, so their gradients are the same
// op over the transposed graph; the kernels' fused gradient is used where none of it is recorded.
#include "engine/ops/graph.h"

#include <algorithm>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/ops/detail/check.h"
#include "engine/ops/detail/kernel_inputs.h"
#include "engine/tensor/allocator.h"

namespace strata {
namespace {

using namespace detail;

int64_t* numbers_of(const Tensor& tensor) { return static_cast<int64_t*>(raw_or_null(tensor)); }

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

// Ops over graphs, against loops over lists of edges.
#include <limits>

#include "tests/support/op_table.h"

namespace strata::test {
namespace {

// What the oracles see: edges in the order of the graph's own numbering.
struct Example {
  const char* label;
  int64_t rows, columns;
  Edges edges;
};

Edges random_edges(int64_t rows, int64_t columns, int64_t count, uint64_t seed) {
  Random random(seed);
  Edges edges;
  for (int64_t e = 0; e < count; ++e)
    edges.emplace_back(random.integer(0, columns), random.integer(0, rows));
  std::stable_sort(edges.begin(), edges.end(),
                   [](const auto& a, const auto& b) { return a.second < b.second; });
  return edges;
}

std::vector<Example> examples() {
  return {{"ring", 4, 4, {{3, 0}, {1, 0}, {0, 1}, {2, 1}, {1, 2}, {3, 2}, {2, 3}, {0, 3}}},
          {"repeats, loops, rows without edges", 5, 5, {{0, 0}, {3, 0}, {3, 0}, {4, 3}}},
          {"more columns than rows", 3, 7, random_edges(3, 7, 12, 1)},
          {"no edges", 3, 3, {}},
          {"no nodes", 0, 0, {}},
          {"large", 300, 200, random_edges(300, 200, 2000, 2)}};
}

// The device of the op's inputs, so that one row serves both.
Graph graph_of(const Example& e, const Tensor& x) {
  return Graph::bipartite(e.rows, e.columns, e.edges).to(x.device());
}

Array aggregated(const Example& e, const Array& x, Aggregate op, const Array* weight) {
  Dims shape = x.shape;
  shape[0] = e.rows;
  const int64_t C = x.numel() / std::max<int64_t>(1, x.shape[0]);
  const int64_t heads = weight && weight->rank() == 2 ? weight->shape[1] : 1;
  Array out = array(shape);
  std::vector<int64_t> seen(static_cast<size_t>(e.rows));
  for (size_t k = 0; k < e.edges.size(); ++k) {
    auto [from, to] = e.edges[k];
    const bool first = seen[static_cast<size_t>(to)]++ == 0;
    for (int64_t c = 0; c < C; ++c) {
      double& result = out.values[static_cast<size_t>(to * C + c)];
      const double value = x.values[static_cast<size_t>(from * C + c)];
      if (op == Aggregate::max) {
        result = first ? value : std::max(result, value);
      } else {
        const auto w = static_cast<size_t>(static_cast<int64_t>(k) * heads + c / (C / heads));
        result += weight ? weight->values[w] * value : value;
      }
    }
  }
  if (op == Aggregate::mean) {
    for (size_t i = 0; i < out.values.size(); ++i)
      out.values[i] /= static_cast<double>(
          std::max<int64_t>(1, seen[i / static_cast<size_t>(std::max<int64_t>(C, 1))]));
  }
  return out;
}

Array at_ends(const Example& e, const Array& x, bool sources) {
  Dims shape = x.shape;
  shape[0] = static_cast<int64_t>(e.edges.size());
  const int64_t C = x.numel() / std::max<int64_t>(1, x.shape[0]);
  Array out = array(shape);
  for (size_t k = 0; k < e.edges.size(); ++k) {
    const int64_t node = sources ? e.edges[k].first : e.edges[k].second;
    for (int64_t c = 0; c < C; ++c)
      out.values[k * static_cast<size_t>(C) + static_cast<size_t>(c)] =
          x.values[static_cast<size_t>(node * C + c)];
  }
  return out;
}

Array softmax_by_target(const Example& e, const Array& x) {
  const size_t C = x.numel() ? static_cast<size_t>(x.numel() / x.shape[0]) : 1;
  Array out = array(x.shape);
  for (size_t k = 0; k < e.edges.size(); ++k) {
    for (size_t c = 0; c < C; ++c) {
      double total = 0;
      for (size_t l = 0; l < e.edges.size(); ++l) {
        if (e.edges[l].second == e.edges[k].second)
          total += std::exp(x.values[l * C + c] - x.values[k * C + c]);
      }
      out.values[k * C + c] = 1 / total;
    }
  }
  return out;
}

const Graph& ring() {
  static const Graph graph =
      Graph::undirected(4, {{0, 1}, {1, 2}, {2, 3}, {3, 0}}).to(device_under_test());
  return graph;
}
Tensor values_of(const Dims& shape, DType dtype = DType::f32) {
  return empty(shape, dtype, device_under_test());
}
Tensor elsewhere(const Dims& shape) {
  return empty(shape, DType::f32, device_under_test() == Device::cpu ? Device::gpu : Device::cpu);
}

std::vector<BadCall> feature_errors(const std::function<Tensor(const Tensor&)>& op,
                                    const std::string& size) {
  return {{"size",
           [=] {
             op(values_of({5, 2}));
           },
           R"(f32\[5,2\] must have the )" + size, ""},
          {"scalar", [=] { op(values_of({})); }, "along its first axis", ""},
          {"type",
           [=] {
             op(values_of({4, 2}, DType::i64));
           },
           "float", ""},
          {"device",
           [=] {
             op(elsewhere({size[0] - '0', 2}));
           },
           "move one with to", ""},
          {"undefined", [=] { op(Tensor()); }, "is undefined", ""}};
}

}  // namespace

OP_ROW(aggregate) {
  Random random(71);
  const std::pair<const char*, Aggregate> kinds[] = {
      {"sum", Aggregate::sum}, {"mean", Aggregate::mean}, {"max", Aggregate::max}};
  for (const Example& e : examples()) {
    const auto E = static_cast<int64_t>(e.edges.size());
    for (auto [kind, op] : kinds) {
      const Dims shape{e.columns, e.columns > 100 ? 20 : 3};
      Array x = op == Aggregate::max ? random.distinct(shape, 0.01) : random.uniform(shape);
      row.add(
          fmt::format("{}, {}", e.label, kind), {x},
          [=](const Tensors& in) { return aggregate(graph_of(e, in[0]), in[0], op); },
          [=](const Arrays& in) { return aggregated(e, in[0], op, nullptr); });
      if (op == Aggregate::max) continue;
      for (bool heads : {false, true}) {
        Dims weights = heads ? Dims{E, 2} : Dims{E};
        row.add(
            fmt::format("{}, {}, weighted{}", e.label, kind, heads ? " by head" : ""),
            {random.uniform(heads ? Dims{e.columns, 2, 3} : shape), random.uniform(weights)},
            [=](const Tensors& in) { return aggregate(graph_of(e, in[0]), in[0], op, in[1]); },
            [=](const Arrays& in) { return aggregated(e, in[0], op, &in[1]); });
      }
    }
  }
  const Example ring = examples()[0];
  row.add(
      "a number a node", {random.uniform({4}), random.uniform({8})},
      [=](const Tensors& in) {
        return aggregate(graph_of(ring, in[0]), in[0], Aggregate::sum, in[1]);
      },
      [=](const Arrays& in) { return aggregated(ring, in[0], Aggregate::sum, &in[1]); });
  row.add(
      "no nodes", {array({0, 3})},
      [](const Tensors& in) { return aggregate(Graph::directed(0, {}).to(in[0].device()), in[0]); },
      [](const Arrays& in) { return in[0]; });
  row.tolerance = 4;
  row.gradient_tolerance = 4;
  row.no_scalar = "needs an axis of nodes";
  row.errors =
      feature_errors([](const Tensor& x) { return aggregate(test::ring(), x); }, "4 columns");
  auto weighted = [](Aggregate op, const Tensor& w) {
    return aggregate(test::ring(), values_of({4, 3}), op, w);
  };
  row.errors.push_back({"weights", [=] { weighted(Aggregate::sum, values_of({7})); },
                        R"(weight f32\[7\] must have the 8 edges)", ""});
  row.errors.push_back({"heads",
                        [=] {
                          weighted(Aggregate::sum, values_of({8, 2}));
                        },
                        R"(weight f32\[8,2\] must be \[edges\], or)", ""});
  row.errors.push_back(
      {"max", [=] { weighted(Aggregate::max, values_of({8})); }, "a maximum takes no weights", ""});
  row.errors.push_back({"types", [=] { weighted(Aggregate::sum, values_of({8}, DType::f64)); },
                        "must have one type", ""});
}

OP_ROW(edge_sources) {
  Random random(72);
  for (const Example& e : examples()) {
    row.add(
        e.label, {random.uniform({e.columns, 3})},
        [=](const Tensors& in) { return edge_sources(graph_of(e, in[0]), in[0]); },
        [=](const Arrays& in) { return at_ends(e, in[0], true); });
  }
  row.gradient_tolerance = 8;
  row.no_scalar = "needs an axis of nodes";
  row.errors = feature_errors([](const Tensor& x) { return edge_sources(ring(), x); }, "4 columns");
}

OP_ROW(edge_targets) {
  Random random(73);
  for (const Example& e : examples()) {
    row.add(
        e.label, {random.uniform({e.rows, 3})},
        [=](const Tensors& in) { return edge_targets(graph_of(e, in[0]), in[0]); },
        [=](const Arrays& in) { return at_ends(e, in[0], false); });
  }
  row.gradient_tolerance = 8;
  row.no_scalar = "needs an axis of nodes";
  row.errors = feature_errors([](const Tensor& x) { return edge_targets(ring(), x); }, "4 rows");
}

OP_ROW(edge_softmax) {
  Random random(74);
  for (const Example& e : examples()) {
    const auto E = static_cast<int64_t>(e.edges.size());
    for (const Dims& shape : {Dims{E}, Dims{E, 2}}) {
      if (E > 100 && shape.rank() > 1) continue;
      row.add(
          fmt::format("{}, rank {}", e.label, shape.rank()), {random.uniform(shape, -3, 3)},
          [=](const Tensors& in) { return edge_softmax(graph_of(e, in[0]), in[0]); },
          [=](const Arrays& in) { return softmax_by_target(e, in[0]); });
    }
  }
  row.tolerance = 4;
  row.gradient_tolerance = 8;
  row.no_scalar = "needs an axis of edges";
  row.errors = feature_errors([](const Tensor& x) { return edge_softmax(ring(), x); }, "8 edges");
}

}  // namespace strata::test

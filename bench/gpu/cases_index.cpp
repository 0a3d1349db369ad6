// What goes where an index tells it: rows of an embedding and their gradient, sort and top-k, and
// sums over the neighbours in a graph.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bench/gpu/memory_case.h"
#include "kernels/graph/graph.h"
#include "kernels/index/index.h"
#include "kernels/index/sort.h"

namespace strata::bench {

namespace {

// All alike, or as the words of a text: the n-th most frequent has a share of about 1 / n (Zipf).
std::vector<int64_t> tokens_of(const EmbeddingCase& c) {
  std::mt19937_64 generator(20061);
  std::uniform_real_distribution<double> uniform(0, 1);
  const double vocabulary = static_cast<double>(c.vocabulary);
  std::vector<int64_t> tokens(static_cast<size_t>(c.tokens));
  for (int64_t& token : tokens) {
    const double u = uniform(generator);
    const double place = c.as_text ? std::pow(vocabulary, u) - 1 : u * vocabulary;
    token = std::min(static_cast<int64_t>(place), c.vocabulary - 1);
  }
  return tokens;
}

int64_t distinct(std::vector<int64_t> tokens) {
  std::sort(tokens.begin(), tokens.end());
  return std::unique(tokens.begin(), tokens.end()) - tokens.begin();
}

// The sizes and strides live beside the arguments that point at them.
struct RowList {
  int64_t shape[2], dense[2], index[2];
  cpu::IndexArgs args;
};

std::function<void()> run_of(const EmbeddingCase& c, const std::vector<int64_t>& tokens,
                             xray::Operands& o) {
  const auto rows =
      std::make_shared<RowList>(RowList{{c.tokens, c.width}, {c.width, 1}, {1, 0}, {}});
  cpu::IndexArgs& args = rows->args;
  args.target = o.random(c.vocabulary * c.width, c.dtype);
  args.source = o.random(c.tokens * c.width, c.dtype);
  args.index = o.copied(tokens);
  args.dtype = c.dtype;
  args.rank = 2, args.axis = 0, args.target_size = c.vocabulary;
  args.shape = rows->shape;
  args.target_strides = args.source_strides = rows->dense;
  args.index_strides = rows->index;
  if (c.gradient) return [rows] { gpu::scatter_add(rows->args); };
  return [rows] { gpu::gather(rows->args); };
}

std::function<void()> run_of(const SortCase& c, xray::Operands& o) {
  struct Sizes {
    int64_t shape[2], strides[2];
  };
  const auto sizes = std::make_shared<const Sizes>(Sizes{{c.lines, c.n}, {c.n, 1}});
  cpu::SortArgs args;
  args.x = o.random(c.lines * c.n, c.dtype);
  args.dtype = c.dtype;
  args.rank = 2, args.axis = 1;
  args.shape = sizes->shape, args.strides = sizes->strides;
  args.k = c.k, args.descending = c.k < c.n;
  args.values = o.empty(c.lines * c.k, c.dtype);
  args.indices = static_cast<int64_t*>(o.empty(c.lines * c.k, DType::i64));
  return [args, sizes] { gpu::sort(args); };
}

CsrGraph random_graph(const GraphCase& c, xray::Operands& o) {
  std::mt19937_64 generator(20061);
  std::uniform_int_distribution<int64_t> node(0, c.nodes - 1);
  std::vector<int64_t> offsets(static_cast<size_t>(c.nodes + 1));
  for (int64_t e = 0; e < c.edges; ++e) ++offsets[static_cast<size_t>(node(generator) + 1)];
  for (size_t i = 1; i < offsets.size(); ++i) offsets[i] += offsets[i - 1];
  CsrGraph graph{c.nodes, c.nodes, c.edges, nullptr, nullptr};
  graph.offsets = static_cast<const int64_t*>(o.copied(offsets));
  graph.from = static_cast<const int64_t*>(o.indices(c.edges, c.nodes));
  return graph;
}

TransposedGraph room_for_transpose(const GraphCase& c, xray::Operands& o) {
  const auto numbers = [&](int64_t n) { return static_cast<int64_t*>(o.empty(n, DType::i64)); };
  return {numbers(c.nodes + 1), numbers(c.edges), numbers(c.edges)};
}

std::function<void()> run_of(const GraphCase& c, xray::Operands& o) {
  const CsrGraph graph = random_graph(c, o);
  if (c.kind == "transpose") {
    const TransposedGraph out = room_for_transpose(c, o);
    return [graph, out] { gpu::transpose(graph, out); };
  }
  AggregateArgs args;
  args.graph = graph;
  args.op = c.kind == "max" ? Aggregate::max : Aggregate::sum;
  args.dtype = c.dtype, args.C = c.C;
  args.x = o.random(c.nodes * c.C, c.dtype);
  args.out = o.empty(c.nodes * c.C, c.dtype);
  if (c.kind != "sum, gradient") return [args] { gpu::aggregate(args); };
  AggregateGradientArgs gradient;
  gradient.forward = args;
  gradient.transposed = room_for_transpose(c, o);
  gradient.g = args.x;
  gradient.x_gradient = args.out;
  gpu::transpose(graph, gradient.transposed);
  return [gradient] { gpu::aggregate_gradient(gradient); };
}

}  // namespace

Case embedding_case(const EmbeddingCase& c) {
  const auto tokens = std::make_shared<const std::vector<int64_t>>(tokens_of(c));
  // The list's rows once; the table's once where touched, twice where they are added to.
  const int64_t rows = c.tokens + distinct(*tokens) * (c.gradient ? 2 : 1);
  const double bytes =
      xray::bytes_of(rows * c.width, c.dtype) + xray::bytes_of(c.tokens, DType::i64);
  const std::string name = fmt::format("embedding, {}{}", c.gradient ? "gradient" : "forward",
                                       c.as_text ? ", words of a text" : "");
  return memory_case({"index", c.set, name,
                      fmt::format("{} of {}x{}", c.tokens, c.vocabulary, c.width), c.dtype, bytes,
                      [c, tokens](xray::Operands& o) { return run_of(c, *tokens, o); }});
}

Case sort_case(const SortCase& c) {
  const double bytes =
      xray::bytes_of(c.lines * (c.n + c.k), c.dtype) + xray::bytes_of(c.lines * c.k, DType::i64);
  return memory_case({"index", c.set, c.k < c.n ? fmt::format("top {}", c.k) : "sort",
                      fmt::format("{}x{}", c.lines, c.n), c.dtype, bytes,
                      [c](xray::Operands& o) { return run_of(c, o); }});
}

Case graph_case(const GraphCase& c) {
  // A row of x an edge: they lie anywhere, and what of them L2 holds is counted too.
  const double edges = xray::bytes_of(c.edges, DType::i64),
               offsets = xray::bytes_of(c.nodes + 1, DType::i64);
  const double bytes = c.kind == "transpose"
                           ? 3 * edges + 2 * offsets
                           : xray::bytes_of((c.edges + c.nodes) * c.C, c.dtype) + edges + offsets;
  return memory_case({"graph", c.set, c.kind,
                      fmt::format("{} nodes, {} edges, {}", c.nodes, c.edges, c.C), c.dtype, bytes,
                      [c](xray::Operands& o) { return run_of(c, o); }});
}

std::vector<Case> index_cases() {
  constexpr int64_t tokens = 64 * 1024, vocabulary = 50257, width = 768;
  std::vector<Case> cases;
  const char* gpt2 = "GPT-2 124M";
  cases.push_back(embedding_case({gpt2, tokens, vocabulary, width, false, false, DType::bf16}));
  cases.push_back(embedding_case({gpt2, tokens, vocabulary, width, false, true, DType::bf16}));
  cases.push_back(embedding_case({gpt2, tokens, vocabulary, width, true, false, DType::f32}));
  cases.push_back(embedding_case({gpt2, tokens, vocabulary, width, true, true, DType::f32}));
  cases.push_back(sort_case({"short lines", 65536, 1024, 1024}));
  cases.push_back(sort_case({"one line", 1, int64_t{1} << 24, int64_t{1} << 24}));
  cases.push_back(sort_case({"ImageNet classes", 65536, 1000, 5}));
  cases.push_back(sort_case({gpt2, 512, vocabulary, 50}));
  return cases;
}

// As many nodes, edges and features as ogbn-arxiv has (Hu et al. 2020).
std::vector<Case> graph_cases() {
  const auto arxiv = [](const char* kind, DType dtype) {
    return graph_case({"size of ogbn-arxiv", kind, 169343, 1166243, 128, dtype});
  };
  return {arxiv("sum", DType::f32), arxiv("sum", DType::bf16), arxiv("max", DType::f32),
          arxiv("sum, gradient", DType::f32), arxiv("transpose", DType::f32)};
}

}  // namespace strata::bench

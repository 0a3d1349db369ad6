// Kernels that go where an index, a window or an edge tells them: gather, scatter and sort, pooling
// and resampling, graphs, the map of t-SNE.
#include "kernels/embedding/rung.h"
#include "kernels/graph/graph.h"
#include "kernels/index/rung.h"
#include "kernels/index/sort.h"
#include "kernels/pool/pool.h"
#include "kernels/pool/resample.h"
#include "tools/xray/subjects.h"

namespace strata::xray {

namespace {

const std::vector<DType> only_f32{DType::f32}, f32_f64{DType::f32, DType::f64};

// A list of L rows of a table [V, C]; the sizes live beside the arguments that point at them.
struct RowList {
  Shape shape, table, list, index;
  cpu::IndexArgs args;
};
std::shared_ptr<RowList> row_list(Operands& o, const Shape& s, DType dtype) {
  const int64_t L = s[0], V = s[1], C = s[2];
  auto rows = std::make_shared<RowList>(RowList{{L, C}, {C, 1}, {C, 1}, {1, 0}, {}});
  rows->args.target = o.random(V * C, dtype);
  rows->args.source = o.random(L * C, dtype);
  rows->args.index = o.indices(L, V);
  rows->args.dtype = dtype;
  rows->args.rank = 2, rows->args.axis = 0, rows->args.target_size = V;
  rows->args.shape = rows->shape.data();
  rows->args.target_strides = rows->table.data();
  rows->args.source_strides = rows->list.data();
  rows->args.index_strides = rows->index.data();
  return rows;
}

// The rung that sorts lines of n elements.
std::string sorting_rung(int64_t n, DType dtype) {
  if (n <= 1024 && size_of(dtype) <= 4) return "index/07_warp_sort";
  return n <= 2048 ? "index/04_bitonic" : "index/05_radix_sort";
}
Prepare sorted_lines(const std::string& rung) {
  return [=](Operands& o, const Shape& s, DType dtype) -> Ready {
    if (const std::string chosen = sorting_rung(s[1], dtype); chosen != rung)
      throw gpu::Error(fmt::format("lines of {} are sorted by {}", s[1], chosen));
    const int64_t n = s[0] * s[1];
    auto sizes = std::make_shared<std::pair<Shape, Shape>>(s, Shape{s[1], 1});
    cpu::SortArgs args;
    args.x = o.random(n, dtype);
    args.dtype = dtype, args.rank = 2, args.axis = 1, args.k = s[1];
    args.shape = sizes->first.data(), args.strides = sizes->second.data();
    args.values = o.empty(n, dtype);
    args.indices = static_cast<int64_t*>(o.empty(n, DType::i64));
    return {0, 2 * bytes_of(n, dtype) + bytes_of(n, DType::i64),
            [args, sizes] { gpu::sort(args); }};
  };
}

// The first 16 of each line.
Ready selected_lines(Operands& o, const Shape& s, DType dtype) {
  const int64_t k = 16;
  if (s[1] < 32 * k)
    throw gpu::Error(
        fmt::format("lines of {} are sorted; index/06_select is for {} and longer", s[1], 32 * k));
  auto sizes = std::make_shared<std::pair<Shape, Shape>>(s, Shape{s[1], 1});
  cpu::SortArgs args;
  args.x = o.random(s[0] * s[1], dtype);
  args.dtype = dtype, args.rank = 2, args.axis = 1, args.k = k, args.descending = true;
  args.shape = sizes->first.data(), args.strides = sizes->second.data();
  args.values = o.empty(s[0] * k, dtype);
  args.indices = static_cast<int64_t*>(o.empty(s[0] * k, DType::i64));
  return {0, bytes_of(s[0] * (s[1] + k), dtype) + bytes_of(s[0] * k, DType::i64),
          [args, sizes] { gpu::sort(args); }};
}

std::vector<Subject> index_subjects() {
  const Shape rows{256, 512, 64}, lines{8, 1024}, longer_lines{8, 2048}, long_lines{1, 4096};
  auto moved = [](const Shape& s, DType dtype) {  // the list's rows twice, its indices once
    return 2 * bytes_of(s[0] * s[2], dtype) + bytes_of(s[0], DType::i64);
  };
  auto gather = [=](Operands& o, const Shape& s, DType dtype) -> Ready {
    const auto list = row_list(o, s, dtype);
    return {0, moved(s, dtype), [=] { gpu::index::gather(list->args); }};
  };
  auto scatter_add = [=](auto rung) {
    return [=](Operands& o, const Shape& s, DType dtype) -> Ready {
      const auto list = row_list(o, s, dtype);
      return {0, moved(s, dtype), [=] { rung(list->args, true); }};
    };
  };
  return {
      made_by("index/01_gather", "rows of a table by a list", "LxVxC", rows,
              {DType::f32, DType::bf16, DType::f16, DType::f64}, gather),
      made_by("index/02_scatter_lines", "rows added to a table, a thread a column", "LxVxC", rows,
              f32_f64, scatter_add(gpu::index::scatter_lines)),
      made_by("index/03_scatter_sorted", "the same with the list sorted, by segments", "LxVxC",
              rows, f32_f64, scatter_add(gpu::index::scatter_sorted)),
      made_by("index/04_bitonic", "a sorting network in shared memory", "linesxn", longer_lines,
              f32_f64, sorted_lines("index/04_bitonic")),
      made_by("index/05_radix_sort", "all lines at once, 8 bits a pass", "linesxn", long_lines,
              f32_f64, sorted_lines("index/05_radix_sort")),
      made_by("index/06_select", "the first 16 of each line, by a bound", "linesxn", lines,
              {DType::f32, DType::bf16, DType::f16, DType::f64}, selected_lines),
      made_by("index/07_warp_sort", "a sorting network in a warp's registers", "linesxn", lines,
              {DType::f32, DType::bf16, DType::f16}, sorted_lines("index/07_warp_sort")),
  };
}

// Windows of 3 x 3 in steps of 2, padded by 1.
cpu::PoolShape windows_of(const Shape& s, DType dtype) {
  auto axis = [](int64_t in) { return cpu::sliding_axis(in, (in - 1) / 2 + 1, 3, 2, 1, false); };
  return {dtype, s[0], s[3], axis(s[1]), axis(s[2]), true};
}
// To twice the size, bilinear.
cpu::ResampleShape doubled(const Shape& s, DType dtype) {
  return {dtype, s[0], s[3], cpu::linear_axis(s[1], 2 * s[1], false),
          cpu::linear_axis(s[2], 2 * s[2], false)};
}

std::vector<Subject> pool_subjects() {
  const Shape shape{1, 16, 16, 64};
  const char* axes = "NxHxWxC";
  struct Sizes {
    int64_t image, pooled, doubled;
  };
  auto sizes = [](const Shape& s) {
    const int64_t channels = s[0] * s[3], rows = (s[1] - 1) / 2 + 1, columns = (s[2] - 1) / 2 + 1;
    return Sizes{channels * s[1] * s[2], channels * rows * columns, channels * 4 * s[1] * s[2]};
  };
  auto max = [=](Operands& o, const Shape& s, DType dtype) -> Ready {
    const auto [image, pooled, unused] = sizes(s);
    const void* x = o.random(image, dtype);
    void *out = o.empty(pooled, dtype), *switches = o.empty(pooled, DType::u8);
    return {0, bytes_of(image + pooled, dtype) + bytes_of(pooled, DType::u8),
            [=, k = windows_of(s, dtype)] { gpu::max_pool(k, x, out, switches); }};
  };
  auto max_gradient = [=](Operands& o, const Shape& s, DType dtype) -> Ready {
    const auto [image, pooled, unused] = sizes(s);
    const cpu::PoolShape k = windows_of(s, dtype);
    const void *x = o.random(image, dtype), *values = o.random(pooled, dtype);
    void *switches = o.empty(pooled, DType::u8), *result = o.empty(image, dtype);
    gpu::max_pool(k, x, o.empty(pooled, dtype), switches);
    return {0, bytes_of(image + pooled, dtype) + bytes_of(pooled, DType::u8),
            [=] { gpu::pool_scatter(k, values, switches, result); }};
  };
  auto mean = [=](Operands& o, const Shape& s, DType dtype) -> Ready {
    const auto [image, pooled, unused] = sizes(s);
    const void* x = o.random(image, dtype);
    void* out = o.empty(pooled, dtype);
    return {0, bytes_of(image + pooled, dtype),
            [=, k = windows_of(s, dtype)] { gpu::mean_pool(k, x, out); }};
  };
  auto mean_gradient = [=](Operands& o, const Shape& s, DType dtype) -> Ready {
    const auto [image, pooled, unused] = sizes(s);
    const void* values = o.random(pooled, dtype);
    void* result = o.empty(image, dtype);
    return {0, bytes_of(image + pooled, dtype),
            [=, k = windows_of(s, dtype)] { gpu::mean_pool_adjoint(k, values, result); }};
  };
  auto resample = [=](Operands& o, const Shape& s, DType dtype) -> Ready {
    const auto [image, unused, large] = sizes(s);
    const void* x = o.random(image, dtype);
    void* out = o.empty(large, dtype);
    return {0, bytes_of(image + large, dtype),
            [=, k = doubled(s, dtype)] { gpu::resample(k, x, out); }};
  };
  auto resample_gradient = [=](Operands& o, const Shape& s, DType dtype) -> Ready {
    const auto [image, unused, large] = sizes(s);
    const void* values = o.random(large, dtype);
    void* result = o.empty(image, dtype);
    return {0, bytes_of(image + large, dtype),
            [=, k = doubled(s, dtype)] { gpu::resample_adjoint(k, values, result); }};
  };
  return {
      made_by("pool/01_windows/max", "3 x 3 in steps of 2: largest and where it was", axes, shape,
              f32_f64, max),
      made_by("pool/01_windows/mean", "3 x 3 in steps of 2: the mean", axes, shape, f32_f64, mean),
      made_by("pool/02_adjoints/max", "a pixel asks the windows that cover it", axes, shape,
              f32_f64, max_gradient),
      made_by("pool/02_adjoints/mean", "the same for means", axes, shape, f32_f64, mean_gradient),
      made_by("pool/03_resample", "to twice the size, bilinear", axes, shape, f32_f64, resample),
      made_by("pool/03_resample/gradient", "its adjoint, again a gather", axes, shape, f32_f64,
              resample_gradient),
  };
}

// Random edges into `rows` nodes, as many into each.
CsrGraph random_graph(Operands& o, const Shape& s) {
  CsrGraph graph{s[0], s[0], s[0] * s[1], nullptr, nullptr};
  std::vector<int64_t> offsets;
  for (int64_t row = 0; row <= s[0]; ++row) offsets.push_back(row * s[1]);
  graph.offsets = static_cast<const int64_t*>(o.copied(offsets));
  graph.from = static_cast<const int64_t*>(o.indices(graph.edges, s[0]));
  return graph;
}
TransposedGraph empty_transpose(Operands& o, const CsrGraph& graph) {
  auto numbers = [&](int64_t n) { return static_cast<int64_t*>(o.empty(n, DType::i64)); };
  return {numbers(graph.columns + 1), numbers(graph.edges), numbers(graph.edges)};
}

std::vector<Subject> graph_subjects() {
  const Shape shape{128, 8, 64};
  const char* axes = "nodesxdegreexC";
  const std::vector<DType> floats{DType::f32, DType::bf16, DType::f16, DType::f64};
  auto aggregate = [](Operands& o, const Shape& s, DType dtype) -> Ready {
    AggregateArgs args;
    args.graph = random_graph(o, s);
    args.dtype = dtype, args.C = s[2];
    args.x = o.random(s[0] * s[2], dtype);
    args.out = o.empty(s[0] * s[2], dtype);
    return {2.0 * static_cast<double>(args.graph.edges * s[2]),
            2 * bytes_of(s[0] * s[2], dtype) + bytes_of(args.graph.edges + s[0] + 1, DType::i64),
            [=] { gpu::aggregate(args); }};
  };
  auto gradient = [](Operands& o, const Shape& s, DType dtype) -> Ready {
    AggregateGradientArgs args;
    args.forward.graph = random_graph(o, s);
    args.forward.dtype = dtype, args.forward.C = s[2];
    args.transposed = empty_transpose(o, args.forward.graph);
    args.g = o.random(s[0] * s[2], dtype);
    args.x_gradient = o.empty(s[0] * s[2], dtype);
    gpu::transpose(args.forward.graph, args.transposed);
    const int64_t edges = args.forward.graph.edges;
    return {2.0 * static_cast<double>(edges * s[2]),
            2 * bytes_of(s[0] * s[2], dtype) + bytes_of(2 * edges + s[0] + 1, DType::i64),
            [=] { gpu::aggregate_gradient(args); }};
  };
  auto transpose = [](Operands& o, const Shape& s, DType) -> Ready {
    const CsrGraph graph = random_graph(o, s);
    const TransposedGraph out = empty_transpose(o, graph);
    return {0, bytes_of(3 * graph.edges + 2 * (s[0] + 1), DType::i64),
            [=] { gpu::transpose(graph, out); }};
  };
  return {
      made_by("graph/01_aggregate", "sums over neighbours", axes, shape, floats, aggregate),
      made_by("graph/02_gradient", "the gradient of x, over the transposed graph", axes, shape,
              floats, gradient),
      made_by("graph/03_transpose", "edges sorted by where they come from", axes, shape, only_f32,
              transpose),
  };
}

std::vector<Subject> embedding_subjects() {
  std::vector<Subject> subjects;
  for (const gpu::RepulsionRung& rung : gpu::repulsion_rungs) {
    auto repulsion = [run = rung.run](Operands& o, const Shape& s, DType) -> Ready {
      auto numbers = [&](int64_t n) { return static_cast<float*>(o.empty(n, DType::f32)); };
      const RepulsionArgs args{s[0], static_cast<const float*>(o.random(2 * s[0], DType::f32)),
                               numbers(2 * s[0]), numbers(s[0])};
      return {14.0 * static_cast<double>(s[0]) * static_cast<double>(s[0]),
              bytes_of(5 * s[0], DType::f32), [=] { run(args); }};
    };
    subjects.push_back(made_by(fmt::format("embedding/{}", rung.name),
                               "each point meets every other", "N", {512}, only_f32, repulsion));
  }
  return subjects;
}

}  // namespace

std::vector<Subject> place_subjects() {
  std::vector<Subject> subjects;
  for (auto family : {index_subjects, pool_subjects, graph_subjects, embedding_subjects})
    for (Subject& subject : family()) subjects.push_back(std::move(subject));
  return subjects;
}

}  // namespace strata::xray

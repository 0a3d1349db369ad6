#include "kernels/graph/graph.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "kernels/common/parallel.h"

namespace strata::cpu {
namespace {

constexpr int64_t grain_of(int64_t C) {
  return std::max<int64_t>(1, 8192 / std::max<int64_t>(C, 1));
}

// The weight of an edge, with the division of a mean.
template <class T>
Compute<T> weight_of(const AggregateArgs& a, int64_t e, int64_t row) {
  using S = Compute<T>;
  const S w = a.weight ? static_cast<S>(static_cast<const T*>(a.weight)[e]) : S(1);
  if (a.op != Aggregate::mean) return w;
  return w / static_cast<S>(a.graph.offsets[row + 1] - a.graph.offsets[row]);
}

template <class T>
void add_rows(const AggregateArgs& a, int64_t row, Compute<T>* sum) {
  using S = Compute<T>;
  std::fill(sum, sum + a.C, S(0));
  for (int64_t e = a.graph.offsets[row]; e < a.graph.offsets[row + 1]; ++e) {
    const T* x = static_cast<const T*>(a.x) + a.graph.from[e] * a.C;
    const S w = weight_of<T>(a, e, row);
    for (int64_t c = 0; c < a.C; ++c) sum[c] += w * static_cast<S>(x[c]);
  }
}

template <class T>
void max_row(const AggregateArgs& a, int64_t row, T* out) {
  using S = Compute<T>;
  const int64_t begin = a.graph.offsets[row], end = a.graph.offsets[row + 1];
  for (int64_t c = 0; c < a.C; ++c) {
    S best = begin < end ? -std::numeric_limits<S>::infinity() : S(0);
    int64_t where = begin < end ? begin : -1;
    for (int64_t e = begin; e < end; ++e) {
      const S value = static_cast<const T*>(a.x)[a.graph.from[e] * a.C + c];
      if (value <= best || best != best) continue;
      best = value;
      where = e;
    }
    out[c] = static_cast<T>(best);
    if (a.chosen) a.chosen[row * a.C + c] = where;
  }
}

template <class T>
void x_gradient(const AggregateGradientArgs& args) {
  using S = Compute<T>;
  const AggregateArgs& a = args.forward;
  const TransposedGraph& t = args.transposed;
  parallel_for(a.graph.columns, grain_of(a.C), [&](int64_t first, int64_t last) {
    std::vector<S> sum(static_cast<size_t>(a.C));
    for (int64_t j = first; j < last; ++j) {
      std::fill(sum.begin(), sum.end(), S(0));
      for (int64_t i = t.offsets[j]; i < t.offsets[j + 1]; ++i) {
        const int64_t row = t.to[i], e = t.edge[i];
        const T* g = static_cast<const T*>(args.g) + row * a.C;
        if (a.op == Aggregate::max) {
          const int64_t* chosen = a.chosen + row * a.C;
          for (int64_t c = 0; c < a.C; ++c) sum[c] += chosen[c] == e ? static_cast<S>(g[c]) : S(0);
        } else {
          const S w = weight_of<T>(a, e, row);
          for (int64_t c = 0; c < a.C; ++c) sum[c] += w * static_cast<S>(g[c]);
        }
      }
      std::copy(sum.begin(), sum.end(), static_cast<T*>(args.x_gradient) + j * a.C);
    }
  });
}

template <class T>
void weight_gradient(const AggregateGradientArgs& args) {
  using S = Compute<T>;
  const AggregateArgs& a = args.forward;
  parallel_for(a.graph.rows, grain_of(a.C), [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) {
      const int64_t begin = a.graph.offsets[row], end = a.graph.offsets[row + 1];
      const S scale = a.op == Aggregate::mean ? S(1) / static_cast<S>(end - begin) : S(1);
      const T* g = static_cast<const T*>(args.g) + row * a.C;
      for (int64_t e = begin; e < end; ++e) {
        const T* x = static_cast<const T*>(a.x) + a.graph.from[e] * a.C;
        S sum = 0;
        for (int64_t c = 0; c < a.C; ++c) sum += static_cast<S>(g[c]) * static_cast<S>(x[c]);
        static_cast<T*>(args.weight_gradient)[e] = static_cast<T>(sum * scale);
      }
    }
  });
}

}  // namespace

// Counting sort by column, stable.
void transpose(const CsrGraph& graph, const TransposedGraph& out) {
  std::fill(out.offsets, out.offsets + graph.columns + 1, 0);
  for (int64_t e = 0; e < graph.edges; ++e) ++out.offsets[graph.from[e] + 1];
  for (int64_t j = 0; j < graph.columns; ++j) out.offsets[j + 1] += out.offsets[j];
  std::vector<int64_t> next(out.offsets, out.offsets + graph.columns);
  for (int64_t row = 0; row < graph.rows; ++row) {
    for (int64_t e = graph.offsets[row]; e < graph.offsets[row + 1]; ++e) {
      const int64_t t = next[graph.from[e]]++;
      out.to[t] = row;
      out.edge[t] = e;
    }
  }
}

void aggregate(const AggregateArgs& args) {
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    parallel_for(args.graph.rows, grain_of(args.C), [&](int64_t first, int64_t last) {
      std::vector<Compute<T>> sum(static_cast<size_t>(args.C));
      for (int64_t row = first; row < last; ++row) {
        T* out = static_cast<T*>(args.out) + row * args.C;
        if (args.op == Aggregate::max) {
          max_row<T>(args, row, out);
          continue;
        }
        add_rows<T>(args, row, sum.data());
        std::copy(sum.begin(), sum.end(), out);
      }
    });
  });
}

void aggregate_gradient(const AggregateGradientArgs& args) {
  visit_float(args.forward.dtype, [&]<class T>(Type<T>) {
    if (args.x_gradient) x_gradient<T>(args);
    if (args.weight_gradient) weight_gradient<T>(args);
  });
}

}  // namespace strata::cpu

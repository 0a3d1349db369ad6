// Backward pass. With many heads, one thread takes a key head and makes dq, dk and dv of it from
// each block of scores (five products). With few, that would leave threads without work: then dq
// is shared out by blocks of queries and dk, dv by blocks of keys, and the scores are worked out
// twice (seven products). The choice depends on the shape only, never on the thread count.
#include <algorithm>
#include <cmath>

#include "kernels/attention/attention.h"
#include "kernels/attention/blocks.h"
#include "kernels/common/vec_math.h"

namespace strata::cpu {
namespace {

using namespace attention_detail;

// Key heads (of all samples) from which on they alone are shared out.
constexpr int64_t many_heads = 16;

template <class T>
struct Backward {
  const AttentionGradientArgs& args;
  const AttentionShape& s;
  T* keys;    // transposed, scaled
  T* values;  // transposed
  T* delta;   // [N, heads, T]

  explicit Backward(const AttentionGradientArgs& args) : args(args), s(args.shape) {
    const int64_t count = s.samples * s.key_heads * s.size * padded_keys(s);
    keys = static_cast<T*>(args.workspace);
    values = keys + count;
    delta = values + count;
  }

  int64_t group() const { return s.heads / s.key_heads; }
  T* gradient_row(void* base, int64_t rows, int64_t heads, int64_t sample, int64_t row,
                  int64_t head) const {
    return static_cast<T*>(base) + ((sample * rows + row) * heads + head) * s.size;
  }

  // delta = sum(dout out) of each query: what the softmax takes off every gradient of its row.
  void find_delta() {
    parallel_for(s.samples * s.heads * s.queries, 256, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        int64_t t = i % s.queries, head = i / s.queries % s.heads, n = i / s.queries / s.heads;
        const T* dout = row_of<T>(args.dout, n, t, head);
        const T* out =
            static_cast<const T*>(args.out) + ((n * s.queries + t) * s.heads + head) * s.size;
        T sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t d = 0; d < s.size; ++d) sum += dout[d] * out[d];
        delta[i] = sum;
      }
    });
  }

  // p and ds of a block; ds already carries the scale, except where dmask takes it.
  void find_scores(const Block& b, T* p, T* ds) const {
    block_product(s, b, s.q, keys, p);
    block_product(s, b, args.dout, values, ds);
    const T scale = static_cast<T>(s.scale);
    for (int64_t i = 0; i < b.rows; ++i, p += key_block, ds += key_block) {
      const int64_t row = (b.sample * s.heads + b.head) * s.queries + b.first_query + i;
      const T log_sum_exp = static_cast<const T*>(args.log_sum_exp)[row], take = delta[row];
      int64_t n = mask_row(s, b, i, p);
      if (log_sum_exp == -std::numeric_limits<T>::infinity()) n = 0;  // sees nothing
      T* dmask = args.dmask ? static_cast<T*>(args.dmask) + row * s.keys + b.first_key : nullptr;
#pragma omp simd
      for (int64_t j = 0; j < n; ++j) {
        p[j] = math::exp(p[j] - log_sum_exp);
        ds[j] = p[j] * (ds[j] - take);
      }
      if (dmask) std::copy(ds, ds + n, dmask);
      for (int64_t j = 0; j < n; ++j) ds[j] *= scale;
      for (int64_t j = n; j < b.columns; ++j) p[j] = ds[j] = 0;
    }
  }

  void add_dq(const Block& b, const T* ds) const {
    tile_product<T>(
        {.m = b.rows,
         .n = s.size,
         .k = b.columns,
         .a = ds,
         .a_row = key_block,
         .a_column = 1,
         .b = row_of<T>(s.k, b.sample, b.first_key, b.head / group()),
         .b_row = s.k.row,
         .c = gradient_row(args.dq, s.queries, s.heads, b.sample, b.first_query, b.head),
         .c_row = s.heads * s.size,
         .add = true});
  }

  // scores^T x into dk (scores = ds, x = q) or dv (scores = p, x = dout).
  void add_transposed(const Block& b, const T* scores, const HeadArray& x, void* into) const {
    tile_product<T>(
        {.m = b.columns,
         .n = s.size,
         .k = b.rows,
         .a = scores,
         .a_row = 1,
         .a_column = key_block,
         .b = row_of<T>(x, b.sample, b.first_query, b.head),
         .b_row = x.row,
         .c = gradient_row(into, s.keys, s.key_heads, b.sample, b.first_key, b.head / group()),
         .c_row = s.key_heads * s.size,
         .add = true});
  }

  // One block of scores, and what is wanted of it.
  void visit(const Block& b, bool queries, bool keys_and_values) const {
    T* p = scratch<T>(2 * query_block * key_block);
    T* ds = p + query_block * key_block;
    find_scores(b, p, ds);
    if (queries && args.dq) add_dq(b, ds);
    if (keys_and_values && args.dv) add_transposed(b, p, args.dout, args.dv);
    if (keys_and_values && args.dk) add_transposed(b, ds, s.q, args.dk);
  }

  Block block_at(int64_t sample, int64_t head, int64_t query, int64_t key) const {
    int64_t rows = std::min(query_block, s.queries - query);
    int64_t limit = visible_keys(s, query + rows - 1);
    return {sample, head, query, rows, key, std::min(key_block, limit - key)};
  }
  void visit_head(int64_t sample, int64_t key_head) const {
    for (int64_t head = key_head * group(); head < (key_head + 1) * group(); ++head) {
      for (int64_t query = 0; query < s.queries; query += query_block) {
        visit_queries(sample, head, query, true);
      }
    }
  }
  void visit_queries(int64_t sample, int64_t head, int64_t query, bool all) const {
    for (int64_t key = first_block_key(s, query); key < s.keys; key += key_block) {
      Block b = block_at(sample, head, query, key);
      if (b.columns > 0) visit(b, true, all);
    }
  }
  void visit_keys(int64_t sample, int64_t key_head, int64_t key) const {
    for (int64_t head = key_head * group(); head < (key_head + 1) * group(); ++head) {
      for (int64_t query = 0; query < s.queries; query += query_block) {
        Block b = block_at(sample, head, query, key);
        if (b.columns > 0 && key >= first_block_key(s, query)) visit(b, false, true);
      }
    }
  }

  void run() {
    transpose_keys(s, s.k, static_cast<T>(s.scale), keys);
    transpose_keys(s, s.v, T(1), values);
    find_delta();
    const int64_t heads = s.samples * s.heads, key_heads = s.samples * s.key_heads;
    auto clear = [](void* data, int64_t count) {
      if (data) std::fill_n(static_cast<T*>(data), count, T(0));
    };
    clear(args.dq, heads * s.queries * s.size);
    clear(args.dk, key_heads * s.keys * s.size);
    clear(args.dv, key_heads * s.keys * s.size);
    clear(args.dmask, heads * s.queries * s.keys);
    if (key_heads >= many_heads) {
      share_out(s, key_heads, [&](int64_t i) { visit_head(i / s.key_heads, i % s.key_heads); });
      return;
    }
    const int64_t query_blocks = (s.queries + query_block - 1) / query_block;
    const int64_t key_blocks = (s.keys + key_block - 1) / key_block;
    if (args.dq || args.dmask) {
      share_out(s, heads * query_blocks, [&](int64_t i) {
        int64_t head = i / query_blocks;
        visit_queries(head / s.heads, head % s.heads, i % query_blocks * query_block, false);
      });
    }
    if (args.dk || args.dv) {
      share_out(s, key_heads * key_blocks, [&](int64_t i) {
        int64_t head = i / key_blocks;
        visit_keys(head / s.key_heads, head % s.key_heads, i % key_blocks * key_block);
      });
    }
  }
};

}  // namespace

size_t attention_gradient_workspace(const AttentionShape& s) {
  return static_cast<size_t>(2 * s.samples * s.key_heads * s.size * padded_keys(s) +
                             s.samples * s.heads * s.queries) *
         size_of(s.dtype);
}

void attention_gradient(const AttentionGradientArgs& args) {
  const AttentionShape& s = args.shape;
  if (s.query_offsets) {
    for_each_packed_sample(s, [&](const AttentionShape& one, int64_t query, int64_t key) {
      auto rows = [&](auto* data, int64_t row, int64_t width) {
        using Byte = std::conditional_t<std::is_const_v<std::remove_pointer_t<decltype(data)>>,
                                        const char, char>;
        return data ? static_cast<Byte*>(data) + row * width * size_of(s.dtype) : nullptr;
      };
      AttentionGradientArgs a = args;
      a.shape = one;
      a.dout.data = rows(args.dout.data, query, args.dout.row);
      a.out = rows(args.out, query, s.heads * s.size);
      a.log_sum_exp = rows(args.log_sum_exp, query, s.heads);
      a.dq = rows(args.dq, query, s.heads * s.size);
      a.dk = rows(args.dk, key, s.key_heads * s.size);
      a.dv = rows(args.dv, key, s.key_heads * s.size);
      attention_gradient(a);
    });
    return;
  }
  if (s.dtype == DType::f64) {
    Backward<double>(args).run();
  } else {
    Backward<float>(args).run();
  }
}

}  // namespace strata::cpu

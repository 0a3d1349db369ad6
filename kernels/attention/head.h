// What the kernels of attention know of their problem: one head of one sample, where its rows lie,
// and which keys a query sees.
//
// Query t stands at key t + keys - queries, its own. What it sees before the mask is an interval of
// keys, and both ends grow with t; so the keys that a block of queries needs are an interval too,
// and so are the queries that need a block of keys. That is all of causal and window: kernels loop
// over intervals of blocks and look at single scores only in blocks that are not whole.
#pragma once

#include "kernels/attention/attention.h"
#include "kernels/gpu/gpu.h"

namespace strata::gpu::attention_detail {

DEVICE float minus_infinity() { return -__uint_as_float(0x7f800000u); }

struct Interval {
  int begin, end;
};

struct Head {
  const AttentionShape* shape;
  int64_t sample, query_row, key_row;  // *_row: rows of all samples before this one
  int head, key_head, queries, keys, window;

  // The rows of this head.
  template <class T>
  DEVICE const T* query_rows(const HeadArray& x) const {
    return static_cast<const T*>(x.data) + first(x, query_row) + head * x.head;
  }
  template <class T>
  DEVICE const T* key_rows(const HeadArray& x) const {
    return static_cast<const T*>(x.data) + first(x, key_row) + key_head * x.head;
  }
  // The same of dense arrays, whose rows are query_stride() and key_stride() apart.
  template <class T>
  DEVICE T* query_rows(void* x) const {
    return static_cast<T*>(x) + (query_row * shape->heads + head) * shape->size;
  }
  template <class T>
  DEVICE T* key_rows(void* x) const {
    return static_cast<T*>(x) + (key_row * shape->key_heads + key_head) * shape->size;
  }
  DEVICE int64_t query_stride() const { return shape->heads * shape->size; }
  DEVICE int64_t key_stride() const { return shape->key_heads * shape->size; }
  // The place of query t in [N, heads, T]: log-sum-exp and delta.
  DEVICE int64_t statistic(int t) const {
    return query_row * shape->heads + static_cast<int64_t>(head) * queries + t;
  }

  DEVICE Interval keys_of(int t) const {
    const int own = t + keys - queries;
    int begin = 0, end = keys;
    if (window >= 0) begin = own > window ? own - window : 0;
    if (shape->causal)
      end = own + 1;
    else if (window >= 0 && own < keys - window)
      end = own + window + 1;
    return {begin, end < 0 ? 0 : end};
  }
  // Of the queries first to last, which must exist.
  DEVICE Interval keys_of(int first, int last) const {
    return {keys_of(first).begin, keys_of(last).end};
  }
  // Queries that see some of the keys first to last.
  DEVICE Interval queries_of(int first, int last) const {
    const int shift = queries - keys;
    int begin = 0, end = queries;
    if (shape->causal)
      begin = first + shift;
    else if (window >= 0 && window < first + shift)
      begin = first + shift - window;
    if (window >= 0 && window < queries - last - shift) end = last + shift + window + 1;
    return {begin < 0 ? 0 : begin, end < 0 ? 0 : end};
  }
  // Whether all queries first to last see all `count` keys from `key` on, with no mask between
  // them.
  DEVICE bool whole(int first, int last, int key, int count) const {
    return shape->mask_kind == MaskKind::none && keys_of(last).begin <= key &&
           key + count <= keys_of(first).end;
  }
  // The score of query t and key j with the mask on it; -inf where the key is not seen. Any t, j.
  template <class T>
  DEVICE Compute<T> masked(Compute<T> score, int t, int j) const {
    const Interval seen = keys_of(t);
    if (t >= queries || j < seen.begin || j >= seen.end) return minus_infinity();
    return shape->mask_kind == MaskKind::none ? score : with_mask<T>(score, mask_place(t, j));
  }
  DEVICE int64_t mask_place(int t, int j) const {
    const int64_t* stride = shape->mask_strides;
    return sample * stride[0] + head * stride[1] + t * stride[2] + j * stride[3];
  }
  // There is a mask, and it has this place.
  template <class T>
  DEVICE Compute<T> with_mask(Compute<T> score, int64_t place) const {
    if (shape->mask_kind == MaskKind::added)
      return score + widened(static_cast<const T*>(shape->mask)[place]);
    return static_cast<const bool*>(shape->mask)[place] ? score : minus_infinity();
  }

  template <class T>
  DEVICE static Compute<T> widened(T x) {
    if constexpr (sizeof(T) == 2)
      return to_float(x);
    else
      return x;
  }

 private:
  DEVICE int64_t first(const HeadArray& x, int64_t row) const {
    return shape->query_offsets ? row * x.row : sample * x.sample;
  }
};

DEVICE Head head_of(const AttentionShape& s, int64_t sample, int head) {
  Head h;
  h.shape = &s;
  h.sample = sample;
  h.head = head;
  h.key_head = head / static_cast<int>(s.heads / s.key_heads);
  h.query_row = s.query_offsets ? s.query_offsets[sample] : sample * s.queries;
  h.key_row = s.query_offsets ? s.key_offsets[sample] : sample * s.keys;
  h.queries =
      static_cast<int>(s.query_offsets ? s.query_offsets[sample + 1] - h.query_row : s.queries);
  h.window = static_cast<int>(min(s.window, s.queries + s.keys));
  h.keys = static_cast<int>(s.query_offsets ? s.key_offsets[sample + 1] - h.key_row : s.keys);
  return h;
}

template <class T>
DEVICE T narrowed(Compute<T> x) {
  if constexpr (sizeof(T) == 2)
    return from_float<T>(x);
  else
    return x;
}

// Grids are one line of blocks, `blocks` of rows a head, heads next to each other.
struct Place {
  int64_t sample;
  int head, block;
};
DEVICE Place place_of(int64_t index, int blocks, int64_t heads) {
  const int64_t head = index / blocks;
  return {head / heads, static_cast<int>(head % heads), static_cast<int>(index % blocks)};
}

inline unsigned blocks_of(int64_t rows, int block_rows, int64_t heads) {
  return static_cast<unsigned>(divide_up(rows, block_rows) * heads);
}

}  // namespace strata::gpu::attention_detail

// What the forward and the backward pass of attention share: blocks, transposed keys, scores.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <memory>

#include "kernels/attention/attention.h"
#include "kernels/attention/tile_product.h"
#include "kernels/common/parallel.h"

namespace strata::cpu::attention_detail {

// A block of scores is query_block x key_block: 32 KiB in f32, beside its operands in the L2 cache.
inline constexpr int64_t query_block = 64, key_block = 128;

inline int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }
// Room for transposed keys: whole blocks.
inline int64_t padded_keys(const AttentionShape& s) { return round_up(s.keys, key_block); }

// Multiply-adds that a thread should have before it is worth waking.
inline constexpr int64_t grain_products = 1 << 16;

// Calls body(i) for each unit of work, handed out one by one (under a causal mask they differ).
template <class Body>
void share_out(const AttentionShape& s, int64_t units, Body&& body) {
  const int64_t products = s.samples * s.heads * s.queries * s.keys * s.size;
  const int64_t threads =
      std::clamp<int64_t>(std::min(units, products / grain_products), 1, thread_count());
#pragma omp parallel for schedule(dynamic, 1) \
    num_threads(static_cast <int>(threads)) if (threads > 1)
  for (int64_t i = 0; i < units; ++i) body(i);
}

// Scratch memory of this thread, kept from call to call and aligned to a cache line.
template <class T>
T* scratch(int64_t count) {
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  thread_local std::unique_ptr<void, Free> memory;
  thread_local size_t size = 0;
  size_t wanted = static_cast<size_t>(round_up(count * static_cast<int64_t>(sizeof(T)), 64));
  if (wanted > size) {
    memory.reset();
    size = 0;
    memory.reset(std::aligned_alloc(64, wanted));
    if (!memory) throw std::bad_alloc();
    size = wanted;
  }
  return static_cast<T*>(memory.get());
}

template <class T>
const T* row_of(const HeadArray& x, int64_t sample, int64_t row, int64_t head) {
  return static_cast<const T*>(x.data) + sample * x.sample + row * x.row + head * x.head;
}

// out [N, key heads, key blocks, D, key_block] = factor x, transposed block by block, with zeros up
// to a whole vector at the end of the keys (and nothing after it).
template <class T>
void transpose_keys(const AttentionShape& s, const HeadArray& x, T factor, T* out) {
  const int64_t blocks = padded_keys(s) / key_block;
  const int64_t grain = std::max<int64_t>(1, 16384 / (key_block * std::max<int64_t>(s.size, 1)));
  parallel_for(s.samples * s.key_heads * blocks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i % blocks * key_block, head = i / blocks;
      const int64_t present = std::min(key_block, s.keys - first);
      const int64_t filled = round_up(present, full_lanes<T>);
      const T* from = row_of<T>(x, head / s.key_heads, first, head % s.key_heads);
      T* to = out + i * s.size * key_block;
      for (int64_t d = 0; d < s.size; ++d, to += key_block) {
        for (int64_t j = 0; j < present; ++j) to[j] = factor * from[j * x.row + d];
        for (int64_t j = present; j < filled; ++j) to[j] = 0;
      }
    }
  });
}

// One block of scores: queries [first_query, first_query + rows) of a head against keys
// [first_key, first_key + columns).
struct Block {
  int64_t sample, head, first_query, rows, first_key, columns;
};

// Query t sees keys first_visible_key to visible_keys, which may be none.
inline int64_t visible_keys(const AttentionShape& s, int64_t t) {
  if (!s.causal && s.window < 0) return s.keys;
  return std::clamp<int64_t>(t + 1 + s.keys - s.queries + (s.causal ? 0 : s.window), 0, s.keys);
}
inline int64_t first_visible_key(const AttentionShape& s, int64_t t) {
  return s.window < 0 ? 0 : std::clamp<int64_t>(t + s.keys - s.queries - s.window, 0, s.keys);
}
// The first key of the first block that query t needs.
inline int64_t first_block_key(const AttentionShape& s, int64_t t) {
  return first_visible_key(s, t) / key_block * key_block;
}

// Calls body(shape of the sample alone, its first query row, its first key row) for each sample of
// a packed problem.
template <class Body>
void for_each_packed_sample(const AttentionShape& s, Body&& body) {
  const size_t element = size_of(s.dtype);
  auto from_row = [&](const HeadArray& x, int64_t row) {
    HeadArray y = x;
    y.data = static_cast<const char*>(x.data) + static_cast<size_t>(row * x.row) * element;
    return y;
  };
  for (int64_t n = 0; n < s.samples; ++n) {
    const int64_t query = s.query_offsets[n], key = s.key_offsets[n];
    AttentionShape one = s;
    one.samples = 1;
    one.queries = s.query_offsets[n + 1] - query;
    one.keys = s.key_offsets[n + 1] - key;
    one.q = from_row(s.q, query);
    one.k = from_row(s.k, key);
    one.v = from_row(s.v, key);
    one.query_offsets = one.key_offsets = nullptr;
    body(one, query, key);
  }
}

// Scores of row i of the block that the query may see: their count, after the mask was applied.
template <class T>
int64_t mask_row(const AttentionShape& s, const Block& b, int64_t i, T* scores) {
  const int64_t t = b.first_query + i;
  const int64_t n = std::clamp<int64_t>(visible_keys(s, t) - b.first_key, 0, b.columns);
  const int64_t hidden = std::clamp<int64_t>(first_visible_key(s, t) - b.first_key, 0, n);
  std::fill(scores, scores + hidden, -std::numeric_limits<T>::infinity());
  if (s.mask_kind == MaskKind::none) return n;
  const int64_t step = s.mask_strides[3];
  const int64_t at = b.sample * s.mask_strides[0] + b.head * s.mask_strides[1] +
                     t * s.mask_strides[2] + b.first_key * step;
  if (s.mask_kind == MaskKind::allowed) {
    const bool* mask = static_cast<const bool*>(s.mask) + at;
    for (int64_t j = 0; j < n; ++j) {
      scores[j] = mask[j * step] ? scores[j] : -std::numeric_limits<T>::infinity();
    }
  } else {
    const T* mask = static_cast<const T*>(s.mask) + at;
    if (step == 1) {
      for (int64_t j = 0; j < n; ++j) scores[j] += mask[j];
    } else {
      for (int64_t j = 0; j < n; ++j) scores[j] += mask[j * step];
    }
  }
  return n;
}

// scores [rows, key_block] = x (rows of a head array) times transposed keys.
template <class T>
void block_product(const AttentionShape& s, const Block& b, const HeadArray& x, const T* transposed,
                   T* scores) {
  const int64_t key_head = b.head / (s.heads / s.key_heads);
  const T* keys = transposed + (b.sample * s.key_heads + key_head) * s.size * padded_keys(s) +
                  b.first_key * s.size;
  tile_product<T>({.m = b.rows,
                   .n = round_up(b.columns, full_lanes<T>),
                   .k = s.size,
                   .a = row_of<T>(x, b.sample, b.first_query, b.head),
                   .a_row = x.row,
                   .a_column = 1,
                   .b = keys,
                   .b_row = key_block,
                   .c = scores,
                   .c_row = key_block,
                   .add = false});
}

}  // namespace strata::cpu::attention_detail

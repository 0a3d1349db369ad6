// Forward pass: a block of queries at a time, keys in blocks with the online softmax.
#include "kernels/attention/attention.h"

#include <cmath>

#include "kernels/attention/blocks.h"
#include "kernels/common/vec_math.h"

namespace strata::cpu {
namespace {

using namespace attention_detail;

// What is known of a block of queries so far.
template <class T>
struct Running {
  T largest[query_block], sum[query_block];
};

// Turns row i of scores into unnormalised probabilities and brings the running numbers up to date.
// Returns the factor by which what was summed before must shrink.
template <class T>
T softmax_row(const AttentionShape& s, const Block& b, int64_t i, T* scores, Running<T>& running) {
  const int64_t n = mask_row(s, b, i, scores);
  T largest = running.largest[i], sum = 0;
#pragma omp simd reduction(max : largest)
  for (int64_t j = 0; j < n; ++j) largest = scores[j] > largest ? scores[j] : largest;
  // Nothing seen so far: any finite shift will do, and all exponentials below are 0 (or NaN).
  const T shift = largest == -std::numeric_limits<T>::infinity() ? T(0) : largest;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < n; ++j) {
    scores[j] = math::exp(scores[j] - shift);
    sum += scores[j];
  }
  for (int64_t j = n; j < b.columns; ++j) scores[j] = 0;
  const T shrink = math::exp(running.largest[i] - shift);
  running.sum[i] = running.sum[i] * shrink + sum;
  running.largest[i] = largest;
  return shrink;
}

template <class T>
void finish(const AttentionArgs& args, const Block& b, const Running<T>& running, const T* summed) {
  const AttentionShape& s = args.shape;
  T* log_sum_exp = static_cast<T*>(args.log_sum_exp) + (b.sample * s.heads + b.head) * s.queries;
  for (int64_t i = 0; i < b.rows; ++i) {
    const int64_t t = b.first_query + i;
    const T sum = running.sum[i], factor = sum == 0 ? T(0) : 1 / sum;  // 0: no key was seen
    T* out = static_cast<T*>(args.out) + ((b.sample * s.queries + t) * s.heads + b.head) * s.size;
    for (int64_t d = 0; d < s.size; ++d) out[d] = summed[i * s.size + d] * factor;
    log_sum_exp[t] = running.largest[i] + std::log(sum);
  }
}

template <class T>
void attend(const AttentionArgs& args, const T* transposed, Block b) {
  const AttentionShape& s = args.shape;
  T* scores = scratch<T>(query_block * (key_block + s.size));
  T* summed = scores + query_block * key_block;  // [rows, D]
  Running<T> running;
  std::fill(running.largest, running.largest + b.rows, -std::numeric_limits<T>::infinity());
  std::fill(running.sum, running.sum + b.rows, T(0));
  const int64_t limit = visible_keys(s, b.first_query + b.rows - 1);
  const int64_t key_head = b.head / (s.heads / s.key_heads);
  const int64_t start = first_block_key(s, b.first_query);
  if (limit <= start) std::fill(summed, summed + b.rows * s.size, T(0));
  for (b.first_key = start; b.first_key < limit; b.first_key += key_block) {
    b.columns = std::min(key_block, limit - b.first_key);
    block_product(s, b, s.q, transposed, scores);
    for (int64_t i = 0; i < b.rows; ++i) {
      T shrink = softmax_row(s, b, i, scores + i * key_block, running);
      if (b.first_key == start || shrink == 1) continue;
      for (int64_t d = 0; d < s.size; ++d) summed[i * s.size + d] *= shrink;
    }
    tile_product<T>({.m = b.rows,
                     .n = s.size,
                     .k = b.columns,
                     .a = scores,
                     .a_row = key_block,
                     .a_column = 1,
                     .b = row_of<T>(s.v, b.sample, b.first_key, key_head),
                     .b_row = s.v.row,
                     .c = summed,
                     .c_row = s.size,
                     .add = b.first_key > start});
  }
  finish(args, b, running, summed);
}

template <class T>
void attention_typed(const AttentionArgs& args) {
  const AttentionShape& s = args.shape;
  T* transposed = static_cast<T*>(args.workspace);
  transpose_keys(s, s.k, static_cast<T>(s.scale), transposed);
  const int64_t blocks = (s.queries + query_block - 1) / query_block;
  share_out(s, s.samples * s.heads * blocks, [&](int64_t i) {
    const int64_t head = i / blocks, first = i % blocks * query_block;
    attend(args, transposed,
           Block{head / s.heads, head % s.heads, first, std::min(query_block, s.queries - first), 0,
                 0});
  });
}

}  // namespace

size_t attention_workspace(const AttentionShape& s) {
  return static_cast<size_t>(s.samples * s.key_heads * s.size * padded_keys(s)) * size_of(s.dtype);
}

void attention(const AttentionArgs& args) {
  const AttentionShape& s = args.shape;
  if (s.samples * s.queries * s.heads == 0) return;
  if (s.query_offsets) {
    for_each_packed_sample(s, [&](const AttentionShape& one, int64_t query, int64_t) {
      AttentionArgs a = args;
      a.shape = one;
      a.out = static_cast<char*>(args.out) + query * s.heads * s.size * size_of(s.dtype);
      a.log_sum_exp = static_cast<char*>(args.log_sum_exp) + query * s.heads * size_of(s.dtype);
      attention(a);
    });
    return;
  }
  s.dtype == DType::f64 ? attention_typed<double>(args) : attention_typed<float>(args);
}

}  // namespace strata::cpu

// Scaled dot-product attention in blocks, forward and backward, without a score matrix:
//   out = softmax(scale q k^T + mask) v
// for each sample and head; q [N, T, heads, D], k and v [N, S, key heads, D], and query head h uses
// key head h / (heads / key heads).
//
// Forward: a thread takes a block of queries and runs over blocks of keys with the online softmax:
// it keeps the running maximum m, the running sum l and the unnormalised output; when m grows, what
// was there is scaled by exp(m_old - m_new). One number a query, the log-sum-exp m + log l, is
// kept. Backward: probabilities are worked out again as exp(score - log-sum-exp);
//   delta = sum(dout out),  dv = p^T dout,  ds = p (dout v^T - delta),
//   dq = scale ds k,  dk = scale ds^T q,  dmask = ds
// Key blocks that a causal mask or a window hides are skipped; within a block a row stops at its
// last key.
//
// Samples of different lengths are packed: the rows of all samples one after another, sample n at
// rows offsets[n] to offsets[n + 1].
//
// Memory: k (backward: and v) transposed, one number a query, and one block of scores a thread:
// linear in T and S. Cost: forward 4 T S D, backward 10 T S D operations a head (14 when there are
// few heads, so that blocks of queries and of keys can be shared out; see attention_backward.cpp).
// Results do not depend on the thread count: each output element is summed by one thread, in order.
//
// The GPU twins take the same structs, with device pointers, and the same results hold up to
// rounding; they also take bf16 and f16. Which kernel runs when: attention.cu and README.md.
//
// Sources: Vaswani et al. 2017, "Attention is all you need"; Milakov and Gimelshein 2018, "Online
// normalizer calculation for softmax"; Dao et al. 2022, "FlashAttention"; Ainslie et al. 2023
// (grouped queries).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/numeric.h"

namespace strata {

// A [N, rows, heads, D] array: strides in elements, and the elements of D next to each other.
struct HeadArray {
  const void* data = nullptr;
  int64_t sample = 0, row = 0, head = 0;
};

enum class MaskKind { none, allowed, added };

struct AttentionShape {
  int64_t samples = 0, queries = 0, keys = 0, heads = 0, key_heads = 0, size = 0;  // size: D
  double scale = 1;
  bool causal = false;       // query t sees keys up to its own, t + keys - queries
  int64_t window = -1;       // >= 0: no key further from its own than this
  DType dtype = DType::f32;  // of everything but a bool mask and the log-sum-exp; cpu: f32, f64
  HeadArray q, k, v;
  MaskKind mask_kind = MaskKind::none;
  const void* mask = nullptr;  // allowed: bool, true may be seen; added: dtype, added to the score
  int64_t mask_strides[4] = {};  // of [N, heads, T, S], in elements; 0 along broadcast axes
  // [N + 1] each, or both null. With them q is [all queries, heads, D] and k, v [all keys, key
  // heads, D] (sample strides are not used), `queries` and `keys` are the largest counts of a
  // sample, and there is no mask.
  const int64_t* query_offsets = nullptr;
  const int64_t* key_offsets = nullptr;
};

struct AttentionArgs {
  AttentionShape shape;
  void* out = nullptr;  // [N, T, heads, D], dense; 0 where a query sees no key
  // [N, heads, T], dense (packed: the [heads, T] of the samples one after another); -inf there. f64
  // for f64, f32 otherwise.
  void* log_sum_exp = nullptr;
  void* workspace = nullptr;  // attention_workspace() bytes, aligned to 64
};

// Null outputs are not wanted.
struct AttentionGradientArgs {
  AttentionShape shape;
  HeadArray dout;                     // [N, T, heads, D]
  const void* out = nullptr;          // as the forward pass gave it
  const void* log_sum_exp = nullptr;  // as the forward pass gave it
  void* dq = nullptr;                 // [N, T, heads, D], dense
  void* dk = nullptr;                 // [N, S, key heads, D], dense
  void* dv = nullptr;                 // the same
  void* dmask = nullptr;              // [N, heads, T, S], dense (quadratic: asked for by name)
  void* workspace = nullptr;          // attention_gradient_workspace() bytes, aligned to 64
};

namespace cpu {
size_t attention_workspace(const AttentionShape& shape);
size_t attention_gradient_workspace(const AttentionShape& shape);
void attention(const AttentionArgs& args);
void attention_gradient(const AttentionGradientArgs& args);
}  // namespace cpu

namespace gpu {
size_t attention_workspace(const AttentionShape& shape);
size_t attention_gradient_workspace(const AttentionShape& shape);
void attention(const AttentionArgs& args);
void attention_gradient(const AttentionGradientArgs& args);
}  // namespace gpu

}  // namespace strata

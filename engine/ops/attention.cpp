// Scaled dot-product attention. What is saved: the operands, the result and one log-sum-exp a
// query.
#include "engine/ops/attention.h"

#include <cmath>
#include <limits>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/ops/detail/check.h"
#include "engine/ops/detail/kernel_inputs.h"
#include "kernels/attention/attention.h"

namespace strata {
namespace {

using namespace detail;

constexpr const char* op = "scaled_dot_product_attention";

struct Problem {
  int64_t samples, queries, keys, heads, key_heads, size;
  double scale;
  bool causal;
  Dims score_shape() const { return {samples, heads, queries, keys}; }
};

Problem check(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& options,
              const Tensor& mask, Caller at) {
  const std::pair<const char*, const Tensor&> operands[] = {{"q", q}, {"k", k}, {"v", v}};
  for (auto& [name, x] : operands) {
    check_floating(op, name, x, at);
    if (x.rank() != 4) {
      fail(op, at, "{} {} has rank {}; expected [N, T, heads, D]", name, describe(x), x.rank());
    }
  }
  check_one_device(op, {&q, &k, &v, &mask}, at);
  if (k.shape() != v.shape()) {
    fail(op, at, "k {} and v {} must have the same shape", describe(k), describe(v));
  }
  if (q.size(0) != k.size(0) || q.size(3) != k.size(3)) {
    fail(op, at, "q {} and k {} must agree in samples (axis 0) and head size (axis 3)", describe(q),
         describe(k));
  }
  if (k.size(2) == 0 ? q.size(2) != 0 : q.size(2) % k.size(2) != 0) {
    fail(op, at, "q {} has {} heads, which is no multiple of the {} key heads of k {}", describe(q),
         q.size(2), k.size(2), describe(k));
  }
  double scale = options.scale != 0 ? options.scale : 1 / std::sqrt(static_cast<double>(q.size(3)));
  Problem p{q.size(0), q.size(1), k.size(1), q.size(2),
            k.size(2), q.size(3), scale,     options.causal};
  if (!mask.defined()) return p;
  Dims joint;
  if (mask.dtype() != DType::boolean) check_floating(op, "mask", mask, at);
  if (!broadcast(mask.shape(), p.score_shape(), &joint) || joint != p.score_shape()) {
    fail(op, at, "mask {} does not broadcast to the scores' shape [N, heads, T, S] = {}",
         describe(mask), to_string(p.score_shape()));
  }
  return p;
}

// In the kernel's type, D's elements next to each other; a view is left where it is.
Tensor readable(const Tensor& x, DType type) {
  NoGrad off;
  Tensor same = x.dtype() == type ? x : x.to(type);
  return same.size(3) <= 1 || same.strides()[3] == 1 ? same : same.contiguous();
}
HeadArray head_array(const Tensor& x) {
  return {x.raw(), x.strides()[0], x.strides()[1], x.strides()[2]};
}

// The operands as the kernel reads them.
struct Operands {
  Tensor q, k, v, mask;
  AttentionShape shape;
  Operands(const Problem& p, const Tensor& q_in, const Tensor& k_in, const Tensor& v_in,
           const Tensor& mask_in, DType type)
      : q(readable(q_in, type)), k(readable(k_in, type)), v(readable(v_in, type)) {
    shape.samples = p.samples;
    shape.queries = p.queries;
    shape.keys = p.keys;
    shape.heads = p.heads;
    shape.key_heads = p.key_heads;
    shape.size = p.size;
    shape.scale = p.scale;
    shape.causal = p.causal;
    shape.dtype = type;
    shape.q = head_array(q);
    shape.k = head_array(k);
    shape.v = head_array(v);
    if (!mask_in.defined()) return;
    NoGrad off;
    bool allowed = mask_in.dtype() == DType::boolean;
    mask = allowed || mask_in.dtype() == type ? mask_in : mask_in.to(type);
    shape.mask_kind = allowed ? MaskKind::allowed : MaskKind::added;
    shape.mask = mask.raw();
    Dims strides = broadcast_strides(mask.shape(), mask.strides(), p.score_shape());
    std::copy(strides.begin(), strides.end(), shape.mask_strides);
  }
};

Tensor workspace(size_t bytes, Device device) {
  return empty({static_cast<int64_t>(bytes)}, DType::u8, device);
}

enum SavedIndex { saved_q, saved_k, saved_v, saved_mask, saved_out, saved_log_sum_exp };

Gradients fused_gradient(const Problem& p, const Tensor& g, const Saved& s) {
  DType type = product_type(s[saved_out].dtype(), g.device());
  Operands operands(p, s[saved_q], s[saved_k], s[saved_v], s[saved_mask], type);
  Tensor dout = readable(g, type), out = dense(s[saved_out], type);
  Tensor work = workspace(on(g.device(), op, Caller{}, cpu::attention_gradient_workspace,
                             gpu::attention_gradient_workspace, operands.shape),
                          g.device());
  Gradients gradients(4);
  auto wanted = [&](int i, const Dims& shape) -> void* {
    if (!s.needs(i)) return nullptr;
    return (gradients[static_cast<size_t>(i)] = empty(shape, type, g.device())).raw();
  };
  AttentionGradientArgs args;
  args.shape = operands.shape;
  args.dout = head_array(dout);
  args.out = out.raw();
  args.log_sum_exp = s[saved_log_sum_exp].raw();
  args.dq = wanted(0, operands.q.shape());
  args.dk = wanted(1, operands.k.shape());
  args.dv = wanted(2, operands.v.shape());
  args.dmask = wanted(3, p.score_shape());
  args.workspace = work.raw();
  on(g.device(), op, Caller{}, cpu::attention_gradient, gpu::attention_gradient, args);
  return gradients;
}

// [N, S, key heads, D] -> [N, heads, S, D], a key head for each query head.
Tensor by_head(const Tensor& x, const Problem& p) {
  int64_t group = p.heads / std::max<int64_t>(p.key_heads, 1);
  Dims grouped{x.size(0), x.size(1), p.key_heads, group, p.size};
  Dims flat{x.size(0), x.size(1), p.heads, p.size};
  Tensor repeated = group == 1 ? x : x.unsqueeze(3).expand(grouped).reshape(flat);
  return repeated.permute({0, 2, 1, 3});
}
// Its adjoint.
Tensor from_heads(const Tensor& x, const Problem& p) {
  int64_t group = p.heads / std::max<int64_t>(p.key_heads, 1);
  Tensor rows = x.permute({0, 2, 1, 3});
  if (group == 1) return rows;
  return sum(rows.reshape({rows.size(0), rows.size(1), p.key_heads, group, p.size}), {3});
}

// scale q k^T + mask, minus infinity at keys that may not be seen.
Tensor masked_scores(const Problem& p, const Tensor& q, const Tensor& k, const Tensor& mask) {
  DType compute = q.dtype();
  Tensor scores = matmul(q, k.transpose(2, 3)) * p.scale;
  Tensor hidden = scalar(-std::numeric_limits<double>::infinity(), compute);
  if (mask.defined() && mask.dtype() != DType::boolean) scores = scores + mask.to(compute);
  if (mask.defined() && mask.dtype() == DType::boolean) scores = where(mask, scores, hidden);
  if (p.causal)
    scores = where(tril_mask(p.queries, p.keys, p.keys - p.queries).to(q.device()), scores, hidden);
  return scores;
}

// softmax(scale q k^T + mask) with 0 in rows that see nothing.
Tensor probabilities(const Problem& p, const Tensor& q, const Tensor& k, const Tensor& mask) {
  Tensor scores = masked_scores(p, q, k, mask);
  bool all_see = !mask.defined() && !(p.causal && p.queries > p.keys);
  if (all_see) return softmax(scores);
  Tensor zero = scalar(0, scores.dtype()), sees;
  {
    NoGrad off;
    Tensor lowest = scalar(-std::numeric_limits<double>::infinity(), scores.dtype());
    sees = not_equal(max(scores, {-1}, true), lowest);
  }
  return where(sees, softmax(where(sees, scores, zero)), zero);
}

Gradients composed_gradient(const Problem& p, const Tensor& g, const Saved& s) {
  Gradients gradients(4);
  if (p.score_shape().product() == 0) {
    for (int i : {saved_q, saved_k, saved_v, saved_mask}) {
      if (s.needs(i)) gradients[static_cast<size_t>(i)] = zeros_like(s[i]);
    }
    return gradients;
  }
  DType compute = s[saved_log_sum_exp].dtype();
  Tensor q = s[saved_q].to(compute).permute({0, 2, 1, 3});
  Tensor k = by_head(s[saved_k].to(compute), p), v = by_head(s[saved_v].to(compute), p);
  Tensor dout = g.to(compute).permute({0, 2, 1, 3});
  Tensor shares = probabilities(p, q, k, s[saved_mask]);
  Tensor dshares = matmul(dout, v.transpose(2, 3));
  Tensor dscores = shares * (dshares - sum(dshares * shares, {-1}, true));
  if (s.needs(0)) gradients[0] = (matmul(dscores, k) * p.scale).permute({0, 2, 1, 3});
  if (s.needs(1)) gradients[1] = from_heads(matmul(dscores.transpose(2, 3), q) * p.scale, p);
  if (s.needs(2)) gradients[2] = from_heads(matmul(shares.transpose(2, 3), dout), p);
  if (s.needs(3)) gradients[3] = dscores;
  return gradients;
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const AttentionOptions& options, const Tensor& mask,
                                    Caller at) {
  Problem p = check(q, k, v, options, mask, at);
  if (PlainOps::active()) {
    return attention_mix(attention_pattern(q, k, options, mask, at), v, at);
  }
  DType dtype = promote(promote(q.dtype(), k.dtype()), v.dtype());
  DType type = product_type(dtype, q.device());
  Operands operands(p, q, k, v, mask, type);
  Tensor log_sum_exp = empty({p.samples, p.heads, p.queries}, compute_type(dtype), q.device());
  Tensor result = empty(q.shape(), type, q.device());
  Tensor work = workspace(
      on(q.device(), op, at, cpu::attention_workspace, gpu::attention_workspace, operands.shape),
      q.device());
  on(q.device(), op, at, cpu::attention, gpu::attention,
     AttentionArgs{operands.shape, result.raw(), log_sum_exp.raw(), work.raw()});
  Tensor out = dense(result, dtype);
  return record(out, op, at, {q, k, v, mask}, {q, k, v, mask, out, log_sum_exp},
                [p](const Tensor& g, const Saved& s) {
                  return grad_enabled() ? composed_gradient(p, g, s) : fused_gradient(p, g, s);
                });
}

Tensor attention_pattern(const Tensor& q, const Tensor& k, const AttentionOptions& options,
                         const Tensor& mask, Caller at) {
  Problem p = check(q, k, k, options, mask, at);
  DType dtype = promote(q.dtype(), k.dtype()), compute = compute_type(dtype);
  Tensor queries = q.to(compute).permute({0, 2, 1, 3}), keys = by_head(k.to(compute), p);
  if (p.score_shape().product() == 0) return matmul(queries, keys.transpose(2, 3)).to(dtype);
  return probabilities(p, queries, keys, mask).to(dtype);
}

Tensor attention_mix(const Tensor& pattern, const Tensor& v, Caller at) {
  check_floating("attention_mix", "pattern", pattern, at);
  check_floating("attention_mix", "v", v, at);
  check_one_device("attention_mix", {&pattern, &v}, at);
  if (pattern.rank() != 4 || v.rank() != 4 || pattern.size(0) != v.size(0) ||
      pattern.size(3) != v.size(1) ||
      (v.size(2) == 0 ? pattern.size(1) != 0 : pattern.size(1) % v.size(2) != 0)) {
    fail(
        "attention_mix", at,
        "pattern {} and v {} do not fit: expected [N, heads, T, S] and [N, S, key heads, D], heads "
        "a multiple of key heads",
        describe(pattern), describe(v));
  }
  Problem p{v.size(0), pattern.size(2), v.size(1), pattern.size(1), v.size(2), v.size(3), 1, false};
  return matmul(pattern, by_head(v, p), at).permute({0, 2, 1, 3}, at);
}

}  // namespace strata

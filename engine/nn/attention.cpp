#include "engine/nn/attention.h"

#include <tuple>

#include "engine/autograd/autograd.h"
#include "engine/nn/init.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/product.h"
#include "engine/ops/view.h"

namespace strata {

std::pair<Tensor, Tensor> KeyValueCache::append(const Tensor& k, const Tensor& v) {
  if (grad_enabled()) {
    fail("KeyValueCache", Caller{}, "is written in place, without gradients; use it under NoGrad");
  }
  if (!keys.defined()) {
    const Dims shape{k.size(0), capacity, k.size(2), k.size(3)};
    keys = empty(shape, k.dtype(), k.device());
    values = empty(shape, v.dtype(), v.device());
  }
  const int64_t end = length + k.size(1);
  if (end > capacity || k.size(0) != keys.size(0)) {
    fail(
        "KeyValueCache", Caller{},
        "keeps {} of up to {} tokens of {} sequences; {} do not fit: make a new one, or keep fewer",
        length, capacity, keys.size(0), describe(k));
  }
  copy_(keys.slice(1, length, end), k);
  copy_(values.slice(1, length, end), v);
  length = end;
  return {keys.slice(1, 0, end), values.slice(1, 0, end)};
}

MultiheadAttention::MultiheadAttention(int64_t width, int64_t heads, const AttentionOptions& given,
                                       bool bias)
    : heads(heads),
      options(given),
      qkv(add<Linear>("qkv", width, 3 * width, bias)),
      projection(add<Linear>("projection", width, width, bias)) {
  if (heads < 1 || width % heads != 0) {
    fail("MultiheadAttention", Caller{}, "width {} does not divide into {} heads", width, heads);
  }
  init::xavier_uniform_(qkv.weight);
  if (bias) {
    init::zeros_(qkv.bias);
    init::zeros_(projection.bias);
  }
}

std::string MultiheadAttention::kind() const {
  return fmt::format("MultiheadAttention({}, {} heads{})", projection.weight.size(0), heads,
                     options.causal ? ", causal" : "");
}

Tensor MultiheadAttention::attend(const Tensor& x, const Tensor& mask, KeyValueCache* cache) {
  int64_t width = projection.weight.size(0);
  Tensor all = qkv(x);  // [N, T, 3 C]
  Tensor split = all.reshape({all.size(0), all.size(1), 3, heads, width / heads});
  return mix(split.select(2, 0), split.select(2, 1), split.select(2, 2), mask, cache);
}

Tensor MultiheadAttention::mix(Tensor q, Tensor k, Tensor v, const Tensor& mask,
                               KeyValueCache* cache) {
  q = named("queries", std::move(q));
  k = named("keys", std::move(k));
  v = named("values", std::move(v));
  if (cache) std::tie(k, v) = cache->append(k, v);
  bool pattern_asked =
      ActivationObserver::active() && ActivationObserver::asked(path_of("pattern"));
  Tensor out = pattern_asked
                   ? attention_mix(named("pattern", attention_pattern(q, k, options, mask)), v)
                   : scaled_dot_product_attention(q, k, v, options, mask);
  return projection(named("heads", out.flatten(2)));
}

Tensor MultiheadAttention::forward(const Tensor& x) { return attend(x, {}); }

Tensor MultiheadAttention::operator()(const Tensor& x, const Tensor& mask) {
  return run(x, [&] { return attend(x, mask); });
}

Tensor MultiheadAttention::operator()(const Tensor& x, KeyValueCache& cache) {
  if (!options.causal) {
    fail("MultiheadAttention", Caller{},
         "goes on from a cache only where it is causal: later tokens would change earlier ones");
  }
  return run(x, [&] { return attend(x, {}, &cache); });
}

Tensor MultiheadAttention::operator()(const Tensor& x, const Tensor& memory, const Tensor& mask) {
  return run(x, [&] {
    int64_t width = projection.weight.size(0), head = width / heads;
    auto rows = [&](const Tensor& parameter, int64_t first, int64_t last) {
      return parameter.defined() ? parameter.slice(0, first, last) : Tensor();
    };
    Tensor q = linear(x, rows(qkv.weight, 0, width), rows(qkv.bias, 0, width))
                   .reshape({x.size(0), x.size(1), heads, head});
    Tensor kv = linear(memory, rows(qkv.weight, width, 3 * width), rows(qkv.bias, width, 3 * width))
                    .reshape({memory.size(0), memory.size(1), 2, heads, head});
    return mix(q, kv.select(2, 0), kv.select(2, 1), mask);
  });
}

}  // namespace strata

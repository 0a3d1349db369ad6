#include "tools/train/masked_text.h"

#include "engine/data/keyed_random.h"
#include "engine/ops/create.h"
#include "engine/ops/view.h"

namespace strata::train {

MaskedText mask_text(const Tensor& tokens, const MaskOptions& o, uint64_t seed, uint64_t step,
                     Caller at) {
  if (tokens.dtype() != DType::i64 || !tokens.is_contiguous() || tokens.device() != Device::cpu) {
    fail("mask_text", at, "takes contiguous i64 [N, T] on the cpu; got {}", describe(tokens));
  }
  if (o.last <= o.first) {
    fail("mask_text", at, "has no tokens at random in [{}, {})", o.first, o.last);
  }
  MaskedText out{tokens.clone(), full(tokens.shape(), -100, DType::i64)};
  int64_t *input = out.inputs.data<int64_t>(), *target = out.targets.data<int64_t>();
  KeyedRandom random(seed, step, 0x6d61736b);
  for (int64_t i = 0; i < tokens.numel(); ++i) {
    if (random.uniform() >= o.chosen) continue;
    target[i] = input[i];
    const double fate = random.uniform();
    if (fate < o.masked) {
      input[i] = o.mask;
    } else if (fate < o.masked + o.random) {
      input[i] = o.first + random.below(static_cast<uint32_t>(o.last - o.first));
    }
  }
  return out;
}

}  // namespace strata::train

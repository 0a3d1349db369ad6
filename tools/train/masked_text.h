// Text with gaps, for a model that fills them (Devlin et al. 2019, section 3.1, task 1). Of every
// token's place 15 % are chosen at random; there the token is replaced by the mask (80 % of them),
// by a token at random (10 %) or by itself (10 %), so that a model cannot know which places are
// asked for. A batch is a function of (seed, step).
#pragma once

#include "engine/tensor/tensor.h"

namespace strata::train {

struct MaskedText {
  Tensor inputs;   // i64 [N, T]
  Tensor targets;  // i64 [N, T]: the token where a place was chosen, -100 (not counted) elsewhere
};

struct MaskOptions {
  double chosen = 0.15;
  double masked = 0.8, random = 0.1;  // of those chosen; the rest stays
  int64_t mask = 1;                   // the token that stands for a gap
  int64_t first = 2, last = 0;        // tokens at random are in [first, last)
};

// tokens: i64 [N, T], contiguous, on the CPU.
MaskedText mask_text(const Tensor& tokens, const MaskOptions& options, uint64_t seed, uint64_t step,
                     Caller at = Caller::here());

}  // namespace strata::train

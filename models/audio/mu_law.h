// Mu-law companding (ITU-T G.711; van den Oord et al. 2016, section 2.2): sound as one of 256
// classes a sample, spaced finely where it is quiet.
//   f(x) = sign(x) log(1 + mu |x|) / log(1 + mu),  mu = classes - 1,  class = round((f + 1) mu / 2)
#pragma once

#include "engine/tensor/tensor.h"

namespace strata {

// x in [-1, 1] (what lies outside is cut) -> i64 of the same shape, 0 to classes - 1. No gradient.
Tensor mu_law_encode(const Tensor& x, int64_t classes = 256, Caller at = Caller::here());
// The middle of each class: f32 in [-1, 1].
Tensor mu_law_decode(const Tensor& codes, int64_t classes = 256, Caller at = Caller::here());

}  // namespace strata

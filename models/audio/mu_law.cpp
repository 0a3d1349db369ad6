#include "models/audio/mu_law.h"

#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata {

Tensor mu_law_encode(const Tensor& x, int64_t classes, Caller at) {
  if (classes < 2) fail("mu_law_encode", at, "needs at least 2 classes; got {}", classes);
  NoGrad off;
  const auto mu = static_cast<double>(classes - 1);
  Tensor cut = clamp(x.detach(), -1, 1, at);
  Tensor curve = sign(cut) * log1p(abs(cut) * mu) / std::log1p(mu);
  return round((curve + 1.0) * (mu / 2)).to(DType::i64);
}

Tensor mu_law_decode(const Tensor& codes, int64_t classes, Caller at) {
  if (classes < 2) fail("mu_law_decode", at, "needs at least 2 classes; got {}", classes);
  const auto mu = static_cast<double>(classes - 1);
  Tensor curve = codes.to(DType::f32, at) * (2 / mu) - 1.0;
  return sign(curve) * expm1(abs(curve) * std::log1p(mu)) / mu;
}

}  // namespace strata

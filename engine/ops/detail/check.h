// Checks that many ops make of their operands.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata::detail {

// "[exp] x is undefined: ..."
inline void check_defined(const char* op, const char* name, const Tensor& x, Caller at) {
  if (x.defined()) return;
  fail(op, at, "{} is undefined: a default-made Tensor holds nothing; give it a value first", name);
}

}  // namespace strata::detail

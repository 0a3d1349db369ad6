// Checks that many ops make of their operands.
#pragma once

#include <initializer_list>

#include "engine/tensor/tensor.h"

namespace strata::detail {

// "[exp] x is undefined: ..."
inline void check_defined(const char* op, const char* name, const Tensor& x, Caller at) {
  if (x.defined()) return;
  fail(op, at, "{} is undefined: a default-made Tensor holds nothing; give it a value first", name);
}

// Those that are defined lie on one device.
inline void check_one_device(const char* op, std::initializer_list<const Tensor*> operands,
                             Caller at) {
  const Tensor* first = nullptr;
  for (const Tensor* operand : operands) {
    if (!operand->defined()) continue;
    if (!first) first = operand;
    if (operand->device() == first->device()) continue;
    fail(op, at, "{} is on {} but {} is on {}; move one with to(Device)", describe(*first),
         name_of(first->device()), describe(*operand), name_of(operand->device()));
  }
}

}  // namespace strata::detail

// PlainOps: while one lives, ops that fuse others run as the ops they are made of, in this thread:
// a convolution's or batch norm's residual sum and ReLU are an `add` and a `relu`, attention is a
// product, a softmax and a product. Slower, equal up to rounding, and every step is on the tape for
// tools that give single ops rules of their own. Nests.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata {

class PlainOps {
 public:
  PlainOps() { ++depth_; }
  ~PlainOps() { --depth_; }
  PlainOps(const PlainOps&) = delete;
  PlainOps& operator=(const PlainOps&) = delete;
  static bool active() { return depth_ > 0; }

  // relu(out + residual) by the public ops; either part may be absent.
  static Tensor finish(Tensor out, const Tensor& residual, bool relu, Caller at);

 private:
  static inline thread_local int depth_ = 0;
};

}  // namespace strata

// PackedWeights: while one lives, this thread's inference keeps weights in the layouts that the
// CPU's kernels read best. It is for weights that stay the same over many calls with few rows or
// images each:
//
//   NoGrad off;
//   PackedWeights packed;
//   for (const Tensor& image : images) show(model(image));
//
// Without it a convolution brings its weight into oneDNN's blocked layout in every call (for one
// image of 224x224 a quarter of ResNet-50's time), and a product reads it as it is (a GPT-2 that
// reads 16 tokens takes 1.4 times as long, 64 tokens 1.1 times; below 4 rows nothing is gained).
// Convolutions give the same bits with and without; products agree up to rounding.
//
// Kept are f32 parameters: tensors that were made leaves with set_requires_grad(), and what
// fold_batch_norm() puts in their place; never other results, so that memory is bounded by the
// weights, rounded up to whole vectors, times the layouts that the batch sizes ask for (one, most
// often). Nothing is kept, or used, while gradients are recorded or in a backward pass.
//
// A weight that was written since (in place, by an optimizer, by loading) is packed anew. Writes
// through raw pointers, as data<T>() gives, are not seen: note_write() tells of them. Memory is
// given back when the scope ends; that of a weight that died or changed meanwhile, when the next
// one is packed. Nests: the outermost counts. The gpu is not concerned.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata {

class PackedWeight;  // kernels/dnnl/packed_weight.h

class PackedWeights {
 public:
  PackedWeights();
  ~PackedWeights();
  PackedWeights(const PackedWeights&) = delete;
  PackedWeights& operator=(const PackedWeights&) = delete;
  static bool active();
  // Held for this thread.
  static size_t bytes();
};

namespace detail {
// Where a kernel may keep `operand`, as it is handed to it; null: nowhere. Valid during the call.
PackedWeight* packed_weight(const Tensor& operand);
}  // namespace detail

}  // namespace strata

// The rungs of the elementwise kernels, and what they are given: one piece of work on axes that are
// already joined (cpu::collapse), of fewer than 2^31 elements.
#pragma once

#include "kernels/elementwise/chain.h"
#include "kernels/gpu/runtime.h"

namespace strata::gpu::elementwise {

enum class Kind : uint8_t { unary, binary, compare, where, choose, move, fill, chain };

struct Work {
  Kind kind;
  cpu::ElementwiseArgs args;
  Unary unary = Unary::identity;
  Binary binary = Binary::add;
  Compare compare = Compare::equal;
  uint64_t value = 0;  // fill: the element's bits
  Chain chain = {};
};

void strided(const Work& work);
// The most elements that one thread can take along the innermost axis, 1 if the work does not allow
// vectors.
int vector_size(const Work& work);
void vectors(const Work& work, int size);
// kind move, at least two axes, and the input dense along another axis than the output.
bool transposes(const Work& work);
void transpose(const Work& work);
// Of these, where sizes, strides and addresses are whole vectors of 16 bytes.
bool transposes_blocks(const Work& work);
void transpose_blocks(const Work& work);

}  // namespace strata::gpu::elementwise

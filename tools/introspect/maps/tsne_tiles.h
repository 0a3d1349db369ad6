// The descent of t-SNE with exact repulsion on the device of the points: all of an iteration runs
// there, in f32 (kernels/embedding).
#pragma once

#include "tools/introspect/maps/tsne.h"

namespace strata::introspect {

inline constexpr float early_exaggeration = 12;  // of P, in the first iterations

// `start` [N, 2], on the cpu. -> [N, 2], f32, on the cpu, moved to mean 0; frames likewise.
Tensor descend_by_tiles(const SparseMatrix& affinities, const Tensor& start, double rate,
                        const TsneOptions& options, Device device);

}  // namespace strata::introspect

// Kernels with one thing wrong each, for the tests of the x-ray: see planted.cu, planted_async.cu.
#pragma once

#include "kernels/common/numeric.h"

namespace strata::gpu::planted {

void transpose(bool padded, int n, const float* in, float* out);
void copy(int stride, int n, const float* in, float* out);
void neighbour(bool barrier, float* values);
void broadcast(bool synchronised, float* values);
void uninitialised(float* values);
void product(const bf16* a, const bf16* b, float* c);

// Where fence_async_shared() stands between 128 threads' stores to shared memory and what reads
// them by the async proxy. Right: writers, before_another_barrier.
enum class Fence { none, writers, reader, late, before_another_barrier };
enum class Copy { plain, reduce, tensor };
void copied_row(Copy how, Fence place, float* out);  // 128 floats
void own_row(bool fenced, float* out);               // 128 floats, by one thread
void handed_row(Fence place, float* out);            // 32 floats; writers or late
void stored_operands(Fence place, float* out);       // a product; not reader; 128 floats

// One stage of shared memory for `steps` products of operands of 1152 elements, 128 sums. The
// stage is filled again after a barrier, or when it has been freed. Right: by_each_warp, and
// by_one_for_all, which says that it counts on more than PTX promises.
void turns(bool barrier, int steps, const bf16* operands, float* out);
enum class Freed { by_each_warp, by_one_for_all, by_one, too_early };
void freed(Freed by, int steps, const bf16* operands, float* out);

}  // namespace strata::gpu::planted

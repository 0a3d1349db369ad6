// Rung 3: against rung 2, the row is read once and stays in registers between the two passes.
//
// Device memory: 1 read and 1 write, the least. Rows of up to 2048 chunks of 16 bytes (16384
// classes of 16 bits). H200, bf16, 8192 classes: 0.40 of a copy.
#include "kernels/loss/row_loss.h"
#include "kernels/loss/rung.h"
#include "kernels/reduce/register_row.h"

namespace strata::gpu {
namespace {

template <class T, class Group, int Vectors>
__global__ void __launch_bounds__(Group::block_threads, 1)
    cross_entropy_registers_kernel(CrossEntropyInPlaceArgs args) {
  const int n = static_cast<int>(args.classes), step = Group::threads() * vector_width<T>;
  for (int64_t row = Group::index(); row < args.rows; row += Group::count()) {
    T* x = static_cast<T*>(args.logits) + row * n;
    const int first = Group::rank() * vector_width<T> - phase_of(x);
    Chunk<T> chunks[Vectors];
#pragma unroll
    for (int v = 0; v < Vectors; ++v)
      chunks[v] = load_chunk(x, first + v * step, n, minus_infinity<T>());
    fused_row<T, Group, Vectors>(
        args, row, first, step, Vectors, [&](int v, int) { return chunks[v]; },
        [&](int, int at, const Chunk<T>& dx) { store_chunk(x, at, n, dx); });
  }
}

}  // namespace

bool cross_entropy_fits_registers(const CrossEntropyInPlaceArgs& args) {
  return visit_float(args.dtype, [&]<class T>(Type<T>) {
    return chunks_of_row<T>(args.logits, args.classes) <= most_register_chunks;
  });
}
void cross_entropy_registers(const CrossEntropyInPlaceArgs& args) {
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    with_register_row(chunks_of_row<T>(args.logits, args.classes), [&]<class Group, int Vectors>() {
      launch<cross_entropy_registers_kernel<T, Group, Vectors>>(
          register_row_launch<Group>(args.rows), args);
    });
  });
}

}  // namespace strata::gpu

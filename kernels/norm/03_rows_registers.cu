// Rung 3: against rung 2, a row is read once and stays in registers, of a warp or of a block. With
// the row at hand the deviations are taken about the mean itself (corrected two-pass algorithm).
//
// Device memory: 1 read and 1 write, the least, for rows of up to 2048 chunks of 16 bytes (16384
// elements of 16 bits); scale and shift are read by every row, from L1 or L2. Where chunks are
// whole ptxas is told to let 512 threads stay on a multiprocessor (up to 128 registers). The
// gradient of this rung is in 05_rows_persistent.cu.
// H200, bf16, 2048 columns: 3.6 to 3.8 TB/s, 0.86 to 0.92 of a copy.
#include "kernels/norm/row_chunks.h"
#include "kernels/norm/rung.h"
#include "kernels/reduce/register_row.h"

namespace strata::gpu {
namespace {

template <bool Whole, class T, class Group, int Vectors>
__global__ void __launch_bounds__(Group::block_threads,
                                  Whole && sizeof(T) < 8 ? 512 / Group::block_threads : 1)
    row_norm_registers_kernel(RowNormArgs args) {
  using C = Compute<T>;
  constexpr int W = vector_width<T>;
  const int n = static_cast<int>(args.channels), step = Group::threads() * W;
  const C share = C(1) / static_cast<C>(n);
  for (int64_t row = Group::index(); row < args.rows; row += Group::count()) {
    const T* from = static_cast<const T*>(args.x) + row * n;
    T* to = static_cast<T*>(args.y) + row * n;
    const int first = Group::rank() * W - (Whole ? 0 : phase_of(from));
    Chunk<T> x[Vectors];
#pragma unroll
    for (int v = 0; v < Vectors; ++v)
      x[v] = load_chunk<Whole>(from, first + v * step, n, from_compute<T>(0));
    C mean = 0;
    if (args.mean) {
#pragma unroll
      for (int v = 0; v < Vectors; ++v) mean += sum_of_chunk<T>(x[v]);
      mean = Group::combine(mean, Add{}) * share;
    }
    Sums<C, 2> sums{};
#pragma unroll
    for (int v = 0; v < Vectors; ++v)
      add_deviations<T, Whole>(x[v], first + v * step, n, mean, sums);
    sums = Group::combine(sums, Add{});
    if (!args.mean) sums.value[0] = 0;
    const auto of = statistics_about(mean, sums, share, static_cast<C>(args.epsilon));
    if (Group::rank() == 0) write_statistics(args, row, of);
#pragma unroll
    for (int v = 0; v < Vectors; ++v)
      store_chunk<Whole>(to, first + v * step, n,
                         normalised<T, Whole>(args, x[v], first + v * step, n, of));
  }
}

template <class T>
bool is_whole(const RowNormArgs& args) {
  return whole_chunks(static_cast<const T*>(args.x), args.channels) && aligned(args.y) &&
         aligned(args.scale) && aligned(args.shift);
}

}  // namespace

bool row_norm_fits_registers(const RowNormArgs& args) {
  return visit_float(args.dtype, [&]<class T>(Type<T>) {
    return chunks_of_row<T>(args.x, args.channels) <= most_register_chunks;
  });
}
void row_norm_registers(const RowNormArgs& args) {
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    with_register_row(chunks_of_row<T>(args.x, args.channels), [&]<class Group, int Vectors>() {
      const LaunchConfig config = register_row_launch<Group>(args.rows);
      if (is_whole<T>(args))
        launch<row_norm_registers_kernel<true, T, Group, Vectors>>(config, args);
      else
        launch<row_norm_registers_kernel<false, T, Group, Vectors>>(config, args);
    });
  });
}

}  // namespace strata::gpu

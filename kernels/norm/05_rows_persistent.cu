// The gradient of rung 3. A fixed number of blocks stays for all rows; a thread owns the same
// columns of every row, so dscale and dshift grow in its registers while dx is made: x and dy are
// read once for all three results. At the end each block writes one partial sum a column, and a
// second kernel adds those in order: no atomics, the same bits in every run.
//
// Device memory: x and dy read once, dx written once, the least, and 2 C partial sums a block.
// Columns stay with their threads only where all rows begin on 16 bytes: C a multiple of the chunk,
// x aligned. Rows of up to 1024 chunks (8192 elements of 16 bits).
// H200, bf16: 2.1 to 3.1 TB/s; at 2048 columns 0.74 of a copy. (With 143 registers instead of the
// 128 that are asked for, a quarter of the blocks had to wait for the others: 0.49.) 07 is faster,
// and takes rows of any length.
#include "kernels/gpu/scratch.h"
#include "kernels/norm/parameter_partials.h"
#include "kernels/norm/row_chunks.h"
#include "kernels/norm/rung.h"
#include "kernels/reduce/register_row.h"

namespace strata::gpu {
namespace {

// Threads that stay on a multiprocessor: what their registers (128 each) leave room for.
constexpr int resident_threads = 512;

// partial is [blocks][2][C]: dscale, dshift.
template <class T, class Group, int Vectors>
__global__ void __launch_bounds__(Group::block_threads, resident_threads / Group::block_threads)
    row_norm_gradient_persistent_kernel(RowNormGradientArgs args, Compute<T>* partial) {
  using C = Compute<T>;
  constexpr int W = vector_width<T>;
  const int n = static_cast<int>(args.channels), step = Group::threads() * W;
  const C share = C(1) / static_cast<C>(n);
  const int first = Group::rank() * W;
  const T zero = from_compute<T>(0);
  C parameter[2][Vectors][W] = {};
  for (int64_t row = Group::index(); row < args.rows; row += Group::count()) {
    const T* x_row = static_cast<const T*>(args.x) + row * n;
    const T* dy_row = static_cast<const T*>(args.dy) + row * n;
    Chunk<T> x[Vectors], dy[Vectors];
#pragma unroll
    for (int v = 0; v < Vectors; ++v) {
      x[v] = load_chunk<true>(x_row, first + v * step, n, zero);
      dy[v] = load_chunk<true>(dy_row, first + v * step, n, zero);
    }
    const auto of = saved_statistics<C>(args, row);
    Sums<C, 2> sums{};
#pragma unroll
    for (int v = 0; v < Vectors; ++v) {
      add_gradient_terms<T, true>(args, x[v], dy[v], first + v * step, n, of.mean, sums);
#pragma unroll
      for (int j = 0; j < W; ++j) {
        const C g = to_compute(dy[v][j]);
        parameter[0][v][j] += g * ((to_compute(x[v][j]) - of.mean) * of.inverse);
        parameter[1][v][j] += g;
      }
    }
    if (!args.dx) continue;
    sums = Group::combine(sums, Add{});
#pragma unroll
    for (int v = 0; v < Vectors; ++v)
      store_chunk<true>(
          static_cast<T*>(args.dx) + row * n, first + v * step, n,
          input_gradient<T, true>(args, x[v], dy[v], first + v * step, n, of, sums, share));
  }
  if (partial)
    write_parameter_partials<Group>(parameter, partial, int64_t{blockIdx.x}, first, step, n, n);
}

}  // namespace

bool row_norm_gradient_fits_registers(const RowNormGradientArgs& args) {
  return visit_float(args.dtype, [&]<class T>(Type<T>) {
    auto whole = [](const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; };
    return whole(args.x) && whole(args.dy) && whole(args.dx) && whole(args.scale) &&
           args.channels % vector_width<T> == 0 && chunks_of_row<T>(args.x, args.channels) <= 1024;
  });
}

void row_norm_gradient_persistent(const RowNormGradientArgs& args) {
  const bool parameters = args.dscale || args.dshift;
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    using C = Compute<T>;
    with_narrow_register_row(
        chunks_of_row<T>(args.x, args.channels), [&]<class Group, int Vectors>() {
          const unsigned wanted = divide_up(args.rows, Group::groups_per_block);
          const unsigned resident = static_cast<unsigned>(device().multiprocessors) *
                                    (resident_threads / Group::block_threads);
          const unsigned blocks = wanted < resident ? wanted : resident;
          const Scratch partial(parameters ? sizeof(C) * blocks * 2 * size_t(args.channels) : 0);
          launch<row_norm_gradient_persistent_kernel<T, Group, Vectors>>(
              {.grid = blocks, .block = Group::block_threads}, args, partial.as<C>());
          if (parameters) sum_parameter_partials(args, partial.as<C>(), static_cast<int>(blocks));
        });
  });
}

}  // namespace strata::gpu

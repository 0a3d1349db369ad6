// Rung 3: against rung 2, a row is read once and stays in registers: a warp holds short rows (no
// shared memory, no barrier), a block of 128 to 512 threads longer ones, each thread up to 4
// chunks of 16 bytes. With the whole row at hand the plain formula is the better one again: first
// the maximum, then the sum of exponentials, then the result.
//
// Short chains let few warps keep the memory busy: maxima and sums of a chunk are taken by pairs,
// and where chunks are whole ptxas is told to let 512 threads stay (up to 128 registers).
//
// Device memory: 1 read and 1 write, the least. Rows of up to 2048 chunks: 16384 elements of 16
// bits, 8192 of f32, 4096 of f64. Gradient: y and dy read once, dx written once.
// H200, bf16: forward 3.6 to 3.9 TB/s (0.85 to 0.94 of a copy), gradient 0.95 to 0.99.
#include "kernels/reduce/register_row.h"
#include "kernels/softmax/online.h"
#include "kernels/softmax/rung.h"

namespace strata::gpu {
namespace {

// Log is a template argument: a branch on it between the passes would make the compiler compute
// what its two ways share, for the whole row, before it.
template <bool Whole, bool Log, class T, class Group, int Vectors>
__global__ void __launch_bounds__(Group::block_threads,
                                  Whole && sizeof(T) < 8 ? 512 / Group::block_threads : 1)
    softmax_registers_kernel(const T* x, T* y, int64_t rows, int n) {
  using C = Compute<T>;
  constexpr int W = vector_width<T>;
  const int step = Group::threads() * W;
  for (int64_t row = Group::index(); row < rows; row += Group::count()) {
    const T* from = x + row * n;
    const int first = Group::rank() * W - (Whole ? 0 : phase_of(from));
    Chunk<T> chunks[Vectors];
    C values[W];
#pragma unroll
    for (int v = 0; v < Vectors; ++v)
      chunks[v] = load_chunk<Whole>(from, first + v * step, n, minus_infinity<T>());
    C largest = -infinity<C>;
#pragma unroll
    for (int v = 0; v < Vectors; ++v) {
      expand(chunks[v], values);
      largest = LargerNumber{}(largest, combine_pairs(values, LargerNumber{}));
    }
    largest = Group::combine(largest, Larger{});
    C sum = 0;
#pragma unroll
    for (int v = 0; v < Vectors; ++v) {
      expand(chunks[v], values);
#pragma unroll
      for (int j = 0; j < W; ++j) values[j] = exponential_or_zero<T>(values[j] - largest);
      sum += combine_pairs(values, Add{});
    }
    sum = Group::combine(sum, Add{});
    const C log_sum = logarithm(sum), factor = 1 / sum;
#pragma unroll
    for (int v = 0; v < Vectors; ++v) {
      expand(chunks[v], values);
#pragma unroll
      for (int j = 0; j < W; ++j) {
        const C d = values[j] - largest;
        values[j] = Log ? d - log_sum : exponential_or_zero<T>(d) * factor;
      }
      store_chunk<Whole>(y + row * n, first + v * step, n, contract<T>(values));
    }
  }
}

template <bool Whole, class T, class Group, int Vectors>
__global__ void __launch_bounds__(Group::block_threads, 1)
    softmax_gradient_registers_kernel(const T* y, const T* dy, T* dx, int64_t rows, int n,
                                      bool log) {
  using C = Compute<T>;
  constexpr int W = vector_width<T>;
  const int step = Group::threads() * W;
  for (int64_t row = Group::index(); row < rows; row += Group::count()) {
    const T *p = y + row * n, *g = dy + row * n;
    const int first = Group::rank() * W - (Whole ? 0 : phase_of(p));
    Chunk<T> a[Vectors], b[Vectors];
#pragma unroll
    for (int v = 0; v < Vectors; ++v) {
      a[v] = load_chunk<Whole>(p, first + v * step, n, from_compute<T>(0));
      b[v] = load_chunk<Whole>(g, first + v * step, n, from_compute<T>(0));
    }
    C sum = 0;
#pragma unroll
    for (int v = 0; v < Vectors; ++v)
#pragma unroll
      for (int j = 0; j < W; ++j)
        sum += log ? to_compute(b[v][j]) : to_compute(a[v][j]) * to_compute(b[v][j]);
    sum = Group::combine(sum, Add{});
#pragma unroll
    for (int v = 0; v < Vectors; ++v) {
#pragma unroll
      for (int j = 0; j < W; ++j) {
        const C value = to_compute(a[v][j]), d = to_compute(b[v][j]);
        b[v][j] = from_compute<T>(log ? d - exponential<T>(value) * sum : value * (d - sum));
      }
      store_chunk<Whole>(dx + row * n, first + v * step, n, b[v]);
    }
  }
}

}  // namespace

bool softmax_fits_registers(const SoftmaxArgs& args) {
  if (args.inner != 1) return false;
  return visit_float(args.dtype, [&]<class T>(Type<T>) {
    return chunks_of_row<T>(args.x, args.size) <= most_register_chunks;
  });
}

void softmax_registers(const SoftmaxArgs& args) {
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    with_register_row(chunks_of_row<T>(args.x, args.size), [&]<class Group, int Vectors>() {
      auto run = [&]<bool Whole, bool Log>() {
        launch<softmax_registers_kernel<Whole, Log, T, Group, Vectors>>(
            register_row_launch<Group>(args.outer), static_cast<const T*>(args.x),
            static_cast<T*>(args.y), args.outer, static_cast<int>(args.size));
      };
      if (whole_chunks(static_cast<const T*>(args.x), args.size) && aligned(args.y))
        args.log ? run.template operator()<true, true>() : run.template operator()<true, false>();
      else
        args.log ? run.template operator()<false, true>() : run.template operator()<false, false>();
    });
  });
}
void softmax_gradient_registers(const SoftmaxGradientArgs& args) {
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    with_register_row(chunks_of_row<T>(args.y, args.size), [&]<class Group, int Vectors>() {
      auto run = [&]<bool Whole>() {
        launch<softmax_gradient_registers_kernel<Whole, T, Group, Vectors>>(
            register_row_launch<Group>(args.outer), static_cast<const T*>(args.y),
            static_cast<const T*>(args.dy), static_cast<T*>(args.dx), args.outer,
            static_cast<int>(args.size), args.log);
      };
      whole_chunks(static_cast<const T*>(args.y), args.size) && aligned(args.dy) && aligned(args.dx)
          ? run.template operator()<true>()
          : run.template operator()<false>();
    });
  });
}

}  // namespace strata::gpu

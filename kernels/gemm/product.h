// A product as its kernels see it: typed pointers, the place of each matrix of the batch, and the
// epilogue on one sum or on a vector of neighbours. Host code makes it of GemmArguments.
#pragma once

#include "kernels/gemm/activation.h"
#include "kernels/gemm/checks.h"
#include "kernels/gemm/gemm.h"
#include "kernels/gpu/gpu.h"

namespace strata::gpu {

// Integers are summed unsigned, where overflow is defined.
template <class T>
struct SumType {
  using type = Compute<T>;
};
template <>
struct SumType<int32_t> {
  using type = uint32_t;
};
template <>
struct SumType<int64_t> {
  using type = uint64_t;
};
template <class T>
using Sum = typename SumType<T>::type;

template <class T>
DEVICE Sum<T> to_sum(T value) {
  if constexpr (sizeof(T) == 2)
    return to_float(value);
  else
    return static_cast<Sum<T>>(value);
}
template <class T>
DEVICE T from_sum(Sum<T> sum) {
  if constexpr (sizeof(T) == 2)
    return from_float<T>(sum);
  else
    return static_cast<T>(sum);
}

// Called, not inlined: a kernel finishes up to a hundred elements a thread one after the other, and
// the code of gelu as often would take a minute to compile and registers from the main loop.
template <class S>
__device__ __attribute__((noinline)) S activate_by_call(Activation activation, S p) {
  return activated(activation, p);
}
template <class S>
__device__ __attribute__((noinline)) S gradient_by_call(Activation activation, S p, S g) {
  return activation_gradient(activation, p, g);
}

template <class T>
struct ProductEpilogue {
  Sum<T> alpha, beta;
  const T* bias;
  T* preactivation;
  const T* residual;
  Activation activation;
  bool gradient;

  DEVICE Sum<T> activate(Sum<T> p) const {
    if (activation == Activation::none) return p;
    if (activation == Activation::relu) return functions::Relu{}(p);
    return activate_by_call(activation, p);
  }
  // What is stored for the sum of element `at` of C, in column `column`.
  DEVICE T operator()(Sum<T> sum, int column, int64_t at) const {
    Sum<T> p = alpha * sum;
    if (bias) p += to_sum(bias[column]);
    if constexpr (!std::is_integral_v<T>) {
      if (gradient) {
        p = gradient_by_call(activation, to_sum(preactivation[at]), p);
      } else {
        if (preactivation) preactivation[at] = from_sum<T>(p);
        p = activate(p);
      }
    }
    if (residual) p += beta * to_sum(residual[at]);
    return from_sum<T>(p);
  }
  // The same for `Width` neighbours in a row; all pointers are aligned to the vectors.
  template <int Width>
  DEVICE Vec<T, Width> vector(const Sum<T> (&sums)[Width], int column, int64_t at) const {
    Vec<T, Width> extra, result;
    Sum<T> p[Width];
#pragma unroll
    for (int i = 0; i < Width; ++i) p[i] = alpha * sums[i];
    if (bias) {
      extra = load_vector<Width>(bias + column);
#pragma unroll
      for (int i = 0; i < Width; ++i) p[i] += to_sum(extra[i]);
    }
    if constexpr (!std::is_integral_v<T>) {
      if (gradient) {
        extra = load_vector<Width>(preactivation + at);
#pragma unroll
        for (int i = 0; i < Width; ++i) p[i] = gradient_by_call(activation, to_sum(extra[i]), p[i]);
      } else {
        if (preactivation) {
#pragma unroll
          for (int i = 0; i < Width; ++i) extra[i] = from_sum<T>(p[i]);
          store_vector(preactivation + at, extra);
        }
#pragma unroll
        for (int i = 0; i < Width; ++i) p[i] = activate(p[i]);
      }
    }
    if (residual) {
      extra = load_vector<Width>(residual + at);
#pragma unroll
      for (int i = 0; i < Width; ++i) p[i] += beta * to_sum(extra[i]);
    }
#pragma unroll
    for (int i = 0; i < Width; ++i) result[i] = from_sum<T>(p[i]);
    return result;
  }
};

// The matrices of one of the batch; C's begins at element `first` of C and of what the epilogue
// reads.
template <class T>
struct Matrices {
  const T* a;
  const T* b;
  int64_t first;
};

// Passed to kernels as `const __grid_constant__ Product<T>`, so that it stays in constant memory.
template <class T>
struct Product {
  int M, N, K;
  const T* a;
  const T* b;
  T* c;
  int64_t a_row, a_column, b_row, b_column;
  ProductEpilogue<T> epilogue;
  bool vectors;  // C and what the epilogue reads allow vectors of 16 bytes along rows
  int batch_rank;
  int batch[GemmArguments::max_batch_rank];
  int64_t a_batch[GemmArguments::max_batch_rank], b_batch[GemmArguments::max_batch_rank];

  DEVICE Matrices<T> matrices(unsigned index) const {
    Matrices<T> m{a, b, static_cast<int64_t>(index) * M * N};
    for (int i = batch_rank - 1; i >= 0; --i) {
      const unsigned size = static_cast<unsigned>(batch[i]), place = index % size;
      index /= size;
      m.a += place * a_batch[i];
      m.b += place * b_batch[i];
    }
    return m;
  }
};

// The tile that block `index` computes, of Rows x Columns: along a row of tiles first, then down,
// then the batch.
struct Tile {
  int row, column;  // of its first element
  unsigned batch;
};
template <int Rows, int Columns, class T>
DEVICE Tile tile_of_block(const Product<T>& p, unsigned index) {
  const unsigned across = divide_up(p.N, Columns), down = divide_up(p.M, Rows);
  return {static_cast<int>(index / across % down) * Rows,
          static_cast<int>(index % across) * Columns, index / across / down};
}

// The same in groups of eight rows of tiles, down first within a group: blocks that run at the same
// time cover a square of C rather than a strip, so they share more of A and of B in the L2 cache.
template <int Rows, int Columns, class T>
DEVICE Tile tile_in_groups(const Product<T>& p, unsigned index) {
  constexpr unsigned group = 8;
  const unsigned across = divide_up(p.N, Columns), down = divide_up(p.M, Rows);
  const unsigned batch = index / (across * down), place = index - batch * across * down;
  const unsigned first = place / (group * across) * group, height = min(group, down - first);
  const unsigned within = place - first * across;
  return {static_cast<int>(first + within % height) * Rows,
          static_cast<int>(within / height) * Columns, batch};
}

// Stores the part of `Width` neighbouring sums of a row that is inside C; 16 bytes of C.
template <int Width, class T>
DEVICE void store_sums(const Product<T>& p, int64_t first, int row, int column,
                       const Sum<T> (&sums)[Width]) {
  static_assert(Width == vector_width<T>);
  if (row >= p.M) return;
  const int64_t at = first + static_cast<int64_t>(row) * p.N + column;
  if (p.vectors && column < p.N) {
    store_vector(p.c + at, p.epilogue.template vector<Width>(sums, column, at));
    return;
  }
#pragma unroll
  for (int i = 0; i < Width; ++i)
    if (column + i < p.N) p.c[at + i] = p.epilogue(sums[i], column + i, at + i);
}

// ---- host ----

template <class T>
Product<T> make_product(const GemmArguments& g) {
  check_product(g);
  const Epilogue& e = g.epilogue;
  auto scalar = [](double x) {
    if constexpr (std::is_integral_v<T>)
      return static_cast<Sum<T>>(static_cast<T>(x));
    else
      return static_cast<Sum<T>>(x);
  };
  Product<T> p{};
  p.M = static_cast<int>(g.M), p.N = static_cast<int>(g.N), p.K = static_cast<int>(g.K);
  p.a = static_cast<const T*>(g.a), p.b = static_cast<const T*>(g.b), p.c = static_cast<T*>(g.c);
  p.a_row = g.a_row, p.a_column = g.a_column, p.b_row = g.b_row, p.b_column = g.b_column;
  p.epilogue = {scalar(e.alpha),
                scalar(e.beta),
                static_cast<const T*>(e.bias),
                static_cast<T*>(e.preactivation),
                static_cast<const T*>(e.residual),
                e.activation,
                e.gradient};
  p.vectors = epilogue_aligned(g, 16);
  p.batch_rank = g.batch_rank;
  for (int i = 0; i < g.batch_rank; ++i) {
    p.batch[i] = static_cast<int>(g.batch[i]);
    p.a_batch[i] = g.a_batch[i];
    p.b_batch[i] = g.b_batch[i];
  }
  return p;
}

// A block of `block` threads for each tile.
template <auto Kernel, class T>
void launch_tiles(const GemmArguments& g, int rows, int columns, dim3 block, size_t shared = 0) {
  launch<Kernel>({.grid = tile_count(g, rows, columns), .block = block, .shared = shared},
                 make_product<T>(g));
}

}  // namespace strata::gpu

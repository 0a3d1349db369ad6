// c (+)= a b for the small products inside an attention block, where everything is in the cache and
// a library call would cost as much as the product.
//   a [M, K]: element (i, k) at a[i * a_row + k * a_column], so a transposed operand costs nothing
//   b [K, N]: rows of consecutive elements, row k at b + k * b_row;  c [M, N] likewise
//
// Registers hold a tile of R rows by V vectors of c. For each k the V vectors of b are loaded once
// and each of the R elements of a is broadcast to V multiply-adds, so R + V loads feed R V
// multiply-adds. R V is chosen so that c, b and one broadcast fit in the registers: 24 of 32 with
// AVX-512, 12 of 16 otherwise. Columns left over at the right go through narrower vectors.
// Order of summation: k ascending, whatever the tile, so an element's value does not depend on M
// or N. Vectors are the compiler's own (GNU vector extensions): any machine runs it.
#pragma once

#include <cstdint>
#include <cstring>

namespace strata::cpu {

#if defined(__AVX512F__)
inline constexpr int vector_bytes = 64, register_tile = 24;
#elif defined(__AVX__)
inline constexpr int vector_bytes = 32, register_tile = 12;
#else
inline constexpr int vector_bytes = 16, register_tile = 12;
#endif

template <class T>
inline constexpr int full_lanes = vector_bytes / static_cast<int>(sizeof(T));

template <class T, int lanes>
struct VectorOf {
  typedef T type __attribute__((vector_size(lanes * sizeof(T))));
};

template <class T>
struct TileProduct {
  int64_t m, n, k;
  const T* a;
  int64_t a_row, a_column;
  const T* b;
  int64_t b_row;
  T* c;
  int64_t c_row;
  bool add;  // c += a b; otherwise c = a b
};

namespace detail {

template <class T, int rows, int vectors, int lanes>
[[gnu::always_inline]] inline void register_tile_product(const TileProduct<T>& p, int64_t i,
                                                         int64_t j) {
  using V = typename VectorOf<T, lanes>::type;
  const T* a = p.a + i * p.a_row;
  const T* b = p.b + j;
  T* c = p.c + i * p.c_row + j;
  V sum[rows][vectors];
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) {
      if (p.add) {
        std::memcpy(&sum[r][v], c + r * p.c_row + v * lanes, sizeof(V));
      } else {
        sum[r][v] = V{};
      }
    }
  }
  for (int64_t k = 0; k < p.k; ++k, a += p.a_column, b += p.b_row) {
    V row[vectors];
    for (int v = 0; v < vectors; ++v) std::memcpy(&row[v], b + v * lanes, sizeof(V));
    for (int r = 0; r < rows; ++r) {
      T factor = a[r * p.a_row];
      for (int v = 0; v < vectors; ++v) sum[r][v] += factor * row[v];
    }
  }
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) {
      std::memcpy(c + r * p.c_row + v * lanes, &sum[r][v], sizeof(V));
    }
  }
}

// All rows of the columns j .. j + vectors * lanes.
template <class T, int vectors, int lanes>
void column_panel(const TileProduct<T>& p, int64_t j) {
  constexpr int most = vectors == 1 ? 8 : register_tile / vectors;
  int64_t i = 0;
  for (; i + most <= p.m; i += most) register_tile_product<T, most, vectors, lanes>(p, i, j);
  if constexpr (most > 4) {
    for (; i + 4 <= p.m; i += 4) register_tile_product<T, 4, vectors, lanes>(p, i, j);
  }
  for (; i < p.m; ++i) register_tile_product<T, 1, vectors, lanes>(p, i, j);
}

template <class T, int lanes>
void narrow_panels(const TileProduct<T>& p, int64_t j) {
  for (; j + lanes <= p.n; j += lanes) column_panel<T, 1, lanes>(p, j);
  if constexpr (lanes > 1) {
    if (j < p.n) narrow_panels<T, lanes / 2>(p, j);
  }
}

}  // namespace detail

template <class T>
void tile_product(const TileProduct<T>& p) {
  constexpr int lanes = full_lanes<T>;
  int64_t j = 0, left = p.n / lanes;
  while (left >= 3 && left != 4) {
    detail::column_panel<T, 3, lanes>(p, j);
    j += 3 * lanes;
    left -= 3;
  }
  for (; left >= 4; left -= 4, j += 4 * lanes) detail::column_panel<T, 4, lanes>(p, j);
  for (; left >= 2; left -= 2, j += 2 * lanes) detail::column_panel<T, 2, lanes>(p, j);
  detail::narrow_panels<T, lanes>(p, j);
}

}  // namespace strata::cpu

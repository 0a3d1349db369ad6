// Threads for loops, on OpenMP (the pool oneDNN uses too, so that the two never fight).
//
// parallel_for(n, grain, body): body(begin, end) over [0, n) in pieces of at least `grain`.
//   Which thread runs which piece may differ from run to run: bodies write disjoint outputs.
// parallel_chunks(n, chunk, body): body(index, begin, end) over pieces of exactly `chunk` (the last
//   may be shorter), however many threads there are: reductions keep one partial result a chunk
//   and combine them in order, so that results do not depend on the thread count.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>

namespace strata {

inline int thread_count() { return omp_in_parallel() ? 1 : omp_get_max_threads(); }
inline void set_thread_count(int threads) { omp_set_num_threads(std::max(1, threads)); }

template <class Body>
void parallel_for(int64_t n, int64_t grain, Body&& body) {
  int64_t threads = std::min<int64_t>(thread_count(), n / std::max<int64_t>(grain, 1));
  if (threads <= 1) {
    if (n > 0) body(int64_t{0}, n);
    return;
  }
  int64_t piece = (n + threads - 1) / threads;
#pragma omp parallel for num_threads(static_cast <int>(threads)) schedule(static, 1)
  for (int64_t t = 0; t < threads; ++t) {
    int64_t begin = t * piece, end = std::min(n, begin + piece);
    if (begin < end) body(begin, end);
  }
}

template <class Body>
void parallel_chunks(int64_t n, int64_t chunk, Body&& body) {
  int64_t chunks = (n + chunk - 1) / chunk;
  if (chunks <= 1 || thread_count() == 1) {
    for (int64_t c = 0; c < chunks; ++c) body(c, c * chunk, std::min(n, (c + 1) * chunk));
    return;
  }
#pragma omp parallel for schedule(static)
  for (int64_t c = 0; c < chunks; ++c) body(c, c * chunk, std::min(n, (c + 1) * chunk));
}

}  // namespace strata

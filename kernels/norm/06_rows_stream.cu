// Rung 6: against rungs 3 and 4, memory is never idle. Blocks stay for all rows, the next rows are
// on their way while a row is worked on (row_stream.h), and scale and shift stay in registers: read
// by every row, at 8 bytes a column, they cost more of L2 than rows of 2 bytes an element do.
//
// The threads of a team meet once a row: a warp takes the moments of its own columns by shuffles,
// and the moments of all warps are combined as Chan, Golub and LeVeque (1983) combine samples.
//
// Device memory: 1 read and 1 write, the least; whole chunks, up to 16384 of them on sm_90 (131072
// elements of 16 bits), 2048 elsewhere. Not timed yet.
#include "kernels/norm/row_chunks.h"
#include "kernels/norm/row_stream.h"
#include "kernels/norm/rung.h"

namespace strata::gpu {
namespace {

template <class C>
struct Moments {
  C mean, squares;  // squares: the sum of (x - mean)^2
};

// How many elements of a row the warp with this number in its team owns.
template <int Vectors, class T, class Team>
DEVICE int elements_of_warp(const OwnColumns<T, Team>& own, int warp, int n) {
  constexpr int most = 32 * vector_width<T>, warps = Team::block_lanes / 32;
  const int block = warp / warps, end = own.end_of_block(block, n);
  int sum = 0;
#pragma unroll
  for (int v = 0; v < Vectors; ++v) {
    const int left = end - (block * own.share + warp % warps * most + v * own.step);
    sum += left < 0 ? 0 : left < most ? left : most;
  }
  return sum;
}

// Deviations are taken about a value that is at hand, and what it was off by is put right at the
// end (statistics_about): about the mean of the warp's first chunk, then about the mean of warp 0.
// Its distance from the mean is part of the variance itself, so the rounding of its square, in the
// worst case that all variance lies in that chunk, grows by no more than the number of chunks of a
// warp, or of warps: 128. Of rows as they are it grows by an eighth.
template <class T, class Team, int Vectors>
struct RowMoments {
  using C = Compute<T>;
  static constexpr int W = vector_width<T>, lots = (Team::most_warps + 31) / 32;
  C share, warp_share;  // 1 / elements of the row, of the warp
  C elements[lots];     // of the warps whose moments the lane adds up

  DEVICE RowMoments(const OwnColumns<T, Team>& own, int n) : share(C(1) / static_cast<C>(n)) {
    const int mine = elements_of_warp<Vectors>(own, Team::rank() / 32, n);
    warp_share = mine > 0 ? C(1) / static_cast<C>(mine) : C(0);
#pragma unroll
    for (int k = 0; k < lots; ++k)
      elements[k] = static_cast<C>(
          elements_of_warp<Vectors>(own, static_cast<int>(threadIdx.x % 32) + 32 * k, n));
  }

  DEVICE RowStatistics<C> of_row(const Chunk<T> (&x)[Vectors], const OwnColumns<T, Team>& own,
                                 bool centred, C epsilon, int turn) const {
    C shift = 0;
    if (centred) shift = __shfl_sync(0xffffffffu, sum_of_chunk<T>(x[0]), 0) * (C(1) / W);
    Sums<C, 2> sums{};
#pragma unroll
    for (int v = 0; v < Vectors; ++v)
      if (own.has(v)) add_deviations<T, true>(x[v], 0, W, shift, sums);
    sums = warp_combine(sums, Add{});
    if (!centred) sums.value[0] = 0;
    if constexpr (Team::most_warps > 1) {
      const C off = sums.value[0] * warp_share;
      const Moments<C> mine{shift + off, sums.value[1] - off * sums.value[0]};
      const Moments<C>* of_warps = Team::exchange(mine, turn);
      shift = of_warps[0].mean;
      sums = sum_of_warps<Team>(of_warps, [&](const Moments<C>& warp, int k) {
        const C d = warp.mean - shift;
        return Sums<C, 2>{elements[k] * d, warp.squares + elements[k] * d * d};
      });
    }
    return statistics_about(shift, sums, share, epsilon);
  }
};

template <class T, class Team, int Vectors>
__global__ void __launch_bounds__(Team::block_threads, streaming_threads / Team::block_threads)
    row_norm_stream_kernel(RowNormArgs args) {
  using C = Compute<T>;
  constexpr int W = vector_width<T>;
  const int n = static_cast<int>(args.channels);
  const OwnColumns<T, Team> own(n);
  const OwnRows rows = OwnRows::of<Team>(args.rows);
  const int64_t apart = rows.apart * n;
  const T* x = static_cast<const T*>(args.x) + rows.begin * n;
  RowRing<T, Team, Vectors, 1> ring;
  ring.fill(own, {x}, apart, rows.count);

  C scale[Vectors][W], shift[Vectors][W];
#pragma unroll
  for (int v = 0; v < Vectors; ++v) {
    parameter_or<T>(args.scale, own.first + v * own.step, own.end, C(1), scale[v]);
    parameter_or<T>(args.shift, own.first + v * own.step, own.end, C(0), shift[v]);
  }
  const RowMoments<T, Team, Vectors> moments(own, n);
  Team::template open<Moments<C>>();

  T* y = static_cast<T*>(args.y) + rows.begin * n + own.first;
  x += ring.stages * apart + own.first;
  for (int turn = 0; turn < rows.count; ++turn, x += apart, y += apart) {
    ring.wait();
    Chunk<T> held[Vectors];
#pragma unroll
    for (int v = 0; v < Vectors; ++v) held[v] = chunk_of<T>(words_of<T>(ring.slot(0, v)));
#pragma unroll
    for (int v = 0; v < Vectors; ++v)
      if (turn + ring.stages < rows.count && own.has(v)) ring.request(0, v, x + v * own.step);
    ring.next();
    const auto of =
        moments.of_row(held, own, args.mean != nullptr, static_cast<C>(args.epsilon), turn);
    if (Team::rank() == 0) write_statistics(args, rows[turn], of);
#pragma unroll
    for (int v = 0; v < Vectors; ++v) {
      C values[W];
      expand(held[v], values);
#pragma unroll
      for (int j = 0; j < W; ++j)
        values[j] = (values[j] - of.mean) * of.inverse * scale[v][j] + shift[v][j];
      if (own.has(v)) store_vector(y + v * own.step, contract<T>(values));
    }
  }
}

template <class T>
bool fits(const RowNormArgs& args) {
  return whole_chunks(static_cast<const T*>(args.x), args.channels) && aligned(args.y) &&
         aligned(args.scale) && aligned(args.shift) &&
         blocks_of_row(args.channels / vector_width<T>) > 0;
}

}  // namespace

bool row_norm_fits_stream(const RowNormArgs& args) {
  return visit_float(args.dtype, [&]<class T>(Type<T>) { return fits<T>(args); });
}
// Not where a warp has a long row's loads under way all at once (register_row.h: 129 to 256
// chunks): rung 3 was faster there on an H200.
bool row_norm_wants_stream(const RowNormArgs& args) {
  return visit_float(args.dtype, [&]<class T>(Type<T>) {
    const int64_t chunks = args.channels / vector_width<T>;
    return fits<T>(args) && (chunks <= 128 || chunks > 256) && enough_to_stream(args.rows, chunks);
  });
}
void row_norm_stream(const RowNormArgs& args) {
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    const int64_t chunks = args.channels / vector_width<T>;
    with_row_team(chunks, [&]<class Team, int Vectors>() {
      constexpr auto kernel = row_norm_stream_kernel<T, Team, Vectors>;
      const size_t shared =
          RowRing<T, Team, Vectors, 1>::chunks * Team::block_threads * sizeof(Chunk<T>);
      launch<kernel>(stream_launch<kernel, Team>(args.rows, chunks, shared), args);
    });
  });
}

}  // namespace strata::gpu

// The gradient of rung 6: against rung 5, memory is never idle, and rows may be longer than a block
// holds. Blocks, or clusters of blocks, stay for all rows; the next rows of x and dy are on their
// way while a row is worked on (row_stream.h). A thread owns the same columns of every row, so
// dscale and dshift grow in its registers; scale, which there is no register left for, lies in
// shared memory behind the ring.
//
// Device memory: x and dy read once, dx written once, the least, and 2 C partial sums a team. Whole
// chunks, up to 16384 of them on sm_90 (131072 elements of 16 bits). Not timed yet.
#include "kernels/gpu/scratch.h"
#include "kernels/norm/parameter_partials.h"
#include "kernels/norm/row_chunks.h"
#include "kernels/norm/row_stream.h"
#include "kernels/norm/rung.h"

namespace strata::gpu {
namespace {

// The scale of a thread's columns in shared memory, which no other thread reads.
template <class T, class Team>
struct OwnScale {
  using C = Compute<T>;
  static constexpr int pieces = vector_width<T> / vector_width<C>;  // of 16 bytes a chunk
  Chunk<C>* tile;

  DEVICE Chunk<C>& slot(int v, int piece) const {
    return tile[(v * pieces + piece) * Team::block_threads + static_cast<int>(threadIdx.x)];
  }
  DEVICE void store(int v, const C (&values)[vector_width<T>]) const {
#pragma unroll
    for (int piece = 0; piece < pieces; ++piece) {
      Chunk<C> chunk;
#pragma unroll
      for (int j = 0; j < vector_width<C>; ++j) chunk[j] = values[piece * vector_width<C> + j];
      slot(v, piece) = chunk;
    }
  }
  DEVICE void load(int v, C (&values)[vector_width<T>]) const {
#pragma unroll
    for (int piece = 0; piece < pieces; ++piece) {
      const Chunk<C> chunk = slot(v, piece);
#pragma unroll
      for (int j = 0; j < vector_width<C>; ++j) values[piece * vector_width<C> + j] = chunk[j];
    }
  }
};

// The stages of the ring, and behind them the scale.
template <class T, class Team, int Vectors>
constexpr int chunks_of_thread =
    RowRing<T, Team, Vectors, 2>::chunks + Vectors* OwnScale<T, Team>::pieces;
template <class T, class Team, int Vectors>
constexpr size_t shared_bytes = chunks_of_thread<T, Team, Vectors>* Team::block_threads *
                                sizeof(Chunk<T>);

template <class T, class Team, int Vectors>
__global__ void __launch_bounds__(Team::block_threads, streaming_threads / Team::block_threads)
    row_norm_gradient_stream_kernel(RowNormGradientArgs args, Compute<T>* partial) {
  using C = Compute<T>;
  constexpr int W = vector_width<T>;
  const int n = static_cast<int>(args.channels);
  const OwnColumns<T, Team> own(n);
  const C share = C(1) / static_cast<C>(n);
  const OwnRows rows = OwnRows::of<Team>(args.rows);
  const int64_t apart = rows.apart * n, begin = rows.begin * n;
  RowRing<T, Team, Vectors, 2> ring;
  ring.fill(own, {static_cast<const T*>(args.x) + begin, static_cast<const T*>(args.dy) + begin},
            apart, rows.count);

  const OwnScale<T, Team> scales{
      reinterpret_cast<Chunk<C>*>(ring.tile + ring.chunks * Team::block_threads)};
#pragma unroll
  for (int v = 0; v < Vectors; ++v) {
    C scale[W];
    parameter_or<T>(args.scale, own.first + v * own.step, own.end, C(1), scale);
    scales.store(v, scale);
  }
  Team::template open<Sums<C, 2>>();

  C parameter[2][Vectors][W] = {};
  auto statistics = [&](int turn) {
    return turn < rows.count ? saved_statistics<C>(args, rows[turn]) : RowStatistics<C>{};
  };
  RowStatistics<C> following = statistics(0);
  int64_t at = begin + own.first;
  for (int turn = 0; turn < rows.count; ++turn, at += apart) {
    const RowStatistics<C> of = following;
    following = statistics(turn + 1);
    ring.wait();
    Sums<C, 2> sums{};
#pragma unroll
    for (int v = 0; v < Vectors; ++v) {
      C g[W], d[W], scale[W];
      expand(ring.slot(0, v), d);
      expand(ring.slot(1, v), g);
      scales.load(v, scale);
      Sums<C, 2> chunk{};
#pragma unroll
      for (int j = 0; j < W; ++j) {
        d[j] -= of.mean;
        chunk.value[0] += g[j] * scale[j];
        chunk.value[1] += g[j] * scale[j] * d[j];
      }
      sums = sums + chunk;
    }
    sums = warp_combine(sums, Add{});
    if constexpr (Team::most_warps > 1)
      sums = sum_of_warps<Team>(Team::exchange(sums, turn),
                                [](const Sums<C, 2>& warp, int) { return warp; });
    const C b = args.mean ? sums.value[0] * share : C(0);
    const C c = sums.value[1] * share * of.inverse * of.inverse;
    const int64_t ahead = at + ring.stages * apart;
    const bool more = turn + ring.stages < rows.count;
#pragma unroll
    for (int v = 0; v < Vectors; ++v) {
      C g[W], d[W], scale[W];
      expand(ring.slot(0, v), d);
      expand(ring.slot(1, v), g);
      scales.load(v, scale);
      if (more && own.has(v)) {
        ring.request(0, v, static_cast<const T*>(args.x) + ahead + v * own.step);
        ring.request(1, v, static_cast<const T*>(args.dy) + ahead + v * own.step);
      }
#pragma unroll
      for (int j = 0; j < W; ++j) {
        d[j] -= of.mean;
        parameter[0][v][j] += g[j] * (d[j] * of.inverse);
        parameter[1][v][j] += g[j];
        g[j] = (g[j] * scale[j] - b - d[j] * c) * of.inverse;
      }
      if (args.dx && own.has(v))
        store_vector(static_cast<T*>(args.dx) + at + v * own.step, contract<T>(g));
    }
    ring.next();
  }
  if (partial)
    write_parameter_partials<Team>(parameter, partial, Team::part(), own.first, own.step, own.end,
                                   n);
}

template <class T>
bool fits(const RowNormGradientArgs& args) {
  const int64_t chunks = args.channels / vector_width<T>;
  if (!whole_chunks(static_cast<const T*>(args.x), args.channels) || !aligned(args.dy) ||
      !aligned(args.dx) || !aligned(args.scale) || blocks_of_row(chunks) == 0)
    return false;
  bool room = false;
  with_row_team(chunks, [&]<class Team, int Vectors>() {
    room = shared_bytes<T, Team, Vectors> + shared_beside<Team> <= device().shared_per_block;
  });
  return room;
}

}  // namespace

bool row_norm_gradient_fits_stream(const RowNormGradientArgs& args) {
  return visit_float(args.dtype, [&]<class T>(Type<T>) { return fits<T>(args); });
}
bool row_norm_gradient_wants_stream(const RowNormGradientArgs& args) {
  return visit_float(args.dtype, [&]<class T>(Type<T>) {
    return fits<T>(args) && enough_to_stream(args.rows, args.channels / vector_width<T>);
  });
}
void row_norm_gradient_stream(const RowNormGradientArgs& args) {
  const bool parameters = args.dscale || args.dshift;
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    using C = Compute<T>;
    const int64_t chunks = args.channels / vector_width<T>;
    with_row_team(chunks, [&]<class Team, int Vectors>() {
      constexpr auto kernel = row_norm_gradient_stream_kernel<T, Team, Vectors>;
      const LaunchConfig config =
          stream_launch<kernel, Team>(args.rows, chunks, shared_bytes<T, Team, Vectors>);
      const unsigned parts = config.grid.x / config.cluster.x;
      const Scratch partial(parameters ? sizeof(C) * parts * 2 * size_t(args.channels) : 0);
      launch<kernel>(config, args, partial.as<C>());
      if (parameters) sum_parameter_partials(args, partial.as<C>(), static_cast<int>(parts));
    });
  });
}

}  // namespace strata::gpu

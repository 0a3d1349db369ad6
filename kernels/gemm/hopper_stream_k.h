// Stream-K's parts: who works on which steps of K, and how sums change hands. See
// 20_hopper_stream_k.cu.
#pragma once

#include "kernels/gemm/hopper_tma_store.h"
#include "kernels/gpu/ptx/flag.h"
#include "kernels/gpu/scratch.h"

namespace strata::gpu {

// Pairs of tiles 0 to `whole` are dealt out as they are, the steps of those behind by length.
struct StreamLine {
  TileOrder order;
  int clusters, whole, steps;
  int64_t length;  // steps of all pairs of the line

  StreamLine(const TileOrder& order, int clusters, int steps)
      : order(order), clusters(clusters), steps(steps) {
    const int pairs = order.total(), waves = pairs / clusters;
    whole = pairs % clusters == 0 ? pairs : waves < 2 ? 0 : (waves - 1) * clusters;
    length = int64_t{pairs - whole} * steps;
  }
  DEVICE int64_t begin(int cluster) const { return cluster * length / clusters; }
  DEVICE int cluster_at(int64_t step) const {
    return static_cast<int>(((step + 1) * clusters - 1) / length);
  }
};
// What a cluster works on next: some steps of a pair of tiles.
struct Part {
  int pair, first, steps;
  bool last;  // of the pair's parts
};
class Parts {
 public:
  DEVICE Parts(const StreamLine& line, int cluster)
      : line_(line), begin_(line.begin(cluster)), end_(line.begin(cluster + 1)), pair_(cluster) {}
  DEVICE bool next(Part& part) {
    if (end_ > begin_) {
      const auto pair = static_cast<int>((end_ - 1) / line_.steps);
      const int64_t start = int64_t{pair} * line_.steps, from = begin_ > start ? begin_ : start;
      part = {line_.whole + pair, static_cast<int>(from - start), static_cast<int>(end_ - from),
              end_ == start + line_.steps};
      end_ = from;
      return true;
    }
    if (pair_ >= line_.whole) return false;
    part = {pair_, 0, line_.steps, true};
    pair_ += line_.clusters;
    return true;
  }

 private:
  const StreamLine& line_;
  int64_t begin_, end_;  // what is left of the piece
  int pair_;
};

// What clusters give away: one slot each, in the order of their threads' registers.
template <class Shape>
struct Slots {
  static constexpr int groups = cluster_blocks * Shape::consumers;  // warpgroups of a cluster
  static constexpr int vectors = Shape::tile_n / 2 / 4;             // of a thread
  uint32_t* flags;                                                  // [clusters][groups]
  float* sums;  // [clusters][groups][vectors][128 threads][4]

  static size_t flag_bytes(int clusters) {
    return (static_cast<size_t>(clusters) * groups + 1) * sizeof(uint32_t);
  }
  static size_t sum_bytes(int clusters) {
    return static_cast<size_t>(clusters) * groups * vectors * warpgroup_threads * sizeof(float[4]);
  }
  DEVICE int slot(int cluster, int me) const {
    return (cluster * cluster_blocks + static_cast<int>(cluster_rank())) * Shape::consumers + me;
  }
  DEVICE float* place(int slot, int vector) const {
    return sums +
           ((int64_t{slot} * vectors + vector) * warpgroup_threads + thread_of_warpgroup()) * 4;
  }
  DEVICE void give(const float (&d)[Shape::tile_n / 2], int cluster, int me) const {
    const int mine = slot(cluster, me);
#pragma unroll
    for (int v = 0; v < vectors; ++v) {
      Vec<float, 4> part;
#pragma unroll
      for (int i = 0; i < 4; ++i) part[i] = d[4 * v + i];
      store_vector(place(mine, v), part);
    }
    barrier_sync(warpgroup(), warpgroup_threads);
    if (thread_of_warpgroup() == 0) raise_flag(flags + mine);
  }
  // Adds the parts of clusters `from` to `to` - 1, in this order. Several loads are under way: a
  // way to L2 and back for each vector would take as long as the products of a tile.
  DEVICE void take(float (&d)[Shape::tile_n / 2], int from, int to, int me) const {
    constexpr int batch = 8;
    for (int cluster = from; cluster < to; ++cluster) {
      const int theirs = slot(cluster, me);
      if (thread_of_warpgroup() == 0) await_flag(flags + theirs);
      barrier_sync(warpgroup(), warpgroup_threads);
#pragma unroll
      for (int v = 0; v < vectors; v += batch) {
        Vec<float, 4> parts[batch];
#pragma unroll
        for (int i = 0; i < batch; ++i) parts[i] = load_vector<4>(place(theirs, v + i));
#pragma unroll
        for (int i = 0; i < batch; ++i)
#pragma unroll
          for (int j = 0; j < 4; ++j) d[4 * (v + i) + j] += parts[i][j];
      }
    }
  }
};

// The number of this cluster, in the order in which clusters start where there are tickets; the
// barriers of the ring of all its blocks are there when it is known.
template <class Shape>
DEVICE int start_cluster(typename Shape::Ring& ring, uint32_t* tickets) {
  struct Ticket {
    unsigned number;
  };
  Ticket& ticket = block_shared<Ticket>();
  if (threadIdx.x == 0) {
    initialise(ring, Shape::consumers * cluster_blocks);
    if (tickets && cluster_rank() == 0) ticket.number = atomicAdd(tickets, 1u);
  }
  cluster_sync();
  if (!tickets) return static_cast<int>(blockIdx.x) / cluster_blocks;
  const unsigned number = *cluster_shared(&ticket.number, 0);
  cluster_sync();  // nobody ends while its number is being read
  return static_cast<int>(number);
}

// Launches Kernel, which takes the maps of A, B and C, the product, the line, the flags and the
// sums.
template <class Shape, auto Kernel>
void launch_stream_k(const HopperProduct& product) {
  const TileOrder order = tile_order(product, cluster_blocks * Shape::tile_m, Shape::tile_n);
  const int steps = static_cast<int>(divide_up(product.arguments.K, Shape::Ring::A::depth));
  // A piece is worth a cluster's start from a few steps on.
  const int64_t most = std::max<int64_t>(1, int64_t{order.total()} * steps / Shape::stages);
  const int clusters = static_cast<int>(
      std::min<int64_t>(most, std::max(1, device().multiprocessors / cluster_blocks)));
  const StreamLine line(order, clusters, steps);
  const bool shared_pairs = line.length > 0;
  const Scratch flags(shared_pairs ? Slots<Shape>::flag_bytes(clusters) : 0);
  const Scratch sums(shared_pairs ? Slots<Shape>::sum_bytes(clusters) : 0);
  if (shared_pairs)
    fill_bytes(flags.as<void>(), 0, Slots<Shape>::flag_bytes(clusters), current_stream());
  launch<Kernel>({.grid = static_cast<unsigned>(clusters * cluster_blocks),
                  .block = Shape::block_threads,
                  .shared = sizeof(typename Shape::Shared),
                  .cluster = cluster_blocks},
                 product.a.map<typename Shape::A>(), product.b.map<typename Shape::B>(),
                 Shape::map_c(product), make_product<typename Shape::Element>(product.arguments),
                 line, shared_pairs ? flags.as<uint32_t>() : nullptr, sums.as<float>());
}

}  // namespace strata::gpu

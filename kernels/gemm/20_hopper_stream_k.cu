// Stream-K with the kernel of 16_tma_store: where the tiles of C do not come out in whole waves,
// the steps of K of the last ones are dealt out in equal pieces (Osama et al. 2023, "Stream-K:
// Work-centric parallel decomposition for dense matrix-matrix multiplication on the GPU").
//
// With 66 clusters and 96 pairs of tiles, 16_tma_store works two waves, the second of them half
// empty. Here whole pairs are taken while two waves or more are left; what then is left (up to two
// waves) stands in one line of K steps, of which every cluster gets a piece of the same length.
//
//   line      | pair 0      | pair 1      | pair 2      |      4 clusters: each 3/4 of a pair
//   clusters  | 0       | 1       | 2       | 3         |
//
// A pair belongs to the cluster with its last steps, which adds what the lower clusters have left
// in the workspace and stores C as ever, epilogue and all. So that nobody waits, a cluster takes
// its piece from behind: first the pair that it shares with the next cluster, whose sums it gives
// away, last the one that it finishes itself. It waits, by flags, for lower clusters only, and has
// its number by a ticket: those have started. Sums are added in the order of K: the same bits in
// every run.
//
// Bytes: as 16_tma_store, and up to 256 KiB of f32 a cluster written and read once, through L2; a
// memset of 1 KiB. Registers and shared memory: as 16_tma_store, 225 KiB.
#include "kernels/gemm/hopper_cost.h"
#include "kernels/gemm/hopper_tma_store.h"
#include "kernels/gpu/ptx/flag.h"
#include "kernels/gpu/scratch.h"

namespace strata::gpu {
namespace {

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
  // Adds the parts of clusters `from` to `to` - 1 and d, in this order.
  DEVICE void take(float (&d)[Shape::tile_n / 2], int from, int to, int me) const {
    for (int cluster = from; cluster < to; ++cluster)
      if (thread_of_warpgroup() == 0) await_flag(flags + slot(cluster, me));
    barrier_sync(warpgroup(), warpgroup_threads);
#pragma unroll
    for (int v = 0; v < vectors; ++v) {
      Vec<float, 4> sum = load_vector<4>(place(slot(from, me), v));
      for (int cluster = from + 1; cluster < to; ++cluster) {
        const Vec<float, 4> part = load_vector<4>(place(slot(cluster, me), v));
#pragma unroll
        for (int i = 0; i < 4; ++i) sum[i] += part[i];
      }
#pragma unroll
      for (int i = 0; i < 4; ++i) d[4 * v + i] = sum[i] + d[4 * v + i];
    }
  }
};

// The number of this cluster, in the order in which clusters start; the barriers of the ring of all
// its blocks are there when it is known.
template <class Shape>
DEVICE int start_cluster(typename Shape::Ring& ring, uint32_t* tickets) {
  struct Ticket {
    unsigned number;
  };
  Ticket& ticket = block_shared<Ticket>();
  if (threadIdx.x == 0) {
    initialise(ring, Shape::consumers * cluster_blocks);
    if (cluster_rank() == 0) ticket.number = atomicAdd(tickets, 1u);
  }
  cluster_sync();
  const unsigned number = *cluster_shared(&ticket.number, 0);
  cluster_sync();  // nobody ends while its number is being read
  return static_cast<int>(number);
}

template <class Shape>
__global__ void __launch_bounds__(Shape::block_threads, 1)
    stream_k_kernel(const __grid_constant__ TensorMap map_a,
                    const __grid_constant__ TensorMap map_b,
                    const __grid_constant__ TensorMap map_c,
                    const __grid_constant__ Product<typename Shape::Element> product,
                    const __grid_constant__ StreamLine line, uint32_t* flags, float* sums) {
  using Ring = typename Shape::Ring;
  typename Shape::Shared& shared = *dynamic_shared<typename Shape::Shared>();
  Ring& ring = shared.ring;
  const Slots<Shape> slots{flags + 1, sums};
  const int cluster = start_cluster<Shape>(ring, flags);  // the first counts tickets
  const int rank = static_cast<int>(cluster_rank());

  Part part;
  Parts parts(line, cluster);
  Place<Shape::stages> place;
  if (warpgroup() == 0) {
    registers_decrease<40>();
    if (threadIdx.x == 0) {
      while (parts.next(part)) {
        const TilePlace tile = line.order.at(part.pair);
        fill_shared_b(ring, place, &map_a, &map_b, (tile.m * cluster_blocks + rank) * Shape::tile_m,
                      tile.n * Shape::tile_n, batch_of_a(product, tile.batch),
                      batch_of_b(product, tile.batch), part.first, part.steps);
      }
    }
  } else {
    registers_increase<232>();
    const int me = warpgroup() - 1;
    float d[1][Shape::tile_n / 2];
    while (parts.next(part)) {
      multiply(d, ring, place, 64 * me, part.steps,
               [&](int stage) { release_to_cluster(ring, stage); });
      if (!part.last) {
        slots.give(d[0], cluster, me);
        continue;
      }
      if (part.first > 0)
        slots.take(d[0], line.cluster_at(int64_t{part.pair - line.whole} * line.steps), cluster,
                   me);
      const TilePlace tile = line.order.at(part.pair);
      const BoxedStore<Shape> store{product,
                                    &map_c,
                                    shared.c[me],
                                    (tile.m * cluster_blocks + rank) * Shape::tile_m + 64 * me,
                                    tile.n * Shape::tile_n,
                                    tile.batch};
      store(d[0]);
    }
    if (thread_of_warpgroup() == 0) bulk_wait_read<0>();  // shared memory ends with the block
  }
  __syncwarp();  // single threads join their warps again
  cluster_sync();
}

struct StreamK {
  template <class T, Major OrderA, Major OrderB>
  static void launch(const HopperProduct& product) {
    using Shape = TmaStoreShape<T, T, 128, 256, 4, OrderA, OrderB>;
    const TileOrder order = tile_order(product, cluster_blocks * Shape::tile_m, Shape::tile_n);
    const int steps = static_cast<int>(divide_up(product.arguments.K, Shape::Ring::A::depth));
    // A piece is worth a cluster's start from a few steps on.
    const int64_t most = std::max<int64_t>(1, int64_t{order.total()} * steps / Shape::stages);
    const int clusters = static_cast<int>(
        std::min<int64_t>(most, std::max(1, device().multiprocessors / cluster_blocks)));
    const StreamLine line(order, clusters, steps);
    const Scratch flags(Slots<Shape>::flag_bytes(clusters));
    const Scratch sums(line.length > 0 ? Slots<Shape>::sum_bytes(clusters) : 0);
    fill_bytes(flags.as<void>(), 0, Slots<Shape>::flag_bytes(clusters), current_stream());
    gpu::launch<stream_k_kernel<Shape>>({.grid = static_cast<unsigned>(clusters * cluster_blocks),
                                         .block = Shape::block_threads,
                                         .shared = sizeof(typename Shape::Shared),
                                         .cluster = cluster_blocks},
                                        product.a.map<typename Shape::A>(),
                                        product.b.map<typename Shape::B>(), Shape::map_c(product),
                                        make_product<typename Shape::Element>(product.arguments),
                                        line, flags.as<uint32_t>(), sums.as<float>());
  }
};
bool supports(const GemmArguments& arguments) {
  return supports_16_bit(arguments) && tma_stores(arguments);
}

}  // namespace

namespace gemm_ladder {
const GemmRung hopper_stream_k{"20_hopper_stream_k", "the last tiles' K in equal pieces", supports,
                               run_16_bit<StreamK>};
}

}  // namespace strata::gpu

// At most 128 rows against a large matrix of weights, whose bytes are all the time there is: a step
// of generation for a batch of sequences.
//
//   C [M, N] = A [M, K] B [K, N]              2 M operations an element of B, M <= 128
//
// Against 16_tma_store the operands change places, C^T = B^T A^T: columns of B are the rows of
// wgmma, 64 a warpgroup, and the rows of A its columns, of which it takes 8, 16, 32, 64 or 128. A
// tile of C is then as many columns of B as there are warpgroups to stream them, and nothing is
// multiplied for rows that A does not have. What is left is to keep reads on their way:
//
//   - The rings of a multiprocessor hold 128 to 192 KiB of B. At 4.2 TB/s and some 900 ns a read,
//     30 KiB a multiprocessor must be on their way; with so much more it does not matter that
//     tiles do not divide by multiprocessors: those that are idle leave their share to the others.
//   - A stage goes back to the copy engine as soon as its products are done. The other rungs leave
//     a group of products in flight, and with it a stage that waits for the next one to arrive.
//   - Where there are few tiles, K is cut between the blocks of a cluster, as many as run at once.
//     They lay their sums into shared memory, and each adds its share of the tile over all of them,
//     in the order of K, through the cluster's shared memory: no workspace, no second kernel, the
//     same bits each run.
//
// A must run along K; B along K or N. C is stored in vectors along rows, of any alignment. Bytes:
// all of B once, and A once a tile from L2: M / columns of B's. Registers (ptxas, sm_90a): 64, or
// 90 for more than 64 rows; no spills. Shared memory: two blocks of 112 KiB or one of up to 222.
#include "kernels/gemm/hopper.h"
#include "kernels/gemm/hopper_epilogue.h"
#include "kernels/gemm/hopper_launch.h"
#include "kernels/gpu/runtime.h"

namespace strata::gpu {
namespace {

constexpr int most_rows = 128, most_parts = 8;
constexpr int least_steps = 4;  // of K, in a part

// Few: rows of A, Columns: of B in a tile; Blocks of a multiprocessor, which share its memory.
template <class T, int Few, int Columns, int Blocks, Major OrderB>
struct SkinnyShape {
  using Element = T;
  static constexpr int few = Few, columns = Columns, blocks = Blocks;
  static constexpr int consumers = columns / 64, block_threads = consumers * warpgroup_threads + 32;

  // The ring's names are wgmma's: its A are columns of B.
  using Weights = OperandTile<T, columns, OrderB>;
  using Rows = OperandTile<T, Few, Major::k>;
  static constexpr int most_bytes = (Blocks == 2 ? 113 : 227) * 1024;
  using Ring = StageRing<Weights, Rows, (most_bytes - 2 * 1024) / (Weights::bytes + Rows::bytes)>;

  // Of the fragments that a warp stores at a time, rows 0, 2, 4, 6 begin 8 banks apart.
  static constexpr int pitch = columns + 4;
  struct Shared {
    union {
      Ring ring;
      float sums[Few][pitch];  // when nothing in the ring is needed any more
    };
    uint64_t read;  // completes when all blocks of the cluster have read these sums
  };
  static_assert(sizeof(float[Few][pitch]) <= offsetof(Ring, full), "the barriers stay");
  static_assert(sizeof(Shared) <= most_bytes);
};

// Starts the copies of `steps` steps of K from `first` on. One thread.
template <class Ring>
DEVICE void stream(Ring& ring, const TensorMap* weights, const TensorMap* rows, int column,
                   int first, int steps SIM_SITE) {
  Place<Ring::stages> place;
  for (int step = first; step < first + steps; ++step, place.advance()) {
    uint64_t* full = &ring.full[place.stage];
    mbarrier_wait(&ring.empty[place.stage], place.parity ^ 1 SIM_PASS);
    mbarrier_expect(full, Ring::A::bytes + Ring::B::bytes SIM_PASS);
    Ring::A::load(ring.a[place.stage], weights, column, step * Ring::A::depth, 0, full SIM_PASS);
    Ring::B::load(ring.b[place.stage], rows, 0, step * Ring::A::depth, 0, full SIM_PASS);
  }
}

// The sums of 64 columns of C in all rows, as the fragments of C^T that wgmma leaves.
template <class Ring, int Half>
DEVICE void multiply_at_once(float (&d)[1][Half], Ring& ring, int column, int steps SIM_SITE) {
  Place<Ring::stages> place;
  for (int step = 0; step < steps; ++step, place.advance()) {
    mbarrier_wait(&ring.full[place.stage], place.parity SIM_PASS);
    multiply_stage<typename Ring::A, typename Ring::B>(d, ring.a[place.stage], column,
                                                       ring.b[place.stage], step > 0 SIM_PASS);
    wgmma_wait<0>(SIM_PASS0);
    count_on_whole_warpgroup(SIM_PASS0);
    if (thread_of_warpgroup() == 0) mbarrier_arrive(&ring.empty[place.stage] SIM_PASS);
  }
}

// Turns the fragments: a row of `sums` is a row of C.
template <int Few, int Pitch>
DEVICE void lay_down(float (&sums)[Few][Pitch], const float (&d)[Few / 2], int column) {
#pragma unroll
  for (int j = 0; j < Few / 8; ++j)
#pragma unroll
    for (int i = 0; i < 4; ++i)
      sums[8 * j + fragment_column() + i % 2][column + fragment_row() + i / 2 * 8] = d[4 * j + i];
}

// This block's share of the cluster's tile, a vector of C a thread: the parts of K in order.
template <class Shape>
DEVICE void add_parts_of_cluster(const Product<typename Shape::Element>& product,
                                 typename Shape::Shared& shared, int column) {
  constexpr int width = vector_width<typename Shape::Element>, across = Shape::columns / width;
  const unsigned parts = cluster_size();
  const int threads = static_cast<int>(parts) * Shape::block_threads;
  for (int i = static_cast<int>(cluster_rank() * Shape::block_threads + threadIdx.x);
       i < product.M * across; i += threads) {
    const int row = i / across, place = i % across * width;
    if (column + place >= product.N) continue;
    float sums[width] = {};
#pragma unroll 4
    for (unsigned part = 0; part < parts; ++part) {
      const float* from = cluster_shared(&shared.sums[row][place], part);
#pragma unroll
      for (int v = 0; v < width; v += 4) {
        const Vec<float, 4> four = load_vector<4>(from + v);
#pragma unroll
        for (int e = 0; e < 4; ++e) sums[v + e] += four[e];
      }
    }
    store_sums<width>(product, 0, row, column + place, sums);
  }
}

template <class Shape>
__global__ void __launch_bounds__(Shape::block_threads, Shape::blocks)
    hopper_skinny_kernel(const __grid_constant__ TensorMap map_weights,
                         const __grid_constant__ TensorMap map_rows,
                         const __grid_constant__ Product<typename Shape::Element> product) {
  using Ring = typename Shape::Ring;
  typename Shape::Shared& shared = *dynamic_shared<typename Shape::Shared>();
  Ring& ring = shared.ring;
  const int parts = static_cast<int>(cluster_size()), part = static_cast<int>(cluster_rank());
  const int column = static_cast<int>(blockIdx.x) / parts * Shape::columns;
  const int64_t all = k_steps<Ring>(product.K);
  const int first = static_cast<int>(all * part / parts);
  const int steps = static_cast<int>(all * (part + 1) / parts) - first;

  if (threadIdx.x == 0) {
    mbarrier_init(&shared.read, cluster_size());
    initialise(ring, Shape::consumers);
  }
  if (threadIdx.x == Shape::block_threads - 1) {
    tma_prefetch(&map_weights);
    tma_prefetch(&map_rows);
  }
  __syncthreads();

  if (warpgroup() == Shape::consumers) {
    if (thread_of_warpgroup() == 0) stream(ring, &map_weights, &map_rows, column, first, steps);
    __syncwarp();
  } else {
    float d[1][Shape::few / 2];
    multiply_at_once(d, ring, 64 * warpgroup(), steps);
    barrier_sync(1, Shape::consumers * warpgroup_threads);  // the last stage is read by all
    lay_down(shared.sums, d[0], 64 * warpgroup());
  }
  if (parts == 1) {
    __syncthreads();
    add_parts_of_cluster<Shape>(product, shared, column);
    return;
  }
  cluster_sync();
  add_parts_of_cluster<Shape>(product, shared, column);
  // Shared memory ends with its block, so nobody leaves while others read. A second cluster_sync
  // would also wait until C is stored.
  __syncthreads();
  if (threadIdx.x < cluster_size()) mbarrier_arrive_remote(&shared.read, threadIdx.x);
  mbarrier_wait(&shared.read, 0);
}

// ---- host ----

// Parts of K: as many as there are multiprocessors for. Two parts beside each other on one cost
// more than they bring (H200).
template <class Shape>
unsigned parts_of(const GemmArguments& g) {
  const int64_t tiles = divide_up(g.N, Shape::columns), steps = divide_up(g.K, Shape::Rows::depth);
  unsigned parts = 1;
  while (parts < most_parts && 2 * parts * tiles <= device().multiprocessors &&
         steps >= 2 * parts * least_steps)
    parts *= 2;
  return parts;
}

template <class Shape>
void launch_shape(const HopperProduct& product) {
  const GemmArguments& g = product.arguments;
  const unsigned parts = parts_of<Shape>(g);
  launch<hopper_skinny_kernel<Shape>>({.grid = divide_up(g.N, Shape::columns) * parts,
                                       .block = Shape::block_threads,
                                       .shared = sizeof(typename Shape::Shared),
                                       .cluster = parts},
                                      product.b.map<typename Shape::Weights>(),
                                      product.a.map<typename Shape::Rows>(),
                                      make_product<typename Shape::Element>(g));
}

// The width of the tile, as an H200 wants it: wide ones where they keep half of the multiprocessors
// busy. More than 64 rows take a multiprocessor's memory to themselves.
template <class T, int Few, Major OrderB>
void launch_width(const HopperProduct& product) {
  if constexpr (Few == 128) {
    launch_shape<SkinnyShape<T, Few, 192, 1, OrderB>>(product);
  } else if (Few < 64 && 2 * divide_up(product.arguments.N, 128) >=
                             static_cast<unsigned>(device().multiprocessors)) {
    launch_shape<SkinnyShape<T, Few, 128, 2, OrderB>>(product);
  } else {
    launch_shape<SkinnyShape<T, Few, 64, 2, OrderB>>(product);
  }
}
template <class T, Major OrderB>
void launch_rows(const HopperProduct& product) {
  const int64_t M = product.arguments.M;
  if (M <= 8) return launch_width<T, 8, OrderB>(product);
  if (M <= 16) return launch_width<T, 16, OrderB>(product);
  if (M <= 32) return launch_width<T, 32, OrderB>(product);
  if (M <= 64) return launch_width<T, 64, OrderB>(product);
  launch_width<T, 128, OrderB>(product);
}
template <class T>
void launch_order(const HopperProduct& product) {
  if (product.b.order == Major::k)
    launch_rows<T, Major::k>(product);
  else
    launch_rows<T, Major::mn>(product);
}

bool supports(const GemmArguments& g) {
  return g.M <= most_rows && batch_count(g) == 1 && supports_16_bit(g) && a_order(g) == Order::k;
}
void run(const GemmArguments& g) {
  for_each_product(g, 2, [](const HopperProduct& product) {
    if (product.arguments.dtype == DType::bf16)
      launch_order<bf16>(product);
    else
      launch_order<f16>(product);
  });
}

}  // namespace

namespace gemm_ladder {
const GemmRung hopper_skinny{"19_hopper_skinny", "weights are the rows of wgmma, at most 128 of A",
                             supports, run};
}

}  // namespace strata::gpu

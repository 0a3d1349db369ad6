// The weight gradient of depthwise convolutions by the walk of depthwise_strip.h: a thread keeps
// K x K sums of its channels and the last rows of the gradient, widened; each element of x that
// comes by meets all of them. Strips of a block are added in order in shared memory, blocks' sums
// in order by fold(): the same bits from run to run, without atomics.
//
// Takes what depthwise_strip.cu takes, where rows are at least a strip wide. Memory: x and the
// gradient once, and K K C f32 of each block's sums.
#include "kernels/conv/depthwise_strip.h"
#include "kernels/conv/partials.h"
#include "kernels/gpu/scratch.h"

namespace strata::gpu::conv {
namespace {

// One block a multiprocessor, with all registers: 168 or 255 a thread.
constexpr int threads_of(int K) { return K == 3 ? 384 : 256; }
// Steps that are asked for ahead of the one in use, as in depthwise_strip.cu.
template <class S>
constexpr int steps_ahead() {
  return S::K == 3 ? S::unrolled - 1 : 1;
}

// The sums of the block's strips, added in order, then stored [channels][taps] as filters lie.
template <int V, int taps>
DEVICE void store_sums(const Walk& walk, const Lane& lane, const Vec<float, V> (&sum)[taps],
                       float* partial) {
  float* shared = dynamic_shared<float>();
  for (int item = 0; item < walk.items; ++item) {
    if (item == lane.item) {
#pragma unroll
      for (int t = 0; t < taps; ++t) {
        float* at = shared + (lane.chunk * taps + t) * V;
        Vec<float, V> total = sum[t];
        if (item > 0) {
          const Vec<float, V> before = load_vector<V>(at);
#pragma unroll
          for (int e = 0; e < V; ++e) total[e] = before[e] + total[e];
        }
        store_vector(at, total);
      }
    }
    __syncthreads();
  }
  const int first = walk.first_channel(V);
  float* to = partial + (static_cast<int64_t>(blockIdx.x) * walk.C + first) * taps;
  for (int i = static_cast<int>(threadIdx.x); i < walk.channels(V) * taps;
       i += static_cast<int>(blockDim.x))
    to[filter_element<V, taps>(i)] = shared[i];
}

// A row of x that comes by meets all rows of the gradient that are at hand.
template <class S, class T, int V, int rows>
DEVICE void accumulate(int row, int p, int P, const Pixels<Chunk<T, V>, S::columns>& x,
                       const Pixels<Chunk<T, V>, S::width> (&gradients)[rows],
                       Vec<float, V> (&sum)[S::taps]) {
  float values[S::columns][V];
#pragma unroll
  for (int j = 0; j < S::columns; ++j) expand_chunk<T>(x.at[j], values[j]);
#pragma unroll
  for (int m = 0; m < S::live; ++m) {
    const int r = S::tap_row(row, m);
    // A row that is none was loaded as zeros, but x may be infinite.
    if (r < 0 || static_cast<unsigned>(p + m) >= static_cast<unsigned>(P)) continue;
#pragma unroll
    for (int b = 0; b < S::width; ++b) {
      float gradient[V];
      expand_chunk<T>(gradients[m].at[b], gradient);
#pragma unroll
      for (int s = 0; s < S::K; ++s) {
#pragma unroll
        for (int e = 0; e < V; ++e)
          sum[r * S::K + s][e] += gradient[e] * values[b * S::stride + s][e];
      }
    }
  }
}

template <class T, class S>
__global__ void __launch_bounds__(threads_of(S::K), 1)
    depthwise_strip_weight_kernel(Walk walk, const T* x, const T* gradient, float* partial) {
  constexpr int V = strip_channels<T, S::K>, ahead = steps_ahead<S>();
  const Lane lane = Lane::of<V>(walk);
  const int channel = lane.channel<V>(walk);
  // The last strip of a row ends with it; of the gradient it takes what the one before left.
  const int own = lane.tile * S::width, column = min(own, walk.target_W - S::width);
  using Source = StripRows<const T, V, S::columns>;
  using Target = StripRows<const T, V, S::width>;
  const Source from = Source::of(x, walk, walk.source_H, walk.source_W, channel,
                                 column * S::stride + walk.source_column);
  Target by = Target::of(gradient, walk, walk.target_H, walk.target_W, channel, column);
  by.mask &= ~0u << (own - column);

  struct Step {
    Pixels<Chunk<T, V>, S::columns> row[S::rows_in];
    Pixels<Chunk<T, V>, S::width> gradient;
  };
  Step steps[ahead + 1];
  Pixels<Chunk<T, V>, S::width> gradients[S::live] = {};
  Vec<float, V> sum[S::taps] = {};
  Cursor loading = lane.begin(walk), now = loading;
  // Early steps only bring rows of the gradient; x counts from the piece's own steps on, which in
  // the first piece are all.
  int early = lane.piece == 0 ? 0 : S::reach;
  auto load = [&](Step& step) {
#pragma unroll
    for (int i = 0; i < S::rows_in; ++i)
      from.load(loading.n, loading.u * S::rows_in + walk.source_row + i, early <= 0, step.row[i]);
    by.load(loading.n, loading.u, true, step.gradient);
    loading.advance(walk);
    --early;
  };
  const int count = lane.active ? walk.piece + S::reach : 0;
  if (lane.active) {
#pragma unroll
    for (int i = 0; i < ahead; ++i) load(steps[i]);
  }
  for (int begun = 0; begun < count; begun += S::unrolled) {
#pragma unroll
    for (int phase = 0; phase < S::unrolled; ++phase) {
      load(steps[ahead]);
      gradients[S::reach] = steps[0].gradient;
#pragma unroll
      for (int i = 0; i < S::rows_in; ++i)
        accumulate<S, T>(i, now.u - S::reach, walk.target_H, steps[0].row[i], gradients, sum);
      now.advance(walk);
      advance(steps);
      advance(gradients);
    }
  }
  store_sums(walk, lane, sum, partial);
}

template <class T, int K, int stride>
void run_strips(const Problem& problem) {
  using S = Strip<K, stride, false, weight_strip_width(K, stride)>;
  constexpr int V = strip_channels<T, K>;
  const ConvShape& k = problem.shape;
  const Walk walk = walk_of<S>(k, false, V, threads_of(K));
  const dim3 grid = grid_of(walk, V);
  Scratch partial(sizeof(float) * grid.x * static_cast<size_t>(k.C * S::taps));
  launch<depthwise_strip_weight_kernel<T, S>>(
      {.grid = grid,
       .block = threads_of(K),
       .shared = sizeof(float) * S::taps * static_cast<size_t>(walk.across * V)},
      walk, static_cast<const T*>(problem.x), static_cast<const T*>(problem.gradient),
      partial.as<float>());
  fold(k.dtype, partial.as<void>(), grid.x, k.C * S::taps, problem.out);
}

template <class T, int K>
void run_filters(const Problem& problem) {
  problem.shape.stride_h == 2 ? run_strips<T, K, 2>(problem) : run_strips<T, K, 1>(problem);
}

}  // namespace

void strip_weight_gradient(const Problem& problem) {
  visit_strip(problem, [&]<class T, int K>() { run_filters<T, K>(problem); });
}

}  // namespace strata::gpu::conv

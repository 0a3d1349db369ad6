// Depthwise convolutions that read each element once: the walk of depthwise_strip.h, which keeps
// the target rows under way as f32 sums and the K x K filters of its channels in registers. Against
// depthwise.cu, which gathers each product: no address, bounds and conversion for each of them, but
// 262 instructions for 16 outputs of 3x3 in bf16, of which 144 are products; and the loads of
// two more steps are under way at any time.
//
// 3x3, 5x5 and 7x7 with stride 1 or 2 in both directions, no dilation; f32, bf16, f16; channels in
// chunks of 8 bytes (4 for 5x5 and 7x7 in 16 bits), aligned. Memory: source and target once, and
// the columns to the left and right of 4 again from the L1 cache.
#include "kernels/conv/depthwise_strip.h"
#include "kernels/conv/epilogue.h"

namespace strata::gpu::conv {
namespace {

// One block a multiprocessor, with all registers: 168 or 255 a thread.
template <class S>
constexpr int threads_of() {
  return S::K == 3 && S::rows_in == 1 ? 384 : 256;
}
constexpr int strip_width(int K, int stride, bool transposed) {
  return K == 7 && stride == 2 && !transposed ? 2 : 4;
}
// Steps that are asked for ahead of the one in use. Where they and it are as many as are unrolled,
// rows stay where they arrive; a copy would wait for them.
template <class S>
constexpr int steps_ahead() {
  return S::K == 7 || (S::K == 5 && S::rows_in == 2) ? 1 : S::unrolled - 1;
}

template <class T, int V, int taps>
DEVICE void stage_filters(const Walk& walk, const T* weight, float* filters) {
  const T* from = weight + static_cast<int64_t>(walk.first_channel(V)) * taps;
  for (int i = static_cast<int>(threadIdx.x); i < walk.channels(V) * taps;
       i += static_cast<int>(blockDim.x))
    filters[i] = widen(from[filter_element<V, taps>(i)]);
}

// A source row that comes by meets all target rows under way.
template <class S, class T, int V>
DEVICE void accumulate(int row, const Pixels<Chunk<T, V>, S::columns>& source,
                       const Vec<float, V> (&filter)[S::taps],
                       Pixels<Vec<float, V>, S::width> (&sum)[S::live]) {
#pragma unroll
  for (int j = 0; j < S::columns; ++j) {
    float values[V];
    expand_chunk<T>(source.at[j], values);
#pragma unroll
    for (int m = 0; m < S::live; ++m) {
#pragma unroll
      for (int b = 0; b < S::width; ++b) {
        const int r = S::tap_row(row, m), s = S::tap_column(j, b);
        if (r < 0 || s < 0) continue;
#pragma unroll
        for (int e = 0; e < V; ++e) sum[m].at[b][e] += values[e] * filter[r * S::K + s][e];
      }
    }
  }
}

// Scale, bias, residual and ReLU as Epilogue::value() does them, by chunks: the arrays of the
// thread's channels, or null.
template <class T, int V>
struct Finish {
  const float* scale;
  const T *bias, *residual;
  bool relu;

  DEVICE static Finish of(const Epilogue<T>& epilogue, int channel) {
    return {epilogue.scale ? epilogue.scale + channel : nullptr,
            epilogue.bias ? epilogue.bias + channel : nullptr, epilogue.residual, epilogue.relu};
  }
  DEVICE static void add(const T* addend, float (&values)[V]) {
    float added[V];
    expand_chunk<T>(*reinterpret_cast<const Chunk<T, V>*>(addend), added);
#pragma unroll
    for (int e = 0; e < V; ++e) values[e] += added[e];
  }
  DEVICE void operator()(int64_t offset, float (&values)[V]) const {
    if (scale) {
#pragma unroll
      for (int e = 0; e < V; ++e) values[e] *= scale[e];
    }
    if (bias) add(bias, values);
    if (residual) add(residual + offset, values);
#pragma unroll
    for (int e = 0; e < V; ++e) values[e] = relu && values[e] < 0 ? 0 : values[e];  // NaN stays
  }
};

// Row h of image n is finished; `wanted`: it is this piece's.
template <bool plain, class S, class T, int V>
DEVICE void store_row(const Finish<T, V>& finish, const T* out,
                      const StripRows<T, V, S::width>& target, int n, int h, bool wanted,
                      const Pixels<Vec<float, V>, S::width>& sum) {
  const unsigned bits = wanted ? target.present(n, h) : 0;
  T* pixel = target.row(n, h);
#pragma unroll
  for (int b = 0; b < S::width; ++b, pixel += target.C) {
    float values[V];
#pragma unroll
    for (int e = 0; e < V; ++e) values[e] = sum.at[b][e];
    if constexpr (!plain) {
      if (bits >> b & 1) finish(pixel - out, values);
    }
    const Vec<T, V> finished = contract<T>(values);
    if (bits >> b & 1) store_vector(pixel, finished);
  }
}

// `plain`: nothing follows the sum, which spares the stores all questions.
template <class T, class S, bool plain>
__global__ void __launch_bounds__(threads_of<S>(), 1)
    depthwise_strip_kernel(Walk walk, const T* source, const T* weight, Epilogue<T> epilogue) {
  constexpr int V = strip_channels<T, S::K>, ahead = steps_ahead<S>();
  float* filters = dynamic_shared<float>();
  stage_filters<T, V, S::taps>(walk, weight, filters);
  __syncthreads();
  const Lane lane = Lane::of<V>(walk);
  if (!lane.active) return;
  const int channel = lane.channel<V>(walk);
  Vec<float, V> filter[S::taps];
#pragma unroll
  for (int t = 0; t < S::taps; ++t)
    filter[t] = load_vector<V>(filters + (lane.chunk * S::taps + t) * V);

  using Source = StripRows<const T, V, S::columns>;
  using Target = StripRows<T, V, S::width>;
  const Source from = Source::of(source, walk, walk.source_H, walk.source_W, channel,
                                 lane.tile * S::step_in + walk.source_column);
  const Target to = Target::of(epilogue.out, walk, walk.target_H, walk.target_W, channel,
                               lane.tile * S::width + walk.target_column);

  Finish<T, V> finish;
  if constexpr (!plain) finish = Finish<T, V>::of(epilogue, channel);

  struct Step {
    Pixels<Chunk<T, V>, S::columns> row[S::rows_in];
  };
  Step steps[ahead + 1];
  Pixels<Vec<float, V>, S::width> sum[S::live] = {};
  Cursor loading = lane.begin(walk), storing = loading;
  auto load = [&](Step& step) {
#pragma unroll
    for (int i = 0; i < S::rows_in; ++i)
      from.load(loading.n, loading.u * S::rows_in + walk.source_row + i, true, step.row[i]);
    loading.advance(walk);
  };
#pragma unroll
  for (int i = 0; i < ahead; ++i) load(steps[i]);

  for (int begun = 0; begun < walk.piece + S::reach; begun += S::unrolled) {
#pragma unroll
    for (int phase = 0; phase < S::unrolled; ++phase) {
      load(steps[ahead]);
#pragma unroll
      for (int i = 0; i < S::rows_in; ++i) {
        accumulate<S, T>(i, steps[0].row[i], filter, sum);
      }
      // The oldest rows are finished, if the piece saw them begin.
      const bool own = begun + phase >= S::reach;
      const int h = (storing.u - S::reach) * S::rows_out + walk.target_row;
#pragma unroll
      for (int a = 0; a < S::rows_out; ++a)
        store_row<plain, S>(finish, epilogue.out, to, storing.n, h + a, own, sum[a]);
      storing.advance(walk);
      advance(steps);
      advance<S::rows_out>(sum);
#pragma unroll
      for (int m = S::live - S::rows_out; m < S::live; ++m) sum[m] = {};
    }
  }
}

template <class T, int K, int stride, bool transposed>
void run_strips(const Problem& problem) {
  using S = Strip<K, stride, transposed, strip_width(K, stride, transposed)>;
  constexpr int V = strip_channels<T, K>;
  const Walk walk = walk_of<S>(problem.shape, transposed, V, threads_of<S>());
  const LaunchConfig config = {
      .grid = grid_of(walk, V),
      .block = threads_of<S>(),
      .shared = sizeof(float) * S::taps * static_cast<size_t>(walk.across * V)};
  const T* source = static_cast<const T*>(transposed ? problem.gradient : problem.x);
  const T* weight = static_cast<const T*>(problem.weight);
  const Epilogue<T> epilogue = epilogue_of<T>(problem);
  if constexpr (!transposed) {
    if (epilogue.scale || epilogue.bias || epilogue.residual || epilogue.relu)
      return launch<depthwise_strip_kernel<T, S, false>>(config, walk, source, weight, epilogue);
  }
  launch<depthwise_strip_kernel<T, S, true>>(config, walk, source, weight, epilogue);
}

template <class T, int K>
void run_filters(const Problem& problem) {
  const bool strided = problem.shape.stride_h == 2;
  if (problem.pass == Pass::forward)
    strided ? run_strips<T, K, 2, false>(problem) : run_strips<T, K, 1, false>(problem);
  else
    strided ? run_strips<T, K, 2, true>(problem) : run_strips<T, K, 1, true>(problem);
}

void run(const Problem& problem) {
  if (problem.pass == Pass::weight_gradient) return strip_weight_gradient(problem);
  visit_strip(problem, [&]<class T, int K>() { run_filters<T, K>(problem); });
}

bool supports(const Problem& problem) {
  const ConvShape& k = problem.shape;
  const int size = static_cast<int>(size_of(k.dtype)), V = size == 2 && k.R == 3 ? 4 : 2;
  return k.dtype != DType::f64 && depthwise.supports(problem) && k.R == k.S &&
         (k.R == 3 || k.R == 5 || k.R == 7) && k.stride_h == k.stride_w && k.stride_h <= 2 &&
         k.dilation_h == 1 && k.dilation_w == 1 && std::min(k.top, k.left) >= 0 && k.C % V == 0 &&
         aligned(problem, V * size) &&
         reinterpret_cast<uintptr_t>(problem.bias) % static_cast<uintptr_t>(V * size) == 0 &&
         (problem.pass != Pass::weight_gradient || k.Q >= weight_strip_width(k.R, k.stride_w));
}

}  // namespace

const ConvRung depthwise_strip = {
    "depthwise_strip", "rows under way in registers: each element is loaded once", supports, run};

}  // namespace strata::gpu::conv

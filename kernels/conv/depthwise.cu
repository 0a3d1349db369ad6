// Depthwise convolutions: one filter a channel (groups = C = O). There is no sum over channels, so
// no matrix product: 2 R S operations for each element read, 2.25 a byte for 3x3 in f32. Memory is
// the bound, and the aim is to read each array once from it.
//
// A block has 32 threads across, each with V neighbouring channels (4, or 1 where C is no multiple
// of 4), and 8 down, each with a pixel; a warp's loads are whole sectors, and the taps of
// neighbouring pixels overlap in the L1 cache. Filters lie [C, R, S], channels outermost: the block
// copies those of its channels to shared memory once, tap by tap. The input gradient is the same
// walk over the taps that divide evenly (gather.h).
//
// Weight gradient: a block takes one tap, 32 V channels and a share of the pixels, and its 8 rows
// of threads add up in order; shares are added in order (fold). x and the gradient are read R S
// times, mostly from L2.
//
// Any element type, stride, dilation and padding; sums in Compute<T>. Registers: 30 to 46; shared
// memory: R S 32 V sums. Run on an H200 by its tests, not timed.
#include <algorithm>

#include "kernels/conv/epilogue.h"
#include "kernels/conv/gather.h"
#include "kernels/gpu/gpu.h"

namespace strata::gpu::conv {
namespace {

constexpr int across = 32, down = 8, pixels_a_block = 64;

// Forward and input gradient: gather.channels is 1, so column k of the gather is tap k.
template <class T, int V>
__global__ void __launch_bounds__(across* down, 4)
    depthwise_kernel(Gather gather, const T* source, const T* weight, Epilogue<T> epilogue) {
  using Sum = Compute<T>;
  Sum* filters = dynamic_shared<Sum>();  // [taps][across V]
  const int lane = static_cast<int>(threadIdx.x), row = static_cast<int>(threadIdx.y);
  const int first = static_cast<int>(blockIdx.y) * across * V, C = gather.pitch;
  const int taps = gather.K();
  for (int i = row * across + lane; i < taps * across * V; i += across * down) {
    const int tap = i / (across * V), c = first + i % (across * V);
    filters[i] =
        c < C ? static_cast<Sum>(
                    weight[static_cast<int64_t>(c) * gather.weight_taps + gather.weight_tap(tap)])
              : Sum(0);
  }
  __syncthreads();
  const int channel = first + lane * V;
  if (channel >= C) return;
  const int begin = static_cast<int>(blockIdx.x) * pixels_a_block,
            end = min(begin + pixels_a_block, gather.pixels());
  for (int m = begin + row; m < end; m += down) {
    const Place place = gather.place(m);
    Sum sum[V] = {};
    for (int tap = 0; tap < taps; ++tap) {
      const T* address = gather.address(source + channel, place, gather.tap(tap));
      if (!address) continue;
      const Vec<T, V> values = load_vector<V>(address);
      const Vec<Sum, V> filter = load_vector<V>(filters + tap * across * V + lane * V);
#pragma unroll
      for (int e = 0; e < V; ++e) sum[e] += static_cast<Sum>(values[e]) * filter[e];
    }
    const int64_t offset = gather.destination(m) + channel;
    Vec<T, V> finished;
#pragma unroll
    for (int e = 0; e < V; ++e)
      finished[e] = static_cast<T>(epilogue.value(sum[e], channel + e, offset + e));
    store_vector(epilogue.out + offset, finished);
  }
}

template <class T, int V>
__global__ void __launch_bounds__(across* down, 4)
    depthwise_weight_kernel(Gather gather, const T* x, const T* gradient, int pixels_a_part,
                            Compute<T>* partial) {
  using Sum = Compute<T>;
  struct Shared {
    Sum sum[down][across * V];
  };
  Shared& shared = block_shared<Shared>();
  const int lane = static_cast<int>(threadIdx.x), row = static_cast<int>(threadIdx.y);
  const int C = gather.pitch, channel = (static_cast<int>(blockIdx.x) * across + lane) * V;
  const int tap = static_cast<int>(blockIdx.y), part = static_cast<int>(blockIdx.z);
  const int end = min((part + 1) * pixels_a_part, gather.pixels());
  Sum sum[V] = {};
  if (channel < C) {
    for (int m = part * pixels_a_part + row; m < end; m += down) {
      const T* address = gather.address(x + channel, gather.place(m), gather.tap(tap));
      if (!address) continue;
      const Vec<T, V> values = load_vector<V>(address);
      const Vec<T, V> g = load_vector<V>(gradient + static_cast<int64_t>(m) * C + channel);
#pragma unroll
      for (int e = 0; e < V; ++e) sum[e] += static_cast<Sum>(values[e]) * static_cast<Sum>(g[e]);
    }
  }
#pragma unroll
  for (int e = 0; e < V; ++e) shared.sum[row][lane * V + e] = sum[e];
  __syncthreads();
  if (row != 0 || channel >= C) return;
#pragma unroll
  for (int e = 0; e < V; ++e) {
    for (int r = 1; r < down; ++r) sum[e] += shared.sum[r][lane * V + e];
    partial[(static_cast<int64_t>(part) * C + channel + e) * gather.K() + tap] = sum[e];
  }
}

template <class T, int V>
void run_weight(const Problem& problem) {
  const ConvShape& k = problem.shape;
  const Gather gather = forward_gather(k);
  const int64_t slabs = divide_up(k.C, across * V), taps = k.R * k.S;
  const int64_t wanted = std::max<int64_t>(1, 8 * device().multiprocessors / (slabs * taps));
  const int64_t parts = std::clamp<int64_t>(gather.pixels() / 256, 1, wanted);
  const int64_t pixels = (gather.pixels() + parts - 1) / parts;
  Scratch partial(static_cast<size_t>(parts * k.C * taps) * sizeof(Compute<T>));
  launch<depthwise_weight_kernel<T, V>>(
      {.grid = dim3(static_cast<unsigned>(slabs), static_cast<unsigned>(taps),
                    static_cast<unsigned>(parts)),
       .block = dim3(across, down)},
      gather, static_cast<const T*>(problem.x), static_cast<const T*>(problem.gradient),
      static_cast<int>(pixels), partial.as<Compute<T>>());
  fold(k.dtype, partial.as<void>(), parts, k.C * taps, problem.out);
}

template <class T, int V>
void run_vectors(const Problem& problem) {
  if (problem.pass == Pass::weight_gradient) return run_weight<T, V>(problem);
  const ConvShape& k = problem.shape;
  const bool forward = problem.pass == Pass::forward;
  const void* source = forward ? problem.x : problem.gradient;
  for (const Gather& gather :
       forward ? std::vector<Gather>{forward_gather(k)} : input_gradient_classes(k))
    launch<depthwise_kernel<T, V>>(
        {.grid = dim3(divide_up(gather.pixels(), pixels_a_block), divide_up(k.C, across * V)),
         .block = dim3(across, down),
         .shared = static_cast<size_t>(gather.K()) * across * V * sizeof(Compute<T>)},
        gather, static_cast<const T*>(source), static_cast<const T*>(problem.weight),
        epilogue_of<T>(problem));
}

void run(const Problem& problem) {
  visit_float(problem.shape.dtype, [&]<class T>(Type<T>) {
    constexpr int V = sizeof(T) == 8 ? 2 : 4;
    if (problem.shape.C % V == 0 && aligned(problem, V * static_cast<int>(sizeof(T))))
      run_vectors<T, V>(problem);
    else
      run_vectors<T, 1>(problem);
  });
}

bool supports(const Problem& problem) {
  const ConvShape& k = problem.shape;
  return !has_zero(k) && fits_int(k) && k.groups == k.C && k.O == k.C && k.groups > 1 &&
         k.R * k.S <= 81 && !problem.norm.sums && !normalises_input(problem.norm);
}

}  // namespace

const ConvRung depthwise = {"depthwise", "one filter a channel: bound by memory, no product",
                            supports, run};

}  // namespace strata::gpu::conv

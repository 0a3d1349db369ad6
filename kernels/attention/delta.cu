// delta = sum(dout out) of each query, which all backward rungs start with: a warp a row. Reads 2 D
// elements a query and head; memory bound, under 1 % of a backward pass.
#include "kernels/attention/head.h"
#include "kernels/attention/rung.h"

namespace strata::gpu {
namespace {

using namespace attention_detail;

constexpr int warps = 8;

template <class T>
__global__ void attention_delta_kernel(const __grid_constant__ AttentionGradientArgs args,
                                       Compute<T>* delta) {
  const AttentionShape& s = args.shape;
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t index = static_cast<int64_t>(blockIdx.x) * warps + warp;
  const Place place = place_of(index, static_cast<int>(s.queries), s.heads);
  if (place.sample >= s.samples) return;
  const Head h = head_of(s, place.sample, place.head);
  const int t = place.block;
  if (t >= h.queries) return;
  const T* dout = h.query_rows<T>(args.dout) + t * args.dout.row;
  const T* out = h.query_rows<T>(const_cast<void*>(args.out)) + t * h.query_stride();
  Compute<T> sum = 0;
  for (int d = lane; d < s.size; d += 32) sum += Head::widened(dout[d]) * Head::widened(out[d]);
  for (int flip = 16; flip > 0; flip /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, flip);
  if (lane == 0) delta[h.statistic(t)] = sum;
}

}  // namespace

namespace attention_ladder {

void launch_delta(const AttentionGradientArgs& args, void* delta) {
  const AttentionShape& s = args.shape;
  visit_float(s.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch<attention_delta_kernel<T>>(
        {.grid = divide_up(s.samples * s.heads * s.queries, warps), .block = 32 * warps}, args,
        static_cast<Compute<T>*>(delta));
  });
}

size_t delta_bytes(const AttentionShape& s) {
  const size_t bytes =
      static_cast<size_t>(s.samples * s.heads * s.queries) * (s.dtype == DType::f64 ? 8 : 4);
  return (bytes + 255) / 256 * 256;
}

}  // namespace attention_ladder
}  // namespace strata::gpu

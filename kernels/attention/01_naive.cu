// Attention as it is written down: a matrix of scores, its softmax, a product with v.
//
//   scores  a thread a pair (t, j): dot product over D, mask        P [N, heads, T, S]
//   softmax a warp a row: maximum, sum, division; log-sum-exp       P in place
//   output  a thread an element (t, d): sum over j of P v
//
// Backward: a thread a pair works out p = exp(score - log-sum-exp) and ds = p (dout v - delta),
// into two matrices; then a thread an element of dq sums over keys, of dk and dv over queries and
// the heads of the group, each in order.
//
// It is the fallback for what no other rung takes (head sizes above 256), and what they are
// compared with. Arithmetic: 4 T S D forward, 10 T S D backward a head; the matrices make it memory
// bound: 3 T S elements written and 3 read forward, and D times that in reads that caches may hold.
// Workspace: forward 1, backward 2 matrices of f32 (f64 for f64).
// Registers: 30 to 64.
// H200, bf16, forward: 0.5 TFLOP/s at D 128, T 2048.
#include "kernels/attention/head.h"
#include "kernels/attention/rung.h"

namespace strata::gpu {
namespace {

using namespace attention_detail;

constexpr int threads = 256;

DEVICE float exponential(float x) { return __expf(x); }
DEVICE double exponential(double x) { return exp(x); }
DEVICE float logarithm(float x) { return __logf(x); }
DEVICE double logarithm(double x) { return log(x); }

// What thread `index` of [N, heads, rows, columns] works on.
struct Element {
  int64_t sample;
  int head, row, column;
  DEVICE Element(int64_t heads, int64_t rows, int64_t columns) {
    int64_t rest = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
    column = static_cast<int>(rest % columns);
    row = static_cast<int>((rest /= columns) % rows);
    head = static_cast<int>((rest /= rows) % heads);
    sample = rest / heads;
  }
};

template <class T>
DEVICE Compute<T> dot(const T* a, const T* b, int64_t size) {
  Compute<T> sum = 0;
  for (int64_t d = 0; d < size; ++d) sum += Head::widened(a[d]) * Head::widened(b[d]);
  return sum;
}

// Row t of the matrix of this head, which is as large for every sample.
template <class C>
DEVICE C* matrix_row(C* matrix, const Head& h, int t) {
  const AttentionShape& s = *h.shape;
  return matrix + ((h.sample * s.heads + h.head) * s.queries + t) * s.keys;
}

template <class T>
DEVICE Compute<T> score_of(const Head& h, int t, int j) {
  const AttentionShape& s = *h.shape;
  const Compute<T> product =
      dot(h.query_rows<T>(s.q) + t * s.q.row, h.key_rows<T>(s.k) + j * s.k.row, s.size);
  return h.masked<T>(product * static_cast<Compute<T>>(s.scale), t, j);
}

template <class T>
__global__ void naive_score_kernel(const __grid_constant__ AttentionArgs args) {
  const AttentionShape& s = args.shape;
  const Element e(s.heads, s.queries, s.keys);
  if (e.sample >= s.samples) return;
  const Head h = head_of(s, e.sample, e.head);
  if (e.row >= h.queries || e.column >= h.keys) return;
  matrix_row(static_cast<Compute<T>*>(args.workspace), h, e.row)[e.column] =
      score_of<T>(h, e.row, e.column);
}

template <class T>
__global__ void naive_softmax_kernel(const __grid_constant__ AttentionArgs args) {
  using C = Compute<T>;
  const AttentionShape& s = args.shape;
  const int lane = static_cast<int>(threadIdx.x);
  const Place place = place_of(blockIdx.x, static_cast<int>(s.queries), s.heads);
  const Head h = head_of(s, place.sample, place.head);
  const int t = place.block;
  if (t >= h.queries) return;
  C* row = matrix_row(static_cast<C*>(args.workspace), h, t);
  C largest = minus_infinity(), sum = 0;
  for (int j = lane; j < h.keys; j += 32) largest = row[j] > largest ? row[j] : largest;
  for (int flip = 16; flip > 0; flip /= 2) {
    const C other = __shfl_xor_sync(0xffffffffu, largest, flip);
    largest = other > largest ? other : largest;
  }
  const C shift = largest == C(minus_infinity()) ? C(0) : largest;
  for (int j = lane; j < h.keys; j += 32) sum += row[j] = exponential(row[j] - shift);
  for (int flip = 16; flip > 0; flip /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, flip);
  const C factor = sum == 0 ? C(0) : 1 / sum;  // 0: no key is seen
  for (int j = lane; j < h.keys; j += 32) row[j] *= factor;
  if (lane == 0) static_cast<C*>(args.log_sum_exp)[h.statistic(t)] = largest + logarithm(sum);
}

template <class T>
__global__ void naive_output_kernel(const __grid_constant__ AttentionArgs args) {
  using C = Compute<T>;
  const AttentionShape& s = args.shape;
  const Element e(s.heads, s.queries, s.size);
  if (e.sample >= s.samples) return;
  const Head h = head_of(s, e.sample, e.head);
  if (e.row >= h.queries) return;
  const C* p = matrix_row(static_cast<const C*>(args.workspace), h, e.row);
  const T* v = h.key_rows<T>(s.v) + e.column;
  const Interval keys = h.keys_of(e.row);
  C sum = 0;
  for (int j = keys.begin; j < keys.end; ++j) sum += p[j] * Head::widened(v[j * s.v.row]);
  h.query_rows<T>(args.out)[e.row * h.query_stride() + e.column] = narrowed<T>(sum);
}

template <class T>
struct Matrices {
  Compute<T>*delta, *p, *ds;
  explicit Matrices(const AttentionGradientArgs& args)
      : delta(static_cast<Compute<T>*>(args.workspace)) {
    const AttentionShape& s = args.shape;
    p = delta + attention_ladder::delta_bytes(s) / sizeof(Compute<T>);
    ds = p + s.samples * s.heads * s.queries * s.keys;
  }
};

template <class T>
__global__ void naive_pair_kernel(const __grid_constant__ AttentionGradientArgs args,
                                  Matrices<T> matrices) {
  using C = Compute<T>;
  const AttentionShape& s = args.shape;
  const Element e(s.heads, s.queries, s.keys);
  if (e.sample >= s.samples) return;
  const Head h = head_of(s, e.sample, e.head);
  if (e.row >= h.queries || e.column >= h.keys) return;
  const C score = score_of<T>(h, e.row, e.column);
  const C log_sum_exp = static_cast<const C*>(args.log_sum_exp)[h.statistic(e.row)];
  C p = 0, ds = 0;
  if (score != C(minus_infinity()) && log_sum_exp != C(minus_infinity())) {
    p = exponential(score - log_sum_exp);
    ds = p * (dot(h.query_rows<T>(args.dout) + e.row * args.dout.row,
                  h.key_rows<T>(s.v) + e.column * s.v.row, s.size) -
              matrices.delta[h.statistic(e.row)]);
  }
  matrix_row(matrices.p, h, e.row)[e.column] = p;
  matrix_row(matrices.ds, h, e.row)[e.column] = ds;
  if (args.dmask) matrix_row(static_cast<T*>(args.dmask), h, e.row)[e.column] = narrowed<T>(ds);
}

template <class T>
__global__ void naive_query_gradient_kernel(const __grid_constant__ AttentionGradientArgs args,
                                            Matrices<T> matrices) {
  using C = Compute<T>;
  const AttentionShape& s = args.shape;
  const Element e(s.heads, s.queries, s.size);
  if (e.sample >= s.samples) return;
  const Head h = head_of(s, e.sample, e.head);
  if (e.row >= h.queries) return;
  const C* ds = matrix_row(matrices.ds, h, e.row);
  const T* k = h.key_rows<T>(s.k) + e.column;
  const Interval keys = h.keys_of(e.row);
  C sum = 0;
  for (int j = keys.begin; j < keys.end; ++j) sum += ds[j] * Head::widened(k[j * s.k.row]);
  h.query_rows<T>(args.dq)[e.row * h.query_stride() + e.column] =
      narrowed<T>(sum * static_cast<C>(s.scale));
}

// factor times the sum over queries of weights x: dk (weights ds, x q) or dv (weights p, x dout).
template <class T>
__global__ void naive_key_gradient_kernel(const __grid_constant__ AttentionShape s,
                                          Compute<T>* weights, const __grid_constant__ HeadArray x,
                                          Compute<T> factor, T* gradient) {
  const Element e(s.key_heads, s.keys, s.size);
  if (e.sample >= s.samples) return;
  const int group = static_cast<int>(s.heads / s.key_heads);
  Head h = head_of(s, e.sample, e.head * group);
  if (e.row >= h.keys) return;
  const Interval queries = h.queries_of(e.row, e.row);
  Compute<T> sum = 0;
  for (int member = 0; member < group; ++member, ++h.head) {
    const T* from = h.query_rows<T>(x) + e.column;
    for (int t = queries.begin; t < queries.end; ++t)
      sum += matrix_row(weights, h, t)[e.row] * Head::widened(from[t * x.row]);
  }
  h.key_rows<T>(static_cast<void*>(gradient))[e.row * h.key_stride() + e.column] =
      narrowed<T>(sum * factor);
}

template <class Args>
bool supports(const Args& args) {
  return is_float(args.shape.dtype);
}

size_t matrix_bytes(const AttentionShape& s) {
  return static_cast<size_t>(s.samples * s.heads * s.queries * s.keys) *
         (s.dtype == DType::f64 ? 8 : 4);
}

void run(const AttentionArgs& args) {
  const AttentionShape& s = args.shape;
  const int64_t rows = s.samples * s.heads * s.queries;
  visit_float(s.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch<naive_score_kernel<T>>({.grid = divide_up(rows * s.keys, threads), .block = threads},
                                  args);
    launch<naive_softmax_kernel<T>>({.grid = static_cast<unsigned>(rows), .block = 32}, args);
    launch<naive_output_kernel<T>>({.grid = divide_up(rows * s.size, threads), .block = threads},
                                   args);
  });
}

void run_gradient(const AttentionGradientArgs& args) {
  const AttentionShape& s = args.shape;
  const int64_t rows = s.samples * s.heads * s.queries, keys = s.samples * s.key_heads * s.keys;
  attention_ladder::launch_delta(args, args.workspace);
  visit_float(s.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const Matrices<T> matrices(args);
    launch<naive_pair_kernel<T>>({.grid = divide_up(rows * s.keys, threads), .block = threads},
                                 args, matrices);
    if (args.dq)
      launch<naive_query_gradient_kernel<T>>(
          {.grid = divide_up(rows * s.size, threads), .block = threads}, args, matrices);
    const LaunchConfig config{.grid = divide_up(keys * s.size, threads), .block = threads};
    if (args.dk)
      launch<naive_key_gradient_kernel<T>>(
          config, s, matrices.ds, s.q, static_cast<Compute<T>>(s.scale), static_cast<T*>(args.dk));
    if (args.dv)
      launch<naive_key_gradient_kernel<T>>(config, s, matrices.p, args.dout, Compute<T>(1),
                                           static_cast<T*>(args.dv));
  });
}

}  // namespace

namespace attention_ladder {
const AttentionRung naive{"01_naive", "a matrix of scores, its softmax, a product", supports,
                          matrix_bytes, run};
const AttentionGradientRung naive_gradient{
    "01_naive", "matrices of p and ds, then products", supports,
    [](const AttentionShape& s) { return delta_bytes(s) + 2 * matrix_bytes(s); }, run_gradient};
}  // namespace attention_ladder

}  // namespace strata::gpu

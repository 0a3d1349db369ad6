// Optimiser updates of a whole model in one launch. The tensors' addresses travel as a kernel
// argument (31 of the 32 KB that arguments may have, 512 tensors), so nothing is copied before the
// launch and a captured graph keeps them. The work is cut into pieces of 4096 elements over all
// tensors; a block finds its tensor by bisection. A ResNet-50 has
// 161 tensors, most of them so small that a launch takes longer than its work.
//
// A thread takes 4 elements (2 of f64) by instructions of 16 bytes where all arrays of the tensor
// are aligned, else one by one. Every element is computed alone, with the CPU's arithmetic
// (optim.cpp). Bytes an element (f32): SGD 12 (20 with momentum), Adam 28, RMSprop 20. More than
// 512 tensors take another launch for each 512. Registers: see README.md. Run on an H200 by its
// tests, not timed.
#include "kernels/optim/optim.h"

#include <cmath>

#include "kernels/gpu/gpu.h"
#include "kernels/gpu/scratch.h"

namespace strata::gpu {

using cpu::AdamArgs;
using cpu::OptimTensor;
using cpu::RmspropArgs;
using cpu::SgdArgs;

namespace optim {

inline constexpr int most_tensors = 512, threads = 256, piece = 4096;

struct Table {
  OptimTensor tensor[most_tensors];
  uint32_t first[most_tensors + 1];  // piece of each tensor; then how many there are
  int count;
};

// The state's type for parameters of T.
template <class T>
using State = std::conditional_t<std::is_same_v<T, double>, double, float>;

// ---- rules: one element. `has`: which states exist ----

template <class S>
struct Sgd {
  static constexpr bool gradient = true, writes = true;
  S rate, decay, momentum, keep, take;
  bool nesterov;

  explicit Sgd(const SgdArgs& a)
      : rate(static_cast<S>(a.learning_rate)),
        decay(static_cast<S>(a.weight_decay)),
        momentum(static_cast<S>(a.momentum)),
        keep(a.first_step ? S(0) : static_cast<S>(a.momentum)),  // the first b is d itself
        take(a.first_step ? S(1) : static_cast<S>(1 - a.dampening)),
        nesterov(a.nesterov) {}
  DEVICE void apply(S& p, S g, S (&s)[3], const bool (&has)[3]) const {
    const S d = g + decay * p;
    if (!has[0]) {
      p = p - rate * d;
      return;
    }
    s[0] = keep * s[0] + take * d;
    p = p - rate * (nesterov ? d + momentum * s[0] : s[0]);
  }
};

template <class S>
struct Adam {
  static constexpr bool gradient = true, writes = true;
  S beta1, rest1, beta2, rest2, rate, spread, epsilon, shrink, decay;

  explicit Adam(const AdamArgs& a)
      : beta1(static_cast<S>(a.beta1)),
        rest1(static_cast<S>(1 - a.beta1)),
        beta2(static_cast<S>(a.beta2)),
        rest2(static_cast<S>(1 - a.beta2)),
        rate(static_cast<S>(a.learning_rate / a.correction1)),
        spread(static_cast<S>(1 / std::sqrt(a.correction2))),
        epsilon(static_cast<S>(a.epsilon)),
        shrink(a.decoupled ? static_cast<S>(1 - a.learning_rate * a.weight_decay) : S(1)),
        decay(a.decoupled ? S(0) : static_cast<S>(a.weight_decay)) {}
  DEVICE void apply(S& p, S g, S (&s)[3], const bool (&)[3]) const {
    const S d = g + decay * p;
    s[0] = beta1 * s[0] + rest1 * d;
    s[1] = beta2 * s[1] + rest2 * d * d;
    p = p * shrink - rate * s[0] / (std::sqrt(s[1]) * spread + epsilon);
  }
};

template <class S>
struct Rmsprop {
  static constexpr bool gradient = true, writes = true;
  S rate, decay, alpha, rest, epsilon, momentum;

  explicit Rmsprop(const RmspropArgs& a)
      : rate(static_cast<S>(a.learning_rate)),
        decay(static_cast<S>(a.weight_decay)),
        alpha(static_cast<S>(a.alpha)),
        rest(static_cast<S>(1 - a.alpha)),
        epsilon(static_cast<S>(a.epsilon)),
        momentum(static_cast<S>(a.momentum)) {}
  DEVICE void apply(S& p, S g, S (&s)[3], const bool (&has)[3]) const {
    const S d = g + decay * p;
    s[0] = alpha * s[0] + rest * d * d;
    S spread = s[0];
    if (has[1]) {
      s[1] = alpha * s[1] + rest * d;
      spread -= s[1] * s[1];
    }
    S update = d / (std::sqrt(spread) + epsilon);
    if (has[2]) update = s[2] = momentum * s[2] + update;
    p = p - rate * update;
  }
};

template <class S>
struct Average {
  static constexpr bool gradient = false, writes = false;
  S keep, take;

  explicit Average(double decay) : keep(static_cast<S>(decay)), take(static_cast<S>(1 - decay)) {}
  DEVICE void apply(S& p, S, S (&s)[3], const bool (&)[3]) const { s[0] = keep * s[0] + take * p; }
};

template <class S>
struct Scale {
  static constexpr bool gradient = false, writes = true;
  S factor;

  explicit Scale(double factor) : factor(static_cast<S>(factor)) {}
  DEVICE void apply(S& p, S, S (&)[3], const bool (&)[3]) const { p *= factor; }
};

template <class S>
struct Clamp {
  static constexpr bool gradient = false, writes = true;
  S low, high;

  explicit Clamp(double bound) : low(-static_cast<S>(bound)), high(static_cast<S>(bound)) {}
  // Comparisons that are false for a NaN leave it in place.
  DEVICE void apply(S& p, S, S (&)[3], const bool (&)[3]) const {
    p = p < low ? low : p > high ? high : p;
  }
};

// A rule for each type of state: the kernel learns on the device which one it needs.
template <template <class> class Rule>
struct Rules {
  Rule<float> narrow;
  Rule<double> wide;

  template <class Args>
  explicit Rules(const Args& args) : narrow(args), wide(args) {}
};

// ---- the kernel ----

// V elements of every array, from i on.
template <int V, class T, template <class> class Rule>
DEVICE void update(const OptimTensor& tensor, int64_t i, const Rule<State<T>>& rule) {
  using S = State<T>;
  const bool has[3] = {tensor.state[0] != nullptr, tensor.state[1] != nullptr,
                       tensor.state[2] != nullptr};
  T* parameter = static_cast<T*>(tensor.parameter) + i;
  const T* gradient = static_cast<const T*>(tensor.gradient) + i;
  S p[V], g[V] = {}, s[V][3] = {};
  auto read = [](const auto* from, auto&& put) {
    using E = std::remove_cvref_t<decltype(*from)>;
    if constexpr (V == 1) {
      put(0, static_cast<S>(widen(*from)));
    } else {
      const Vec<E, V> part = load_vector<V>(from);
#pragma unroll
      for (int j = 0; j < V; ++j) put(j, static_cast<S>(widen(part[j])));
    }
  };
  auto write = [](auto* to, auto&& get) {
    using E = std::remove_cvref_t<decltype(*to)>;
    if constexpr (V == 1) {
      *to = narrow<E>(get(0));
    } else {
      Vec<E, V> part;
#pragma unroll
      for (int j = 0; j < V; ++j) part[j] = narrow<E>(get(j));
      store_vector(to, part);
    }
  };
  read(parameter, [&](int j, S value) { p[j] = value; });
  if constexpr (Rule<S>::gradient) read(gradient, [&](int j, S value) { g[j] = value; });
#pragma unroll
  for (int k = 0; k < 3; ++k)
    if (has[k])
      read(static_cast<const S*>(tensor.state[k]) + i, [&](int j, S value) { s[j][k] = value; });
#pragma unroll
  for (int j = 0; j < V; ++j) rule.apply(p[j], g[j], s[j], has);
  if constexpr (Rule<S>::writes) write(parameter, [&](int j) { return p[j]; });
#pragma unroll
  for (int k = 0; k < 3; ++k)
    if (has[k]) write(static_cast<S*>(tensor.state[k]) + i, [&](int j) { return s[j][k]; });
}

DEVICE bool is_aligned(const OptimTensor& t) {
  const uintptr_t all =
      reinterpret_cast<uintptr_t>(t.parameter) | reinterpret_cast<uintptr_t>(t.gradient) |
      reinterpret_cast<uintptr_t>(t.state[0]) | reinterpret_cast<uintptr_t>(t.state[1]) |
      reinterpret_cast<uintptr_t>(t.state[2]);
  return all % 16 == 0;
}

// The tensor that this block's piece is of, and where the piece begins in it.
struct Piece {
  int tensor;
  int64_t begin;
};
DEVICE Piece piece_of(const Table& table) {
  int low = 0, high = table.count;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (table.first[middle] <= blockIdx.x)
      low = middle;
    else
      high = middle;
  }
  return {low, int64_t{blockIdx.x - table.first[low]} * piece};
}

template <class T, template <class> class Rule>
DEVICE void update_piece(const OptimTensor& tensor, int64_t begin, const Rule<State<T>>& rule) {
  const int64_t end = min(tensor.size, begin + piece);
  int64_t done = begin;
  if (is_aligned(tensor)) {
    constexpr int V = 16 / static_cast<int>(sizeof(State<T>));
    done = begin + (end - begin) / V * V;
    for (int64_t i = begin + V * threadIdx.x; i < done; i += V * threads)
      update<V, T>(tensor, i, rule);
  }
  for (int64_t i = done + threadIdx.x; i < end; i += threads) update<1, T>(tensor, i, rule);
}

template <template <class> class Rule>
__global__ __launch_bounds__(threads) void optim_kernel(const __grid_constant__ Table table,
                                                        const Rules<Rule> rules) {
  const Piece at = piece_of(table);
  const OptimTensor& tensor = table.tensor[at.tensor];
  switch (tensor.dtype) {
    case DType::f64:
      return update_piece<double>(tensor, at.begin, rules.wide);
    case DType::bf16:
      return update_piece<bf16>(tensor, at.begin, rules.narrow);
    case DType::f16:
      return update_piece<f16>(tensor, at.begin, rules.narrow);
    default:
      return update_piece<float>(tensor, at.begin, rules.narrow);
  }
}

// Calls f(table, pieces) for each 512 tensors.
template <class F>
void for_each_table(std::span<const OptimTensor> tensors, F&& f) {
  for (size_t begin = 0; begin < tensors.size(); begin += most_tensors) {
    Table table{};
    uint32_t pieces = 0;
    for (const OptimTensor& tensor :
         tensors.subspan(begin, std::min<size_t>(most_tensors, tensors.size() - begin))) {
      if (tensor.size == 0) continue;
      table.tensor[table.count] = tensor;
      table.first[table.count++] = pieces;
      pieces += divide_up(tensor.size, piece);
    }
    table.first[table.count] = pieces;
    if (pieces > 0) f(table, pieces);
  }
}

template <template <class> class Rule, class Args>
void run(std::span<const OptimTensor> tensors, const Args& args) {
  const Rules<Rule> rules(args);
  for_each_table(tensors, [&](const Table& table, uint32_t pieces) {
    launch<optim_kernel<Rule>>({.grid = pieces, .block = threads}, table, rules);
  });
}

// ---- the norm of the gradients ----

// Adds up over the block, in a fixed order; the result is thread 0's.
DEVICE double block_sum(double value) {
  struct Shared {
    double warp[threads / 32];
  };
  Shared& shared = block_shared<Shared>();
#pragma unroll
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
  if (threadIdx.x % 32 == 0) shared.warp[threadIdx.x / 32] = value;
  __syncthreads();
  double total = 0;
  if (threadIdx.x == 0)
    for (double part : shared.warp) total += part;
  return total;
}

template <class T>
DEVICE double square_sum(const OptimTensor& tensor, int64_t begin) {
  const T* g = static_cast<const T*>(tensor.gradient);
  const int64_t end = min(tensor.size, begin + piece);
  double sum = 0;
  for (int64_t i = begin + threadIdx.x; i < end; i += threads) {
    const double value = widen(g[i]);
    sum += value * value;
  }
  return sum;
}

__global__ __launch_bounds__(threads) void square_sum_kernel(const __grid_constant__ Table table,
                                                             double* partial) {
  const Piece at = piece_of(table);
  const OptimTensor& tensor = table.tensor[at.tensor];
  double sum;
  switch (tensor.dtype) {
    case DType::f64:
      sum = square_sum<double>(tensor, at.begin);
      break;
    case DType::bf16:
      sum = square_sum<bf16>(tensor, at.begin);
      break;
    case DType::f16:
      sum = square_sum<f16>(tensor, at.begin);
      break;
    default:
      sum = square_sum<float>(tensor, at.begin);
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}
__global__ __launch_bounds__(threads) void total_kernel(const double* partial, int64_t count,
                                                        double* total) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < count; i += threads) sum += partial[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) *total = sum;
}

}  // namespace optim

void sgd(std::span<const OptimTensor> tensors, const SgdArgs& args) {
  optim::run<optim::Sgd>(tensors, args);
}
void adam(std::span<const OptimTensor> tensors, const AdamArgs& args) {
  optim::run<optim::Adam>(tensors, args);
}
void rmsprop(std::span<const OptimTensor> tensors, const RmspropArgs& args) {
  optim::run<optim::Rmsprop>(tensors, args);
}
void moving_average(std::span<const OptimTensor> tensors, double decay) {
  optim::run<optim::Average>(tensors, decay);
}
void scale(std::span<const OptimTensor> tensors, double factor) {
  optim::run<optim::Scale>(tensors, factor);
}
void clamp(std::span<const OptimTensor> tensors, double bound) {
  optim::run<optim::Clamp>(tensors, bound);
}

double gradient_square_sum(std::span<const OptimTensor> tensors) {
  int64_t pieces = 0;
  for (const OptimTensor& tensor : tensors) pieces += divide_up(tensor.size, optim::piece);
  if (pieces == 0) return 0;
  const Scratch memory(static_cast<size_t>(pieces + 1) * sizeof(double));
  double *total = memory.as<double>(), *partial = total + 1;
  optim::for_each_table(tensors, [&](const optim::Table& table, uint32_t count) {
    launch<optim::square_sum_kernel>({.grid = count, .block = optim::threads}, table, partial);
    partial += count;
  });
  launch<optim::total_kernel>({.block = optim::threads}, total + 1, pieces, total);
  double result = 0;
  copy_to_host(&result, total, sizeof result, current_stream());
  synchronize(current_stream());
  return result;
}

}  // namespace strata::gpu

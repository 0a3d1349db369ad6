// Random numbers on the GPU: one thread makes two Philox blocks of four words or more, and turns
// each into four elements, or two of the types that take two words. A counter-based generator needs
// no state and no order, so the bits are the CPU's for any grid; products and sums are not
// contracted (CMake), so normals agree too.
//
// Operations: some 40 integer ones a block and 20 of keys a thread, and for normals 40 of f32 a
// pair: more than memory takes to store the result. Bytes: the result, once, by 16 a store.
// permutation() is a chain of swaps, which one thread does: exact, and slow, since each waits for
// device memory. Registers: see README.md. H200: uniform 0.80 of a copy (f32),
// normal 0.44, dropout 0.81.
#include "kernels/random/random.h"

#include "kernels/gpu/convert.h"
#include "kernels/gpu/gpu.h"
#include "kernels/gpu/scratch.h"
#include "kernels/random/philox.h"
#include "kernels/random/transform.h"

namespace strata::gpu {

using cpu::RandomArgs;

namespace random {

using namespace strata::random;

inline constexpr int threads = 256;

// Elements first .. first + N of the result, those below count; by 16 bytes where it is aligned.
template <int N, class T>
DEVICE void store(T* out, int64_t first, int64_t count, const T (&values)[N]) {
  constexpr int width = N < vector_width<T> ? N : vector_width<T>;
  const bool whole =
      first + N <= count && reinterpret_cast<uintptr_t>(out) % (width * sizeof(T)) == 0;
#pragma unroll
  for (int i = 0; i < N; i += width) {
    Vec<T, width> part;
#pragma unroll
    for (int j = 0; j < width; ++j) part[j] = values[i + j];
    if (whole) {
      store_vector(out + first + i, part);
      continue;
    }
#pragma unroll
    for (int j = 0; j < width; ++j)
      if (first + i + j < count) out[first + i + j] = part[j];
  }
}

// The same elements of x, 0 from count on.
template <int N, class T>
DEVICE void load(const T* x, int64_t first, int64_t count, T (&values)[N]) {
  constexpr int width = N < vector_width<T> ? N : vector_width<T>;
  const bool whole =
      first + N <= count && reinterpret_cast<uintptr_t>(x) % (width * sizeof(T)) == 0;
#pragma unroll
  for (int i = 0; i < N; i += width) {
    Vec<T, width> part;
    if (whole) {
      part = load_vector<width>(x + first + i);
    } else {
#pragma unroll
      for (int j = 0; j < width; ++j) part[j] = first + i + j < count ? x[first + i + j] : T(0);
    }
#pragma unroll
    for (int j = 0; j < width; ++j) values[i + j] = part[j];
  }
}

// What a thread makes where a Philox block gives N elements of T: `pieces` runs of `joined` blocks
// each, a run the 16 bytes of a store, at most 4 blocks. At least two blocks, which share the
// rounds' keys and overlap; the runs of a warp lie side by side.
template <class T, int N>
struct Share {
  static constexpr int joined = N >= vector_width<T>      ? 1
                                : N * 4 < vector_width<T> ? 4
                                                          : vector_width<T> / N;
  static constexpr int pieces = joined == 1 ? 2 : 1, run = joined * N, elements = pieces * run;

  // The run's first element.
  DEVICE static int64_t first(int piece) {
    return ((int64_t{blockIdx.x} * pieces + piece) * threads + threadIdx.x) * run;
  }
};

// `make(words)` turns a block's words into N elements.
template <int N, class T, class Make>
DEVICE void for_my_blocks(T* out, int64_t count, uint64_t seed, uint64_t offset, Make&& make) {
  using Mine = Share<T, N>;
#pragma unroll
  for (int piece = 0; piece < Mine::pieces; ++piece) {
    const int64_t first = Mine::first(piece);
    if (first >= count) return;
    T values[Mine::run];
#pragma unroll
    for (int b = 0; b < Mine::joined; ++b) {
      const auto words = Philox(seed).block(offset + static_cast<uint64_t>(first / N + b));
      const Vec<T, N> made = make(words.data());
#pragma unroll
      for (int i = 0; i < N; ++i) values[b * N + i] = made[i];
    }
    store(out, first, count, values);
  }
}

// word < threshold, of 32 bits but for a threshold of 2^32.
struct Below {
  bool any;
  uint32_t last;
  DEVICE explicit Below(uint64_t threshold)
      : any(threshold > 0), last(static_cast<uint32_t>(threshold - 1)) {}
  DEVICE bool operator()(uint32_t word) const { return any && word <= last; }
};

template <class T>
__global__ __launch_bounds__(threads) void uniform_kernel(T* out, int64_t count, uint64_t seed,
                                                          uint64_t offset, Compute<T> start,
                                                          Compute<T> width, Compute<T> last) {
  using C = Compute<T>;
  constexpr int each = static_cast<int>(cpu::words_of(dtype_of<T>()));
  constexpr int N = 4 / each;
  for_my_blocks<N>(out, count, seed, offset, [&](const uint32_t* words) {
    C values[N];
#pragma unroll
    for (int i = 0; i < N; ++i) values[i] = start + unit(words + i * each, C{}) * width;
    if constexpr (!std::is_same_v<T, C>) expand(contract<T>(values), values);
#pragma unroll
    for (C& value : values) value = value > last ? last : value;
    return contract<T>(values);
  });
}

template <class T>
__global__ __launch_bounds__(threads) void normal_kernel(T* out, int64_t count, uint64_t seed,
                                                         uint64_t offset, Compute<T> centre,
                                                         Compute<T> spread) {
  using C = Compute<T>;
  constexpr int each = static_cast<int>(cpu::words_of(dtype_of<T>()));
  constexpr int N = 4 / each;
  for_my_blocks<N>(out, count, seed, offset, [&](const uint32_t* words) {
    C values[N];
#pragma unroll
    for (int i = 0; i < N; i += 2) {
      const Normals<C> pair = box_muller(words + i * each, C{});
      values[i] = centre + spread * pair.first;
      values[i + 1] = centre + spread * pair.second;
    }
    return contract<T>(values);
  });
}

template <class T>
__global__ __launch_bounds__(threads) void integers_kernel(T* out, int64_t count, uint64_t seed,
                                                           uint64_t offset, int64_t low,
                                                           uint64_t range) {
  for_my_blocks<2>(out, count, seed, offset, [&](const uint32_t* words) {
    Vec<T, 2> values;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const uint64_t value = static_cast<uint64_t>(low) + scaled(join(words + 2 * i), range);
      values[i] = static_cast<T>(static_cast<int64_t>(value));
    }
    return values;
  });
}

__global__ __launch_bounds__(threads) void bernoulli_kernel(bool* out, int64_t count, uint64_t seed,
                                                            uint64_t offset, uint64_t threshold) {
  const Below below(threshold);
  for_my_blocks<4>(out, count, seed, offset, [&](const uint32_t* words) {
    Vec<bool, 4> values;
#pragma unroll
    for (int i = 0; i < 4; ++i) values[i] = below(words[i]);
    return values;
  });
}

// The mask never leaves the chip unless it is asked for.
template <class T>
__global__ __launch_bounds__(threads) void dropout_kernel(const T* x, T* out, bool* keep,
                                                          int64_t count, uint64_t seed,
                                                          uint64_t offset, uint64_t threshold,
                                                          Compute<T> scale) {
  using Mine = Share<T, 4>;
  const Below below(threshold);
#pragma unroll
  for (int piece = 0; piece < Mine::pieces; ++piece) {
    const int64_t first = Mine::first(piece);
    if (first >= count) return;
    bool kept[Mine::run];
    T values[Mine::run];
    load(x, first, count, values);
#pragma unroll
    for (int b = 0; b < Mine::joined; ++b) {
      const auto words = Philox(seed).block(offset + static_cast<uint64_t>(first / 4 + b));
#pragma unroll
      for (int i = 0; i < 4; i += 2) {
        Compute<T> pair[2];
#pragma unroll
        for (int j = 0; j < 2; ++j) {
          const int at = 4 * b + i + j;
          kept[at] = below(words[i + j]);
          pair[j] = kept[at] ? scale * widen(values[at]) : Compute<T>(0);
        }
        const Vec<T, 2> rounded = contract<T>(pair);
        values[4 * b + i] = rounded[0];
        values[4 * b + i + 1] = rounded[1];
      }
    }
    store(out, first, count, values);
    if (keep) store(keep, first, count, kept);
  }
}

// targets[i]: what place i is swapped with.
__global__ __launch_bounds__(threads) void targets_kernel(int64_t count, uint64_t seed,
                                                          uint64_t offset, int64_t* targets,
                                                          int64_t* out) {
  const int64_t i = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i >= count) return;
  const auto words = Philox(seed).block(offset + static_cast<uint64_t>(i) / 2);
  targets[i] =
      static_cast<int64_t>(scaled(join(words.data() + 2 * (i % 2)), static_cast<uint64_t>(i) + 1));
  out[i] = i;
}
__global__ void shuffle_kernel(int64_t count, const int64_t* targets, int64_t* out) {
  for (int64_t i = count - 1; i > 0; --i) {
    const int64_t j = targets[i], here = out[i];
    out[i] = out[j];
    out[j] = here;
  }
}

// One thread a row: the sums have the CPU's order.
template <class T>
__global__ __launch_bounds__(threads) void choice_kernel(const T* weights, int64_t rows,
                                                         int64_t columns, uint64_t seed,
                                                         uint64_t offset, int64_t* out,
                                                         unsigned long long* first_bad) {
  const int64_t row = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (row >= rows) return;
  const T* w = weights + row * columns;
  double sum = 0;
  bool sound = true;
  for (int64_t c = 0; c < columns; ++c) {
    const double value = widen(w[c]);
    sound &= value >= 0;
    sum += value;
  }
  out[row] = -1;
  if (!sound || !(sum > 0) || sum > 1.7976931348623157e308) {
    atomicMin(first_bad, static_cast<unsigned long long>(row));
    return;
  }
  const auto words = Philox(seed).block(offset + static_cast<uint64_t>(row) / 2);
  const double target = unit(words.data() + 2 * (row % 2), double{}) * sum;
  double reached = 0;
  int64_t c = -1;
  while (reached <= target) reached += widen(w[++c]);
  out[row] = c;
}

// Threads that make `count` elements, N each.
LaunchConfig grid_for(int64_t count, int64_t each) {
  return {.grid = divide_up((count + each - 1) / each, threads), .block = threads};
}

// Elements a thread of uniform_kernel and normal_kernel makes.
template <class T>
constexpr int64_t elements_of() {
  return Share<T, 4 / static_cast<int>(cpu::words_of(dtype_of<T>()))>::elements;
}

// The largest value of T below `high`.
template <class T>
Compute<T> largest_below(double high) {
  return static_cast<Compute<T>>(next_below<T>(high));
}

}  // namespace random

void uniform(const RandomArgs& args, double low, double high) {
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    using C = Compute<T>;
    launch<random::uniform_kernel<T>>(random::grid_for(args.count, random::elements_of<T>()),
                                      static_cast<T*>(args.out), args.count, args.seed, args.offset,
                                      static_cast<C>(low), static_cast<C>(high - low),
                                      random::largest_below<T>(high));
  });
}

void normal(const RandomArgs& args, double mean, double deviation) {
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    using C = Compute<T>;
    launch<random::normal_kernel<T>>(random::grid_for(args.count, random::elements_of<T>()),
                                     static_cast<T*>(args.out), args.count, args.seed, args.offset,
                                     static_cast<C>(mean), static_cast<C>(deviation));
  });
}

void integers(const RandomArgs& args, int64_t low, uint64_t range) {
  visit(args.dtype, [&]<class T>(Type<T>) {
    if constexpr (std::is_integral_v<T>)
      launch<random::integers_kernel<T>>(
          random::grid_for(args.count, random::Share<T, 2>::elements), static_cast<T*>(args.out),
          args.count, args.seed, args.offset, low, range);
  });
}

void bernoulli(const RandomArgs& args, double p) {
  launch<random::bernoulli_kernel>(random::grid_for(args.count, random::Share<bool, 4>::elements),
                                   static_cast<bool*>(args.out), args.count, args.seed, args.offset,
                                   static_cast<uint64_t>(p * 0x1p32));
}

void dropout(const RandomArgs& args, const void* x, double probability, double scale, bool* keep) {
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    launch<random::dropout_kernel<T>>(
        random::grid_for(args.count, random::Share<T, 4>::elements), static_cast<const T*>(x),
        static_cast<T*>(args.out), keep, args.count, args.seed, args.offset,
        static_cast<uint64_t>(probability * 0x1p32), static_cast<Compute<T>>(scale));
  });
}

void permutation(const RandomArgs& args) {
  if (args.count == 0) return;
  const Scratch targets(static_cast<size_t>(args.count) * sizeof(int64_t));
  int64_t* out = static_cast<int64_t*>(args.out);
  launch<random::targets_kernel>(random::grid_for(args.count, 1), args.count, args.seed,
                                 args.offset, targets.as<int64_t>(), out);
  launch<random::shuffle_kernel>({}, args.count, targets.as<int64_t>(), out);
}

int64_t choice(const RandomArgs& args, const void* weights, DType weight_type, int64_t columns) {
  if (args.count == 0) return -1;
  const Scratch first_bad(sizeof(uint64_t));
  fill_bytes(first_bad.as<void>(), 0xff, sizeof(uint64_t), current_stream());
  visit_float(weight_type, [&]<class T>(Type<T>) {
    launch<random::choice_kernel<T>>(random::grid_for(args.count, 1),
                                     static_cast<const T*>(weights), args.count, columns, args.seed,
                                     args.offset, static_cast<int64_t*>(args.out),
                                     first_bad.as<unsigned long long>());
  });
  if (is_capturing(current_stream())) return -1;
  int64_t found = -1;
  copy_to_host(&found, first_bad.as<void>(), sizeof found, current_stream());
  synchronize(current_stream());
  return found;
}

}  // namespace strata::gpu

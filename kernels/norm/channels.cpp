// The CPU twin: loops over rows of P = k C elements (see the header), in chunks of rows.
#include "kernels/norm/channels.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <vector>

#include "kernels/common/parallel.h"

namespace strata::cpu {
namespace {

// Elements of a chunk: 128 KiB of f32, so that partial results cost little beside it and a thread
// is worth waking for it.
constexpr int64_t chunk_elements = 32768;
// Wide rows have at least this many elements (where there are as many).
constexpr int64_t wide_row = 256;

// How [rows, C] is cut: chunks of `chunk_rows` rows; within a chunk, `repeat` rows make a wide row.
struct Cut {
  int64_t repeat, chunk_rows, chunks, width;
  Cut(int64_t rows, int64_t channels) {
    repeat = 16 / std::gcd<int64_t>(16, channels);  // whole vectors of 16
    repeat *= std::max<int64_t>(1, wide_row / (repeat * channels));
    if (channels >= wide_row) repeat = 1;
    int64_t wanted = std::max<int64_t>(chunk_elements / channels, 32);
    chunk_rows = (wanted + repeat - 1) / repeat * repeat;
    chunks = std::max<int64_t>(1, (rows + chunk_rows - 1) / chunk_rows);
    width = repeat * channels;
  }
};

// Calls body(sample, chunk, first row, rows) for every chunk of every sample.
template <class Body>
void for_each_chunk(int64_t samples, int64_t rows, const Cut& cut, Body&& body) {
  int64_t elements = std::max<int64_t>(1, std::min(rows, cut.chunk_rows) * cut.width / cut.repeat);
  int64_t grain = std::max<int64_t>(1, chunk_elements / elements);
  parallel_for(samples * cut.chunks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t sample = i / cut.chunks, chunk = i % cut.chunks, first = chunk * cut.chunk_rows;
      body(sample, chunk, first, std::min(cut.chunk_rows, rows - first));
    }
  });
}

// Per-channel constants in the compute type, repeated to the width of a wide row; `count` of them
// for each sample.
template <class C>
class Constants {
 public:
  Constants(int64_t samples, int64_t channels, const Cut& cut, int count)
      : channels_(channels), width_(cut.width), samples_(samples) {
    values_.resize(static_cast<size_t>(samples * cut.width * count));
  }
  void set(int which, auto&& value_of) {
    for (int64_t s = 0; s < samples_; ++s) {
      C* to = values_.data() + (which * samples_ + s) * width_;
      for (int64_t c = 0; c < channels_; ++c) to[c] = static_cast<C>(value_of(s * channels_ + c));
      for (int64_t i = channels_; i < width_; ++i) to[i] = to[i - channels_];
    }
  }
  const C* get(int which, int64_t sample) const {
    return values_.data() + (which * samples_ + sample) * width_;
  }

 private:
  int64_t channels_, width_, samples_;
  std::vector<C> values_;
};

// (x - mean) factor + offset. The mean rounded to the compute type would shift the result when it
// is large, so what rounding took is put into the offset.
template <class C>
void set_affine(Constants<C>& constants, const double* mean, const double* factor,
                const double* offset) {
  constants.set(0, [&](int64_t i) { return mean[i]; });
  constants.set(1, [&](int64_t i) { return factor[i]; });
  constants.set(2, [&](int64_t i) {
    return offset[i] - (mean[i] - static_cast<double>(static_cast<C>(mean[i]))) * factor[i];
  });
}

// One formula for the forward pass and for the backward pass that looks at its sign again.
template <class C>
inline C affine(C x, C mean, C factor, C offset) {
  return (x - mean) * factor + offset;
}

// Sums of d and d^2, d = x - shift, of `rows` wide rows.
template <class T, class C>
void add_moments(const T* x, const C* shift, C* sum, C* square, int64_t rows, int64_t width) {
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4, x += 4 * width) {
    const T *x1 = x + width, *x2 = x1 + width, *x3 = x2 + width;
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) {
      C d0 = static_cast<C>(x[i]) - shift[i], d1 = static_cast<C>(x1[i]) - shift[i];
      C d2 = static_cast<C>(x2[i]) - shift[i], d3 = static_cast<C>(x3[i]) - shift[i];
      sum[i] += (d0 + d1) + (d2 + d3);
      square[i] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3);
    }
  }
  for (; r < rows; ++r, x += width) {
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) {
      C d = static_cast<C>(x[i]) - shift[i];
      sum[i] += d;
      square[i] += d * d;
    }
  }
}

// A value near each channel's mean, repeated to a wide row: the median of the first, the middle and
// the last row, so that one outlier does not spoil it.
template <class T, class C>
void find_shift(const T* x, int64_t rows, int64_t channels, const Cut& cut, C* shift) {
  const T *middle = x + rows / 2 * channels, *last = x + (rows - 1) * channels;
  for (int64_t c = 0; c < channels; ++c) {
    C low = static_cast<C>(x[c]), high = static_cast<C>(middle[c]), other = static_cast<C>(last[c]);
    if (low > high) std::swap(low, high);
    shift[c] = std::max(low, std::min(high, other));
  }
  for (int64_t i = channels; i < cut.width; ++i) shift[i] = shift[i - channels];
}

// Mean and sum of squared deviations of one chunk, from its shifted sums.
template <class T>
void chunk_moments(const T* x, int64_t rows, int64_t channels, const Cut& cut, double* mean,
                   double* m2) {
  using C = Compute<T>;
  thread_local std::vector<C> scratch;
  scratch.assign(static_cast<size_t>(3 * cut.width), C(0));
  C *shift = scratch.data(), *sum = shift + cut.width, *square = sum + cut.width;
  find_shift(x, rows, channels, cut, shift);
  int64_t wide = rows / cut.repeat, done = wide * cut.repeat;
  add_moments(x, shift, sum, square, wide, cut.width);
  add_moments(x + done * channels, shift, sum, square, rows - done, channels);
  for (int64_t c = 0; c < channels; ++c) {
    double s = 0, q = 0;
    for (int64_t i = c; i < cut.width; i += channels) s += sum[i], q += square[i];
    double shifted_mean = s / static_cast<double>(rows);
    mean[c] = static_cast<double>(shift[c]) + shifted_mean;
    m2[c] = std::max(0.0, q - s * shifted_mean);
  }
}

// Combines the chunks of a sample in order: the mean first, then the deviations about it.
void combine_moments(const double* means, const double* m2s, int64_t rows, int64_t channels,
                     const Cut& cut, double* mean, double* m2) {
  parallel_for(channels, std::max<int64_t>(64, chunk_elements / cut.chunks),
               [&](int64_t begin, int64_t end) {
                 auto weight = [&](int64_t k) {
                   return static_cast<double>(std::min(cut.chunk_rows, rows - k * cut.chunk_rows));
                 };
                 std::fill(mean + begin, mean + end, 0.0);
                 std::fill(m2 + begin, m2 + end, 0.0);
                 for (int64_t k = 0; k < cut.chunks; ++k) {
                   double share = weight(k) / static_cast<double>(rows);
                   for (int64_t c = begin; c < end; ++c) mean[c] += means[k * channels + c] * share;
                 }
                 for (int64_t k = 0; k < cut.chunks; ++k) {
                   double n = weight(k);
                   for (int64_t c = begin; c < end; ++c) {
                     double away = means[k * channels + c] - mean[c];
                     m2[c] += m2s[k * channels + c] + n * away * away;
                   }
                 }
               });
}

// y of `rows` rows of `width` elements.
template <bool relu, class T, class C>
void affine_rows(const T* x, const T* residual, T* y, const C* mean, const C* factor,
                 const C* offset, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; ++r, x += width, y += width) {
    if (residual) {
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) {
        C value = affine(static_cast<C>(x[i]), mean[i], factor[i], offset[i]) +
                  static_cast<C>(residual[i]);
        y[i] = relu && value <= 0 ? C(0) : value;
      }
      residual += width;
    } else {
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) {
        C value = affine(static_cast<C>(x[i]), mean[i], factor[i], offset[i]);
        y[i] = relu && value <= 0 ? C(0) : value;
      }
    }
  }
}

// Where the gradient passes: everywhere, where y > 0, or where y worked out again is > 0.
enum class Mask { none, saved, recomputed };

template <Mask mask, class T, class C>
inline C masked_gradient(const T* x, const T* y, const T* dy, const C* mean, const C* factor,
                         const C* offset, int64_t i) {
  C g = static_cast<C>(dy[i]);
  if constexpr (mask == Mask::saved) return static_cast<C>(y[i]) > 0 ? g : C(0);
  if constexpr (mask == Mask::recomputed) {
    return affine(static_cast<C>(x[i]), mean[i], factor[i], offset[i]) > 0 ? g : C(0);
  }
  return g;
}

template <Mask mask, bool store, class T, class C>
void add_gradient_sums(const T* x, const T* y, const T* dy, T* masked, const C* mean,
                       const C* factor, const C* offset, C* sum_g, C* sum_gx, int64_t rows,
                       int64_t width) {
  int64_t r = 0;
  for (; r + 2 <= rows; r += 2) {
    const T *x1 = x + width, *y1 = y + width, *dy1 = dy + width;
    T* masked1 = masked + width;
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) {
      C g0 = masked_gradient<mask>(x, y, dy, mean, factor, offset, i);
      C g1 = masked_gradient<mask>(x1, y1, dy1, mean, factor, offset, i);
      if constexpr (store) masked[i] = g0, masked1[i] = g1;
      sum_g[i] += g0 + g1;
      sum_gx[i] += g0 * (static_cast<C>(x[i]) - mean[i]) + g1 * (static_cast<C>(x1[i]) - mean[i]);
    }
    x += 2 * width, y += 2 * width, dy += 2 * width, masked += 2 * width;
  }
  if (r < rows) {
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) {
      C g = masked_gradient<mask>(x, y, dy, mean, factor, offset, i);
      if constexpr (store) masked[i] = g;
      sum_g[i] += g;
      sum_gx[i] += g * (static_cast<C>(x[i]) - mean[i]);
    }
  }
}

template <Mask mask, class T, class C>
void gradient_rows(const T* x, const T* y, const T* dy, T* dx, const C* mean, const C* factor,
                   const C* offset, const C* a, const C* b, const C* c, int64_t rows,
                   int64_t width) {
  for (int64_t r = 0; r < rows; ++r, x += width, y += width, dy += width, dx += width) {
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) {
      C g = masked_gradient<mask>(x, y, dy, mean, factor, offset, i);
      dx[i] = a[i] * g + (c[i] * (static_cast<C>(x[i]) - mean[i]) + b[i]);
    }
  }
}

template <class F>
void visit_mask(bool relu, bool saved, F&& f) {
  if (!relu) return f.template operator()<Mask::none>();
  if (saved) return f.template operator()<Mask::saved>();
  return f.template operator()<Mask::recomputed>();
}

}  // namespace

void channel_moments(const ChannelMomentsArgs& args) {
  if (args.samples * args.rows * args.channels == 0) return;
  const Cut cut(args.rows, args.channels);
  const int64_t n = args.channels;
  auto size = static_cast<size_t>(args.samples * cut.chunks * n);
  auto partial = std::make_unique_for_overwrite<double[]>(2 * size);
  double *means = partial.get(), *m2s = means + size;
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    for_each_chunk(args.samples, args.rows, cut,
                   [&](int64_t sample, int64_t chunk, int64_t first, int64_t rows) {
                     const T* x = static_cast<const T*>(args.x) + (sample * args.rows + first) * n;
                     int64_t at = (sample * cut.chunks + chunk) * n;
                     chunk_moments(x, rows, n, cut, means + at, m2s + at);
                   });
  });
  for (int64_t s = 0; s < args.samples; ++s) {
    combine_moments(means + s * cut.chunks * n, m2s + s * cut.chunks * n, args.rows, n, cut,
                    args.mean + s * n, args.m2 + s * n);
  }
}

void channel_affine(const ChannelAffineArgs& args) {
  if (args.samples * args.rows * args.channels == 0) return;
  const Cut cut(args.rows, args.channels);
  const int64_t n = args.channels;
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    using C = Compute<T>;
    Constants<C> constants(args.samples, n, cut, 3);
    set_affine(constants, args.mean, args.factor, args.offset);
    for_each_chunk(
        args.samples, args.rows, cut, [&](int64_t sample, int64_t, int64_t first, int64_t rows) {
          int64_t at = (sample * args.rows + first) * n;
          const C *mean = constants.get(0, sample), *factor = constants.get(1, sample);
          const C* offset = constants.get(2, sample);
          auto apply = [&](int64_t from, int64_t count, int64_t width) {
            const T* x = static_cast<const T*>(args.x) + at + from;
            const T* residual =
                args.residual ? static_cast<const T*>(args.residual) + at + from : nullptr;
            T* y = static_cast<T*>(args.y) + at + from;
            if (args.relu) {
              affine_rows<true>(x, residual, y, mean, factor, offset, count, width);
            } else {
              affine_rows<false>(x, residual, y, mean, factor, offset, count, width);
            }
          };
          int64_t wide = rows / cut.repeat;
          apply(0, wide, cut.width);
          apply(wide * cut.width, rows - wide * cut.repeat, n);
        });
  });
}

void channel_gradient_sums(const ChannelGradientSumsArgs& args) {
  if (args.samples * args.rows * args.channels == 0) return;
  const Cut cut(args.rows, args.channels);
  const int64_t n = args.channels;
  auto size = static_cast<size_t>(args.samples * cut.chunks * n);
  auto partial = std::make_unique_for_overwrite<double[]>(2 * size);
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    using C = Compute<T>;
    bool recompute = args.relu && !args.y;
    Constants<C> constants(args.samples, n, cut, 3);
    if (recompute) {
      set_affine(constants, args.mean, args.factor, args.offset);
    } else {
      constants.set(0, [&](int64_t i) { return args.mean[i]; });
    }
    for_each_chunk(args.samples, args.rows, cut,
                   [&](int64_t sample, int64_t chunk, int64_t first, int64_t rows) {
                     thread_local std::vector<C> scratch;
                     scratch.assign(static_cast<size_t>(2 * cut.width), C(0));
                     C *sum_g = scratch.data(), *sum_gx = sum_g + cut.width;
                     const C *mean = constants.get(0, sample), *factor = constants.get(1, sample);
                     const C* offset = constants.get(2, sample);
                     int64_t at = (sample * args.rows + first) * n;
                     auto add = [&](int64_t from, int64_t count, int64_t width) {
                       const T* x = static_cast<const T*>(args.x) + at + from;
                       const T* dy = static_cast<const T*>(args.dy) + at + from;
                       // Without y or masked, x and dy stand in: pointers that move but are not
                       // read or written.
                       const T* y = args.y ? static_cast<const T*>(args.y) + at + from : x;
                       T* masked = args.masked ? static_cast<T*>(args.masked) + at + from
                                               : const_cast<T*>(dy);
                       visit_mask(args.relu, args.y != nullptr, [&]<Mask mask>() {
                         if (args.masked) {
                           add_gradient_sums<mask, true>(x, y, dy, masked, mean, factor, offset,
                                                         sum_g, sum_gx, count, width);
                         } else {
                           add_gradient_sums<mask, false>(x, y, dy, masked, mean, factor, offset,
                                                          sum_g, sum_gx, count, width);
                         }
                       });
                     };
                     int64_t wide = rows / cut.repeat;
                     add(0, wide, cut.width);
                     add(wide * cut.width, rows - wide * cut.repeat, n);
                     double* to = partial.get() + (sample * cut.chunks + chunk) * 2 * n;
                     for (int64_t c = 0; c < n; ++c) {
                       double g = 0, gx = 0;
                       for (int64_t i = c; i < cut.width; i += n) g += sum_g[i], gx += sum_gx[i];
                       to[c] = g;
                       to[n + c] = gx;
                     }
                   });
  });
  for (int64_t s = 0; s < args.samples; ++s) {
    double *sum_g = args.sum_g + s * n, *sum_gx = args.sum_gx + s * n;
    std::fill(sum_g, sum_g + n, 0.0);
    std::fill(sum_gx, sum_gx + n, 0.0);
    for (int64_t k = 0; k < cut.chunks; ++k) {
      const double* from = partial.get() + (s * cut.chunks + k) * 2 * n;
      for (int64_t c = 0; c < n; ++c) sum_g[c] += from[c], sum_gx[c] += from[n + c];
    }
  }
}

void channel_gradient(const ChannelGradientArgs& args) {
  if (args.samples * args.rows * args.channels == 0) return;
  const Cut cut(args.rows, args.channels);
  const int64_t n = args.channels;
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    using C = Compute<T>;
    Constants<C> constants(args.samples, n, cut, 6);
    if (args.relu && !args.y) {
      set_affine(constants, args.mean, args.factor, args.offset);
    } else {
      constants.set(0, [&](int64_t i) { return args.mean[i]; });
    }
    constants.set(3, [&](int64_t i) { return args.a[i]; });
    constants.set(4, [&](int64_t i) { return args.b[i]; });
    constants.set(5, [&](int64_t i) { return args.c[i]; });
    for_each_chunk(
        args.samples, args.rows, cut, [&](int64_t sample, int64_t, int64_t first, int64_t rows) {
          int64_t at = (sample * args.rows + first) * n;
          auto apply = [&](int64_t from, int64_t count, int64_t width) {
            const T* x = static_cast<const T*>(args.x) + at + from;
            const T* dy = static_cast<const T*>(args.dy) + at + from;
            const T* y = args.y ? static_cast<const T*>(args.y) + at + from : x;
            T* dx = static_cast<T*>(args.dx) + at + from;
            visit_mask(args.relu, args.y != nullptr, [&]<Mask mask>() {
              gradient_rows<mask>(x, y, dy, dx, constants.get(0, sample), constants.get(1, sample),
                                  constants.get(2, sample), constants.get(3, sample),
                                  constants.get(4, sample), constants.get(5, sample), count, width);
            });
          };
          int64_t wide = rows / cut.repeat;
          apply(0, wide, cut.width);
          apply(wide * cut.width, rows - wide * cut.repeat, n);
        });
  });
}

}  // namespace strata::cpu

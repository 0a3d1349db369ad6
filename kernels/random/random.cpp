// Random numbers on the CPU: words are made for 64 blocks at a time in a loop that vectorises, then
// turned into values. See random.h.
#include "kernels/random/random.h"

#include <cmath>
#include <utility>

#include "kernels/common/parallel.h"
#include "kernels/random/philox.h"
#include "kernels/random/transform.h"

namespace strata::cpu {
namespace {

using namespace random;

constexpr int64_t piece = 256;           // words made at a time
constexpr int64_t serial_words = 32768;  // fewer are not worth a second thread

// words[0..256) of blocks first .. first + 63: philox.h's rounds over lanes, so that they
// vectorise.
void make_words(const Philox& philox, uint64_t first, uint32_t* words) {
  constexpr int lanes = piece / 4;
  alignas(64) uint32_t c0[lanes], c1[lanes], c2[lanes] = {}, c3[lanes] = {};
  for (int b = 0; b < lanes; ++b) {
    c0[b] = static_cast<uint32_t>(first + static_cast<uint64_t>(b));
    c1[b] = static_cast<uint32_t>((first + static_cast<uint64_t>(b)) >> 32);
  }
  uint32_t k0 = philox.key[0], k1 = philox.key[1];
  for (int round = 0; round < 10; ++round, k0 += 0x9e3779b9u, k1 += 0xbb67ae85u) {
#pragma omp simd
    for (int b = 0; b < lanes; ++b) {
      uint64_t p0 = uint64_t{0xd2511f53u} * c0[b], p1 = uint64_t{0xcd9e8d57u} * c2[b];
      c0[b] = static_cast<uint32_t>(p1 >> 32) ^ c1[b] ^ k0;
      c1[b] = static_cast<uint32_t>(p1);
      c2[b] = static_cast<uint32_t>(p0 >> 32) ^ c3[b] ^ k1;
      c3[b] = static_cast<uint32_t>(p0);
    }
  }
  for (int b = 0; b < lanes; ++b) {
    words[4 * b] = c0[b];
    words[4 * b + 1] = c1[b];
    words[4 * b + 2] = c2[b];
    words[4 * b + 3] = c3[b];
  }
}

// Calls body(words, begin, count) for pieces of the elements, each with its words.
template <class Body>
void for_each_piece(const RandomArgs& args, int64_t words_each, Body&& body) {
  const Philox philox(args.seed);
  int64_t step = piece / words_each, pieces = (args.count + step - 1) / step;
  parallel_for(pieces, serial_words / piece, [&](int64_t first, int64_t last) {
    alignas(64) uint32_t words[piece];
    for (int64_t p = first; p < last; ++p) {
      make_words(philox, args.offset + static_cast<uint64_t>(p) * (piece / 4), words);
      body(words, p * step, std::min(step, args.count - p * step));
    }
  });
}

}  // namespace

void uniform(const RandomArgs& args, double low, double high) {
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    using C = Compute<T>;
    const C start = static_cast<C>(low), width = static_cast<C>(high - low);
    const C last = static_cast<C>(next_below<T>(high));
    constexpr int64_t each = words_of(dtype_of<T>());
    for_each_piece(args, each, [&](const uint32_t* words, int64_t begin, int64_t count) {
      T* out = static_cast<T*>(args.out) + begin;
      for (int64_t i = 0; i < count; ++i) {
        C value = start + unit(words + i * each, C{}) * width;
        if constexpr (!std::is_same_v<T, C>) value = static_cast<C>(static_cast<T>(value));
        out[i] = static_cast<T>(value > last ? last : value);
      }
    });
  });
}

void normal(const RandomArgs& args, double mean, double deviation) {
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    using C = Compute<T>;
    const C centre = static_cast<C>(mean), spread = static_cast<C>(deviation);
    constexpr int64_t each = words_of(dtype_of<T>());
    for_each_piece(args, each, [&](const uint32_t* words, int64_t begin, int64_t count) {
      alignas(64) C first[piece / 2], second[piece / 2];
      for (int64_t i = 0; i < (count + 1) / 2; ++i) {
        auto [x, y] = box_muller(words + 2 * i * each, C{});
        first[i] = centre + spread * x;
        second[i] = centre + spread * y;
      }
      T* out = static_cast<T*>(args.out) + begin;
      for (int64_t i = 0; i < count; ++i)
        out[i] = static_cast<T>(i % 2 ? second[i / 2] : first[i / 2]);
    });
  });
}

void integers(const RandomArgs& args, int64_t low, uint64_t range) {
  visit(args.dtype, [&]<class T>(Type<T>) {
    if constexpr (std::is_integral_v<T>) {
      for_each_piece(args, 2, [&](const uint32_t* words, int64_t begin, int64_t count) {
        T* out = static_cast<T*>(args.out) + begin;
        for (int64_t i = 0; i < count; ++i) {
          uint64_t value = static_cast<uint64_t>(low) + scaled(join(words + 2 * i), range);
          out[i] = static_cast<T>(static_cast<int64_t>(value));
        }
      });
    }
  });
}

void bernoulli(const RandomArgs& args, double p) {
  uint64_t threshold = static_cast<uint64_t>(p * 0x1p32);
  for_each_piece(args, 1, [&](const uint32_t* words, int64_t begin, int64_t count) {
    bool* out = static_cast<bool*>(args.out) + begin;
    for (int64_t i = 0; i < count; ++i) out[i] = words[i] < threshold;
  });
}

void dropout(const RandomArgs& args, const void* x, double probability, double scale, bool* keep) {
  const uint64_t threshold = static_cast<uint64_t>(probability * 0x1p32);
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    using C = Compute<T>;
    const C factor = static_cast<C>(scale);
    for_each_piece(args, 1, [&](const uint32_t* words, int64_t begin, int64_t count) {
      const T* from = static_cast<const T*>(x) + begin;
      T* to = static_cast<T*>(args.out) + begin;
      for (int64_t i = 0; i < count; ++i) {
        const bool kept = words[i] < threshold;
        if (keep) keep[begin + i] = kept;
        to[i] = kept ? static_cast<T>(factor * static_cast<C>(from[i])) : T(0);
      }
    });
  });
}

void permutation(const RandomArgs& args) {
  int64_t* out = static_cast<int64_t*>(args.out);
  for (int64_t i = 0; i < args.count; ++i) out[i] = i;
  const Philox philox(args.seed);
  for (int64_t i = args.count - 1; i > 0; --i) {
    auto block = philox.block(args.offset + static_cast<uint64_t>(i) / 2);
    uint64_t word = join(block.data() + 2 * (i % 2));
    std::swap(out[i], out[scaled(word, static_cast<uint64_t>(i) + 1)]);
  }
}

int64_t choice(const RandomArgs& args, const void* weights, DType weight_type, int64_t columns) {
  const Philox philox(args.seed);
  int64_t* out = static_cast<int64_t*>(args.out);
  visit_float(weight_type, [&]<class T>(Type<T>) {
    parallel_for(
        args.count, std::max<int64_t>(1, serial_words / columns), [&](int64_t first, int64_t last) {
          for (int64_t row = first; row < last; ++row) {
            const T* w = static_cast<const T*>(weights) + row * columns;
            double sum = 0;
            bool sound = true;
            for (int64_t c = 0; c < columns; ++c) {
              double value = static_cast<Compute<T>>(w[c]);
              sound &= value >= 0;
              sum += value;
            }
            out[row] = -1;
            if (!sound || !(sum > 0) || std::isinf(sum)) continue;
            auto block = philox.block(args.offset + static_cast<uint64_t>(row) / 2);
            double target = unit(block.data() + 2 * (row % 2), double{}) * sum, reached = 0;
            int64_t c = -1;
            while (reached <= target) reached += static_cast<Compute<T>>(w[++c]);
            out[row] = c;
          }
        });
  });
  for (int64_t row = 0; row < args.count; ++row) {
    if (out[row] < 0) return row;
  }
  return -1;
}

}  // namespace strata::cpu

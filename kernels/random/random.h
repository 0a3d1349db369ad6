// Random numbers into contiguous memory. Element i is a function of (seed, offset, i): the stream
// is Philox's blocks of four 32-bit words from block `offset` on; "words an element" below says how
// much of it each function uses. The bits are the same for any number of threads and on any machine
// (the file is compiled without fused multiply-add, and its log, sin and cos are its own).
#pragma once

#include <cstdint>

#include "kernels/common/numeric.h"

namespace strata::cpu {

struct RandomArgs {
  void* out;
  int64_t count;
  DType dtype;
  uint64_t seed, offset;
};

// Words an element: two for f64 and integers, one otherwise.
constexpr int64_t words_of(DType dtype) { return dtype == DType::f64 || is_integer(dtype) ? 2 : 1; }

// Floating types: low + u (high - low), u a multiple of 2^-24 (f64: 2^-53) below 1; what rounds to
// `high` becomes the value next below it.
void uniform(const RandomArgs& args, double low, double high);
// Floating types: mean + deviation * normal, by Box and Muller (1958); |normal| < 6.8 (f64: 8.6).
void normal(const RandomArgs& args, double mean, double deviation);
// Integer types: low + floor(u range), u a multiple of 2^-64 below 1 (bias below range / 2^64).
void integers(const RandomArgs& args, int64_t low, uint64_t range);
// bool: true with probability p, in steps of 2^-32.
void bernoulli(const RandomArgs& args, double p);
// i64: a permutation of 0..count-1 by Fisher and Yates's shuffle. Two words an element; serial.
void permutation(const RandomArgs& args);
// i64: for each of `count` rows of `columns` weights (floating type, contiguous), the index that
// u falls on when [0, 1) is divided in proportion; u is a multiple of 2^-53. Two words a row.
// Returns the first row whose weights have no finite positive sum, or a negative entry; else -1.
int64_t choice(const RandomArgs& args, const void* weights, DType weight_type, int64_t columns);

// bernoulli and a scaled choice in one pass: keep[i] as bernoulli(probability) would draw it,
// out[i] = keep[i] ? scale x[i] : 0 in the floating type of args; `keep` may be null.
void dropout(const RandomArgs& args, const void* x, double probability, double scale, bool* keep);

}  // namespace strata::cpu

// The same on the current stream, with the same bits; `out`, `weights`, `x` and `keep` are device
// memory. choice() waits for the stream, and returns -1 while it is being captured.
namespace strata::gpu {

void uniform(const cpu::RandomArgs& args, double low, double high);
void normal(const cpu::RandomArgs& args, double mean, double deviation);
void integers(const cpu::RandomArgs& args, int64_t low, uint64_t range);
void bernoulli(const cpu::RandomArgs& args, double p);
void permutation(const cpu::RandomArgs& args);
int64_t choice(const cpu::RandomArgs& args, const void* weights, DType weight_type,
               int64_t columns);
void dropout(const cpu::RandomArgs& args, const void* x, double probability, double scale,
             bool* keep);

}  // namespace strata::gpu

// Random tensors from a counter-based generator, Philox 4x32-10 (Salmon et al. 2011, "Parallel
// random numbers: as easy as 1, 2, 3"): element i of a draw is a function of (seed, position of the
// draw, i) alone, so the same seed gives the same bits whatever the thread count.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata {

struct GeneratorState {
  uint64_t seed = 0;
  uint64_t offset = 0;  // in blocks of four 32-bit numbers
};

class Generator {
 public:
  explicit Generator(uint64_t seed = 0) : state_{seed, 0} {}
  GeneratorState state() const { return state_; }
  void set_state(GeneratorState state) { state_ = state; }
  // Reserves n 32-bit numbers, rounded up to whole blocks; returns where they start.
  GeneratorState reserve(int64_t n) {
    GeneratorState start = state_;
    state_.offset += static_cast<uint64_t>((n + 3) / 4);
    return start;
  }

 private:
  GeneratorState state_;
};

// The generator of this thread that ops use when given none.
Generator& default_generator();
void manual_seed(uint64_t seed);

// Uniform in [low, high): low + u (high - low), u a multiple of 2^-24 (f64: 2^-53). Floating types.
Tensor rand(const Dims& shape, double low = 0, double high = 1, DType dtype = DType::f32,
            Generator* generator = nullptr, Caller at = Caller::here());
// Normal, by Box and Muller (1958). Floating types.
Tensor randn(const Dims& shape, double mean = 0, double deviation = 1, DType dtype = DType::f32,
             Generator* generator = nullptr, Caller at = Caller::here());
// Integers in [low, high), by a 64-bit multiply and shift: bias below (high - low) / 2^64. Integer
// types that hold the range.
Tensor randint(int64_t low, int64_t high, const Dims& shape, DType dtype = DType::i64,
               Generator* generator = nullptr, Caller at = Caller::here());
// A permutation of 0..n-1, i64 [n]: Fisher and Yates's shuffle.
Tensor randperm(int64_t n, Generator* generator = nullptr, Caller at = Caller::here());
// bool, true with probability p (in steps of 2^-32).
Tensor bernoulli(const Dims& shape, double p, Generator* generator = nullptr,
                 Caller at = Caller::here());
// Zeroes elements with probability p and scales the rest by 1 / (1 - p) (Srivastava et al. 2014); x
// itself when not training. The mask is kept for the backward pass, one byte an element.
Tensor dropout(const Tensor& x, double p, bool training = true, Generator* generator = nullptr,
               Caller at = Caller::here());
// An index drawn from each row of weights [..., C], in proportion to them (they need not sum to 1):
// [...] i64. Negative, NaN or all-zero weights are an error. No gradient.
Tensor multinomial(const Tensor& weights, Generator* generator = nullptr,
                   Caller at = Caller::here());

}  // namespace strata

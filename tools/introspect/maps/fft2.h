// Two-dimensional Fourier transforms of square arrays, for convolutions with zero padding. The
// one-dimensional ones are Eigen's (its FFT module, from kissfft), which is why this is a file of
// its own: Eigen is slow to compile.
#pragma once

#include <complex>
#include <cstdint>
#include <vector>

namespace strata::introspect {

// The smallest even size of at least n whose prime factors are 2, 3 and 5.
int64_t fast_fft_size(int64_t n);

// Transforms of [m, m] arrays whose rows and columns from `used` on are zero (on the way in) or not
// wanted (on the way out), which saves a quarter of the work. Spectra are stored transposed. Rows
// are transformed in parallel, each on its own, so the bits do not depend on the thread count.
class Fft2 {
 public:
  using Complex = std::complex<double>;
  explicit Fft2(int64_t m) : m_(m) {}
  int64_t size() const { return m_; }

  // in [used, m] -> out [m, m], transposed: out[c, r] = sum in[i, j] exp(-2 pi i (i r + j c) / m).
  void forward(const Complex* in, int64_t used, Complex* out);
  // in [m, m], transposed -> out [used, m]; m^2 times the inverse.
  void inverse(const Complex* in, int64_t used, Complex* out);

 private:
  int64_t m_;
};

}  // namespace strata::introspect

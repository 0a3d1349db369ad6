#include "tools/introspect/maps/fft2.h"

#include <Eigen/Core>
#include <algorithm>
#include <unsupported/Eigen/FFT>

#include "kernels/common/parallel.h"

namespace strata::introspect {
namespace {

constexpr int64_t band = 8;  // rows transposed together: a cache line of complex numbers and more

// Each thread keeps its own transform: it holds the factors of the sizes it has met.
Eigen::FFT<double>& transform() {
  thread_local Eigen::FFT<double> fft(Eigen::default_fft_impl<double>(),
                                      Eigen::FFT<double>::Unscaled);
  return fft;
}

}  // namespace

int64_t fast_fft_size(int64_t n) {
  for (int64_t size = n + n % 2;; size += 2) {
    int64_t rest = size;
    for (int64_t prime : {2, 3, 5}) {
      while (rest % prime == 0) rest /= prime;
    }
    if (rest == 1) return size;
  }
}

void Fft2::forward(const Complex* in, int64_t used, Complex* out) {
  int64_t bands = (used + band - 1) / band;
  parallel_for(bands, 1, [&](int64_t begin, int64_t end) {
    std::vector<Complex> rows(static_cast<size_t>(band * m_));
    for (int64_t b = begin; b < end; ++b) {
      int64_t first = b * band, count = std::min(band, used - first);
      for (int64_t r = 0; r < count; ++r) {
        transform().fwd(&rows[static_cast<size_t>(r * m_)], in + (first + r) * m_, m_);
      }
      for (int64_t c = 0; c < m_; ++c) {
        for (int64_t r = 0; r < count; ++r) {
          out[c * m_ + first + r] = rows[static_cast<size_t>(r * m_ + c)];
        }
      }
    }
  });
  parallel_for(m_, 4, [&](int64_t begin, int64_t end) {
    std::vector<Complex> row(static_cast<size_t>(m_));
    for (int64_t c = begin; c < end; ++c) {
      std::copy_n(out + c * m_, used, row.begin());
      transform().fwd(out + c * m_, row.data(), m_);
    }
  });
}

void Fft2::inverse(const Complex* in, int64_t used, Complex* out) {
  int64_t bands = (m_ + band - 1) / band;
  parallel_for(bands, 1, [&](int64_t begin, int64_t end) {
    std::vector<Complex> rows(static_cast<size_t>(band * m_));
    for (int64_t b = begin; b < end; ++b) {
      int64_t first = b * band, count = std::min(band, m_ - first);
      for (int64_t c = 0; c < count; ++c) {
        transform().inv(&rows[static_cast<size_t>(c * m_)], in + (first + c) * m_, m_);
      }
      for (int64_t r = 0; r < used; ++r) {
        for (int64_t c = 0; c < count; ++c) {
          out[r * m_ + first + c] = rows[static_cast<size_t>(c * m_ + r)];
        }
      }
    }
  });
  parallel_for(used, 4, [&](int64_t begin, int64_t end) {
    std::vector<Complex> row(static_cast<size_t>(m_));
    for (int64_t r = begin; r < end; ++r) {
      std::copy_n(out + r * m_, m_, row.begin());
      transform().inv(out + r * m_, row.data(), m_);
    }
  });
}

}  // namespace strata::introspect

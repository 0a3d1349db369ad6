// Log-mel front end: how loud a waveform is at each time in bands spaced as hearing has them (Davis
// and Mermelstein 1980; the scales of HTK and of Slaney's Auditory Toolbox 1998).
//   frames:  x[n, f hop + i] window[i],  i = 0..fft - 1, the periodic Hann window of `window`
//            samples in the middle of `fft`; with `center` x is reflected fft / 2 beyond both ends
//   power:   P[n, f, k] = |sum over i of frame[i] exp(-2 pi j k i / fft)|^2,  k = 0..fft / 2
//   mel:     M[n, f, m] = sum over k of P[n, f, k] filter[m, k]
//   result:  log(max(M, floor)), natural logarithm
//
// A filter is a triangle over three neighbours of mels + 2 frequencies spaced evenly in mel:
//   slaney   linear below 1 kHz (200/3 Hz a mel), above it 27 mels a factor of 6.4; each filter has
//            the area 2 / (its width in Hz), librosa's default
//   htk      2595 log10(1 + Hz / 700), peaks of 1, torchaudio's default
//
// The transform is one convolution with a fixed basis, so it is differentiable as often as one
// likes: fft (fft + 2) multiply-adds a frame (66 k for 256; an FFT needs 5 k, but at 100 frames a
// second this is 0.2% of the networks behind it). No parameters; the tables are made anew, not
// saved.
//
//   activation    result
//   power         [N, frames, fft / 2 + 1]
#pragma once

#include "engine/nn/layer.h"

namespace strata {

enum class MelScale { slaney, htk };

struct LogMelOptions {
  double rate = 8000;  // samples a second
  int64_t fft = 256;
  int64_t window = 200;  // samples
  int64_t hop = 80;
  int64_t mels = 40;
  double low = 20, high = 4000;  // Hz
  MelScale scale = MelScale::slaney;
  double floor = 1e-10;  // power
  bool center = true;
};

// f64 [mels, fft / 2 + 1].
Tensor mel_filters(const LogMelOptions& options, Caller at = Caller::here());

// x [N, T] -> [N, frames, mels]; frames = 1 + T / hop with center, else 1 + (T - fft) / hop.
class LogMel : public Layer {
 public:
  explicit LogMel(const LogMelOptions& options = {});
  std::string kind() const override;
  Tensor forward(const Tensor& x) override;
  const LogMelOptions& options() const { return options_; }

 private:
  LogMelOptions options_;
  Tensor basis_;    // f64 [2 bins, fft, 1]: windowed cosines, then sines
  Tensor filters_;  // f64 [mels, bins]
};

}  // namespace strata

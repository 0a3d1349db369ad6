#include "models/audio/log_mel.h"

#include <cmath>
#include <numbers>

#include "engine/ops.h"

namespace strata {
namespace {

constexpr double knee_hz = 1000, hz_a_mel = 200.0 / 3, knee_mel = knee_hz / hz_a_mel;
const double step_above = std::log(6.4) / 27;

double to_mel(double hz, MelScale scale) {
  if (scale == MelScale::htk) return 2595 * std::log10(1 + hz / 700);
  return hz < knee_hz ? hz / hz_a_mel : knee_mel + std::log(hz / knee_hz) / step_above;
}

double to_hz(double mel, MelScale scale) {
  if (scale == MelScale::htk) return 700 * (std::pow(10, mel / 2595) - 1);
  return mel < knee_mel ? mel * hz_a_mel : knee_hz * std::exp((mel - knee_mel) * step_above);
}

// Cosines and sines of each frequency, times the window.
Tensor windowed_basis(const LogMelOptions& o) {
  const int64_t bins = o.fft / 2 + 1, before = (o.fft - o.window) / 2;
  Tensor basis = zeros({2 * bins, o.fft, 1}, DType::f64);
  double* out = basis.data<double>();
  for (int64_t k = 0; k < bins; ++k) {
    for (int64_t i = 0; i < o.window; ++i) {
      const double turn = 2 * std::numbers::pi;
      const double window =
          0.5 - 0.5 * std::cos(turn * static_cast<double>(i) / static_cast<double>(o.window));
      // k i modulo fft keeps the argument small, and its cosine exact.
      const double angle =
          turn * static_cast<double>(k * (before + i) % o.fft) / static_cast<double>(o.fft);
      out[k * o.fft + before + i] = window * std::cos(angle);
      out[(bins + k) * o.fft + before + i] = -window * std::sin(angle);
    }
  }
  return basis;
}

void check(const LogMelOptions& o, Caller at) {
  if (o.window < 1 || o.window > o.fft || o.hop < 1 || o.mels < 1)
    fail("LogMel", at,
         "the window must have 1 to fft samples, hop and mels be positive; got fft {}, "
         "window {}, hop {}, mels {}",
         o.fft, o.window, o.hop, o.mels);
  if (!(o.low >= 0 && o.low < o.high && o.high <= o.rate / 2))
    fail("LogMel", at, "the bands must lie between 0 and half the rate, {} Hz; got {} to {} Hz",
         o.rate / 2, o.low, o.high);
}

}  // namespace

Tensor mel_filters(const LogMelOptions& o, Caller at) {
  check(o, at);
  const int64_t bins = o.fft / 2 + 1;
  const double low = to_mel(o.low, o.scale), high = to_mel(o.high, o.scale);
  auto edge = [&](int64_t i) {
    return to_hz(low + (high - low) * static_cast<double>(i) / static_cast<double>(o.mels + 1),
                 o.scale);
  };
  Tensor filters = empty({o.mels, bins}, DType::f64);
  for (int64_t m = 0; m < o.mels; ++m) {
    const double left = edge(m), peak = edge(m + 1), right = edge(m + 2);
    const double height = o.scale == MelScale::slaney ? 2 / (right - left) : 1;
    for (int64_t k = 0; k < bins; ++k) {
      const double hz = o.rate * static_cast<double>(k) / static_cast<double>(o.fft);
      const double rise = (hz - left) / (peak - left), fall = (right - hz) / (right - peak);
      filters.data<double>()[m * bins + k] = height * std::max(0.0, std::min(rise, fall));
    }
  }
  return filters;
}

LogMel::LogMel(const LogMelOptions& options)
    : options_(options), filters_(mel_filters(options, Caller{})) {
  basis_ = windowed_basis(options);
}

std::string LogMel::kind() const {
  return fmt::format("LogMel({} mels, {} Hz, hop {})", options_.mels, options_.rate, options_.hop);
}

Tensor LogMel::forward(const Tensor& x) {
  const int64_t side = options_.center ? options_.fft / 2 : 0;
  const int64_t shortest = options_.center ? side + 1 : options_.fft;
  if (x.rank() != 2 || x.size(1) < shortest)
    fail("LogMel", Caller{}, "takes waveforms [N, T] of at least {} samples (fft {}); got {}",
         shortest, options_.fft, describe(x));
  auto table = [&](const Tensor& values) { return values.to(x.dtype()).to(x.device()); };
  Tensor wave = side ? pad(x, {0, side}, {0, side}, 0, PadMode::reflect) : x;
  Tensor spectrum = conv1d(wave.unsqueeze(-1), table(basis_), {}, {.stride = options_.hop});
  const int64_t bins = options_.fft / 2 + 1;
  Tensor power = square(spectrum.slice(2, 0, bins)) + square(spectrum.slice(2, bins, 2 * bins));
  Tensor mel = linear(named("power", power), table(filters_));
  return log(clamp(mel, options_.floor, std::numeric_limits<double>::infinity()));
}

}  // namespace strata

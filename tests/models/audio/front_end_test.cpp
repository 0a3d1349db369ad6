// The log-mel front end against librosa's numbers (tests/parity/make_audio.py), and mu-law.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/io/npy.h"
#include "models/audio/log_mel.h"
#include "models/audio/mu_law.h"
#include "tests/models/model_checks.h"

namespace strata::test {
namespace {

StateDict librosa() {
  return io::load_npz(std::string(STRATA_SOURCE_DIR) + "/tests/parity/fixtures/log_mel.npz");
}

LogMelOptions htk() {
  return {.fft = 128,
          .window = 128,
          .hop = 50,
          .mels = 20,
          .low = 0,
          .scale = MelScale::htk,
          .center = false};
}

TEST(LogMel, FiltersAreLibrosas) {
  const StateDict want = librosa();
  expect_near(values(mel_filters({})), values(want.at("slaney_filters")), 1e-6);
  expect_near(values(mel_filters(htk())), values(want.at("htk_filters")), 1e-6);
}

TEST(LogMel, SpectrogramsAreLibrosas) {
  const StateDict want = librosa();
  Tensor wave = want.at("wave").to(DType::f64);
  LogMel slaney, other(htk());
  EXPECT_EQ(slaney(wave).shape(), (Dims{2, 11, 40}));
  expect_near(values(slaney(wave)), values(want.at("slaney")), 1e-5);
  expect_near(values(other(wave)), values(want.at("htk")), 1e-5);
  // f32 has the log of small powers less exactly.
  expect_near(values(slaney(wave.to(DType::f32))), values(want.at("slaney")), 1e-3);
}

TEST(LogMel, SilenceIsTheFloor) {
  LogMel layer;
  for (double v : values(layer(zeros({1, 400})))) EXPECT_NEAR(v, std::log(1e-10), 1e-5);
}

TEST(LogMel, GradientIsThatOfDifferences) {
  LogMel layer({.fft = 32, .window = 24, .hop = 12, .mels = 6, .low = 0});
  Tensor x = random({1, 60}, 3).set_requires_grad(), weights = random({1, 6, 6}, 4);
  auto loss = [&](const Tensor& wave) { return sum(layer(wave) * weights); };
  loss(x).backward();
  Tensor direction = random({1, 60}, 5);
  constexpr double step = 1e-6;
  const double want =
      (loss(x + direction * step).item() - loss(x - direction * step).item()) / (2 * step);
  EXPECT_NEAR(sum(x.grad() * direction).item(), want, 1e-6 * (1 + std::abs(want)));
}

TEST(LogMel, SaysWhatItTakes) {
  LogMel layer;
  EXPECT_FAILS(layer(zeros({1, 100})),
               R"(waveforms \[N, T\] of at least 129 samples.*f32\[1,100\])");
  EXPECT_FAILS(LogMel({.high = 5000}), "between 0 and half the rate, 4000 Hz; got 20 to 5000");
  EXPECT_FAILS(LogMel({.fft = 100}), "fft 100, window 200");
}

TEST(MuLaw, GoesRoundWithinHalfAStep) {
  Tensor x = linspace(-1, 1, 2001, DType::f64), codes = mu_law_encode(x);
  EXPECT_EQ(values(mu_law_encode(vector_of({-1, 0, 1, 5}))),
            (std::vector<double>{0, 128, 255, 255}));
  auto got = values(mu_law_decode(codes)), want = values(x);
  for (size_t i = 0; i < got.size(); ++i) {
    // The curve's slope at x is mu / (log(1 + mu) (1 + mu |x|)); a step is 2 / mu of its value.
    const double step = 2.0 / 255 * std::log(256.0) * (1 + 255 * std::abs(want[i])) / 255;
    EXPECT_LE(std::abs(got[i] - want[i]), 0.55 * step) << want[i];
  }
  EXPECT_EQ(values(mu_law_encode(mu_law_decode(arange(0, 256)))), values(arange(0, 256)));
}

}  // namespace
}  // namespace strata::test

// terrace-audio: the same phrase every time, independent factors, tables, changes of one factor.
#include "engine/data/terrace_audio.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/ops.h"
#include "models/audio/log_mel.h"
#include "tests/support/expect.h"

namespace strata {
namespace {

using namespace terrace_audio;
using test::values;

std::vector<float> sound_of(const Phrase& phrase) {
  std::vector<float> out(TerraceAudio::samples);
  render(phrase, out.data());
  return out;
}

TEST(TerraceAudio, ANumberIsAPhrase) {
  const TerraceAudio data({}, 7, 100), later({}, 7, 10, 40), other({}, 8, 100);
  const int64_t five[] = {45, 3, 45};
  const TerraceAudio::Batch batch = data.fill(five);
  EXPECT_EQ(values(batch.waves.select(0, 0)), values(batch.waves.select(0, 2)));
  EXPECT_NE(values(batch.waves.select(0, 0)), values(batch.waves.select(0, 1)));
  EXPECT_EQ(sound_of(data.phrase(45)), sound_of(later.phrase(5)));
  EXPECT_NE(sound_of(data.phrase(45)), sound_of(other.phrase(45)));
  EXPECT_EQ(batch.waves.select(0, 0).to_vector<float>(), sound_of(data.phrase(45)));
  EXPECT_EQ(batch.labels.select(0, 0).item(), data.phrase(45).record[word]);
}

// Uniform, and any two of them independent: chi squared of the counts. The bound is 6 deviations.
TEST(TerraceAudio, DrawnFactorsAreIndependent) {
  constexpr int count = 8000;
  const TerraceAudio data({}, 1, count);
  std::vector<Record> records;
  for (int64_t i = 0; i < count; ++i) records.push_back(data.phrase(i).record);
  for (int a = 0; a < drawn_count; ++a) {
    for (int b = a; b < drawn_count; ++b) {
      const int cells = row_of(a).values * (a == b ? 1 : row_of(b).values);
      std::vector<double> seen(static_cast<size_t>(cells), 0);
      for (const Record& r : records)
        ++seen[static_cast<size_t>(r[static_cast<size_t>(a)] +
                                   (a == b ? 0 : row_of(a).values * r[static_cast<size_t>(b)]))];
      double chi = 0;
      const double wanted = static_cast<double>(count) / cells;
      for (double n : seen) chi += (n - wanted) * (n - wanted) / wanted;
      EXPECT_LT(chi, cells - 1 + 6 * std::sqrt(2.0 * (cells - 1)))
          << row_of(a).name << row_of(b).name;
    }
  }
}

TEST(TerraceAudio, TablesAreThoseOfTerrace) {
  const TerraceAudio latin(
      {.phoneme_rule = terrace::Rule::latin, .word_rule = terrace::Rule::latin}, 1, 200);
  for (int64_t i = 0; i < 200; ++i) {
    const Record r = latin.phrase(i).record;
    EXPECT_EQ(r[phoneme_before], (r[first_formant_before] + r[second_formant_before]) % 4);
    EXPECT_EQ(r[word], (r[phoneme_before] + r[phoneme_after]) % 4);
  }
  // One argument of a latin square tells nothing; of a staircase the first tells one bit of two.
  EXPECT_NEAR(information(latin.rules(), word, {phoneme_before}), 0, 1e-12);
  const TerraceAudio stairs({}, 1, 1);
  EXPECT_NEAR(information(stairs.rules(), word, {phoneme_before}), 1, 1e-12);
  EXPECT_NEAR(information(stairs.rules(), word, {phoneme_after}), 0, 1e-12);
  EXPECT_NEAR(information(stairs.rules(), word, {phoneme_before, phoneme_after}), 2, 1e-12);
  EXPECT_NEAR(information(stairs.rules(), phrase, {speaker, pitch, partials}), 0, 1e-12);
}

TEST(TerraceAudio, ACounterfactualChangesTheFewestFactors) {
  const TerraceAudio data({}, 3, 30);
  for (int64_t i = 0; i < 30; ++i) {
    const Phrase original = data.phrase(i);
    for (int factor = 0; factor < factor_count; ++factor) {
      const int now = original.record[static_cast<size_t>(factor)];
      EXPECT_EQ(sound_of(data.counterfactual(i, factor, now)), sound_of(original));
      const Phrase changed = data.counterfactual(i, factor, (now + 1) % row_of(factor).values);
      EXPECT_NE(changed.record[static_cast<size_t>(factor)], now);
      int drawn = 0;
      for (int source = 0; source < drawn_count; ++source)
        drawn += changed.record[static_cast<size_t>(source)] !=
                 original.record[static_cast<size_t>(source)];
      EXPECT_GE(drawn, 1);
      EXPECT_LE(drawn, static_cast<int>(sources_of(factor).size()));
    }
  }
}

// A formant of the second syllable leaves the first as it was, to the bit.
TEST(TerraceAudio, AChangeStaysInItsPlace) {
  const TerraceAudio data({}, 5, 20);
  for (int64_t i = 0; i < 20; ++i) {
    const Phrase a = data.phrase(i);
    const int now = a.record[first_formant_after];
    const Phrase b = data.counterfactual(i, first_formant_after, (now + 1) % 4);
    const auto end = static_cast<std::ptrdiff_t>((a.begin[0] + a.length[0]) * TerraceAudio::rate);
    const std::vector<float> x = sound_of(a), y = sound_of(b);
    EXPECT_TRUE(std::equal(x.begin(), x.begin() + end, y.begin()));
    EXPECT_NE(x, y);
  }
}

// The loudest bands of a quiet steady voice are where its formants are.
TEST(TerraceAudio, FormantsAreHeardWhereTheyAre) {
  const TerraceAudio data({}, 9, 1);
  Phrase p = data.phrase(0);
  p.record[partials] = 0, p.record[speaker] = 1, p.noise = 0, p.tract = 1 / 0.98;
  LogMel spectrum({.fft = 512, .window = 512, .hop = 200, .mels = 60, .low = 100});
  auto loudest = [&](double low, double high) {
    Tensor wave = from_vector(sound_of(p), {1, TerraceAudio::samples});
    std::vector<double> bands = values(mean(exp(spectrum(wave).slice(1, 5, 7)), {0, 1}));
    const std::vector<double> filters = values(mel_filters(spectrum.options()));
    double best = 0, at = 0;
    for (size_t m = 0; m < bands.size(); ++m) {
      const double* filter = &filters[m * 257];
      const double hz =
          static_cast<double>(std::max_element(filter, filter + 257) - filter) * 8000 / 512;
      if (hz > low && hz < high && bands[m] > best) best = bands[m], at = hz;
    }
    return at;
  };
  for (int kind = 0; kind < 4; ++kind) {
    p.record[first_formant_before] = static_cast<int8_t>(kind);
    EXPECT_NEAR(loudest(150, 950), 300 + 150 * kind, 90) << kind;
    p.record[second_formant_before] = static_cast<int8_t>(kind);
    EXPECT_NEAR(loudest(1000, 3000),
                (std::array{1100, 1500, 1950, 2450})[static_cast<size_t>(kind)], 130)
        << kind;
  }
}

TEST(TerraceAudio, SaysWhatIsWrong) {
  const TerraceAudio data({}, 1, 4);
  const int64_t outside[] = {4};
  EXPECT_FAILS(data.fill(outside), R"(there are 4 phrases; index 4 is outside \[0, 4\))");
  EXPECT_FAILS(data.counterfactual(0, partials, 3), "factor 0 cannot be 3");
  EXPECT_FAILS(TerraceAudio({.label = 99}, 1, 4), "0..11; got 99");
  EXPECT_FAILS(factor_named("vowel"), "'vowel'; there are: partials, pitch");
  EXPECT_EQ(factor_named("word"), word);
}

}  // namespace
}  // namespace strata

#include "engine/data/terrace_audio_rules.h"

#include <cmath>
#include <map>

namespace strata::terrace_audio {
namespace {

constexpr FactorRow rows[factor_count] = {
    {"partials", 1, 3, {"all", "odd", "few", ""}},
    {"pitch", 1, 4, {"low", "middle low", "middle high", "high"}},
    {"first_formant_before", 2, 4, {"300 Hz", "450 Hz", "600 Hz", "750 Hz"}},
    {"second_formant_before", 2, 4, {"1100 Hz", "1500 Hz", "1950 Hz", "2450 Hz"}},
    {"first_formant_after", 2, 4, {"300 Hz", "450 Hz", "600 Hz", "750 Hz"}},
    {"second_formant_after", 2, 4, {"1100 Hz", "1500 Hz", "1950 Hz", "2450 Hz"}},
    {"melody", 2, 4, {"rising", "falling", "arch", "dip"}},
    {"speaker", 0, 4, {"long tract", "middle long", "middle short", "short tract"}},
    {"phoneme_before", 3, 4, {"phoneme 0", "phoneme 1", "phoneme 2", "phoneme 3"}},
    {"phoneme_after", 3, 4, {"phoneme 0", "phoneme 1", "phoneme 2", "phoneme 3"}},
    {"word", 4, 4, {"word 0", "word 1", "word 2", "word 3"}},
    {"phrase", 5, 4, {"phrase 0", "phrase 1", "phrase 2", "phrase 3"}},
};

int64_t code_of(const Record& record, const std::vector<int>& factors) {
  int64_t code = 0;
  for (int factor : factors) code = code * 4 + record[static_cast<size_t>(factor)];
  return code;
}

double entropy(const std::map<int64_t, int64_t>& counts, int64_t total) {
  double bits = 0;
  for (auto [code, count] : counts) {
    const double p = static_cast<double>(count) / static_cast<double>(total);
    bits -= p * std::log2(p);
  }
  return bits;
}

}  // namespace

const FactorRow& row_of(int factor) { return rows[factor]; }

int factor_named(const std::string& name, Caller at) {
  std::string known;
  for (int factor = 0; factor < factor_count; ++factor) {
    if (name == rows[factor].name) return factor;
    known += (factor ? ", " : "") + std::string(rows[factor].name);
  }
  fail("terrace_audio", at, "no factor is called '{}'; there are: {}", name, known);
}

void derive(const Rules& rules, Record& record) {
  auto set = [&](int result, const terrace::Table& table, int a, int b) {
    record[static_cast<size_t>(result)] =
        static_cast<int8_t>(table(record[static_cast<size_t>(a)], record[static_cast<size_t>(b)]));
  };
  set(phoneme_before, rules.phoneme, first_formant_before, second_formant_before);
  set(phoneme_after, rules.phoneme, first_formant_after, second_formant_after);
  set(word, rules.word, phoneme_before, phoneme_after);
  set(phrase, rules.phrase, word, melody);
}

std::vector<int> sources_of(int factor) {
  const std::vector<int> formants = {first_formant_before, second_formant_before,
                                     first_formant_after, second_formant_after};
  switch (factor) {
    case phoneme_before:
      return {formants[0], formants[1]};
    case phoneme_after:
      return {formants[2], formants[3]};
    case word:
      return formants;
    case phrase:
      return {formants[0], formants[1], formants[2], formants[3], melody};
    default:
      return {factor};
  }
}

double information(const Rules& rules, int target, const std::vector<int>& given) {
  std::vector<int> both = given;
  both.push_back(target);
  std::map<int64_t, int64_t> of_given, of_target, of_both;
  int64_t total = 0;
  for (Record record{};;) {
    derive(rules, record);
    ++of_given[code_of(record, given)];
    ++of_target[record[static_cast<size_t>(target)]];
    ++of_both[code_of(record, both)];
    ++total;
    size_t i = 0;
    while (i < drawn_count && ++record[i] == rows[i].values) record[i++] = 0;
    if (i == drawn_count) break;
  }
  return entropy(of_given, total) + entropy(of_target, total) - entropy(of_both, total);
}

}  // namespace strata::terrace_audio

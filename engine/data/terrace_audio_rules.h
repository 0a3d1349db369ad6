// What a terrace-audio phrase is made of: the sibling of engine/data/terrace_rules.h for the ear,
// with the same tables.
//
//   level 1  partials (3)                  which overtones there are: all, odd, or few; and
//            pitch (4)                     how high the voice starts
//   level 2  first and second formant (4 each) of each syllable; melody (4)
//   level 3  phoneme = table(first formant, second formant), of each syllable
//   level 4  word = table(phoneme, phoneme)
//   level 5  phrase = table(word, melody)
//   speaker (4)  a nuisance: the length of the vocal tract moves all formants together
//
// The eight factors of levels 1 and 2 and the speaker are drawn, independently and uniformly; the
// four above follow from them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/data/terrace_rules.h"

namespace strata::terrace_audio {

enum Factor : int {
  partials,
  pitch,
  first_formant_before,  // of the first syllable
  second_formant_before,
  first_formant_after,  // of the second
  second_formant_after,
  melody,
  speaker,
  phoneme_before,
  phoneme_after,
  word,
  phrase,
};
inline constexpr int factor_count = 12, drawn_count = 8, kinds = terrace::kinds;

using Record = std::array<int8_t, factor_count>;

struct FactorRow {
  const char* name;
  int level;  // 0: the nuisance
  int values;
  std::array<const char*, 4> value_names;
};
const FactorRow& row_of(int factor);
// An unknown name is an error that lists them.
int factor_named(const std::string& name, Caller at = Caller::here());

struct Rules {
  terrace::Table phoneme, word, phrase;
};
// Fills the derived factors from the drawn ones.
void derive(const Rules& rules, Record& record);
// Drawn factors that `factor` may depend on (itself when it is drawn), in order.
std::vector<int> sources_of(int factor);
// I(target; given jointly) in bits, by enumeration of the tables.
double information(const Rules& rules, int target, const std::vector<int>& given);

}  // namespace strata::terrace_audio

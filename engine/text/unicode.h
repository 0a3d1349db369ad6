// What tokenisers need of Unicode: classes of characters, lower case, decomposition. The tables are
// utf8proc's.
#pragma once

#include <string>
#include <string_view>

#include "engine/text/utf8.h"

namespace strata::unicode {

bool is_letter(char32_t c);       // categories L*
bool is_number(char32_t c);       // N*
bool is_punctuation(char32_t c);  // P*
bool is_mark(char32_t c);         // Mn: accents and other marks that take no room
bool is_control(char32_t c);      // C*: control, format, surrogate, private, unassigned
bool is_space(char32_t c);        // White_Space
bool is_ideograph(char32_t c);    // the blocks of CJK ideographs

char32_t lower_case(char32_t c);
// Normalisation form D of UTF-8 text: an accented letter becomes a letter and marks.
std::string decomposed(std::string_view text);

}  // namespace strata::unicode

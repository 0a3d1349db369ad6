// UTF-8: code points out of bytes and back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace strata::unicode {

// The code point that begins at text[place], and how many bytes it takes. Bytes that begin none
// (overlong forms, surrogates and values above U+10FFFF are none) have length 0.
struct Decoded {
  char32_t character = 0;
  int length = 0;
};
Decoded decode(std::string_view text, size_t place);
void append(std::string& text, char32_t character);
// How long the UTF-8 text is before the first byte that begins no character.
size_t valid_length(std::string_view text);

}  // namespace strata::unicode

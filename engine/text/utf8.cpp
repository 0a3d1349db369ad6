#include "engine/text/utf8.h"

namespace strata::unicode {

Decoded decode(std::string_view text, size_t place) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(place);
  const int length = first < 0x80       ? 1
                     : first >> 5 == 6  ? 2
                     : first >> 4 == 14 ? 3
                     : first >> 3 == 30 ? 4
                                        : 0;
  if (length == 0 || place + static_cast<size_t>(length) > text.size()) return {};
  uint32_t value = length == 1 ? first : first & (0x7fu >> length);
  for (int i = 1; i < length; ++i) {
    const uint8_t next = byte(place + static_cast<size_t>(i));
    if (next >> 6 != 2) return {};
    value = value << 6 | (next & 0x3fu);
  }
  constexpr uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < smallest[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
    return {};
  return {static_cast<char32_t>(value), length};
}

void append(std::string& text, char32_t c) {
  const auto put = [&](uint32_t byte) { text += static_cast<char>(byte); };
  const uint32_t v = c;
  if (v < 0x80) return put(v);
  if (v < 0x800) return put(0xc0 | v >> 6), put(0x80 | (v & 0x3f));
  if (v < 0x10000) {
    put(0xe0 | v >> 12);
  } else {
    put(0xf0 | v >> 18);
    put(0x80 | (v >> 12 & 0x3f));
  }
  put(0x80 | (v >> 6 & 0x3f));
  put(0x80 | (v & 0x3f));
}

size_t valid_length(std::string_view text) {
  size_t place = 0;
  while (place < text.size()) {
    const int length = decode(text, place).length;
    if (length == 0) break;
    place += static_cast<size_t>(length);
  }
  return place;
}

}  // namespace strata::unicode

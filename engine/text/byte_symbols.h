// The visible characters that stand for bytes in the files of a byte-level vocabulary.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "engine/text/utf8.h"

namespace strata::text {

inline bool shows_itself(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xff && byte != 0xad);
}

// The character of each byte.
inline const std::array<char32_t, 256>& byte_symbols() {
  static const std::array<char32_t, 256> all = [] {
    std::array<char32_t, 256> table{};
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte)
      table[static_cast<size_t>(byte)] = shows_itself(byte) ? static_cast<char32_t>(byte) : next++;
    return table;
  }();
  return all;
}

inline std::string to_symbols(std::string_view bytes) {
  std::string out;
  for (char byte : bytes) unicode::append(out, byte_symbols()[static_cast<uint8_t>(byte)]);
  return out;
}

// The bytes that characters stand for; none when one stands for no byte.
inline std::optional<std::string> from_symbols(std::string_view symbols) {
  static const std::array<int, 0x144> bytes = [] {
    std::array<int, 0x144> table;
    table.fill(-1);
    for (int byte = 0; byte < 256; ++byte) table[byte_symbols()[static_cast<size_t>(byte)]] = byte;
    return table;
  }();
  std::string out;
  for (size_t place = 0; place < symbols.size();) {
    const unicode::Decoded c = unicode::decode(symbols, place);
    if (c.length == 0 || c.character >= bytes.size() || bytes[c.character] < 0) return {};
    out += static_cast<char>(bytes[c.character]);
    place += static_cast<size_t>(c.length);
  }
  return out;
}

}  // namespace strata::text

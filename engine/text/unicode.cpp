#include "engine/text/unicode.h"

#include <utf8proc.h>

#include <cstdlib>
#include <memory>

#include "engine/error.h"

namespace strata::unicode {
namespace {

utf8proc_category_t category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}
bool within(utf8proc_category_t c, utf8proc_category_t first, utf8proc_category_t last) {
  return first <= c && c <= last;
}

}  // namespace

bool is_letter(char32_t c) {
  return within(category(c), UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LO);
}
bool is_number(char32_t c) {
  return within(category(c), UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_NO);
}
bool is_punctuation(char32_t c) {
  return within(category(c), UTF8PROC_CATEGORY_PC, UTF8PROC_CATEGORY_PO);
}
bool is_mark(char32_t c) { return category(c) == UTF8PROC_CATEGORY_MN; }
bool is_control(char32_t c) {
  const utf8proc_category_t of = category(c);
  return of == UTF8PROC_CATEGORY_CN || within(of, UTF8PROC_CATEGORY_CC, UTF8PROC_CATEGORY_CO);
}
bool is_space(char32_t c) {
  return within(category(c), UTF8PROC_CATEGORY_ZS, UTF8PROC_CATEGORY_ZP) ||
         (c >= U'\t' && c <= U'\r') || c == 0x85;
}
bool is_ideograph(char32_t c) {
  constexpr char32_t blocks[][2] = {{0x4e00, 0x9fff},   {0x3400, 0x4dbf},   {0x20000, 0x2a6df},
                                    {0x2a700, 0x2b73f}, {0x2b740, 0x2b81f}, {0x2b820, 0x2ceaf},
                                    {0xf900, 0xfaff},   {0x2f800, 0x2fa1f}};
  for (const auto& [first, last] : blocks)
    if (first <= c && c <= last) return true;
  return false;
}

char32_t lower_case(char32_t c) {
  return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
}

std::string decomposed(std::string_view text) {
  utf8proc_uint8_t* out = nullptr;
  const auto length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &out,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(out, &std::free);
  if (length < 0) fail("text", Caller{}, "{}", utf8proc_errmsg(length));
  return {reinterpret_cast<const char*>(out), static_cast<size_t>(length)};
}

}  // namespace strata::unicode

#include "tools/report/packed.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string>

#include "tools/report/png_encode.h"

namespace strata::report {
namespace {

using nlohmann::json;
static_assert(std::endian::native == std::endian::little, "packed lists are little-endian");

struct Kind {
  const char* name;
  std::size_t bytes;
};
constexpr std::array kinds{Kind{"f32", 4}, Kind{"u8", 1}, Kind{"u16", 2}, Kind{"u32", 4}};

template <class T>
std::string base64_of(std::span<const T> values) {
  return base64_encode({reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes()});
}

template <class T>
json narrowed(const char* name, std::span<const int64_t> values) {
  const std::vector<T> narrow(values.begin(), values.end());
  return {{name, base64_of<T>(narrow)}};
}

// The kind of a packed list, or null.
const Kind* kind_of(const json& list) {
  if (!list.is_object() || list.size() != 1 || !list.begin()->is_string()) return nullptr;
  const auto found =
      std::ranges::find_if(kinds, [&](const Kind& k) { return list.begin().key() == k.name; });
  return found == kinds.end() ? nullptr : &*found;
}

// Bytes that base64 text stands for; -1 when its length cannot be right.
int64_t bytes_of(const std::string& text) {
  if (text.size() % 4 != 0) return -1;
  const std::size_t fill = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  return static_cast<int64_t>(text.size() / 4 * 3 - fill);
}

std::vector<std::uint8_t> base64_decode(const std::string& text, Caller at) {
  static constexpr std::string_view letters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<std::uint8_t> bytes;
  std::uint32_t word = 0;
  int bits = 0;
  for (const char letter : std::string_view(text).substr(0, text.find('='))) {
    const std::size_t value = letters.find(letter);
    if (value == letters.npos) fail("unpack", at, "'{}' is no letter of base64", letter);
    word = word << 6 | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push_back(static_cast<std::uint8_t>(word >> bits));
  }
  return bytes;
}

template <class T>
std::vector<double> widened(const std::vector<std::uint8_t>& bytes) {
  std::vector<double> values(bytes.size() / sizeof(T));
  for (std::size_t i = 0; i < values.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    values[i] = static_cast<double>(value);
  }
  return values;
}

}  // namespace

json pack(std::span<const float> values) { return {{"f32", base64_of(values)}}; }

json pack(std::span<const int64_t> values, Caller at) {
  int64_t most = 0;
  for (const int64_t value : values) {
    if (value < 0 || value > 0xffffffff)
      fail("pack", at, "{} does not fit a whole number of 32 bits without a sign", value);
    most = std::max(most, value);
  }
  if (most <= 0xff) return narrowed<std::uint8_t>("u8", values);
  if (most <= 0xffff) return narrowed<std::uint16_t>("u16", values);
  return narrowed<std::uint32_t>("u32", values);
}

int64_t packed_count(const json& list) {
  if (list.is_array()) return static_cast<int64_t>(list.size());
  const Kind* kind = kind_of(list);
  if (!kind) return -1;
  const int64_t bytes = bytes_of(list.begin()->get_ref<const std::string&>());
  const auto each = static_cast<int64_t>(kind->bytes);
  return bytes < 0 || bytes % each != 0 ? -1 : bytes / each;
}

std::vector<double> unpack(const json& list, Caller at) {
  if (list.is_array()) return list.get<std::vector<double>>();
  if (packed_count(list) < 0)
    fail("unpack", at, "{} is neither a list nor a packed list", list.dump().substr(0, 60));
  const std::string kind = kind_of(list)->name;
  const auto bytes = base64_decode(list.begin()->get_ref<const std::string&>(), at);
  if (kind == "f32") return widened<float>(bytes);
  if (kind == "u8") return widened<std::uint8_t>(bytes);
  if (kind == "u16") return widened<std::uint16_t>(bytes);
  return widened<std::uint32_t>(bytes);
}

}  // namespace strata::report

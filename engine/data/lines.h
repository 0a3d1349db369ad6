// Text files line by line, for readers that must say which line is wrong.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace strata {

// Lines without their ends ("\n" or "\r\n"); an unfinished last line counts.
class Lines {
 public:
  explicit Lines(std::span<const uint8_t> bytes)
      : rest_(reinterpret_cast<const char*>(bytes.data()), bytes.size()) {}
  std::optional<std::string_view> next() {
    if (rest_.empty()) return std::nullopt;
    size_t end = rest_.find('\n');
    std::string_view line = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    ++number_;
    return line;
  }
  int64_t number() const { return number_; }  // of the last line, from 1

 private:
  std::string_view rest_;
  int64_t number_ = 0;
};

// The fields between separators, empty ones too.
inline std::vector<std::string_view> fields_of(std::string_view line, char separator) {
  std::vector<std::string_view> fields;
  for (;;) {
    size_t end = line.find(separator);
    fields.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return fields;
    line = line.substr(end + 1);
  }
}

// A whole decimal number, all of the text; nothing otherwise.
inline std::optional<int64_t> number_of(std::string_view text) {
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// What an error shows of a piece of text: at most 40 characters, without control characters.
inline std::string excerpt(std::string_view text) {
  std::string out;
  for (char c : text.substr(0, 40)) out += static_cast<unsigned char>(c) < 32 ? '?' : c;
  return text.size() > 40 ? out + "..." : out;
}

}  // namespace strata

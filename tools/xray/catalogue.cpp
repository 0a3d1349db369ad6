#include "tools/xray/catalogue.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace strata::xray {

Shape parse_shape(const std::string& text) {
  Shape shape;
  const char *at = text.data(), *end = at + text.size();
  while (at < end) {
    int64_t size = 0;
    const auto [next, error] = std::from_chars(at, end, size);
    if (error != std::errc() || size < 1 || (next < end && *next != 'x')) break;
    shape.push_back(size);
    at = next + 1;
    if (next == end) return shape;
  }
  throw std::runtime_error(
      fmt::format("'{}' is no shape; write sizes with x between them, as 256x256x64", text));
}

std::string to_string(const Shape& shape) { return fmt::format("{}", fmt::join(shape, "x")); }

const std::vector<Subject>& catalogue() {
  static const std::vector<Subject> all = [] {
    std::vector<Subject> subjects;
    for (auto family : {gemm_subjects, conv_subjects, attention_subjects, row_subjects,
                        channel_subjects, element_subjects, place_subjects})
      for (Subject& subject : family()) subjects.push_back(std::move(subject));
    return subjects;
  }();
  return all;
}

const Subject& subject(const std::string& name) {
  std::vector<std::string> close;
  for (const Subject& candidate : catalogue()) {
    if (candidate.name == name) return candidate;
    const std::string family = candidate.name.substr(0, candidate.name.find('/'));
    if (candidate.name.find(name) != std::string::npos || name.starts_with(family))
      close.push_back(candidate.name);
  }
  if (close.size() == 1) return subject(close[0]);
  throw std::runtime_error(
      fmt::format("there is no kernel '{}'{}", name,
                  close.empty() ? "; strata xray --list shows all"
                                : fmt::format("; did you mean {}?", fmt::join(close, ", "))));
}

}  // namespace strata::xray

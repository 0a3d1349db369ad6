#include "models/interchange/rules.h"

#include <cctype>
#include <cmath>

#include "engine/ops/view.h"

namespace strata::interchange {
namespace {

constexpr const char* op = "interchange";

void check(bool right, const Tensor& tensor, const char* expected, const std::string& name,
           Caller at) {
  if (!right) fail(op, at, "'{}' is {}; expected is {}", name, describe(tensor), expected);
}

}  // namespace

void Dialect::layer(const std::string& theirs, const std::string& ours, Layout layout,
                    int64_t channels) {
  tensor(theirs + ".weight", ours + ".weight", layout, channels);
  tensor(theirs + ".bias", ours + ".bias");
}

void Dialect::batch_norm(const std::string& theirs, const std::string& ours) {
  layer(theirs, ours);
  for (const char* part : {".running_mean", ".running_var"}) tensor(theirs + part, ours + part);
  counters.push_back({theirs + ".num_batches_tracked", ours + ".running_mean"});
}

bool match(const std::string& pattern, const std::string& name, std::vector<std::string>* numbers) {
  numbers->clear();
  size_t at = 0;
  for (char c : pattern) {
    if (c != '*') {
      if (at >= name.size() || name[at++] != c) return false;
      continue;
    }
    std::string digits;
    while (at < name.size() && std::isdigit(static_cast<unsigned char>(name[at]))) {
      digits += name[at++];
    }
    if (digits.empty()) return false;
    numbers->push_back(digits);
  }
  return at == name.size();
}

std::vector<std::string> fill(const std::string& pattern, const std::vector<std::string>& numbers) {
  std::vector<std::string> words = {""};
  size_t open = pattern.find('{'), close = pattern.find('}'), star = 0;
  if (open != std::string::npos) {
    words.clear();
    for (size_t begin = open + 1; begin <= close;) {
      size_t end = std::min(pattern.find(',', begin), close);
      words.push_back(pattern.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  auto put = [&](std::string& to, std::string_view part) {
    for (char c : part) c == '*' ? to += numbers.at(star++) : to += c;
  };
  std::vector<std::string> names;
  for (const std::string& word : words) {
    std::string name;
    star = 0;
    put(name, std::string_view(pattern).substr(0, open));
    name += word;
    if (open != std::string::npos) put(name, std::string_view(pattern).substr(close + 1));
    names.push_back(name);
  }
  return names;
}

Tensor to_ours(const Rule& rule, const Tensor& theirs, const std::string& name, Caller at) {
  switch (rule.layout) {
    case Layout::same:
      return theirs;
    case Layout::convolution:
      check(theirs.rank() == 4 || theirs.rank() == 3, theirs, "a convolution's weight OIHW or OIT",
            name, at);
      return theirs.rank() == 4 ? theirs.permute({0, 2, 3, 1}) : theirs.permute({0, 2, 1});
    case Layout::transposed:
      check(theirs.rank() == 2, theirs, "a matrix", name, at);
      return theirs.transpose(0, 1);
    case Layout::flattened: {
      check(theirs.rank() == 2 && theirs.size(1) % rule.channels == 0, theirs,
            "a matrix with columns for each channel of a map", name, at);
      int64_t places = theirs.size(1) / rule.channels;
      return theirs.reshape({theirs.size(0), rule.channels, places}).transpose(1, 2).flatten(1);
    }
    case Layout::flat_convolution:
      check(theirs.rank() == 4 && theirs.size(2) == theirs.size(3), theirs,
            "a convolution's weight OIHW over a square map", name, at);
      return theirs.permute({0, 2, 3, 1}).flatten(1);
  }
  return {};
}

Tensor to_theirs(const Rule& rule, const Tensor& ours, const std::string& name, Caller at) {
  switch (rule.layout) {
    case Layout::same:
      return ours;
    case Layout::convolution:
      check(ours.rank() == 4 || ours.rank() == 3, ours, "a convolution's weight OHWI or OTI", name,
            at);
      return ours.rank() == 4 ? ours.permute({0, 3, 1, 2}) : ours.permute({0, 2, 1});
    case Layout::transposed:
      check(ours.rank() == 2, ours, "a matrix", name, at);
      return ours.transpose(0, 1);
    case Layout::flattened:
    case Layout::flat_convolution: {
      check(ours.rank() == 2 && ours.size(1) % rule.channels == 0, ours,
            "a matrix with columns for each channel of a map", name, at);
      int64_t places = ours.size(1) / rule.channels;
      Tensor maps = ours.reshape({ours.size(0), places, rule.channels}).transpose(1, 2);
      if (rule.layout == Layout::flattened) return maps.flatten(1);
      auto side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(places))));
      check(side * side == places, ours, "a matrix with columns for a square map", name, at);
      return maps.reshape({ours.size(0), rule.channels, side, side});
    }
  }
  return {};
}

}  // namespace strata::interchange

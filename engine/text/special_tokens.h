// Tokens that stand in a text as they are written ("<|endoftext|>", "[MASK]") and are cut out of it
// before anything else looks at it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace strata::text {

class SpecialTokens {
 public:
  void add(std::string token, int64_t number) { numbers_.emplace(std::move(token), number); }
  const std::map<std::string, int64_t>& numbers() const { return numbers_; }

  // Calls plain(piece) and special(number) in the order of the text. Of two that begin at one place
  // the longer is taken.
  template <class Plain, class Special>
  void split(std::string_view text, Plain&& plain, Special&& special) const {
    size_t start = 0;
    for (size_t place = 0; place < text.size();) {
      const auto found = at(text.substr(place));
      if (found == numbers_.end()) {
        ++place;
        continue;
      }
      if (place > start) plain(text.substr(start, place - start));
      special(found->second);
      start = place += found->first.size();
    }
    if (start < text.size()) plain(text.substr(start));
  }

 private:
  std::map<std::string, int64_t>::const_iterator at(std::string_view text) const {
    auto best = numbers_.end();
    for (auto it = numbers_.begin(); it != numbers_.end(); ++it)
      if (text.starts_with(it->first) &&
          (best == numbers_.end() || it->first.size() > best->first.size()))
        best = it;
    return best;
  }

  std::map<std::string, int64_t> numbers_;
};

}  // namespace strata::text

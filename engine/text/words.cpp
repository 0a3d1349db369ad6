// GPT-2's rule, as the regular expression that its authors published:
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
#include "engine/text/byte_pair.h"
#include "engine/text/unicode.h"

namespace strata::text {
namespace {

enum class Class { letter, number, other, space, end };

struct Character {
  Class of = Class::end;
  size_t length = 0;
};

Character character_at(std::string_view text, size_t place) {
  if (place >= text.size()) return {};
  const unicode::Decoded c = unicode::decode(text, place);
  if (c.length == 0) return {Class::other, 1};
  const Class of = unicode::is_letter(c.character)   ? Class::letter
                   : unicode::is_number(c.character) ? Class::number
                   : unicode::is_space(c.character)  ? Class::space
                                                     : Class::other;
  return {of, static_cast<size_t>(c.length)};
}

// Where the run of characters of one class that begins at `place` ends.
size_t end_of_run(std::string_view text, size_t place, Class of) {
  for (Character c = character_at(text, place); c.of == of; c = character_at(text, place))
    place += c.length;
  return place;
}

// Spaces: up to the last one before a word, which leaves that for the word or for itself.
size_t end_of_spaces(std::string_view text, size_t place) {
  size_t last = place, end = place;
  for (Character c = character_at(text, end); c.of == Class::space; c = character_at(text, end)) {
    last = end;
    end += c.length;
  }
  return end == text.size() || last == place ? end : last;
}

size_t end_of_word(std::string_view text, size_t place) {
  for (std::string_view ending : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"})
    if (text.substr(place).starts_with(ending)) return place + ending.size();
  const size_t start = place + (text[place] == ' ' ? 1 : 0);
  const Class of = character_at(text, start).of;
  if (of != Class::space && of != Class::end) return end_of_run(text, start, of);
  return end_of_spaces(text, place);
}

}  // namespace

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (size_t place = 0; place < text.size();) {
    const size_t end = end_of_word(text, place);
    words.push_back(text.substr(place, end - place));
    place = end;
  }
  return words;
}

}  // namespace strata::text

#include "engine/text/word_piece.h"

#include "engine/data/files.h"
#include "engine/data/lines.h"
#include "engine/text/unicode.h"

namespace strata {
namespace {

constexpr const char* op = "word_piece";

template <class F>
void for_each_character(std::string_view text, F&& f) {
  for (size_t place = 0; place < text.size();) {
    const unicode::Decoded c = unicode::decode(text, place);
    f(c.character);
    place += static_cast<size_t>(c.length);
  }
}

// ASCII's symbols count as punctuation too: "$", "+", "~".
bool ends_word(char32_t c) {
  const bool symbol =
      c < 128 && c > 32 && c != 127 && !unicode::is_letter(c) && !unicode::is_number(c);
  return symbol || unicode::is_punctuation(c);
}

}  // namespace

std::vector<std::string> text::basic_words(std::string_view text, bool lower_case) {
  std::string cleaned;
  for_each_character(text, [&](char32_t c) {
    const bool kept_control = c == U'\t' || c == U'\n' || c == U'\r';
    if (c == 0xfffd || (unicode::is_control(c) && !kept_control)) return;
    const char* around = unicode::is_ideograph(c) ? " " : "";
    cleaned += around;
    unicode::append(cleaned, c);
    cleaned += around;
  });
  if (lower_case) cleaned = unicode::decomposed(cleaned);
  std::vector<std::string> words;
  bool open = false;  // the last word may go on
  for_each_character(cleaned, [&](char32_t c) {
    if (lower_case && unicode::is_mark(c)) return;
    const bool space = unicode::is_space(c), alone = ends_word(c);
    if (!space && (alone || !open)) words.emplace_back();
    if (!space) unicode::append(words.back(), lower_case ? unicode::lower_case(c) : c);
    open = !space && !alone;
  });
  return words;
}

WordPieceTokenizer WordPieceTokenizer::read(const std::string& path,
                                            const WordPieceOptions& options, Caller at) {
  const Bytes bytes = read_bytes(op, path, file_limit, at);
  return parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, options, at);
}

WordPieceTokenizer WordPieceTokenizer::parse(std::string_view vocabulary,
                                             const WordPieceOptions& options, Caller at) {
  WordPieceTokenizer out;
  out.options_ = options;
  Lines lines({reinterpret_cast<const uint8_t*>(vocabulary.data()), vocabulary.size()});
  while (const auto line = lines.next()) {
    if (line->empty()) fail(op, at, "line {} of the vocabulary is empty", lines.number());
    if (unicode::valid_length(*line) != line->size())
      fail(op, at, "line {} of the vocabulary is no UTF-8", lines.number());
    if (!out.numbers_.emplace(*line, out.size()).second)
      fail(op, at, "line {} of the vocabulary, '{}', is there a second time", lines.number(),
           excerpt(*line));
    out.tokens_.emplace_back(*line);
  }
  for (const std::string& token : {options.unknown, options.classify, options.separate})
    out.special_.add(token, out.number(token, at));
  for (const std::string& token : options.special) {
    const auto found = out.numbers_.find(token);
    if (!token.empty() && found != out.numbers_.end()) out.special_.add(token, found->second);
  }
  return out;
}

std::vector<int64_t> WordPieceTokenizer::encode(std::string_view text, Caller at) const {
  const size_t valid = unicode::valid_length(text);
  if (valid != text.size())
    fail(op, at, "byte {} ({:#04x}) of the text does not begin a UTF-8 character", valid,
         static_cast<uint8_t>(text[valid]));
  std::vector<int64_t> out;
  special_.split(
      text,
      [&](std::string_view piece) {
        for (const std::string& word : text::basic_words(piece, options_.lower_case))
          encode_word(word, out);
      },
      [&](int64_t number) { out.push_back(number); });
  return out;
}

void WordPieceTokenizer::encode_word(const std::string& word, std::vector<int64_t>& out) const {
  std::vector<size_t> ends;  // of the characters
  for_each_character(word, [&, end = size_t{0}](char32_t) mutable {
    ends.push_back(end += static_cast<size_t>(unicode::decode(word, end).length));
  });
  const size_t before = out.size();
  const auto give_up = [&] {
    out.resize(before);
    out.push_back(numbers_.at(options_.unknown));
  };
  if (static_cast<int64_t>(ends.size()) > options_.longest_word) return give_up();
  for (size_t start = 0, first = 0; start < word.size();) {
    size_t last = ends.size();
    auto found = numbers_.end();
    for (; last > first && found == numbers_.end(); --last) {
      const std::string piece = word.substr(start, ends[last - 1] - start);
      found = numbers_.find(start == 0 ? piece : "##" + piece);
    }
    if (found == numbers_.end()) return give_up();
    out.push_back(found->second);
    start = ends[last];
    first = last + 1;
  }
}

WordPieceInput WordPieceTokenizer::input(std::string_view first, Caller at) const {
  WordPieceInput out;
  out.numbers = encode(first, at);
  out.numbers.insert(out.numbers.begin(), number(options_.classify));
  out.numbers.push_back(number(options_.separate));
  out.segments.assign(out.numbers.size(), 0);
  return out;
}

WordPieceInput WordPieceTokenizer::input(std::string_view first, std::string_view second,
                                         Caller at) const {
  WordPieceInput out = input(first, at);
  const std::vector<int64_t> more = encode(second, at);
  out.numbers.insert(out.numbers.end(), more.begin(), more.end());
  out.numbers.push_back(number(options_.separate));
  out.segments.resize(out.numbers.size(), 1);
  return out;
}

std::string WordPieceTokenizer::decode(std::span<const int64_t> numbers, Caller at) const {
  std::string out;
  for (int64_t number : numbers) {
    std::string_view piece = token(number, at);
    const bool inside = piece.starts_with("##");
    if (inside) piece.remove_prefix(2);
    if (!inside && !out.empty()) out += ' ';
    out += piece;
  }
  return out;
}

const std::string& WordPieceTokenizer::token(int64_t number, Caller at) const {
  if (number < 0 || number >= size())
    fail(op, at, "{} is no token's number; there are {} tokens", number, size());
  return tokens_[static_cast<size_t>(number)];
}

int64_t WordPieceTokenizer::number(const std::string& token, Caller at) const {
  const auto found = numbers_.find(token);
  if (found == numbers_.end()) fail(op, at, "there is no token '{}' in the vocabulary", token);
  return found->second;
}

}  // namespace strata

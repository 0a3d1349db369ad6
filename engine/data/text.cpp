#include "engine/data/text.h"

#include <algorithm>
#include <set>

#include "engine/data/files.h"
#include "engine/data/keyed_random.h"
#include "engine/text/utf8.h"

namespace strata {
namespace {

// The code point that begins at `place`, which moves past it.
uint32_t next_character(std::string_view text, size_t* place, Caller at) {
  const unicode::Decoded c = unicode::decode(text, *place);
  if (c.length == 0)
    fail("text", at, "byte {} ({:#04x}) does not begin a UTF-8 character; use bytes instead",
         *place, static_cast<uint8_t>(text[*place]));
  *place += static_cast<size_t>(c.length);
  return c.character;
}

}  // namespace

Vocabulary Vocabulary::of_characters(std::string_view text, Caller at) {
  std::set<std::pair<uint32_t, std::string>> seen;
  for (size_t place = 0; place < text.size();) {
    size_t start = place;
    uint32_t character = next_character(text, &place, at);
    seen.insert({character, std::string(text.substr(start, place - start))});
  }
  Vocabulary out;
  for (const auto& [character, symbol] : seen) {
    out.numbers_[character] = out.size();
    out.symbols_.push_back(symbol);
  }
  return out;
}

Vocabulary Vocabulary::of_bytes() {
  Vocabulary out;
  out.bytes_ = true;
  for (int byte = 0; byte < 256; ++byte)
    out.symbols_.push_back(std::string(1, static_cast<char>(byte)));
  return out;
}

Tensor Vocabulary::encode(std::string_view text, Caller at) const {
  std::vector<int64_t> numbers;
  for (size_t place = 0; place < text.size();) {
    size_t start = place;
    if (bytes_) {
      numbers.push_back(static_cast<uint8_t>(text[place++]));
      continue;
    }
    auto found = numbers_.find(next_character(text, &place, at));
    if (found == numbers_.end())
      fail("text", at, "'{}' at byte {} is not among the {} characters of the vocabulary",
           text.substr(start, place - start), start, size());
    numbers.push_back(found->second);
  }
  Tensor out = empty({static_cast<int64_t>(numbers.size())}, DType::i64);
  std::copy(numbers.begin(), numbers.end(), out.data<int64_t>());
  return out;
}

std::string Vocabulary::decode(const Tensor& numbers, Caller at) const {
  std::string out;
  for (int64_t number : numbers.to_vector<int64_t>()) {
    if (number < 0 || number >= size())
      fail("text", at, "number {} is outside the vocabulary of {}", number, size());
    out += symbol(number);
  }
  return out;
}

std::string read_text(const std::string& path, Caller at) {
  Bytes bytes = read_bytes("text", path, file_limit, at);
  return {bytes.begin(), bytes.end()};
}

TextBatch text_batch(const Tensor& numbers, int64_t batch, int64_t time, uint64_t seed,
                     uint64_t step, Caller at) {
  if (numbers.dtype() != DType::i64 || numbers.rank() != 1 || !numbers.is_contiguous())
    fail("text", at, "numbers are contiguous i64[T]; got {}", describe(numbers));
  int64_t starts = numbers.size(0) - time;
  if (batch < 1 || time < 1 || starts < 1)
    fail("text", at, "{} windows of {} and their targets do not fit a text of {}", batch, time,
         numbers.size(0));
  TextBatch out{empty({batch, time}, DType::i64), empty({batch, time}, DType::i64)};
  KeyedRandom random(seed, step, 0x74657874u);
  const int64_t* text = numbers.data<int64_t>();
  for (int64_t i = 0; i < batch; ++i) {
    uint64_t wide = static_cast<uint64_t>(random.bits()) << 32 | random.bits();
    auto start = static_cast<int64_t>(wide % static_cast<uint64_t>(starts));
    std::copy(text + start, text + start + time, out.inputs.data<int64_t>() + i * time);
    std::copy(text + start + 1, text + start + time + 1, out.targets.data<int64_t>() + i * time);
  }
  return out;
}

}  // namespace strata

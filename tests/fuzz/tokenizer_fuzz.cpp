// Vocabularies of tokenisers: the input's first byte says whose, and the rest is the file; for byte
// pairs, the vocabulary and the merges with a zero byte between. A vocabulary that is taken must
// give the input back, as bytes or as tokens.
#include "engine/text/byte_pair.h"
#include "engine/text/word_piece.h"
#include "tests/fuzz/fuzz.h"

namespace {

void byte_pair(std::string_view file) {
  const size_t middle = std::min(file.find('\0'), file.size());
  const std::string_view merges = middle < file.size() ? file.substr(middle + 1) : "";
  const auto t = strata::BytePairTokenizer::parse(file.substr(0, middle), merges);
  if (t.decode(t.encode(merges)) != merges) std::abort();
}

void word_piece(std::string_view file) {
  const auto t = strata::WordPieceTokenizer::parse(file);
  for (int64_t number : t.encode(file)) t.token(number);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return strata::fuzz::run([&] {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const bool pairs = !bytes.empty() && bytes[0] == 'p';
    const std::string_view file = bytes.substr(bytes.empty() ? 0 : 1);
    pairs ? byte_pair(file) : word_piece(file);
    // Learning takes any text.
    const auto learnt = strata::BytePairTokenizer::train(bytes.substr(0, 2000), 300, {});
    if (learnt.decode(learnt.encode(bytes)) != bytes) std::abort();
    return strata::empty({0});
  });
}

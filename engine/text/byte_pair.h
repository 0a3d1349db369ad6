// Byte-pair encoding over bytes, as GPT-2 does it (Sennrich et al. 2016, "Neural machine
// translation of rare words with subword units"; Radford et al. 2019): any bytes have an encoding,
// and come back from it.
//
// A text is cut into words by GPT-2's rule (words_of), and no token crosses from one to the next.
// Within a word, bytes are the first tokens, and the neighbours whose merge was learnt first become
// one, again and again. Cost: n log n for a word of n bytes.
//
// In its files a byte is written as a visible character: itself where it is one ('!' to '~', '¡' to
// 'ÿ' without the soft hyphen), otherwise one of U+0100 to U+0143; a space is 'Ġ'.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/error.h"
#include "engine/text/special_tokens.h"

namespace strata {

class BytePairTokenizer {
 public:
  // GPT-2's vocab.json (a number for each token, 0 to n - 1) and merges.txt (a pair a line, the
  // first learnt first). `special`: tokens that are written as they are; each must be in the
  // vocabulary. Files that are truncated, that number tokens twice or leave one out, that lack a
  // byte, or merge what is no token: errors with the file and the place.
  static BytePairTokenizer read(const std::string& vocabulary_path, const std::string& merges_path,
                                const std::vector<std::string>& special = {"<|endoftext|>"},
                                Caller at = Caller::here());
  // The same for the texts of the files.
  static BytePairTokenizer parse(std::string_view vocabulary, std::string_view merges,
                                 const std::vector<std::string>& special = {},
                                 Caller at = Caller::here());
  // Learns merges from a text until there are `size` tokens: 256 bytes, merges, special tokens. The
  // most frequent pair comes first, among equals the one of smaller numbers; a pair seen only once
  // is not merged, so that there may be fewer. Cost: each merge touches the words it is in.
  static BytePairTokenizer train(std::string_view text, int64_t size,
                                 const std::vector<std::string>& special = {"<|endoftext|>"},
                                 Caller at = Caller::here());
  // Writes vocab.json and merges.txt, which read() reads.
  void write(const std::string& vocabulary_path, const std::string& merges_path) const;

  int64_t size() const { return static_cast<int64_t>(tokens_.size()); }
  // Special tokens in the text become theirs; with `allow_special` false they are text like any
  // other, which is what text of unknown origin should be.
  std::vector<int64_t> encode(std::string_view text, bool allow_special = true) const;
  // The bytes of the tokens, one after the other; they need not be UTF-8. A number that is no
  // token's is an error.
  std::string decode(std::span<const int64_t> numbers, Caller at = Caller::here()) const;
  // The bytes of one token.
  const std::string& token(int64_t number, Caller at = Caller::here()) const;
  // The number of a special token; an unknown one is an error that lists those there are.
  int64_t special(const std::string& token, Caller at = Caller::here()) const;
  // Pairs in the order they were learnt.
  const std::vector<std::array<int64_t, 2>>& merges() const { return merges_; }

 private:
  struct Merge {
    int64_t rank, result;
  };
  static uint64_t key(int64_t left, int64_t right) {
    return static_cast<uint64_t>(left) << 32 | static_cast<uint64_t>(right);
  }
  void encode_word(std::string_view word, std::vector<int64_t>& out) const;

  std::vector<std::string> tokens_;  // bytes, by number
  std::array<int64_t, 256> byte_tokens_{};
  std::vector<std::array<int64_t, 2>> merges_;
  std::unordered_map<uint64_t, Merge> merge_of_;
  text::SpecialTokens special_;
};

namespace text {

// GPT-2's words of a text, in order and without a gap. At each place, the first of these that is
// there: an English ending ('s 't 're 've 'm 'll 'd); letters, digits, or others (neither, nor
// spaces), with one space before them or none; spaces without the last one before a word; spaces.
// A byte that begins no UTF-8 character is one of the others.
std::vector<std::string_view> words_of(std::string_view text);

}  // namespace text
}  // namespace strata

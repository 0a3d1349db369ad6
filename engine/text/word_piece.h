// WordPiece, as BERT does it (Schuster and Nakajima 2012; Devlin et al. 2019): a text is cleaned
// and cut into words, and each word into the longest pieces of a vocabulary, from the left. A piece
// that does not begin a word is written with "##".
//
// Cleaning and cutting (BERT's "basic" tokenisation): control characters go, accents and capital
// letters if asked to (form NFD without marks), spaces end words, each character of punctuation and
// each CJK ideograph is a word of its own.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/error.h"
#include "engine/text/special_tokens.h"

namespace strata {

struct WordPieceOptions {
  bool lower_case = true;  // the "uncased" models; accents go with the capitals
  std::string unknown = "[UNK]", classify = "[CLS]", separate = "[SEP]";
  std::vector<std::string> special = {"[PAD]", "[MASK]"};  // besides those; each if it is there
  int64_t longest_word = 100;                              // characters; a longer one is unknown
};

// What BERT reads: a text, or two.
struct WordPieceInput {
  std::vector<int64_t> numbers;   // [CLS] first [SEP], or [CLS] first [SEP] second [SEP]
  std::vector<int64_t> segments;  // 0 up to the first [SEP], then 1
};

class WordPieceTokenizer {
 public:
  // BERT's vocab.txt: a token a line, numbered from 0. A line that is empty or there twice, text
  // that is no UTF-8, a vocabulary without the tokens of the options: errors with the line.
  static WordPieceTokenizer read(const std::string& path, const WordPieceOptions& options = {},
                                 Caller at = Caller::here());
  static WordPieceTokenizer parse(std::string_view vocabulary, const WordPieceOptions& options = {},
                                  Caller at = Caller::here());

  int64_t size() const { return static_cast<int64_t>(tokens_.size()); }
  // The pieces of a text, special tokens that stand in it included. Text that is not UTF-8 is an
  // error that gives the byte's place.
  std::vector<int64_t> encode(std::string_view text, Caller at = Caller::here()) const;
  WordPieceInput input(std::string_view first, Caller at = Caller::here()) const;
  WordPieceInput input(std::string_view first, std::string_view second,
                       Caller at = Caller::here()) const;
  // Words joined by spaces; what cleaning took away does not come back.
  std::string decode(std::span<const int64_t> numbers, Caller at = Caller::here()) const;
  const std::string& token(int64_t number, Caller at = Caller::here()) const;
  // The number of a token as it is written in the vocabulary; an unknown one is an error.
  int64_t number(const std::string& token, Caller at = Caller::here()) const;

 private:
  void encode_word(const std::string& word, std::vector<int64_t>& out) const;

  WordPieceOptions options_;
  std::vector<std::string> tokens_;
  std::unordered_map<std::string, int64_t> numbers_;
  text::SpecialTokens special_;
};

namespace text {

// BERT's words of UTF-8 text.
std::vector<std::string> basic_words(std::string_view text, bool lower_case);

}  // namespace text
}  // namespace strata

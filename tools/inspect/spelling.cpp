#include "tools/inspect/spelling.h"

#include <fmt/format.h>

#include <fstream>

#include "engine/error.h"
#include "engine/text/byte_pair.h"
#include "engine/text/word_piece.h"

namespace strata::inspect {
namespace {

std::string shown_byte(unsigned char byte) {
  return byte > 32 && byte < 127 ? std::string(1, static_cast<char>(byte))
                                 : fmt::format("\\x{:02x}", byte);
}

class Bytes : public Spelling {
 public:
  Bytes(int64_t first, int64_t vocabulary) : first_(first), vocabulary_(vocabulary) {}

  std::vector<int64_t> encode(const std::string& text) const override {
    if (first_ + vocabulary_ > 256) {
      fail("inspect", Caller{},
           "this network has {} tokens, which are not bytes; give its vocabulary: --vocabulary "
           "vocab.txt (WordPiece) or vocab.json (byte pairs, with merges.txt beside it)",
           vocabulary_);
    }
    std::vector<int64_t> tokens;
    for (unsigned char byte : text) {
      const int64_t token = byte - first_;
      if (token < 0 || token >= vocabulary_) {
        fail("inspect", Caller{}, "'{}' is none of the network's {} tokens, {} to {}",
             shown_byte(byte), vocabulary_, shown(0), shown(vocabulary_ - 1));
      }
      tokens.push_back(token);
    }
    return tokens;
  }
  std::string shown(int64_t token) const override {
    const int64_t byte = first_ + token;
    return byte < 256 ? shown_byte(static_cast<unsigned char>(byte)) : fmt::format("#{}", token);
  }

 private:
  int64_t first_, vocabulary_;
};

class WordPieces : public Spelling {
 public:
  explicit WordPieces(const std::filesystem::path& file)
      : tokenizer_(WordPieceTokenizer::read(file.string(), {.lower_case = !has_capitals(file)})) {}

  std::vector<int64_t> encode(const std::string& text) const override {
    return tokenizer_.input(text).numbers;
  }
  std::string shown(int64_t token) const override { return tokenizer_.token(token); }
  int64_t size() const { return tokenizer_.size(); }

 private:
  // Whether a word has a capital letter of ASCII; special tokens stand in brackets.
  static bool has_capitals(const std::filesystem::path& file) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with("[")) continue;
      for (char c : line)
        if (c >= 'A' && c <= 'Z') return true;
    }
    return false;
  }
  WordPieceTokenizer tokenizer_;
};

class BytePairs : public Spelling {
 public:
  explicit BytePairs(const std::filesystem::path& file)
      : tokenizer_(BytePairTokenizer::read(file.string(),
                                           (file.parent_path() / "merges.txt").string(), {})) {}

  std::vector<int64_t> encode(const std::string& text) const override {
    return tokenizer_.encode(text);
  }
  std::string shown(int64_t token) const override {
    std::string text;
    for (unsigned char byte : tokenizer_.token(token))
      text += byte == ' ' ? "\u00b7" : shown_byte(byte);
    return text;
  }
  int64_t size() const { return tokenizer_.size(); }

 private:
  BytePairTokenizer tokenizer_;
};

template <class Kind>
std::unique_ptr<Spelling> read_kind(const std::filesystem::path& file, int64_t vocabulary) {
  auto spelling = std::make_unique<Kind>(file);
  if (spelling->size() > vocabulary) {
    fail("inspect", Caller{}, "{} has {} tokens; this network has {}", file.string(),
         spelling->size(), vocabulary);
  }
  return spelling;
}

}  // namespace

std::unique_ptr<Spelling> bytes_from(int64_t first_byte, int64_t vocabulary) {
  return std::make_unique<Bytes>(first_byte, vocabulary);
}

std::unique_ptr<Spelling> read_spelling(const std::filesystem::path& file, int64_t vocabulary) {
  if (file.extension() == ".txt") return read_kind<WordPieces>(file, vocabulary);
  if (file.extension() == ".json") return read_kind<BytePairs>(file, vocabulary);
  fail("inspect", Caller{},
       "{}: a vocabulary is vocab.txt (WordPiece) or vocab.json (byte pairs, with merges.txt "
       "beside it)",
       file.string());
}

}  // namespace strata::inspect

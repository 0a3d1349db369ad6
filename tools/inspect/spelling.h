// How a network of tokens spells: texts to numbers, and what a number is shown as. Networks trained
// here read bytes; those of others bring the vocabulary of their tokeniser.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace strata::inspect {

class Spelling {
 public:
  virtual ~Spelling() = default;
  // A text that cannot be spelled is an error that says which part of it.
  virtual std::vector<int64_t> encode(const std::string& text) const = 0;
  // "the", "##ing"; a space inside is a middle dot, bytes that cannot be shown are \x..
  virtual std::string shown(int64_t token) const = 0;
};

// Token t is the byte first_byte + t.
std::unique_ptr<Spelling> bytes_from(int64_t first_byte, int64_t vocabulary);
// vocab.txt: WordPiece, a text between [CLS] and [SEP]; lower case unless the vocabulary has words
// with capitals. vocab.json, with merges.txt beside it: byte pairs. `vocabulary` is how many tokens
// the network has: more in the file is an error.
std::unique_ptr<Spelling> read_spelling(const std::filesystem::path& file, int64_t vocabulary);

}  // namespace strata::inspect

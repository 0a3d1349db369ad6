// Plain text as numbers: bytes, or characters (Unicode code points of UTF-8) with a vocabulary.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata {

// The characters of a text, numbered in the order of their code points.
class Vocabulary {
 public:
  // Characters of UTF-8 text; text that is not UTF-8 is an error that gives the byte's place.
  static Vocabulary of_characters(std::string_view text, Caller at = Caller::here());
  // All 256 bytes: number = byte.
  static Vocabulary of_bytes();

  int64_t size() const { return static_cast<int64_t>(symbols_.size()); }
  // i64 [T]. A character that is not in the vocabulary is an error that shows it.
  Tensor encode(std::string_view text, Caller at = Caller::here()) const;
  std::string decode(const Tensor& numbers, Caller at = Caller::here()) const;
  const std::string& symbol(int64_t number) const { return symbols_[static_cast<size_t>(number)]; }

 private:
  bool bytes_ = false;
  std::vector<std::string> symbols_;
  std::unordered_map<uint32_t, int64_t> numbers_;
};

std::string read_text(const std::string& path, Caller at = Caller::here());

// Windows of a text for a language model: inputs and targets i64 [N, T], the targets one further
// on. Window i starts at a place drawn by (seed, step, i).
struct TextBatch {
  Tensor inputs, targets;
};
TextBatch text_batch(const Tensor& numbers, int64_t batch, int64_t time, uint64_t seed,
                     uint64_t step, Caller at = Caller::here());

}  // namespace strata

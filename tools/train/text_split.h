// A text for character models: numbered, and split in the order of the text. The last tenth is the
// test, the last twentieth of the rest is for validation, and what is before is trained on.
#pragma once

#include <span>

#include "engine/data/text.h"

namespace strata::train {

struct TextSplit {
  Vocabulary vocabulary;
  Tensor numbers;            // i64 [length], all of it
  int64_t validation_first;  // training ends here
  int64_t test_first;        // and validation here

  int64_t length() const { return numbers.size(0); }
  Tensor training() const { return numbers.slice(0, 0, validation_first); }
  // [first, last) of the text.
  std::span<const int64_t> part(int64_t first, int64_t last) const;
};

// Reads UTF-8 text of at least 1,000 characters; a shorter one is an error.
TextSplit split_text(const std::string& path, Caller at = Caller::here());

}  // namespace strata::train

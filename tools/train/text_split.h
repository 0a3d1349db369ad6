// A text for character models: numbered, and split in the order of the text. The last tenth is the
// test, the first twentieth of the rest is for validation, and what is between is trained on: the
// text just before the test tells most about it (names, scenes), so it must not be held out.
#pragma once

#include <span>

#include "engine/data/text.h"

namespace strata::train {

struct TextSplit {
  Vocabulary vocabulary;
  Tensor numbers;          // i64 [length], all of it
  int64_t training_first;  // validation ends here
  int64_t test_first;      // and training here

  int64_t length() const { return numbers.size(0); }
  Tensor training() const { return numbers.slice(0, training_first, test_first); }
  // [first, last) of the text.
  std::span<const int64_t> part(int64_t first, int64_t last) const;
};

// Reads UTF-8 text of at least 1,000 characters; a shorter one is an error.
TextSplit split_text(const std::string& path, Caller at = Caller::here());

}  // namespace strata::train

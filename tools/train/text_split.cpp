#include "tools/train/text_split.h"

#include "engine/ops/view.h"

namespace strata::train {

std::span<const int64_t> TextSplit::part(int64_t first, int64_t last) const {
  return {numbers.data<int64_t>() + first, static_cast<size_t>(last - first)};
}

TextSplit split_text(const std::string& path, Caller at) {
  const std::string text = read_text(path, at);
  TextSplit split;
  split.vocabulary = Vocabulary::of_characters(text, at);
  split.numbers = split.vocabulary.encode(text, at);
  if (split.length() < 1000) {
    fail("train", at, "{} has {} characters; a split needs at least 1,000", path, split.length());
  }
  split.test_first = split.length() * 9 / 10;
  split.training_first = split.test_first / 20;
  return split;
}

}  // namespace strata::train

// Word analogies "a is to b as c is to d" in the layout of questions-words.txt (Mikolov et al.
// 2013): a line ": name" begins a section, each further line holds four words.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "engine/error.h"

namespace strata {

struct AnalogySection {
  std::string name;
  std::vector<std::array<std::string, 4>> questions;
};

// Words in lower case when `lower_case`. A line that is neither is an error that names it.
std::vector<AnalogySection> read_analogies(const std::string& path, bool lower_case = true,
                                           Caller at = Caller::here());

}  // namespace strata

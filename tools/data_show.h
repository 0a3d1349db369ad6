// `strata data show`: a contact sheet of a data set, as a PNG, and what is known about it, as text.
//
// For terrace: a row a factor, in which an image changes in that factor alone (counterfactuals of
// the same image), random images, the masks, and the shifts. For all others: a row a class.
#pragma once

#include <cstdint>
#include <string>

#include "engine/data/dataset.h"

namespace strata {

struct ShowRequest {
  std::string data = "terrace";  // as open_dataset takes it
  Split split = Split::train;
  uint64_t seed = 1;
  std::string out = "contact_sheet.png";
  int64_t scale = 3;  // screen pixels a side of an image pixel
};

// Writes the sheet to `out`; returns the text for the terminal.
std::string show_data(const ShowRequest& request, Caller at = Caller::here());

}  // namespace strata

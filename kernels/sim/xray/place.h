// Places in the source: a call of a primitive knows its file and line; an instrumented instruction
// knows its address, which the debug information turns into a line when a report is made.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernels/sim/site.h"

namespace strata::sim {

// An address, or the number of an interned site with the top bit set.
using PlaceKey = uint64_t;

struct Place {
  std::string file;  // as the compiler was given it
  int line = 0;
  bool operator==(const Place&) const = default;
  auto operator<=>(const Place&) const = default;
};
std::string to_string(const Place& place);  // "07_warp_tile.cu:41"

PlaceKey key_of(Site site);
PlaceKey key_of(const void* pc);
// Lines of many addresses at once, by addr2line (binutils); of an inlined instruction the innermost
// line that lies in a .cu file. Unknown: file "?".
std::unordered_map<PlaceKey, Place> resolve(const std::vector<PlaceKey>& keys);

}  // namespace strata::sim

// What the x-ray allows a kernel, as multiples of the fewest sectors and wavefronts. Exceptions are
// measured, with a little room, and say why.
#pragma once

#include <string>

namespace strata::xray {

struct Allowed {
  double sectors = 1.1, wavefronts = 1.05;
  bool exception = false;
  const char* reason = "";
};

inline Allowed allowed_for(const std::string& name) {
  struct Exception {
    const char* name;
    double sectors, wavefronts;
    const char* reason;
  };
  static constexpr Exception exceptions[] = {
      {"gemm/01_naive", 99, 1.05, "the first rung: neighbouring threads walk down columns"},
  };
  for (const Exception& e : exceptions)
    if (name == e.name) return {e.sectors, e.wavefronts, true, e.reason};
  return {};
}

}  // namespace strata::xray

// Where a kernel called a primitive: file and line, captured by default arguments at the end of a
// primitive's parameters. It names the place in reports, and it is how the simulator knows whether
// the lanes of a warp have met at the same call. (std::source_location is missing in clang 14.)
#pragma once

namespace strata::sim {

struct Site {
  const char* file;
  int line;
  bool operator==(const Site& other) const { return line == other.line && file == other.file; }
};

}  // namespace strata::sim

#define SIM_SITE0 const char *site_file = __builtin_FILE(), int site_line = __builtin_LINE()
#define SIM_SITE , SIM_SITE0
#define SIM_HERE \
  ::strata::sim::Site { site_file, site_line }
#define SIM_PASS0 site_file, site_line
#define SIM_PASS , SIM_PASS0

#include "engine/error.h"

#include <string_view>

namespace strata {

std::string to_string(Caller at) {
  std::string_view file = at.file;
  if (size_t slash = file.rfind('/'); slash != file.npos) file.remove_prefix(slash + 1);
  return fmt::format("{}:{}", file, at.line);
}

void throw_error(const char* op, Caller at, const std::string& message) {
  if (at.line == 0) throw Error(fmt::format("[{}] {}", op, message));
  throw Error(fmt::format("[{}] {} ({})", op, message, to_string(at)));
}

}  // namespace strata

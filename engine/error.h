// Errors for people: `[op] what was given, what was expected, what to do (file.cpp:41)`.
//
// Caller carries the line of the user's call. As the last, defaulted parameter of every public op
// it is evaluated where the op is called; Operand does the same for operators, which cannot have
// defaulted parameters.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace strata {

struct Caller {
  const char* file = "";
  int line = 0;
  static constexpr Caller here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

// "train.cpp:41": the file name without its folders.
std::string to_string(Caller at);

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Memory ran out, of the machine's or of the limit set; the message names the largest holders.
class OutOfMemory : public Error {
 public:
  using Error::Error;
};

[[noreturn]] void throw_error(const char* op, Caller at, const std::string& message);

// fail("matmul", at, "a {} x b {}: ...", describe(a), describe(b));
template <class... Args>
[[noreturn]] void fail(const char* op, Caller at, fmt::format_string<Args...> format,
                       Args&&... args) {
  throw_error(op, at, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace strata

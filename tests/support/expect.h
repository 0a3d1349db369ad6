// Expectations about errors and values, shared by tests.
#pragma once

#include <gtest/gtest.h>

#include <regex>
#include <string>

#include "engine/tensor/tensor.h"

// First in a test that trains until something is learned, or draws hundreds of pictures: with the
// address sanitizer it takes minutes, and the shorter tests beside it walk the same code.
#ifdef __SANITIZE_ADDRESS__
#define SKIP_WITH_SANITIZERS() \
  GTEST_SKIP() << "takes minutes with the address sanitizer, which sees the same code elsewhere"
#else
#define SKIP_WITH_SANITIZERS() static_cast<void>(0)
#endif

namespace strata::test {

// The message of the Error that `call` throws; "" when it throws none.
template <class F>
std::string error_of(F&& call) {
  try {
    call();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

// `expected` is searched in the message as an ECMAScript regex.
template <class F>
::testing::AssertionResult fails_with(F&& call, const std::string& expected) {
  std::string message = error_of(call);
  if (message.empty()) return ::testing::AssertionFailure() << "no error was thrown";
  if (std::regex_search(message, std::regex(expected))) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "'" << message << "' does not say '" << expected << "'";
}
#define EXPECT_FAILS(expression, expected) \
  EXPECT_TRUE(::strata::test::fails_with([&] { (void)(expression); }, expected))

inline std::vector<double> values(const Tensor& t) { return t.to_vector<double>(); }

// An f64 tensor, and one that wants a gradient.
inline Tensor vector_of(const std::vector<double>& v) {
  return from_vector(v, {static_cast<int64_t>(v.size())});
}
inline Tensor leaf(const std::vector<double>& v) { return vector_of(v).set_requires_grad(); }

inline void expect_near(const std::vector<double>& got, const std::vector<double>& want,
                        double tolerance = 1e-12) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i], want[i], tolerance * (1 + std::abs(want[i]))) << "at " << i;
  }
}

}  // namespace strata::test

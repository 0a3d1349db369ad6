// Where the small real data sets lie: beside the source tree, or where STRATA_SHARED_DATA says.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace strata {

inline std::string shared_data(const std::string& set) {
  const char* root = std::getenv("STRATA_SHARED_DATA");
  std::filesystem::path base =
      root ? root : std::filesystem::path(STRATA_SOURCE_DIR) / ".." / "shared" / "data";
  return (base / set).string();
}

}  // namespace strata

// The path of a set; skips the test when it is not there.
#define STRATA_SHARED(set)                                \
  strata::shared_data(set);                               \
  if (!std::filesystem::exists(strata::shared_data(set))) \
  GTEST_SKIP() << strata::shared_data(set)                \
               << " is not there; set STRATA_SHARED_DATA to the folder of the real data"

#include "tests/kernels/conformance/probes.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>

namespace strata::test {

const std::vector<Probe>& probes() {
  static const std::vector<Probe> all = [] {
    std::vector<Probe> list;
    for (auto kind : {warp_probes, matrix_probes, tma_probes, wgmma_probes})
      for (Probe& probe : kind()) list.push_back(std::move(probe));
    return list;
  }();
  return all;
}

namespace {

float float_at(const Bytes& bytes, size_t i) {
  float value;
  std::memcpy(&value, &bytes[i * sizeof value], sizeof value);
  return value;
}

std::string difference_of_floats(const Outcome& actual, const Bytes& golden) {
  for (size_t i = 0; i < actual.allowance.size(); ++i) {
    const double a = float_at(actual.bytes, i), g = float_at(golden, i);
    if ((std::isnan(a) && std::isnan(g)) || a == g) continue;
    if (!(std::abs(a - g) <= actual.allowance[i]))
      return fmt::format("float {} is {} here and {} in the golden file; {} is allowed", i, a, g,
                         actual.allowance[i]);
  }
  return "";
}

}  // namespace

std::string difference(const Outcome& actual, const Bytes& golden) {
  if (actual.bytes.size() != golden.size())
    return fmt::format("{} bytes here and {} in the golden file", actual.bytes.size(),
                       golden.size());
  if (!actual.allowance.empty()) return difference_of_floats(actual, golden);
  for (size_t i = 0; i < golden.size(); ++i)
    if (actual.bytes[i] != golden[i])
      return fmt::format("byte {} is {:#04x} here and {:#04x} in the golden file", i,
                         actual.bytes[i], golden[i]);
  return "";
}

}  // namespace strata::test

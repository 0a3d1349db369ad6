// Every emulated primitive, run on fixed inputs: the same bytes must come from the simulator and
// from a GPU. Results of arithmetic on arbitrary numbers are floats, which may differ by an
// allowance that is worked out from the inputs, because the hardware's sums are rounded in a way of
// its own.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace strata::test {

using Bytes = std::vector<unsigned char>;

struct Outcome {
  Bytes bytes;
  // Empty: the bytes are equal. Otherwise the bytes are floats, and float i differs by at most
  // allowance[i]; NaN equals NaN.
  std::vector<double> allowance = {};
};

struct Probe {
  std::string name;  // "ldmatrix/4 transposed"
  int arch = 80;     // the first compute capability that has the primitive
  std::function<Outcome()> run;
};

const std::vector<Probe>& probes();

// Empty when `actual` conforms to `golden`, otherwise what differs first, in words.
std::string difference(const Outcome& actual, const Bytes& golden);

// One function a kind of primitive.
std::vector<Probe> warp_probes();    // shuffles, votes, barriers, cp.async, mbarriers, clusters
std::vector<Probe> matrix_probes();  // ldmatrix, stmatrix, mma, tf32
std::vector<Probe> tma_probes();     // boxes in every swizzle mode, im2col, multicast, bulk copies
std::vector<Probe> wgmma_probes();   // layouts of operands, products of every type

}  // namespace strata::test

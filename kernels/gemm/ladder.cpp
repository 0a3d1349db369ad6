// The rungs in order, and by name.
#include <fmt/format.h>

#include <vector>

#include "kernels/gemm/hopper.h"
#include "kernels/gemm/rung.h"
#include "kernels/gpu/runtime.h"

namespace strata::gpu {

std::span<const GemmRung> gemm_rungs() {
  using namespace gemm_ladder;
  static const std::vector<GemmRung> rungs = [] {
    std::vector<GemmRung> all = {
        naive,     coalesced,   shared_tile, register_tile_1d, register_tile_2d, vectorised,
        warp_tile, tensor_core, pipelined,   skinny,           split_k,          stream_k};
    const std::span<const GemmRung> hopper = hopper_gemm_rungs();
    all.insert(all.end(), hopper.begin(), hopper.end());
    return all;
  }();
  return rungs;
}

const GemmRung& gemm_rung(std::string_view name) {
  std::string names;
  for (const GemmRung& rung : gemm_rungs()) {
    if (name == rung.name) return rung;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", rung.name);
  }
  throw Error(fmt::format("there is no GEMM rung \"{}\"; there are {}", name, names));
}

}  // namespace strata::gpu

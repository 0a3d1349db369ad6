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
      {"gemm/01_naive", 6.63, 1.05,
       "the first rungs show what is wrong with them: neighbouring threads read what lies far "
       "apart"},
      {"gemm/02_coalesced", 6.54, 1.05,
       "B is [N, K] here, and this rung loads it along the wrong axis"},
      {"gemm/03_shared_tile", 3.81, 1.05,
       "B is [N, K] here, and this rung loads it along the wrong axis"},
      {"gemm/04_register_tile_1d", 3.34, 1.05,
       "B is [N, K] here, and this rung loads it along the wrong axis"},
      {"gemm/07_warp_tile", 1.10, 1.09, "the transposed stores of A"},
      {"gemm/08_tensor_core", 2.51, 1.26, "single elements, for any strides"},
      {"gemm/09_pipelined", 1.10, 1.21, "the epilogue's tile"},
      {"gemm/split_k", 1.81, 1.05, "partial sums stored from fragments"},
      {"gemm/stream_k", 2.00, 1.05, "partial sums stored from fragments"},
      {"gemm/10_tma_wgmma", 1.51, 1.05,
       "16-bit fragments are stored to C straight from the registers; 16_tma_store mends that"},
      {"gemm/11_warp_specialised", 1.51, 1.05,
       "16-bit fragments are stored to C straight from the registers; 16_tma_store mends that"},
      {"gemm/12_two_consumers", 1.58, 1.05,
       "16-bit fragments are stored to C straight from the registers; 16_tma_store mends that"},
      {"gemm/13_persistent", 1.58, 1.05,
       "16-bit fragments are stored to C straight from the registers; 16_tma_store mends that"},
      {"gemm/14_ping_pong", 1.51, 1.05,
       "16-bit fragments are stored to C straight from the registers; 16_tma_store mends that"},
      {"gemm/15_cluster", 1.58, 1.05,
       "16-bit fragments are stored to C straight from the registers; 16_tma_store mends that"},
      {"gemm/17_tf32", 1.10, 2.01, "f32 fragments are staged two at a time"},
      {"gemm/18_hopper_split_k", 1.95, 2.01,
       "parts are f32: staged two at a time, and added 8 to a thread"},
      {"gemm/19_hopper_skinny", 1.10, 1.34, "sums of parts are added 8 to a thread"},
      {"gemm/20_repacked", 3.25, 1.05, "rows that begin anywhere are read an element at a time"},
      {"conv/01_direct/forward", 6.60, 1.05,
       "the first rungs show what is wrong with them: neighbouring threads read what lies far "
       "apart"},
      {"conv/02_implicit_gemm/forward", 1.10, 1.09, "the transposed stores of the gathered tile"},
      {"conv/02_implicit_gemm/input_gradient", 1.10, 1.08,
       "the transposed stores of the gathered tile"},
      {"conv/depthwise/forward", 1.15, 1.05, "the edges of a small image"},
      {"conv/depthwise/input_gradient", 1.15, 1.05, "the edges of a small image"},
      {"conv/04_tma_im2col/forward", 1.10, 1.51, "the epilogue reads 16-bit tiles two ways"},
      {"conv/04_tma_im2col/input_gradient", 1.10, 1.51, "the epilogue reads 16-bit tiles two ways"},
      {"conv/depthwise/weight_gradient", 1.10, 2.61,
       "partial filters are added up column by column"},
      {"conv/stem/forward", 2.25, 1.12,
       "three channels of 16 bits are no multiple of a sector, and pixels of stride 1 no pairs"},
      {"conv/stem/weight_gradient", 2.12, 1.05,
       "the same; and sums of columns of fragments, once a block"},
      {"conv/winograd/forward", 3.53, 1.05, "the filter transform walks down columns, once a call"},
      {"attention/01_naive", 6.54, 1.05,
       "the first rungs show what is wrong with them: neighbouring threads read what lies far "
       "apart"},
      {"attention/01_naive/gradient", 6.33, 1.05, "the same"},
      {"softmax/columns", 1.10, 2.01, "a thread's maximum and sum lie beside each other"},
      {"reduce/argmax/columns", 1.10, 1.34, "a candidate's value and index lie beside each other"},
      {"elementwise/01_strided/transpose", 4.51, 1.05, "what rung 3 is for"},
      {"optim/norm", 1.21, 1.05, "sixteen sums that lie behind their total"},
      {"index/03_scatter_sorted", 4.55, 1.37, "the radix sort, below"},
      {"index/04_bitonic", 2.35, 1.60,
       "steps below 32 meet in the same banks; values are fetched in sorted order"},
      {"index/05_radix_sort", 2.43, 2.23,
       "a tile's counts lie a row of tiles apart; pairs go where digits say"},
      {"index/06_select", 1.10, 1.36, "a candidate's key and index lie beside each other"},
      {"index/07_warp_sort", 1.10, 1.64, "elements are fetched in sorted order"},
      {"pool/03_resample", 3.00, 1.05, "the table of taps, a few hundred bytes"},
      {"pool/03_resample/gradient", 4.36, 1.05, "bisection in the table of taps"},
      {"graph/03_transpose", 4.06, 2.24, "the radix sort, and bisection"},
      {"embedding/02_tiles", 1.93, 1.05, "both coordinates of a point are loaded one by one"},
  };
  for (const Exception& e : exceptions)
    if (name == e.name) return {e.sectors, e.wavefronts, true, e.reason};
  return {};
}

}  // namespace strata::xray

// The libraries beside which we are measured, loaded when the program runs: cuBLAS and cuBLASLt for
// products, cuDNN for convolution and attention. Where one is not installed, or refuses the shape,
// a note says so and the case has no such rival. In the simulator's build there are none.
#pragma once

#include <string>
#include <vector>

#include "bench/gpu/case.h"
#include "kernels/attention/attention.h"
#include "kernels/conv/rung.h"
#include "kernels/gemm/gemm.h"

namespace strata::bench {

struct Rivals {
  std::vector<Rival> found;
  std::vector<std::string> notes;
};

// One set of arguments a copy, all of the same shape.
Rivals gemm_rivals(const std::vector<GemmArguments>& sets);
// A and B of e4m3, both along K; C of the arguments' type.
Rivals fp8_rivals(const std::vector<GemmArguments>& sets);
Rivals conv_rivals(const std::vector<gpu::conv::Problem>& sets);
Rivals attention_rivals(const std::vector<AttentionArgs>& sets);

// Of several ways, the one that took the least time over all copies (twice round, timed once).
// Throws std::runtime_error when each throws or there is none.
std::function<void(int)> fastest(const std::vector<std::function<void(int)>>& ways, int copies);

}  // namespace strata::bench

// The simulator has no libraries to be measured beside.
#include "bench/gpu/rivals.h"

namespace strata::bench {

Rivals gemm_rivals(const std::vector<GemmArguments>&) { return {}; }
Rivals fp8_rivals(const std::vector<GemmArguments>&) { return {}; }
Rivals conv_rivals(const std::vector<gpu::conv::Problem>&) { return {}; }
Rivals attention_rivals(const std::vector<AttentionArgs>&) { return {}; }

}  // namespace strata::bench

// Runs one launch to its end on the host's threads. Throws gpu::Error for what CUDA would refuse,
// and for deadlock, divergence and misuse inside the kernel.
#pragma once

namespace strata::sim {

struct Launch;
void run(const Launch& launch);

}  // namespace strata::sim

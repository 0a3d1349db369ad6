// Flags in device memory, by which a block tells others that its stores are there
// (kernels/gpu/ptx/flag.h). Blocks of a launch run on several host threads, so these are atomic.
#pragma once

#include <cstdint>

#include "kernels/sim/site.h"

namespace strata::sim {

void raise_flag(uint32_t* flag);
// Lets others run until the flag is raised. Fails when a block of the launch has failed, or when
// nothing else can run and the flag stays down.
void await_flag(const uint32_t* flag, Site site);

}  // namespace strata::sim

// cp.async in the simulator: see async_copy.cpp.
#pragma once

#include "kernels/sim/site.h"

namespace strata::sim {

void copy_async(void* shared, const void* global, unsigned bytes, unsigned valid, Site site);
void copy_commit(Site site);
void copy_wait(unsigned groups, Site site);  // all but the latest `groups` have landed
void proxy_fence(Site site);

// Clusters: see cluster.cpp.
unsigned cluster_rank();
unsigned cluster_size();
void cluster_arrive(Site site);
void cluster_wait(Site site);
void* cluster_shared(void* mine, unsigned rank, Site site);

}  // namespace strata::sim

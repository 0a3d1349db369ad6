// The copy engine in the simulator: see tma.cpp.
#pragma once

#include <cstdint>

#include "kernels/gpu/tensor_map.h"
#include "kernels/sim/site.h"

namespace strata::sim {

constexpr int own_block = -1;  // instead of a mask of blocks of the cluster

void check_tensor_map(const gpu::TensorMap* map, Site site);
void tma_load(int rank, void* shared, const gpu::TensorMap* map, const int* coordinates,
              uint64_t* barrier, int blocks, Site site);
void tma_load_im2col(void* shared, const gpu::TensorMap* map, const int* coordinates,
                     const uint16_t* offsets, uint64_t* barrier, int blocks, Site site);
void tma_store(int rank, const gpu::TensorMap* map, const int* coordinates, const void* shared,
               bool add, Site site);
void bulk_load(void* shared, const void* global, unsigned bytes, uint64_t* barrier, Site site);
// Of registers, into block `rank` of the cluster (st.async).
void store_async(void* shared, const void* value, unsigned bytes, uint64_t* barrier, unsigned rank,
                 Site site);
void bulk_store(void* global, const void* shared, unsigned bytes, bool add_f32, Site site);
void bulk_commit(Site site);
// Until all but the latest `groups` have read shared memory, or are complete.
void bulk_wait(int groups, bool read_only, Site site);

}  // namespace strata::sim

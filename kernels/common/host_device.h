// Functions that both the host and a kernel may call carry STRATA_HOST_DEVICE. It means something
// to nvcc only; the simulator's compiler makes no difference between the two.
#pragma once

#ifdef __CUDACC__
#define STRATA_HOST_DEVICE __host__ __device__
#else
#define STRATA_HOST_DEVICE
#endif

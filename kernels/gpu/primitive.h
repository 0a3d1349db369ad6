// How a primitive has two bodies. nvcc compiles PTX(...); the simulator's compiler compiles
// SIM(...); nvcc's pass over host code sees neither. PTX_SM90(...) is for instructions that only
// sm_90a has: compiled for another architecture, reaching it is a trap.
//
// A primitive ends its parameters with SIM_SITE (SIM_SITE0 when it has no others), which captures
// the caller's file and line in the simulator and is nothing under nvcc; SIM_HERE is that place,
// SIM_PASS hands it on to another primitive.
#pragma once

#ifdef __CUDACC__
#include <cuda.h>
#include <cuda_runtime.h>

#include <cstdint>
#define SIM_SITE0
#define SIM_SITE
#define SIM_HERE
#define SIM_PASS0
#define SIM_PASS
#define SIM(...)
#ifdef __CUDA_ARCH__
#define PTX(...) __VA_ARGS__
#else
#define PTX(...)
#endif
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define PTX_SM90(...) __VA_ARGS__
#elif defined(__CUDA_ARCH__)
#define PTX_SM90(...) __trap();
#else
#define PTX_SM90(...)
#endif
#elif defined(STRATA_CUDA)
#include <cuda_runtime.h>  // host code of a CUDA build: types only, it has no primitives
#else
#include "kernels/sim/cuda.h"
#define PTX(...)
#define PTX_SM90(...)
#define SIM(...) __VA_ARGS__
#endif

#define DEVICE __device__ __forceinline__

// The only header a kernel includes. Under nvcc it brings CUDA; under a plain C++ compiler it
// brings the simulator (kernels/sim), and the same text runs on the CPU.
#pragma once

#include "kernels/common/numeric.h"
#include "kernels/gpu/launch.h"
#include "kernels/gpu/memory.h"
#include "kernels/gpu/primitive.h"
#include "kernels/gpu/ptx/async_copy.h"
#include "kernels/gpu/ptx/barrier.h"
#include "kernels/gpu/ptx/cluster.h"
#include "kernels/gpu/ptx/matrix.h"
#include "kernels/gpu/ptx/tma.h"
#include "kernels/gpu/ptx/wgmma.h"

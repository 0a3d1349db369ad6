// The ladder of cross entropy with its gradient in place, for the launcher, tests, the x-ray and
// benchmarks.
#pragma once

#include "kernels/loss/cross_entropy.h"

namespace strata::gpu {

struct CrossEntropyRung {
  const char* name;
  void (*run)(const CrossEntropyInPlaceArgs&);
  bool (*takes)(const CrossEntropyInPlaceArgs&);
};

// 01: two kernels, three passes. 02: two reads in one kernel. 03, 04: one read.
void cross_entropy_two_kernels(const CrossEntropyInPlaceArgs& args);
void cross_entropy_online(const CrossEntropyInPlaceArgs& args);
void cross_entropy_registers(const CrossEntropyInPlaceArgs& args);
void cross_entropy_cluster(const CrossEntropyInPlaceArgs& args);
bool cross_entropy_any(const CrossEntropyInPlaceArgs& args);
bool cross_entropy_fits_registers(const CrossEntropyInPlaceArgs& args);
bool cross_entropy_fits_cluster(const CrossEntropyInPlaceArgs& args);

inline constexpr CrossEntropyRung cross_entropy_rungs[] = {
    {"two_kernels", cross_entropy_two_kernels, cross_entropy_any},
    {"online", cross_entropy_online, cross_entropy_any},
    {"registers", cross_entropy_registers, cross_entropy_fits_registers},
    {"cluster", cross_entropy_cluster, cross_entropy_fits_cluster},
};
// The rung that gpu::cross_entropy_in_place runs.
const CrossEntropyRung& pick_cross_entropy(const CrossEntropyInPlaceArgs& args);

}  // namespace strata::gpu

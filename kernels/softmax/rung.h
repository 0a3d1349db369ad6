// The ladder of softmax, for the launcher, tests, the x-ray and benchmarks. Each rung computes
// softmax and its gradient for what `takes` accepts; the launcher (softmax.cu) says which runs.
#pragma once

#include <iterator>

#include "kernels/softmax/softmax.h"

namespace strata::gpu {

struct SoftmaxRung {
  const char* name;
  void (*run)(const SoftmaxArgs&);
  void (*gradient)(const SoftmaxGradientArgs&);
  bool (*takes)(const SoftmaxArgs&);
};

// 01: three reads. 02: two. 03, 04: one. 05: any inner size, two reads.
void softmax_three_pass(const SoftmaxArgs& args);
void softmax_online(const SoftmaxArgs& args);
void softmax_registers(const SoftmaxArgs& args);
void softmax_cluster(const SoftmaxArgs& args);
void softmax_columns(const SoftmaxArgs& args);
void softmax_gradient_three_pass(const SoftmaxGradientArgs& args);
void softmax_gradient_online(const SoftmaxGradientArgs& args);
void softmax_gradient_registers(const SoftmaxGradientArgs& args);
void softmax_gradient_cluster(const SoftmaxGradientArgs& args);
void softmax_gradient_columns(const SoftmaxGradientArgs& args);
// Whether the rung can do it: rows (inner = 1) that fit where it keeps them.
bool softmax_is_rows(const SoftmaxArgs& args);
bool softmax_fits_registers(const SoftmaxArgs& args);
bool softmax_fits_cluster(const SoftmaxArgs& args);
bool softmax_gradient_fits_cluster(const SoftmaxGradientArgs& args);  // two rows at once
bool softmax_any(const SoftmaxArgs& args);

inline constexpr SoftmaxRung softmax_rungs[] = {
    {"three_pass", softmax_three_pass, softmax_gradient_three_pass, softmax_is_rows},
    {"online", softmax_online, softmax_gradient_online, softmax_is_rows},
    {"registers", softmax_registers, softmax_gradient_registers, softmax_fits_registers},
    {"cluster", softmax_cluster, softmax_gradient_cluster, softmax_fits_cluster},
    {"columns", softmax_columns, softmax_gradient_columns, softmax_any},
};
// The rungs that gpu::softmax and gpu::softmax_gradient run.
const SoftmaxRung& pick_softmax(const SoftmaxArgs& args);
const SoftmaxRung& pick_softmax_gradient(const SoftmaxGradientArgs& args);

}  // namespace strata::gpu

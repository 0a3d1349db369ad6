// The ladders of the norms, for the launchers, tests, the x-ray and benchmarks.
#pragma once

#include "kernels/norm/channels.h"
#include "kernels/norm/rows.h"

namespace strata::gpu {

// Rows. `takes` is told of the forward pass, `takes_gradient` of the backward pass.
struct RowNormRung {
  const char* name;
  void (*run)(const RowNormArgs&);
  void (*gradient)(const RowNormGradientArgs&);
  bool (*takes)(const RowNormArgs&);
  bool (*takes_gradient)(const RowNormGradientArgs&);
};

void row_norm_three_pass(const RowNormArgs& args);
void row_norm_one_pass(const RowNormArgs& args);
void row_norm_registers(const RowNormArgs& args);
void row_norm_cluster(const RowNormArgs& args);
void row_norm_stream(const RowNormArgs& args);
void row_norm_gradient_three_pass(const RowNormGradientArgs& args);
void row_norm_gradient_one_pass(const RowNormGradientArgs& args);
void row_norm_gradient_persistent(const RowNormGradientArgs& args);
void row_norm_gradient_cluster(const RowNormGradientArgs& args);
void row_norm_gradient_stream(const RowNormGradientArgs& args);
bool row_norm_any(const RowNormArgs& args);
bool row_norm_gradient_any(const RowNormGradientArgs& args);
bool row_norm_fits_registers(const RowNormArgs& args);
bool row_norm_gradient_fits_registers(const RowNormGradientArgs& args);
bool row_norm_fits_cluster(const RowNormArgs& args);
bool row_norm_gradient_fits_cluster(const RowNormGradientArgs& args);
bool row_norm_fits_stream(const RowNormArgs& args);
bool row_norm_gradient_fits_stream(const RowNormGradientArgs& args);
// It fits, and rows are enough for it to be worth while.
bool row_norm_wants_stream(const RowNormArgs& args);
bool row_norm_gradient_wants_stream(const RowNormGradientArgs& args);

inline constexpr RowNormRung row_norm_rungs[] = {
    {"three_pass", row_norm_three_pass, row_norm_gradient_three_pass, row_norm_any,
     row_norm_gradient_any},
    {"one_pass", row_norm_one_pass, row_norm_gradient_one_pass, row_norm_any,
     row_norm_gradient_any},
    {"registers", row_norm_registers, row_norm_gradient_persistent, row_norm_fits_registers,
     row_norm_gradient_fits_registers},
    {"cluster", row_norm_cluster, row_norm_gradient_cluster, row_norm_fits_cluster,
     row_norm_gradient_fits_cluster},
    {"stream", row_norm_stream, row_norm_gradient_stream, row_norm_fits_stream,
     row_norm_gradient_fits_stream},
};
const RowNormRung& pick_row_norm(const RowNormArgs& args);
const RowNormRung& pick_row_norm_gradient(const RowNormGradientArgs& args);

// dscale and dshift where the rung of dx does not make them on its way: x and dy are read again.
void row_norm_parameter_gradient(const RowNormGradientArgs& args);
// The second stage: sums partial[parts][2][C] (of the compute type) over parts, in order, in f64.
void sum_parameter_partials(const RowNormGradientArgs& args, const void* partial, int parts);

}  // namespace strata::gpu

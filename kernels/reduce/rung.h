// The ladder of reductions, for the launcher, tests, the x-ray and benchmarks.
#pragma once

#include "kernels/reduce/reduce.h"

namespace strata::gpu {

struct ReduceRung {
  const char* name;
  void (*run)(cpu::ReduceKind, const cpu::ReduceArgs&);
  bool (*takes)(cpu::ReduceKind, const cpu::ReduceArgs&);
};

// 01, 02: sums of contiguous rows of f32. 03: rows, any kind. 04: contiguous rows, any kind, sm_90.
// 05: any.
void reduce_shared(cpu::ReduceKind kind, const cpu::ReduceArgs& args);
void reduce_shuffle(cpu::ReduceKind kind, const cpu::ReduceArgs& args);
void reduce_vectorised(cpu::ReduceKind kind, const cpu::ReduceArgs& args);
void reduce_cluster(cpu::ReduceKind kind, const cpu::ReduceArgs& args);
void reduce_columns(cpu::ReduceKind kind, const cpu::ReduceArgs& args);
bool reduce_is_row_sum(cpu::ReduceKind kind, const cpu::ReduceArgs& args);
bool reduce_any(cpu::ReduceKind kind, const cpu::ReduceArgs& args);
bool reduce_takes_cluster(cpu::ReduceKind kind, const cpu::ReduceArgs& args);

inline constexpr ReduceRung reduce_rungs[] = {
    {"shared", reduce_shared, reduce_is_row_sum},
    {"shuffle", reduce_shuffle, reduce_is_row_sum},
    {"vectorised", reduce_vectorised, reduce_any},
    {"cluster", reduce_cluster, reduce_takes_cluster},
    {"columns", reduce_columns, reduce_any},
};
// The rung that gpu::reduce runs.
const ReduceRung& pick_reduce(cpu::ReduceKind kind, const cpu::ReduceArgs& args);

}  // namespace strata::gpu

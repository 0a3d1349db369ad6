// The kinds of reduction, one file each family; reduce() picks.
#pragma once

#include "kernels/reduce/reduce.h"

namespace strata::cpu {

void reduce_sum(const ReduceArgs& args);
void reduce_product(const ReduceArgs& args);
void reduce_squared_deviation(const ReduceArgs& args);
void reduce_root_sum_squares(const ReduceArgs& args);
void reduce_exponential_sum(const ReduceArgs& args);
void reduce_extreme(bool largest, const ReduceArgs& args);
void reduce_truth(bool any, const ReduceArgs& args);

}  // namespace strata::cpu

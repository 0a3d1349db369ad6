// Which loops run for which kind and element type.
#include "kernels/reduce/reduce.h"

#include "kernels/reduce/kinds.h"

namespace strata::cpu {

void reduce(ReduceKind kind, const ReduceArgs& args) {
  switch (kind) {
    case ReduceKind::sum:
      return reduce_sum(args);
    case ReduceKind::squared_deviation:
      return reduce_squared_deviation(args);
    case ReduceKind::root_sum_squares:
      return reduce_root_sum_squares(args);
    case ReduceKind::exponential_sum:
      return reduce_exponential_sum(args);
    case ReduceKind::product:
      return reduce_product(args);
    case ReduceKind::maximum:
      return reduce_extreme(true, args);
    case ReduceKind::minimum:
      return reduce_extreme(false, args);
    case ReduceKind::any:
      return reduce_truth(true, args);
    case ReduceKind::all:
      return reduce_truth(false, args);
  }
}

}  // namespace strata::cpu

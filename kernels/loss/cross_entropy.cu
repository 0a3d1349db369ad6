// The launcher: which rung computes the loss and its gradient in place. The two ops apart,
// cross_entropy and cross_entropy_gradient, have one kernel each, in 01_two_kernels.cu.
#include "kernels/loss/rung.h"
#include "kernels/reduce/row.h"

namespace strata::gpu {

const CrossEntropyRung& pick_cross_entropy(const CrossEntropyInPlaceArgs& args) {
  const CrossEntropyRung &online = cross_entropy_rungs[1], &registers = cross_entropy_rungs[2],
                         &cluster = cross_entropy_rungs[3];
  if (cross_entropy_fits_registers(args)) return registers;  // 1 read: 16384 classes of 16 bits
  if (cross_entropy_fits_cluster(args)) return cluster;      // 1 read: 900 thousand on sm_90
  return online;                                             // 2 reads
}

void cross_entropy_in_place(const CrossEntropyInPlaceArgs& args) {
  if (args.rows * args.classes == 0) return;
  check_row_length("cross_entropy_in_place", args.classes);
  pick_cross_entropy(args).run(args);
}

}  // namespace strata::gpu

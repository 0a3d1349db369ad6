// The launcher: which rung runs.
#include "kernels/reduce/row.h"
#include "kernels/softmax/rung.h"

namespace strata::gpu {

namespace {

const SoftmaxRung &online = softmax_rungs[1], &registers = softmax_rungs[2],
                  &cluster = softmax_rungs[3], &columns = softmax_rungs[4];

}  // namespace

const SoftmaxRung& pick_softmax(const SoftmaxArgs& args) {
  if (args.inner != 1) return columns;                 // any sizes; 2 reads
  if (softmax_fits_registers(args)) return registers;  // 1 read: up to 8192 f32
  if (softmax_fits_cluster(args)) return cluster;      // 1 read: up to 450 thousand f32 on sm_90
  return online;                                       // 2 reads
}
const SoftmaxRung& pick_softmax_gradient(const SoftmaxGradientArgs& args) {
  const SoftmaxArgs rows{args.y, args.dx, args.outer, args.size, args.inner, args.dtype, args.log};
  if (args.inner != 1) return columns;
  if (softmax_fits_registers(rows)) return registers;
  if (softmax_gradient_fits_cluster(args)) return cluster;  // half as long rows
  return online;
}

void softmax(const SoftmaxArgs& args) {
  if (args.outer * args.size * args.inner == 0) return;
  check_row_length("softmax", args.inner == 1 ? args.size : 1);
  pick_softmax(args).run(args);
}

void softmax_gradient(const SoftmaxGradientArgs& args) {
  if (args.outer * args.size * args.inner == 0) return;
  check_row_length("softmax_gradient", args.inner == 1 ? args.size : 1);
  pick_softmax_gradient(args).gradient(args);
}

}  // namespace strata::gpu

// The choice of a rung, by the shape and the device. On Hopper it goes by what was measured there
// (hopper_cost.h, bench/results); elsewhere by arithmetic, which no such device has run yet.
#include "kernels/gemm/hopper.h"
#include "kernels/gemm/rung.h"
#include "kernels/gemm/splits.h"

namespace strata::gpu {
namespace {

using namespace gemm_ladder;

bool any(const GemmArguments&) { return true; }
// Whether a product is so large that two more kernels, some 5 us, are little beside it.
bool worth_copying(const GemmArguments& g) {
  return g.M * g.N * g.K * batch_count(g) >= int64_t{1} << 26;
}

// The first whose `when` holds and that supports the product. Split-K and stream-K go on tensor
// cores where the operands allow it and on rung 7 for f32.
struct Choice {
  const GemmRung& rung;
  bool (*when)(const GemmArguments&);
};
const Choice choices[] = {
    {skinny, any},               // bf16, f16, f32: M or N at most 8, one row before all else
    {split_k, worth_splitting},  // f32, and what rung 9 takes: few tiles, long K
    {pipelined, [](const GemmArguments& g) { return !worth_streaming(g); }},
    {stream_k, worth_streaming},  // f32, and what rung 9 takes: the last wave would be half empty
    {tensor_core, any},           // bf16, f16, tf32 with any strides
    {warp_tile, any},             // f32 with any strides
    {register_tile_2d, any},      // f64, i32, i64; 16-bit floats before sm_80
};

}  // namespace

const GemmRung& gemm_choice(const GemmArguments& g) {
  if (streams_weights(g) || !skinny.supports(g)) {
    if (const GemmRung* rung = hopper_choice(g)) return *rung;
    if (worth_copying(g) && repacked.supports(g)) return repacked;
  }
  for (const Choice& choice : choices)
    if (choice.when(g) && choice.rung.supports(g)) return choice.rung;
  throw Error(std::string("gpu::gemm has no product of ") + name_of(g.dtype) +
              "; it multiplies f32, f64, bf16, f16, i32 and i64");
}

void gemm(const GemmArguments& arguments) {
  if (arguments.M == 0 || arguments.N == 0 || batch_count(arguments) == 0) return;
  const GemmArguments g = simplify(arguments);
  gemm_choice(g).run(g);
}

}  // namespace strata::gpu

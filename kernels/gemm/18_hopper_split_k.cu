// Split-K with the kernel of 16_tma_store: where C has too few tiles for all multiprocessors and K
// is long, K is cut into equal parts, which are so many products of a batch.
//
// Against split_k, whose parts are multiplied by the tensor cores of sm_80: the copy engine reads
// part p of an operand as matrix p of a batch whose stride is a part of K, so the kernel is that of
// 16_tma_store with C of f32 in the workspace, and nothing in it knows of parts. A second kernel
// adds them in order (splits.h): no atomics, the same bits in every run.
//
// For K that is a multiple of 64 elements a part, one product (no batch), C that the copy engine
// can write. Bytes: 8 M N a part more than the product's own. Registers and shared memory: as
// 16_tma_store, 225 KiB.
#include "kernels/gemm/hopper_cost.h"
#include "kernels/gemm/hopper_tma_store.h"
#include "kernels/gemm/splits.h"

namespace strata::gpu {
namespace {

constexpr int64_t step = 64;  // elements of K

int parts_of(const GemmArguments& g) { return hopper_cheapest(g, 2, true).parts; }

// The operand as a batch of parts.
HopperOperand in_parts(HopperOperand operand, int parts) {
  operand.K /= parts;
  operand.batches = parts;
  operand.batch_stride = operand.order == Major::k ? operand.K : operand.K * operand.stride;
  return operand;
}

struct SplitK {
  template <class T, Major OrderA, Major OrderB>
  static void launch(const HopperProduct& product) {
    launch_tma_store<TmaStoreShape<T, float, 128, 256, 4, OrderA, OrderB>>(product);
  }
};

bool supports(const GemmArguments& g) {
  return supports_16_bit(g) && tma_stores(g) && batch_count(g) == 1 && g.K % (2 * step) == 0 &&
         parts_of(g) > 1;
}

void run(const GemmArguments& arguments) {
  for_each_product(arguments, 2, [](const HopperProduct& whole) {
    const GemmArguments& g = whole.arguments;
    const int parts = parts_of(g);
    Splits splits = splits_of(g, parts);
    const Scratch workspace(splits_bytes(splits));
    splits.partial = workspace.as<float>();
    HopperProduct cut = whole;
    cut.a = in_parts(whole.a, parts);
    cut.b = in_parts(whole.b, parts);
    cut.batches = parts;
    GemmArguments& sums = cut.arguments;
    sums.dtype = DType::f32;
    sums.c = splits.partial;
    sums.K = g.K / parts;
    sums.epilogue = {};
    sums.batch_rank = 1;
    sums.batch[0] = parts;
    sums.a_batch[0] = cut.a.batch_stride;
    sums.b_batch[0] = cut.b.batch_stride;
    if (g.dtype == DType::bf16)
      launch_by_order<SplitK, bf16>(cut);
    else
      launch_by_order<SplitK, f16>(cut);
    add_parts(g, splits);
  });
}

}  // namespace

namespace gemm_ladder {
const GemmRung hopper_split_k{"18_hopper_split_k", "K in parts, each a product of 16_tma_store",
                              supports, run};
}

}  // namespace strata::gpu

// The chain on the CPU: blocks of a row are converted to the compute type, taken through all steps
// while they lie in L1, and converted back.
#include "kernels/elementwise/chain.h"

#include <algorithm>

#include "kernels/common/parallel.h"

namespace strata::cpu {
namespace {

constexpr int64_t block = 256;

// One block: `value` and inputs in the compute type.
struct Block {
  alignas(64) char value[block * 8];
  alignas(64) char input[max_operands - 1][block * 8];
};

ElementwiseArgs contiguous(int64_t n, DType type, std::initializer_list<void*> data) {
  ElementwiseArgs args{};
  args.rank = 1;
  args.sizes[0] = n;
  args.compute = type;
  for (void* operand : data) {
    args.data[args.operands] = operand;
    args.dtype[args.operands] = type;
    args.strides[args.operands++][0] = 1;
  }
  return args;
}

void apply(const ChainStep& step, int64_t n, DType type, Block& b) {
  if (step.operand == 0) {
    ElementwiseArgs args = contiguous(n, type, {b.value, b.value});
    std::copy(step.parameter, step.parameter + 2, args.parameter);
    return unary(step.unary, args);
  }
  void *other = b.input[step.operand - 1], *value = b.value;
  ElementwiseArgs args =
      contiguous(n, type, {value, step.swapped ? other : value, step.swapped ? value : other});
  std::copy(step.parameter, step.parameter + 2, args.parameter);
  binary(step.binary, args);
}

}  // namespace

void chain(const Chain& chain, ElementwiseArgs& args) {
  const int64_t count = collapse(args);
  if (count == 0) return;
  const int inner = args.rank - 1;
  const int64_t length = args.sizes[inner];
  parallel_for(
      count / length, std::max<int64_t>(1, 8192 / length), [&](int64_t first, int64_t last) {
        Block b;
        for (int64_t row = first; row < last; ++row) {
          char* data[max_operands];
          for (int k = 0; k < args.operands; ++k) {
            int64_t offset = 0, rest = row;
            for (int axis = inner - 1; axis >= 0; --axis) {
              offset += rest % args.sizes[axis] * args.strides[k][axis];
              rest /= args.sizes[axis];
            }
            data[k] = static_cast<char*>(args.data[k]) +
                      offset * static_cast<int64_t>(size_of(args.dtype[k]));
          }
          for (int64_t begin = 0; begin < length; begin += block) {
            const int64_t n = std::min(block, length - begin);
            auto at = [&](int k) {
              return data[k] +
                     begin * args.strides[k][inner] * static_cast<int64_t>(size_of(args.dtype[k]));
            };
            for (int k = 1; k < args.operands; ++k)
              convert(n, at(k), args.dtype[k], args.strides[k][inner], b.input[k - 1], args.compute,
                      1);
            std::copy_n(b.input[0], n * static_cast<int64_t>(size_of(args.compute)), b.value);
            for (int s = 0; s < chain.count; ++s) apply(chain.steps[s], n, args.compute, b);
            convert(n, b.value, args.compute, 1, at(0), args.dtype[0], args.strides[0][inner]);
          }
        }
      });
}

}  // namespace strata::cpu

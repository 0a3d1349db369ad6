// Entry points of the elementwise kernels on a GPU, and the choice of the rung:
//
//   copies that turn two dense axes, in whole vectors            04_transpose_blocks.cu
//   other copies that turn two dense axes                        03_transpose.cu
//   innermost axis dense, divisible by the vector, rows aligned  02_vector.cu
//   anything else                                                01_strided.cu
//
// A chain (chain.h) is one more body for the first two rungs.
#include "kernels/elementwise/cast.h"
#include "kernels/elementwise/rungs.h"
#include "kernels/gpu/gpu.h"

namespace strata::gpu {

using cpu::ElementwiseArgs;
using elementwise::Kind;
using elementwise::Work;

namespace {

// Moves the operands' pointers `steps` along the axis.
void advance(ElementwiseArgs& args, int axis, int64_t steps) {
  for (int k = 0; k < args.operands; ++k)
    args.data[k] = static_cast<char*>(args.data[k]) +
                   steps * args.strides[k][axis] * static_cast<int64_t>(size_of(args.dtype[k]));
}

void pick(const Work& work) {
  if (transposes_blocks(work)) return transpose_blocks(work);
  if (transposes(work)) return transpose(work);
  const int size = vector_size(work);
  if (size == 1) return strided(work);
  const int inner = work.args.rank - 1;
  Work whole = work, rest = work;
  const int64_t left = work.args.sizes[inner] % size;
  whole.args.sizes[inner] -= left;
  vectors(whole, size);
  if (left == 0) return;
  rest.args.sizes[inner] = left;
  advance(rest.args, inner, whole.args.sizes[inner]);
  strided(rest);
}

// Kernels count in 32 bits: larger work is halved along its longest axis.
void run_part(const Work& work, int64_t count) {
  if (count < int64_t{1} << 31) return pick(work);
  int longest = 0;
  for (int axis = 1; axis < work.args.rank; ++axis)
    if (work.args.sizes[axis] > work.args.sizes[longest]) longest = axis;
  Work first = work, second = work;
  const int64_t size = work.args.sizes[longest];
  const int64_t half = size < 128 ? size / 2 : size / 2 / 64 * 64;
  first.args.sizes[longest] = half;
  second.args.sizes[longest] = size - half;
  advance(second.args, longest, half);
  run_part(first, count / size * half);
  run_part(second, count / size * (size - half));
}

void run(const Work& given) {
  Work work = given;
  const int64_t count = cpu::collapse(work.args);
  if (count > 0) run_part(work, count);
}

template <class T>
double clamped(double value) {
  return static_cast<double>(cast<T>(value));
}

}  // namespace

void unary(Unary op, ElementwiseArgs& args) {
  Work work{.kind = Kind::unary, .args = args, .unary = op};
  if (op == Unary::clamp && !is_float(args.compute)) {
    // The bounds are of the type computed in.
    visit(args.compute, [&]<class T>(Type<T>) {
      for (double& bound : work.args.parameter) bound = clamped<T>(bound);
    });
  }
  run(work);
}
void binary(Binary op, ElementwiseArgs& args) {
  run({.kind = Kind::binary, .args = args, .binary = op});
}
void compare(Compare op, ElementwiseArgs& args) {
  run({.kind = Kind::compare, .args = args, .compare = op});
}

void where(ElementwiseArgs& args) {
  Work work{.kind = Kind::where, .args = args};
  if (args.dtype[2] != args.dtype[0] || args.dtype[3] != args.dtype[0] || args.numbers)
    work.kind = Kind::choose;
  work.args.compute = args.dtype[0];
  run(work);
}

void copy(ElementwiseArgs& args) {
  if (args.dtype[0] == args.dtype[1]) return run({.kind = Kind::move, .args = args});
  Work work{.kind = Kind::unary, .args = args, .unary = Unary::identity};
  const DType from = args.dtype[1];
  work.args.compute = is_float(from) && from != DType::f64 ? DType::f32 : from;
  run(work);
}

void fill(ElementwiseArgs& args) {
  Work work{.kind = Kind::fill, .args = args};
  visit(args.dtype[0], [&]<class T>(Type<T>) {
    const T value = cast<T>(args.parameter[0]);
    std::memcpy(&work.value, &value, sizeof value);
  });
  run(work);
}

void chain(const Chain& chain, ElementwiseArgs& args) {
  if (!is_float(args.compute))
    throw Error(std::string("chain in ") + name_of(args.compute) +
                ": chains are computed in f32 or f64");
  run({.kind = Kind::chain, .args = args, .chain = chain});
}

}  // namespace strata::gpu

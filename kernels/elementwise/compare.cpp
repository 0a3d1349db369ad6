// Comparisons and logic (results are bool), and the choice between two operands by a third.
#include "kernels/elementwise/functions.h"
#include "kernels/elementwise/loop.h"

namespace strata::cpu {
namespace {

using namespace functions;

template <class F>
Row two(DType type) {
  return visit(type, []<class T>(Type<T>) -> Row {
    using C = Compute<T>;
    return [](int64_t n, const Run& run) { binary_loop<C, bool>(n, run, F{}); };
  });
}
template <class F>
Row one(DType type) {
  return visit(type, []<class T>(Type<T>) -> Row {
    using C = Compute<T>;
    return [](int64_t n, const Run& run) { unary_loop<C, bool>(n, run, F{}); };
  });
}

Row row_for(Compare op, DType type) {
  switch (op) {
    case Compare::equal:
      return two<Equal>(type);
    case Compare::not_equal:
      return two<NotEqual>(type);
    case Compare::less:
      return two<Less>(type);
    case Compare::less_equal:
      return two<LessEqual>(type);
    case Compare::logical_and:
      return two<LogicalAnd>(type);
    case Compare::logical_or:
      return two<LogicalOr>(type);
    case Compare::logical_not:
      return one<LogicalNot>(type);
    case Compare::is_nan:
      return one<IsNan>(type);
  }
  return nullptr;
}

// Moves bits: T is an unsigned type of the element's size.
template <class T>
void where_row(int64_t n, const Run& run) {
  T* out = as<T>(run.data[0]);
  const uint8_t* condition = as<uint8_t>(run.data[1]);
  const T *a = as<T>(run.data[2]), *b = as<T>(run.data[3]);
  int64_t a_step = run.stride[2], b_step = run.stride[3];
  bool dense = run.stride[0] == 1 && run.stride[1] == 1;
  if (dense && a_step == 1 && b_step == 1) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i] = condition[i] ? a[i] : b[i];
  } else if (dense && a_step == 1 && b_step == 0) {
    const T y = *b;
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i] = condition[i] ? a[i] : y;
  } else if (dense && a_step == 0 && b_step == 1) {
    const T x = *a;
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i] = condition[i] ? x : b[i];
  } else {
    for (int64_t i = 0; i < n; ++i) {
      out[i * run.stride[0]] = condition[i * run.stride[1]] ? a[i * a_step] : b[i * b_step];
    }
  }
}

}  // namespace

void compare(Compare op, ElementwiseArgs& args) {
  run({row_for(op, args.compute), {DType::boolean, args.compute, args.compute}}, args);
}

void where(ElementwiseArgs& args) {
  Row rows[] = {where_row<uint8_t>, where_row<uint16_t>, where_row<uint32_t>, where_row<uint64_t>};
  DType type = args.dtype[0];
  size_t size = size_of(type);
  Row row = rows[size == 8 ? 3 : size == 4 ? 2 : size == 2 ? 1 : 0];
  run({row, {type, DType::boolean, type, type}}, args);
}

}  // namespace strata::cpu

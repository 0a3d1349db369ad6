// Sums of functions of floats: (x - shift)^2 for variances (the mean is known first, so a large
// offset costs no accuracy), x^2 for norms, exp(x - shift) for logsumexp.
#include "kernels/common/vec_math.h"
#include "kernels/reduce/kinds.h"
#include "kernels/reduce/loops.h"

namespace strata::cpu {
namespace {

template <class T>
struct Added {
  using Lane = Compute<T>;
  using Total = double;
  static Lane identity() { return Lane{0}; }
  static Lane step(Lane a, Lane b) { return a + b; }
  static Total merge(Total a, Total b) { return a + b; }
};

// In f64: the rounding of an f32 mean of 1e6 would be as large as a small deviation.
template <class T>
struct SquaredDeviation {
  static constexpr bool shifted = true;
  using Lane = double;
  using Total = double;
  static Lane identity() { return 0; }
  static Lane load(T value, Lane shift) {
    Lane deviation = static_cast<Lane>(static_cast<Compute<T>>(value)) - shift;
    return deviation * deviation;
  }
  static Lane step(Lane a, Lane b) { return a + b; }
  static Total merge(Total a, Total b) { return a + b; }
};

template <class T>
struct Square : Added<T> {
  static constexpr bool shifted = false;
  using Lane = Compute<T>;
  static Lane load(T value, Lane) {
    Lane x = static_cast<Lane>(value);
    return x * x;
  }
};

template <class T>
struct Exponential : Added<T> {
  static constexpr bool shifted = true;
  using Lane = Compute<T>;
  static Lane load(T value, Lane shift) { return math::exp(static_cast<Lane>(value) - shift); }
};

template <class T>
using Same = T;

// Results of type Out<T>: T itself, or what it is computed in.
template <template <class> class Op, template <class> class Out>
void run(const ReduceArgs& args, bool root) {
  ReducePlan plan = make_reduce_plan(args);
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    Reducer<Op<T>, T>::run(plan, static_cast<const T*>(args.x), static_cast<Out<T>*>(args.out),
                           static_cast<const typename Op<T>::Lane*>(args.shift),
                           {args.divisor, root});
  });
}

}  // namespace

void reduce_squared_deviation(const ReduceArgs& args) { run<SquaredDeviation, Same>(args, false); }
void reduce_root_sum_squares(const ReduceArgs& args) { run<Square, Same>(args, true); }
void reduce_exponential_sum(const ReduceArgs& args) { run<Exponential, Compute>(args, false); }

}  // namespace strata::cpu

// Sums and products. Integers and bool accumulate in i64.
#include "kernels/reduce/kinds.h"
#include "kernels/reduce/loops.h"

namespace strata::cpu {
namespace {

template <class T>
constexpr bool is_real = std::is_floating_point_v<Compute<T>>;

template <class T>
struct Sum {
  static constexpr bool shifted = false;
  using Lane = std::conditional_t<is_real<T>, Compute<T>, int64_t>;
  using Total = std::conditional_t<is_real<T>, double, int64_t>;
  static Lane identity() { return Lane{0}; }
  static Lane load(T value, Lane) { return static_cast<Lane>(value); }
  static Lane step(Lane a, Lane b) { return a + b; }
  static Total merge(Total a, Total b) { return a + b; }
};

// A sum wanted in f64 is added in f64: the mean that a variance is taken about.
template <class T>
struct WideSum {
  static constexpr bool shifted = false;
  using Lane = double;
  using Total = double;
  static Lane identity() { return 0; }
  static Lane load(T value, Lane) { return static_cast<Lane>(static_cast<Compute<T>>(value)); }
  static Lane step(Lane a, Lane b) { return a + b; }
  static Total merge(Total a, Total b) { return a + b; }
};

// Products keep f64 throughout: in f32 an intermediate one would overflow too soon.
template <class T>
struct Product {
  static constexpr bool shifted = false;
  using Lane = std::conditional_t<is_real<T>, double, int64_t>;
  using Total = Lane;
  static Lane identity() { return Lane{1}; }
  static Lane load(T value, Lane) { return static_cast<Lane>(static_cast<Compute<T>>(value)); }
  static Lane step(Lane a, Lane b) { return a * b; }
  static Total merge(Total a, Total b) { return a * b; }
};

template <template <class> class Op, template <class> class Wide>
void run(const ReduceArgs& args) {
  ReducePlan plan = make_reduce_plan(args);
  visit(args.dtype, [&]<class T>(Type<T>) {
    const T* x = static_cast<const T*>(args.x);
    Finish finish{args.divisor};
    if (args.out_dtype == DType::f64) {
      Reducer<Wide<T>, T>::run(plan, x, static_cast<double*>(args.out), nullptr, finish);
    } else if constexpr (is_real<T>) {
      Reducer<Op<T>, T>::run(plan, x, static_cast<T*>(args.out), nullptr, finish);
    } else if (args.out_dtype == DType::f32) {
      Reducer<Op<T>, T>::run(plan, x, static_cast<float*>(args.out), nullptr, finish);
    } else {
      Reducer<Op<T>, T>::run(plan, x, static_cast<int64_t*>(args.out), nullptr, finish);
    }
  });
}

}  // namespace

void reduce_sum(const ReduceArgs& args) { run<Sum, WideSum>(args); }
void reduce_product(const ReduceArgs& args) { run<Product, Product>(args); }

}  // namespace strata::cpu

// The op table: one row a public op, checked against a float64 oracle in every way an op can be
// wrong. A test fails for each op declared in engine/ops/*.h that has no row.
//
// How to add a row, in tests/ops/<family>_rows.cpp:
//
//   OP_ROW(exp) {
//     row.cases = unary_cases([](const Tensor& x) { return exp(x); },
//                             [](double x) { return std::exp(x); }, -2, 2);
//     row.errors = {{"undefined", [] { exp(Tensor()); }, "x is undefined"}};
//   }
//
// or, when cases have parameters, one Case each: a label, inputs, the op, the oracle.
//
//   OP_ROW(cumsum) {
//     Random random(7);
//     for (int axis : {0, 1, -1}) {
//       row.add("axis " + std::to_string(axis), {random.uniform({3, 4})},
//               [=](const Tensors& in) { return cumsum(in[0], axis); },
//               [=](const Arrays& in) { return cumsum_oracle(in[0], axis); });
//     }
//   }
//
// What a row must say, or why not:
//   - a case with an empty input (`no_empty`) and one with a rank-0 input (`no_scalar`); also give
//     broadcasting, every option of the op, and one case large enough for its threaded path
//     (cases of more than 512 elements are differentiated in random directions, and only once);
//   - whether it has a gradient (`no_gradient`) and a second one (`no_second_gradient`);
//   - bad calls with a regex for what the message says (`cannot_fail`); the message must start with
//     [op] and end with the line of the call.
// Inputs are f64 Arrays; the runner rounds them to each type in `dtypes` and gives the oracle the
// rounded values. Arrays made with as(a, DType::i64) keep their type (indices), constant(a) wants
// no gradient, none() is an undefined tensor. Choose inputs away from kinks and ties
// (uniform_away, distinct): finite differences step by 1e-3.
//
// What is checked, each as a test of its own (Ops/<aspect>/<op>):
//   Forward         values, shape and type, in each of `dtypes`
//   Layouts         transposed, sliced and flipped inputs and gradients give what copies give
//   Gradient        f64 against five-point finite differences; f32 and 16 bits against f64
//   SecondGradient  of <gradient, w>, for the inputs and the incoming gradient
//   GraphPath       the backward pass with create_graph equals the ordinary one (composed formulas
//                   against fused kernels)
//   Repeat          the same bits twice, forward and backward
//   Errors, Coverage
#pragma once

#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "engine/ops.h"
#include "engine/tensor/tensor.h"
#include "tests/support/oracle.h"

namespace strata::test {

using Tensors = std::vector<Tensor>;

// The function under test, from a lambda (const Tensors&) or (const Tensors&, DType) that returns a
// Tensor or Tensors. The DType is the type under test, for ops that make tensors from nothing.
class Op {
 public:
  Op() = default;
  template <class F, class = std::enable_if_t<!std::is_same_v<std::decay_t<F>, Op>>>
  Op(F f) {
    call_ = [f](const Tensors& in, DType dtype) -> Tensors {
      if constexpr (std::is_invocable_v<F, const Tensors&, DType>) {
        return listed(f(in, dtype));
      } else {
        return listed(f(in));
      }
    };
  }
  Tensors operator()(const Tensors& in, DType dtype) const { return call_(in, dtype); }

 private:
  static Tensors listed(Tensor t) { return {std::move(t)}; }
  static Tensors listed(Tensors t) { return t; }
  std::function<Tensors(const Tensors&, DType)> call_;
};

// The oracle, from a lambda (const Arrays&) that returns an Array or Arrays.
class Oracle {
 public:
  Oracle() = default;
  template <class F, class = std::enable_if_t<!std::is_same_v<std::decay_t<F>, Oracle>>>
  Oracle(F f) {
    call_ = [f](const Arrays& in) -> Arrays { return listed(f(in)); };
  }
  Arrays operator()(const Arrays& in) const { return call_(in); }

 private:
  static Arrays listed(Array a) { return {std::move(a)}; }
  static Arrays listed(Arrays a) { return a; }
  std::function<Arrays(const Arrays&)> call_;
};

struct Case {
  std::string label;
  Arrays inputs;
  Op op;
  Oracle oracle;
};

struct BadCall {
  std::string label;
  std::function<void()> call;
  std::string expected;  // ECMAScript regex, searched in the message
  std::string op;        // what stands in [brackets]; empty: the row's name
};

inline const std::vector<DType> floats = {DType::f64, DType::f32, DType::bf16, DType::f16};
inline const std::vector<DType> numbers = {DType::f64, DType::f32, DType::bf16, DType::f16,
                                           DType::i64, DType::i32, DType::u8};

struct Row {
  std::string name;
  std::vector<Case> cases;
  std::vector<BadCall> errors;
  std::vector<DType> dtypes = floats;
  // Type of each float result given the type under test; null: the type under test. Results that
  // are i64 or bool whatever the input (argmax, comparisons) say so here.
  std::function<DType(DType)> result_dtype;
  std::function<std::vector<DType>(DType)> result_dtypes;  // for several results
  // Error allowed, as a multiple of each type's default: |got - want| <= tolerance * default(type)
  // * (|want| + mean |want|). Defaults: f64 1e-12, f32 2e-6, f16 2e-3, bf16 1.6e-2.
  double tolerance = 1;
  double gradient_tolerance = 1;  // the same, for gradients, on top of it
  // Reasons; empty means "it has".
  std::string no_gradient, no_second_gradient, no_empty, no_scalar, cannot_fail;
  // Reason why non-contiguous inputs give other results (none should).
  std::string no_layouts;

  void add(std::string label, Arrays inputs, Op op, Oracle oracle) {
    cases.push_back({std::move(label), std::move(inputs), std::move(op), std::move(oracle)});
  }
};

// Cases of f(x): typical, large, scalar, empty, with values in [low, high] away from `kinks`.
std::vector<Case> unary_cases(std::function<Tensor(const Tensor&)> op,
                              std::function<double(double)> oracle, double low = -2,
                              double high = 2, const std::vector<double>& kinks = {});
// Cases of f(a, b): equal shapes, broadcasts both ways, scalars, empty, large.
std::vector<Case> binary_cases(std::function<Tensor(const Tensor&, const Tensor&)> op,
                               std::function<double(double, double)> oracle, double low = -2,
                               double high = 2, const std::vector<double>& kinks = {});

// Problems found, one line each; empty means that the row passes.
using Problems = std::vector<std::string>;
Problems check_forward(const Row& row);
Problems check_layouts(const Row& row);
Problems check_gradient(const Row& row);
Problems check_second_gradient(const Row& row);
Problems check_graph_path(const Row& row);
Problems check_repeat(const Row& row);
Problems check_errors(const Row& row);
Problems check_coverage(const Row& row);

// Public ops declared in the text of a header: functions at namespace scope that return Tensor, a
// vector of them or a struct that holds one, and in-place ones (`void name_(`).
std::vector<std::string> declared_ops(const std::string& header);

// Where the inputs of the op table lie: what STRATA_TEST_DEVICE names, cpu when it is not set. The
// whole table runs on each device; the oracles are the same.
Device device_under_test();

// How memory holds a tensor of the same values.
enum class Layout { contiguous, transposed, sliced, flipped };
// The array as a tensor of the type (or of the array's fixed type). What lies between the elements
// of a sliced one is NaN, or an index out of any range.
Tensor to_tensor(const Array& array, DType dtype, Layout layout = Layout::contiguous);
Array to_array(const Tensor& tensor);
// The values as the type holds them.
Array rounded(const Array& array, DType dtype);

// Registration.
std::vector<std::string> registered_rows();
Row find_row(const std::string& name);
struct Registrar {
  Registrar(const char* name, void (*fill)(Row&));
};

}  // namespace strata::test

#define OP_ROW(name)                                                               \
  static void fill_row_##name(::strata::test::Row& row);                           \
  static const ::strata::test::Registrar registrar_##name(#name, fill_row_##name); \
  static void fill_row_##name([[maybe_unused]] ::strata::test::Row& row)

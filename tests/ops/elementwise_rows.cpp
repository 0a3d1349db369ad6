// Rows of engine/ops/elementwise.h: arithmetic, functions of one operand, comparisons, choice, and
// the copies of engine/ops/copy.cpp. add and exp are in example_rows.cpp.
#include "engine/autograd/autograd.h"
#include "tests/support/op_table.h"

namespace strata::test {
namespace {

using Function = Tensor (*)(const Tensor&, Caller);
using Pair = Tensor (*)(const Tensor&, const Tensor&, Caller);

const std::vector<DType> everything = {DType::f64, DType::f32, DType::bf16, DType::f16,
                                       DType::i64, DType::i32, DType::u8,   DType::boolean};
DType fractional(DType dtype) { return is_float(dtype) ? dtype : DType::f32; }
DType to_bool(DType) { return DType::boolean; }

void refuses_undefined(Row& row, Function f) {
  row.errors.push_back(
      {"undefined", [f] { f(Tensor(), Caller::here()); }, "operand 0 is undefined", ""});
}

// A function with fractional results: all numbers in, floats out.
void function(Row& row, Function f, double (*oracle)(double), double low, double high,
              const std::vector<double>& kinks = {}) {
  row.dtypes = numbers;
  row.result_dtype = fractional;
  row.cases =
      unary_cases([f](const Tensor& x) { return f(x, Caller::here()); }, oracle, low, high, kinks);
  refuses_undefined(row, f);
}
// A function that keeps the type, integers too.
void keeping(Row& row, Function f, double (*oracle)(double), const std::vector<double>& kinks) {
  function(row, f, oracle, -3, 3, kinks);
  row.result_dtype = nullptr;
}

void refuses_shapes(Row& row, Pair f) {
  row.errors.push_back({"shapes",
                        [f] {
                          f(empty({2, 3}), empty({4}), Caller::here());
                        },
                        R"(f32\[2,3\] and f32\[4\] do not broadcast)", ""});
  row.errors.push_back({"undefined", [f] { f(empty({2}), Tensor(), Caller::here()); },
                        "operand 1 is undefined", ""});
}
void arithmetic(Row& row, Pair f, double (*oracle)(double, double), double low = -2,
                double high = 2, const std::vector<double>& kinks = {}) {
  row.dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16, DType::i64, DType::i32};
  row.cases =
      binary_cases([f](const Tensor& a, const Tensor& b) { return f(a, b, Caller::here()); },
                   oracle, low, high, kinks);
  refuses_shapes(row, f);
}
void comparison(Row& row, Pair f, double (*oracle)(double, double)) {
  arithmetic(row, f, oracle);
  row.dtypes = everything;
  row.result_dtype = to_bool;
  row.no_gradient = "its result is bool";
}

void with_number(Row& row, const char* label, Op op, double (*oracle)(double), double low = 0.5,
                 double high = 2) {
  row.add(label, {Random(2).uniform({3, 4}, low, high)}, op,
          [oracle](const Arrays& in) { return map(in[0], oracle); });
}

// Cases whose operands are never within 1/16 of each other.
void apart(Row& row, Pair f, double (*oracle)(double, double)) {
  Random random(5);
  auto add = [&](const char* label, const Dims& a, const Dims& b) {
    Array x = random.integers(a, -8, 8), y = random.integers(b, -8, 8);
    for (double& v : x.values) v *= 0.25;
    for (double& v : y.values) v = v * 0.25 + 0.0625;
    x.fixed.reset();
    y.fixed.reset();
    row.add(
        label, {x, y}, [f](const Tensors& in) { return f(in[0], in[1], Caller::here()); },
        [oracle](const Arrays& in) { return zip(in[0], in[1], oracle); });
  };
  add("typical", {3, 5}, {3, 5});
  add("stretch", {2, 1, 3}, {4, 1});
  add("scalar right", {2, 3}, {});
  add("scalar left", {}, {2, 3});
  add("empty", {0, 3}, {3});
  add("large", {37, 1021}, {37, 1021});
  add("large row", {40, 1000}, {1000});
  row.dtypes = numbers;
  refuses_shapes(row, f);
}

}  // namespace

// Arithmetic --------------------------------------------------------------------------------------

OP_ROW(sub) {
  arithmetic(row, sub, [](double a, double b) { return a - b; });
  with_number(
      row, "number minus", [](const Tensors& in) { return 2.0 - in[0]; },
      [](double x) { return 2.0 - x; });
  with_number(
      row, "minus number", [](const Tensors& in) { return in[0] - 3.0; },
      [](double x) { return x - 3.0; });
  Tensor mask = empty({2}, DType::boolean);
  row.errors.push_back({"bool", [=] { sub(mask, mask); }, "bool.*no meaning", ""});
}

OP_ROW(mul) {
  arithmetic(row, mul, [](double a, double b) { return a * b; });
  row.dtypes = everything;
  with_number(
      row, "by a number", [](const Tensors& in) { return in[0] * 3.0; },
      [](double x) { return x * 3.0; });
  row.cases.back().op = [](const Tensors& in, DType dtype) {
    return dtype == DType::boolean ? in[0] : mul(in[0], 3.0);
  };
  row.cases.back().oracle = [](const Arrays& in) {
    return map(in[0], [](double x) { return 3.0 * x; });
  };
  row.dtypes.pop_back();
}

OP_ROW(div) {
  arithmetic(row, div, [](double a, double b) { return a / b; }, -2, 2, {0});
  for (Case& c : row.cases) {  // no denominator that an integer type would round to 0
    for (double& v : c.inputs[1].values) v += v < 0 ? -0.5 : 0.5;
  }
  row.result_dtype = fractional;
  with_number(
      row, "number over", [](const Tensors& in) { return 2.0 / in[0]; },
      [](double x) { return 2.0 / x; }, 0.6, 2);
}

OP_ROW(pow) {
  arithmetic(
      row, pow, [](double a, double b) { return std::pow(a, b); }, 0.6, 2.4);
  row.tolerance = 4;
  row.gradient_tolerance = 4;
  for (double exponent : {3.0, 2.0, 1.0, 0.0}) {
    row.add(
        fmt::format("to the number {}", exponent), {Random(3).uniform({3, 4}, 0.6, 2)},
        [=](const Tensors& in) { return pow(in[0], exponent); },
        [=](const Arrays& in) {
          return map(in[0], [=](double x) { return std::pow(x, exponent); });
        });
  }
}

OP_ROW(maximum) {
  apart(row, maximum, [](double a, double b) { return std::max(a, b); });
}
OP_ROW(minimum) {
  apart(row, minimum, [](double a, double b) { return std::min(a, b); });
}

// Comparisons -------------------------------------------------------------------------------------

OP_ROW(equal) {
  comparison(row, equal, [](double a, double b) { return a == b ? 1.0 : 0.0; });
}
OP_ROW(not_equal) {
  comparison(row, not_equal, [](double a, double b) { return a != b ? 1.0 : 0.0; });
}
OP_ROW(less) {
  comparison(row, less, [](double a, double b) { return a < b ? 1.0 : 0.0; });
}
OP_ROW(less_equal) {
  comparison(row, less_equal, [](double a, double b) { return a <= b ? 1.0 : 0.0; });
}
OP_ROW(greater) {
  comparison(row, greater, [](double a, double b) { return a > b ? 1.0 : 0.0; });
}
OP_ROW(greater_equal) {
  comparison(row, greater_equal, [](double a, double b) { return a >= b ? 1.0 : 0.0; });
}
OP_ROW(logical_and) {
  comparison(row, logical_and, [](double a, double b) { return a != 0 && b != 0 ? 1.0 : 0.0; });
}
OP_ROW(logical_or) {
  comparison(row, logical_or, [](double a, double b) { return a != 0 || b != 0 ? 1.0 : 0.0; });
}

OP_ROW(logical_not) {
  function(
      row, logical_not, [](double x) { return x == 0 ? 1.0 : 0.0; }, -2, 2);
  row.dtypes = everything;
  row.result_dtype = to_bool;
  row.no_gradient = "its result is bool";
}
OP_ROW(is_nan) {
  function(
      row, is_nan, [](double x) { return std::isnan(x) ? 1.0 : 0.0; }, -2, 2);
  row.add(
      "some NaN", {array({4}, {1, NAN, INFINITY, -NAN})},
      [](const Tensors& in) { return is_nan(in[0]); },
      [](const Arrays&) {
        return array({4}, {0, 1, 0, 1});
      });
  row.dtypes = floats;
  row.result_dtype = to_bool;
  row.no_gradient = "its result is bool";
}

// Functions of one operand ------------------------------------------------------------------------

OP_ROW(neg) {
  keeping(row, neg, [](double x) { return -x; }, {});
  row.dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16, DType::i64, DType::i32};
  Tensor mask = empty({2}, DType::boolean);
  row.errors.push_back({"bool", [=] { neg(mask); }, "bool.*no meaning", ""});
}
OP_ROW(abs) {
  keeping(row, abs, [](double x) { return std::abs(x); }, {0});
}
OP_ROW(sign) {
  keeping(row, sign, [](double x) { return x > 0 ? 1.0 : x < 0 ? -1.0 : 0.0; }, {0});
}
OP_ROW(floor) {
  keeping(row, floor, [](double x) { return std::floor(x); }, {-3, -2, -1, 0, 1, 2, 3});
}
OP_ROW(ceil) {
  keeping(row, ceil, [](double x) { return std::ceil(x); }, {-3, -2, -1, 0, 1, 2, 3});
}
OP_ROW(round) {
  keeping(row, round, [](double x) { return std::nearbyint(x); },
          {-2.5, -1.5, -0.5, 0.5, 1.5, 2.5});
}
OP_ROW(square) {
  keeping(row, square, [](double x) { return x * x; }, {});
}
OP_ROW(expm1) {
  function(
      row, expm1, [](double x) { return std::expm1(x); }, -3, 3);
}
OP_ROW(log) {
  function(
      row, log, [](double x) { return std::log(x); }, 0.3, 4);
  row.tolerance = 2;
}
OP_ROW(log1p) {
  function(
      row, log1p, [](double x) { return std::log1p(x); }, -0.6, 4);
}
OP_ROW(sqrt) {
  function(
      row, sqrt, [](double x) { return std::sqrt(x); }, 0.3, 4);
}
OP_ROW(rsqrt) {
  function(
      row, rsqrt, [](double x) { return 1 / std::sqrt(x); }, 0.5, 4);
}
OP_ROW(reciprocal) {
  function(
      row, reciprocal, [](double x) { return 1 / x; }, 0.6, 4);
}
OP_ROW(sin) {
  function(
      row, sin, [](double x) { return std::sin(x); }, -7, 7);
}
OP_ROW(cos) {
  function(
      row, cos, [](double x) { return std::cos(x); }, -7, 7);
}
OP_ROW(tanh) {
  function(
      row, tanh, [](double x) { return std::tanh(x); }, -3, 3);
}
OP_ROW(sigmoid) {
  function(
      row, sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, -5, 5);
}
OP_ROW(erf) {
  function(
      row, erf, [](double x) { return std::erf(x); }, -3, 3);
}

// Choice ------------------------------------------------------------------------------------------

OP_ROW(clamp) {
  row.dtypes = numbers;
  auto add = [&](double low, double high, std::vector<double> kinks) {
    auto cases = unary_cases([=](const Tensor& x) { return clamp(x, low, high); },
                             [=](double x) { return std::clamp(x, low, high); }, -3, 3, kinks);
    row.cases.insert(row.cases.end(), cases.begin(), cases.end());
  };
  add(-1, 2, {-1, 2});
  add(0, INFINITY, {0});
  Tensor x = empty({2});
  row.errors = {{"order", [=] { clamp(x, 2, 1); }, "low 2 must not be above high 1", ""},
                {"NaN", [=] { clamp(x, NAN, 1); }, "low nan", ""}};
}

OP_ROW(where) {
  row.dtypes = numbers;
  Random random(6);
  auto add = [&](const char* label, const Dims& c, const Dims& a, const Dims& b) {
    row.add(
        label, {random.booleans(c), random.uniform(a), random.uniform(b)},
        [](const Tensors& in) { return where(in[0], in[1], in[2]); },
        [](const Arrays& in) {
          Dims shape = zip(in[0], zip(in[1], in[2], std::plus<>()), std::plus<>()).shape;
          Array out = array(shape);
          for_each_index(shape, [&](const Dims& i) {
            out[i] = broadcast_at(in[0], i) != 0 ? broadcast_at(in[1], i) : broadcast_at(in[2], i);
          });
          return out;
        });
  };
  add("typical", {3, 5}, {3, 5}, {3, 5});
  add("scalar a", {3, 5}, {}, {3, 5});
  add("scalar b", {3, 5}, {3, 5}, {});
  add("condition stretches", {5}, {3, 1}, {3, 5});
  add("all stretch", {4, 1, 1}, {3, 1}, {5});
  add("scalars", {}, {}, {});
  add("empty", {0, 2}, {2}, {1, 1});
  add("large", {37, 1021}, {37, 1021}, {1021});
  Tensor x = empty({2, 3}), c = empty({2, 3}, DType::boolean), other = empty({4});
  row.errors = {{"condition", [=] { where(x, x, x); }, R"(f32\[2,3\] must be bool)", ""},
                {"shapes", [=] { where(c, x, other); }, "do not broadcast", ""}};
}

// Copies ------------------------------------------------------------------------------------------

OP_ROW(to_dtype) {
  Random random(7);
  row.dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16, DType::i64, DType::i32, DType::u8};
  for (const Dims& shape : {Dims{3, 5}, Dims{}, Dims{0, 3}, Dims{37, 1021}}) {
    row.add(
        fmt::format("to f64 {}", to_string(shape)), {random.uniform(shape, 0, 4)},
        [](const Tensors& in) { return to_dtype(in[0], DType::f64); },
        [](const Arrays& in) { return in[0]; });
  }
  row.result_dtype = [](DType) { return DType::f64; };
  row.errors = {{"undefined", [] { to_dtype(Tensor(), DType::f32); }, "undefined", ""}};
}

namespace {

void copies(Row& row, Function f) {
  row.cases = unary_cases([f](const Tensor& x) { return f(x, Caller::here()); },
                          [](double x) { return x; });
  row.dtypes = numbers;
  refuses_undefined(row, f);
}
Tensor to_cpu(const Tensor& x, Caller at) { return to_device(x, Device::cpu, at); }

}  // namespace

OP_ROW(contiguous) { copies(row, contiguous); }
OP_ROW(clone) { copies(row, clone); }
OP_ROW(to_device) { copies(row, to_cpu); }

// In place ----------------------------------------------------------------------------------------

namespace {

// write(x, y) on a copy of the first input; the second, where there is one, broadcasts to it.
void in_place(Row& row, std::function<void(const Tensor& x, const Tensor& y)> write,
              double (*oracle)(double, double)) {
  row.dtypes = numbers;
  row.no_gradient = "it writes in place, which is not recorded";
  Random random(8);
  auto add = [&](const char* label, const Dims& x, const Dims& y) {
    row.add(
        label, {random.uniform(x), random.uniform(y)},
        [write](const Tensors& in) {
          NoGrad off;
          // Not contiguous: every other column of a larger tensor.
          Dims wide = in[0].shape();
          if (wide.rank() > 0) wide[-1] *= 2;
          Tensor memory = zeros(wide, in[0].dtype(), in[0].device());
          Dims strides = memory.strides();
          if (wide.rank() > 0) strides[-1] = 2;
          Tensor x = make_view(memory, in[0].shape(), strides, 0);
          copy_(x, in[0]);
          write(x, in[1]);
          return x;
        },
        [oracle](const Arrays& in) {
          Array out = in[0];
          for_each_index(out.shape,
                         [&](const Dims& i) { out[i] = oracle(in[0][i], broadcast_at(in[1], i)); });
          return out;
        });
  };
  add("typical", {3, 5}, {3, 5});
  add("row", {3, 5}, {5});
  add("column", {3, 5}, {3, 1});
  add("scalars", {}, {});
  add("empty", {0, 3}, {3});
  add("large", {37, 1021}, {1021});
  Tensor x = empty({2, 3}), leaf = zeros({2});
  leaf.set_requires_grad();
  Tensor shared = make_view(x, {4, 3}, {0, 1}, 0), one = scalar(1);
  row.errors = {{"undefined", [=] { write(Tensor(), one); }, "undefined", ""},
                {"leaf", [=] { write(leaf, one); }, "leaf that requires a gradient", ""},
                {"shared", [=] { write(shared, one); }, "share one place in memory", ""}};
}

}  // namespace

OP_ROW(copy_) {
  in_place(
      row, [](const Tensor& x, const Tensor& y) { copy_(x, y); },
      [](double, double y) { return y; });
  Tensor x = empty({2, 3}), y = empty({4, 2, 3});
  Tensor leaf = zeros({3});
  leaf.set_requires_grad();
  row.errors.push_back(
      {"gradient", [=] { copy_(x, leaf); }, "source f32.*requires a gradient", ""});
  row.errors.push_back({"larger", [=] { copy_(x, y); }, "does not broadcast to", ""});
}
OP_ROW(add_) {
  in_place(
      row, [](const Tensor& x, const Tensor& y) { add_(x, y, 3.0); },
      [](double x, double y) { return x + 3 * y; });
  Tensor x = empty({2, 3}, DType::i32);
  row.errors.push_back({"fraction", [=] { add_(x, x, 0.5); }, "0.5 is not a whole number", ""});
}
OP_ROW(mul_) {
  in_place(
      row, [](const Tensor& x, const Tensor&) { mul_(x, 3.0); },
      [](double x, double) { return 3 * x; });
}
OP_ROW(fill_) {
  in_place(
      row, [](const Tensor& x, const Tensor&) { fill_(x, 7.0); },
      [](double, double) { return 7.0; });
}

}  // namespace strata::test

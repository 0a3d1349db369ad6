// Three rows to imitate: an op of two operands, an op of one, and one with parameters.
#include "tests/support/op_table.h"

namespace strata::test {

OP_ROW(add) {
  row.dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16, DType::i64, DType::i32};
  row.cases = binary_cases([](const Tensor& a, const Tensor& b) { return add(a, b); },
                           [](double a, double b) { return a + b; });
  row.add(
      "with a number", {Random(2).uniform({3, 4})},
      [](const Tensors& in) { return add(in[0], 2.0); },
      [](const Arrays& in) { return map(in[0], [](double x) { return x + 2.0; }); });
  Tensor a = empty({2, 3}), b = empty({4});
  row.errors = {{"shapes", [=] { add(a, b); }, R"(\[2,3\].*\[4\].*broadcast)", ""}};
}

OP_ROW(exp) {
  row.cases = unary_cases([](const Tensor& x) { return exp(x); },
                          [](double x) { return std::exp(x); }, -3, 3);
  row.errors = {{"undefined", [] { exp(Tensor()); }, "undefined", ""}};
}

OP_ROW(sum) {
  Random random(3);
  auto add = [&](const char* label, const Dims& shape, const Dims& axes, bool keep) {
    row.add(
        label, {random.uniform(shape)}, [=](const Tensors& in) { return sum(in[0], axes, keep); },
        [=](const Arrays& in) {
          return reduce(in[0], axes, keep, [](const std::vector<double>& values) {
            double total = 0;
            for (double v : values) total += v;
            return total;
          });
        });
  };
  add("all", {3, 4}, {}, false);
  add("rows", {3, 4}, {0}, false);
  add("last, kept", {2, 3, 4}, {-1}, true);
  add("outer axes", {2, 3, 4}, {0, 2}, false);
  add("scalar", {}, {}, false);
  add("nothing", {0, 3}, {0}, false);
  add("empty result", {3, 0}, {0}, false);
  add("large", {30, 50, 40}, {}, false);
  add("large columns", {300, 200}, {0}, false);
  row.tolerance = 8;
  Tensor x = empty({2, 3});
  row.errors = {{"axis", [=] { sum(x, {2}); }, "axis 2 is outside", ""},
                {"axis twice",
                 [=] {
                   sum(x, {0, -2});
                 },
                 "twice", ""}};
}

}  // namespace strata::test

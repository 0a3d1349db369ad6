// Reductions. The row of sum is in example_rows.cpp; what is special is in reduce_test.cpp.
#include <limits>
#include <numeric>

#include "tests/support/op_table.h"

namespace strata::test {
namespace {

using Values = std::vector<double>;
using Reduction1 = std::function<Tensor(const Tensor&, const Dims&, bool)>;
using Oracle1 = std::function<double(const Values&)>;

const std::vector<DType> every_type = {DType::f64, DType::f32, DType::bf16, DType::f16,
                                       DType::i64, DType::i32, DType::u8,   DType::boolean};
DType real_of(DType dtype) { return is_float(dtype) ? dtype : DType::f32; }
DType wide_of(DType dtype) { return is_float(dtype) ? dtype : DType::i64; }

double total(const Values& v) { return std::accumulate(v.begin(), v.end(), 0.0); }
double average(const Values& v) { return total(v) / static_cast<double>(v.size()); }
double variance(const Values& v, double correction) {
  double m = average(v), sum = 0;
  for (double x : v) sum += (x - m) * (x - m);
  double free = static_cast<double>(v.size()) - correction;
  return free > 0 ? sum / free : std::numeric_limits<double>::quiet_NaN();
}
double length(const Values& v) {
  double sum = 0;
  for (double x : v) sum += x * x;
  return std::sqrt(sum);
}
double log_sum(const Values& v) {
  double sum = 0;
  for (double x : v) sum += std::exp(x);
  return std::log(sum);
}

struct Shape {
  const char* label;
  Dims shape, axes;
  bool keep = false;
};
// Rows, columns, both, neither, small and large: every path of the kernel.
const std::vector<Shape> shapes = {
    {"all", {3, 4}, {}},
    {"columns", {3, 4}, {0}},
    {"rows, kept", {2, 3, 4}, {-1}, true},
    {"outer axes", {2, 3, 4}, {0, 2}},
    {"inner axes, kept", {2, 3, 4, 2}, {1, 2}, true},
    {"all but the last", {4, 3, 2, 5}, {0, 1, 2}},
    {"axes of size 1", {1, 4, 1}, {0, 2}},
    {"nothing to do", {3, 1}, {1}},
    {"large", {20, 42, 40}, {}},
    {"large columns", {1700, 20}, {0}},
    {"large, middle", {6, 290, 20}, {1}},
    {"many short rows", {7000, 5}, {1}},
};
const Shape scalar_case = {"scalar", {}, {}};
const Shape empty_result = {"empty result", {3, 0}, {0}};
const Shape of_nothing = {"of nothing", {0, 3}, {0}};

void add(Row& row, const Shape& s, const Array& x, const Reduction1& op, const Oracle1& oracle) {
  row.add(
      s.label, {x}, [=](const Tensors& in) { return op(in[0], s.axes, s.keep); },
      [=](const Arrays& in) { return reduce(in[0], s.axes, s.keep, oracle); });
}
void add_all(Row& row, const std::function<Array(const Dims&)>& make, const Reduction1& op,
             const Oracle1& oracle, bool of_none = true) {
  std::vector<Shape> all = shapes;
  all.push_back(scalar_case);
  all.push_back(empty_result);
  if (of_none) all.push_back(of_nothing);
  for (const Shape& s : all) add(row, s, make(s.shape), op, oracle);
}

std::vector<BadCall> axis_errors(const Reduction1& op) {
  Tensor x = empty({2, 3});
  return {{"axis", [=] { op(x, {2}, false); }, "axis 2 is outside a tensor of rank 2", ""},
          {"twice",
           [=] {
             op(x, Dims{0, -2}, false);
           },
           "name an axis twice", ""},
          {"undefined", [=] { op(Tensor(), {}, false); }, "x is undefined", ""}};
}

}  // namespace

OP_ROW(mean) {
  auto op = [](const Tensor& x, const Dims& axes, bool keep) { return mean(x, axes, keep); };
  Random random(21);
  add_all(
      row, [&](const Dims& s) { return random.uniform(s, 1, 3); }, op, average, false);
  row.dtypes = every_type;
  row.result_dtype = real_of;
  row.errors = {{"axis",
                 [] {
                   mean(empty({2, 3}), {2});
                 },
                 "axis 2 is outside", ""},
                {"undefined", [] { mean(Tensor()); }, "x is undefined", ""}};
}

OP_ROW(var) {
  Random random(22);
  auto with = [](double correction) {
    return [=](const Tensor& x, const Dims& axes, bool keep) {
      return var(x, axes, keep, correction);
    };
  };
  add_all(
      row, [&](const Dims& s) { return random.uniform(s); }, with(0),
      [](const Values& v) { return variance(v, 0); }, false);
  for (const Shape& s : {shapes[0], shapes[3], shapes[8]}) {
    add(row, s, random.uniform(s.shape), with(1), [](const Values& v) { return variance(v, 1); });
  }
  row.dtypes = every_type;
  row.result_dtype = real_of;
  row.tolerance = 2;
  row.gradient_tolerance = 4;
  row.errors = {{"axis",
                 [] {
                   var(empty({2, 3}), {2});
                 },
                 "axis 2 is outside", ""},
                {"undefined", [] { var(Tensor()); }, "x is undefined", ""}};
}

OP_ROW(norm) {
  Random random(23);
  auto op = [](const Tensor& x, const Dims& axes, bool keep) { return norm(x, axes, keep); };
  add_all(
      row, [&](const Dims& s) { return random.uniform_away(s, -2, 2, {0}); }, op, length);
  row.dtypes = every_type;
  row.result_dtype = real_of;
  row.tolerance = 2;
  row.errors = {{"axis",
                 [] {
                   norm(empty({2, 3}), {2});
                 },
                 "axis 2 is outside", ""},
                {"undefined", [] { norm(Tensor()); }, "x is undefined", ""}};
}

OP_ROW(logsumexp) {
  Random random(24);
  auto op = [](const Tensor& x, const Dims& axes, bool keep) { return logsumexp(x, axes, keep); };
  add_all(
      row, [&](const Dims& s) { return random.uniform(s); }, op, log_sum);
  row.dtypes = every_type;
  row.result_dtype = real_of;
  row.tolerance = 2;
  row.gradient_tolerance = 4;
  row.errors = {{"axis",
                 [] {
                   logsumexp(empty({2, 3}), {2});
                 },
                 "axis 2 is outside", ""},
                {"undefined", [] { logsumexp(Tensor(), {}); }, "x is undefined", ""}};
}

OP_ROW(max) {
  Random random(25);
  auto op = [](const Tensor& x, const Dims& axes, bool keep) { return max(x, axes, keep); };
  add_all(
      row, [&](const Dims& s) { return random.distinct(s); }, op,
      [](const Values& v) { return *std::max_element(v.begin(), v.end()); }, false);
  row.errors = axis_errors(op);
  row.errors.push_back({"of nothing",
                        [] {
                          max(empty({0, 3}), {0});
                        },
                        R"(f32\[0,3\] over axes \[0\] has no elements.*largest)", ""});
}

OP_ROW(min) {
  Random random(26);
  auto op = [](const Tensor& x, const Dims& axes, bool keep) { return min(x, axes, keep); };
  add_all(
      row, [&](const Dims& s) { return random.distinct(s); }, op,
      [](const Values& v) { return *std::min_element(v.begin(), v.end()); }, false);
  row.errors = axis_errors(op);
  row.errors.push_back({"of nothing",
                        [] {
                          min(empty({0, 3}));
                        },
                        "over axes all has no elements.*smallest", ""});
}

namespace {

void truth_row(Row& row, const Reduction1& op, bool any) {
  Random random(27);
  add_all(
      row, [&](const Dims& s) { return random.integers(s, 0, 2, DType::boolean); }, op,
      [=](const Values& v) {
        auto nonzero = [](double x) { return x != 0; };
        return any ? std::any_of(v.begin(), v.end(), nonzero)
                   : std::all_of(v.begin(), v.end(), nonzero);
      });
  // One element of another kind among many, in every type.
  for (Case& c : std::vector<Case>(row.cases)) {
    if (c.inputs[0].numel() != 33600) continue;
    Array x = array(c.inputs[0].shape, any ? 0.0 : 3.0);
    x.values[31234] = any ? 2 : 0;
    row.add(c.label + ", one differs", {x}, c.op, c.oracle);
  }
  row.dtypes = every_type;
  row.result_dtype = [](DType) { return DType::boolean; };
  row.no_gradient = "the result is bool";
  row.errors = axis_errors(op);
}

void arg_row(Row& row, const std::function<Tensor(const Tensor&, int, bool)>& op, bool largest) {
  Random random(28);
  auto add = [&](const char* label, Array x, int axis, bool keep) {
    row.add(
        label, {x}, [=](const Tensors& in) { return op(in[0], axis, keep); },
        [=](const Arrays& in) {
          return reduce(in[0], {axis}, keep, [=](const Values& v) {
            auto at = largest ? std::max_element(v.begin(), v.end())
                              : std::min_element(v.begin(), v.end());
            return static_cast<double>(at - v.begin());
          });
        });
  };
  add("rows", random.distinct({3, 4}), 1, false);
  add("columns, kept", random.distinct({3, 4}), 0, true);
  add("middle", random.distinct({2, 5, 3}), -2, false);
  add("ties: the first", random.integers({4, 30}, 0, 3), 1, false);
  add("vector", random.distinct({7}), 0, false);
  add("empty result", random.distinct({3, 0}), 0, false);
  add("large", random.distinct({180, 190}), 1, false);
  add("large columns", random.distinct({190, 180}), 0, false);
  // No more values than 8 bits tell apart: ties abound.
  for (Case& c : row.cases) {
    for (double& v : c.inputs[0].values) v = std::fmod(std::abs(v), 100);
  }
  row.dtypes = numbers;
  row.result_dtype = [](DType) { return DType::i64; };
  row.no_gradient = "the result is an index";
  row.no_scalar = "needs an axis";
  row.errors = {{"axis",
                 [=] {
                   op(empty({2, 3}), 2, false);
                 },
                 "axis 2 is outside", ""},
                {"of nothing",
                 [=] {
                   op(empty({0, 3}), 0, false);
                 },
                 "no elements to choose", ""},
                {"undefined", [=] { op(Tensor(), 0, false); }, "x is undefined", ""}};
}

}  // namespace

OP_ROW(any) {
  truth_row(
      row, [](const Tensor& x, const Dims& axes, bool keep) { return any(x, axes, keep); }, true);
}
OP_ROW(all) {
  truth_row(
      row, [](const Tensor& x, const Dims& axes, bool keep) { return all(x, axes, keep); }, false);
}
OP_ROW(argmax) {
  arg_row(
      row, [](const Tensor& x, int axis, bool keep) { return argmax(x, axis, keep); }, true);
}
OP_ROW(argmin) {
  arg_row(
      row, [](const Tensor& x, int axis, bool keep) { return argmin(x, axis, keep); }, false);
}

OP_ROW(prod) {
  Random random(29);
  auto add = [&](const char* label, Array x, int axis, bool keep) {
    row.add(
        label, {x}, [=](const Tensors& in) { return prod(in[0], axis, keep); },
        [=](const Arrays& in) {
          return reduce(in[0], {axis}, keep, [](const Values& v) {
            return std::accumulate(v.begin(), v.end(), 1.0, std::multiplies<>());
          });
        });
  };
  add("rows", random.uniform({3, 4}), 1, false);
  add("columns, kept", random.uniform({3, 4}), 0, true);
  Array zeros = random.uniform({3, 4});
  zeros.values[1] = zeros.values[6] = zeros.values[7] = 0;
  add("a zero, two zeros", zeros, 1, false);
  add("a zero, middle axis", array({2, 2, 2}, Values{1, 0, 2, 3, 0, 5, 6, 7}), 1, false);
  add("one element", random.uniform({3, 1}), 1, false);
  add("empty result", random.uniform({3, 0}), 0, false);
  add("of nothing", random.uniform({3, 0}), 1, false);
  add("large", random.uniform({1700, 20}, 0.5, 1.5), 1, false);
  add("large columns", random.uniform({20, 1700}, 0.5, 1.5), 0, false);
  row.dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16, DType::i64, DType::i32};
  row.result_dtype = wide_of;
  row.tolerance = 4;
  row.no_scalar = "needs an axis";
  row.errors = {{"axis",
                 [] {
                   prod(empty({2, 3}), 2);
                 },
                 "axis 2 is outside", ""},
                {"undefined", [] { prod(Tensor(), 0); }, "x is undefined", ""}};
}

OP_ROW(cumsum) {
  Random random(30);
  auto add = [&](const char* label, const Dims& shape, int axis) {
    row.add(
        label, {random.uniform(shape)}, [=](const Tensors& in) { return cumsum(in[0], axis); },
        [=](const Arrays& in) {
          Array out = in[0];
          int along = axis < 0 ? axis + out.rank() : axis;
          for_each_index(out.shape, [&](const Dims& i) {
            if (i[along] == 0) return;
            Dims before = i;
            before[along] -= 1;
            out[i] += out[before];
          });
          return out;
        });
  };
  add("rows", {3, 4}, 1);
  add("columns", {3, 4}, 0);
  add("middle", {2, 5, 3}, -2);
  add("vector", {7}, 0);
  add("nothing", {0, 3}, 0);
  add("no lines", {3, 0}, 0);
  add("large", {180, 190}, 1);
  add("large columns", {190, 180}, 0);
  row.dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16, DType::i64, DType::i32, DType::u8};
  row.result_dtype = wide_of;
  row.tolerance = 4;
  row.no_scalar = "needs an axis";
  row.errors = {{"axis",
                 [] {
                   cumsum(empty({2, 3}), 2);
                 },
                 "axis 2 is outside", ""},
                {"undefined", [] { cumsum(Tensor(), 0); }, "x is undefined", ""}};
}

OP_ROW(sum_to) {
  Random random(31);
  auto add = [&](const char* label, const Dims& from, const Dims& asked, const Dims& to) {
    row.add(
        label, {random.uniform(from, 1, 2)},
        [=](const Tensors& in) { return sum_to(in[0], asked); },
        [=](const Arrays& in) {
          Array out = array(to);
          for_each_index(from, [&](const Dims& i) {
            Dims place = to;
            for (int k = 0; k < to.rank(); ++k) {
              place[k] = to[k] == 1 ? 0 : i[k + from.rank() - to.rank()];
            }
            out[place] += in[0][i];
          });
          return out;
        });
  };
  add("in front", {2, 3, 4}, {4}, {4});
  add("stretched", {2, 3, 4}, {2, 1, 4}, {2, 1, 4});
  add("both", {2, 3, 4}, {1, 4}, {1, 4});
  add("to a scalar", {2, 3}, {}, {});
  add("the same", {2, 3}, {2, 3}, {2, 3});
  add("smaller than asked", {3, 1}, {3, 4}, {3, 1});
  add("scalar", {}, {}, {});
  add("of nothing", {0, 3}, {1, 3}, {1, 3});
  add("bias", {300, 20, 10}, {10}, {10});
  row.errors = {{"shape",
                 [] {
                   sum_to(empty({2, 3}), {2});
                 },
                 R"(f32\[2,3\] was not broadcast from \[2\])", ""},
                {"undefined", [] { sum_to(Tensor(), {}); }, "x is undefined", ""}};
}

}  // namespace strata::test

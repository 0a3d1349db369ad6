// Rows of engine/ops/softmax.h.
#include "tests/support/op_table.h"

namespace strata::test {
namespace {

using Values = std::vector<double>;

// f(values of a row) for each row along `axis`.
Array along(const Array& x, int axis, Values (*f)(const Values&)) {
  if (x.rank() == 0) return array({}, f(x.values));
  Array out = array(x.shape);
  if (axis < 0) axis += x.rank();
  for_each_index(x.shape, [&](const Dims& index) {
    if (index[axis] != 0) return;
    Values row;
    Dims place = index;
    for (place[axis] = 0; place[axis] < x.shape[axis]; ++place[axis]) row.push_back(x[place]);
    row = f(row);
    for (place[axis] = 0; place[axis] < x.shape[axis]; ++place[axis]) {
      out[place] = row[static_cast<size_t>(place[axis])];
    }
  });
  return out;
}

Values log_softmax_row(const Values& row) {
  double largest = *std::max_element(row.begin(), row.end()), total = 0;
  for (double v : row) total += std::exp(v - largest);
  Values out = row;
  for (double& v : out) v -= largest + std::log(total);
  return out;
}
Values softmax_row(const Values& row) {
  Values out = log_softmax_row(row);
  for (double& v : out) v = std::exp(v);
  return out;
}

void fill(Row& row, Tensor (*op)(const Tensor&, int, Caller), Values (*oracle)(const Values&)) {
  Random random(21);
  auto add = [&](const char* label, Array x, int axis) {
    row.add(
        label, {std::move(x)}, [=](const Tensors& in) { return op(in[0], axis, Caller::here()); },
        [=](const Arrays& in) { return along(in[0], axis, oracle); });
  };
  add("last axis", random.uniform({3, 5}), -1);
  add("first axis", random.uniform({4, 3}), 0);
  add("middle axis", random.uniform({2, 5, 3}), 1);
  add("one element", random.uniform({4, 1}), -1);
  add("scalar", random.uniform({}), -1);
  add("no rows", array({0, 3}), -1);
  add("empty rows", array({3, 0}), -1);
  add("long rows", random.uniform({40, 1030}), -1);
  add("many columns", random.uniform({2, 33, 300}), 1);
  row.tolerance = 8;
  Tensor x = empty({2, 3});
  row.errors = {{"undefined", [=] { op(Tensor(), -1, Caller::here()); }, "undefined", ""},
                {"integer", [=] { op(x.to(DType::i64), -1, Caller::here()); }, "floating", ""},
                {"axis", [=] { op(x, 2, Caller::here()); }, "axis 2 is outside", ""}};
}

}  // namespace

OP_ROW(softmax) { fill(row, softmax, softmax_row); }
OP_ROW(log_softmax) { fill(row, log_softmax, log_softmax_row); }

}  // namespace strata::test

// Indexing, order, joining.
#include <limits>
#include <numeric>

#include "tests/support/op_table.h"

namespace strata::test {
namespace {

const std::vector<DType> every_type = {DType::f64, DType::f32, DType::bf16, DType::f16,
                                       DType::i64, DType::i32, DType::u8,   DType::boolean};
const std::vector<DType> addable = {DType::f64, DType::f32, DType::bf16,
                                    DType::f16, DType::i64, DType::i32};

int along(int axis, const Array& x) { return axis < 0 ? axis + x.rank() : axis; }

// The place in x that index[i] names.
Dims named(const Array& index, Dims i, int axis) {
  i[axis] = static_cast<int64_t>(index[i]);
  return i;
}

Array gathered(const Array& x, int axis, const Array& index) {
  Array out = array(index.shape);
  for_each_index(index.shape, [&](const Dims& i) { out[i] = x[named(index, i, axis)]; });
  return out;
}
template <class F>
Array scattered(Array x, int axis, const Array& index, const Array& source, F&& combine) {
  for_each_index(index.shape, [&](const Dims& i) {
    double& target = x[named(index, i, axis)];
    target = combine(target, source[i]);
  });
  return x;
}
// A rank-1 index spread over the shape of what it selects.
Array spread(const Array& index, const Dims& shape, int axis) {
  Array out = array(shape);
  for_each_index(shape, [&](const Dims& i) { out[i] = index[{i[axis]}]; });
  return out;
}

std::vector<BadCall> index_errors(
    const std::function<Tensor(const Tensor&, int, const Tensor&)>& op) {
  Tensor x = empty({2, 3});
  auto indices = [](std::vector<int64_t> v, Dims shape) { return from_vector(v, shape); };
  Tensor past = indices({0, 1, 2, 0}, {2, 2}), negative = indices({0, -1}, {1, 2});
  return {
      {"past", [=] { op(x, 0, past); },
       R"(index 2 at position \[1,0\] of i64\[2,2\] is outside axis 0 of f32\[2,3\], which has size 2)",
       ""},
      {"negative", [=] { op(x, 1, negative); },
       R"(index -1 at position \[0,1\].*do not count from the end)", ""},
      {"type",
       [=] {
         op(x, 0, empty({1, 1}));
       },
       R"(index f32\[1,1\] must be i64 or i32)", ""},
      {"rank", [=] { op(x, 0, indices({0}, {1})); }, "must have as many axes", ""},
      {"longer",
       [=] {
         op(x, 0, indices({0, 0, 0, 0}, {1, 4}));
       },
       "is longer than .* along axis 1", ""},
      {"axis", [=] { op(x, 2, past); }, "axis 2 is outside", ""},
      {"undefined", [=] { op(x, 0, Tensor()); }, "index is undefined", ""}};
}

struct Place {
  const char* label;
  Dims x, index;
  int axis;
};
const std::vector<Place> places = {{"columns", {5, 3}, {4, 3}, 0},
                                   {"rows", {3, 5}, {3, 4}, 1},
                                   {"shorter index", {4, 5}, {2, 6}, 1},
                                   {"middle", {2, 4, 3}, {2, 5, 3}, -2},
                                   {"vector", {5}, {9}, 0},
                                   {"no index", {3, 4}, {3, 0}, 1},
                                   {"large", {200, 300}, {150, 300}, 0},
                                   {"large rows", {300, 200}, {300, 150}, 1},
                                   {"long vector", {700}, {35000}, 0}};

}  // namespace

OP_ROW(gather) {
  Random random(41);
  for (const Place& p : places) {
    for (DType type : {DType::i64, DType::i32}) {
      if (type == DType::i32 && p.index.product() > 1000) continue;
      int64_t size = p.x[p.axis];
      row.add(
          std::string(p.label) + ", " + name_of(type),
          {random.uniform(p.x), random.integers(p.index, 0, size, type)},
          [=](const Tensors& in) { return gather(in[0], p.axis, in[1]); },
          [=](const Arrays& in) { return gathered(in[0], along(p.axis, in[0]), in[1]); });
    }
  }
  row.dtypes = every_type;
  row.gradient_tolerance = 2;
  row.no_scalar = "needs an axis";
  row.errors =
      index_errors([](const Tensor& x, int axis, const Tensor& i) { return gather(x, axis, i); });
}

OP_ROW(scatter_add) {
  Random random(42);
  for (const Place& p : places) {
    row.add(
        p.label,
        {random.uniform(p.x), random.integers(p.index, 0, p.x[p.axis]), random.uniform(p.index)},
        [=](const Tensors& in) { return scatter_add(in[0], p.axis, in[1], in[2]); },
        [=](const Arrays& in) {
          return scattered(in[0], along(p.axis, in[0]), in[1], in[2], std::plus<>());
        });
  }
  row.dtypes = addable;
  row.tolerance = 8;
  row.no_scalar = "needs an axis";
  row.errors = index_errors([](const Tensor& x, int axis, const Tensor& i) {
    return scatter_add(x, axis, i, empty({1, 1}));
  });
  Tensor x = empty({2, 3}), index = from_vector<int64_t>({0, 1}, {2, 1});
  row.errors.push_back({"source",
                        [=] {
                          scatter_add(x, 1, index, empty({1, 2}));
                        },
                        R"(source f32\[1,2\] must have the shape \[2,1\])", ""});
  row.errors.push_back({"types",
                        [=] {
                          scatter_add(x, 1, index, empty({2, 1}, DType::f64));
                        },
                        "must have one type", ""});
  Tensor flags = empty({2, 3}, DType::boolean);
  row.errors.push_back({"bool",
                        [=] {
                          scatter_add(flags, 1, index, empty({2, 1}, DType::boolean));
                        },
                        "cannot be added to", ""});
}

OP_ROW(scatter) {
  Random random(43);
  for (const Place& p : places) {
    row.add(
        p.label,
        {random.uniform(p.x), random.integers(p.index, 0, p.x[p.axis]), random.uniform(p.index)},
        [=](const Tensors& in) { return scatter(in[0], p.axis, in[1], in[2]); },
        [=](const Arrays& in) {
          return scattered(in[0], along(p.axis, in[0]), in[1], in[2],
                           [](double, double b) { return b; });
        });
  }
  row.dtypes = every_type;
  row.no_scalar = "needs an axis";
  row.errors = index_errors([](const Tensor& x, int axis, const Tensor& i) {
    return scatter(x, axis, i, empty({1, 1}));
  });
}

namespace {

const std::vector<Place> row_places = {
    {"rows", {5, 3}, {4}, 0},           {"columns", {3, 5}, {4}, 1},
    {"middle", {2, 4, 3}, {5}, -2},     {"vector", {5}, {9}, 0},
    {"no index", {3, 4}, {0}, 1},       {"large", {50, 64}, {540}, 0},
    {"large, wide", {4, 4096}, {9}, 0}, {"large columns", {290, 40}, {120}, 1}};

Dims selected_shape(const Place& p) {
  Dims shape = p.x;
  shape[p.axis] = p.index[0];
  return shape;
}

}  // namespace

OP_ROW(index_select) {
  Random random(44);
  for (const Place& p : row_places) {
    for (DType type : {DType::i64, DType::i32}) {
      if (type == DType::i32 && p.x.product() > 1000) continue;
      row.add(
          std::string(p.label) + ", " + name_of(type),
          {random.uniform(p.x), random.integers(p.index, 0, p.x[p.axis], type)},
          [=](const Tensors& in) { return index_select(in[0], p.axis, in[1]); },
          [=](const Arrays& in) {
            int axis = along(p.axis, in[0]);
            return gathered(in[0], axis, spread(in[1], selected_shape(p), axis));
          });
    }
  }
  row.dtypes = every_type;
  row.gradient_tolerance = 2;
  row.no_scalar = "needs an axis";
  Tensor x = empty({2, 3});
  row.errors = {
      {"past",
       [=] {
         index_select(x, 1, from_vector<int64_t>({0, 3}, {2}));
       },
       R"(index 3 at position \[1\] of i64\[2\] is outside axis 1 of f32\[2,3\])", ""},
      {"rank",
       [=] {
         index_select(x, 1, from_vector<int64_t>({0}, {1, 1}));
       },
       "must have one axis", ""},
      {"type", [=] { index_select(x, 1, empty({1})); }, "must be i64 or i32", ""},
      {"undefined", [=] { index_select(Tensor(), 1, empty({1})); }, "x is undefined", ""}};
}

OP_ROW(index_add) {
  Random random(45);
  for (const Place& p : row_places) {
    row.add(
        p.label,
        {random.uniform(p.x), random.integers(p.index, 0, p.x[p.axis]),
         random.uniform(selected_shape(p))},
        [=](const Tensors& in) { return index_add(in[0], p.axis, in[1], in[2]); },
        [=](const Arrays& in) {
          int axis = along(p.axis, in[0]);
          return scattered(in[0], axis, spread(in[1], selected_shape(p), axis), in[2],
                           std::plus<>());
        });
  }
  row.dtypes = addable;
  row.tolerance = 8;
  row.no_scalar = "needs an axis";
  Tensor x = empty({2, 3}), index = from_vector<int64_t>({0, 1}, {2});
  row.errors = {
      {"source",
       [=] {
         index_add(x, 0, index, empty({2, 2}));
       },
       R"(source f32\[2,2\] must have the shape \[2,3\])", ""},
      {"past", [=] { index_add(x, 0, from_vector<int64_t>({2}, {1}), x); }, "index 2 at position",
       ""},
      {"undefined", [=] { index_add(x, 0, index, Tensor()); }, "source is undefined", ""}};
}

OP_ROW(embedding) {
  Random random(46);
  auto add = [&](const char* label, int64_t rows, int64_t width, const Dims& index, DType type) {
    row.add(
        label, {random.uniform({rows, width}), random.integers(index, 0, rows, type)},
        [](const Tensors& in) { return embedding(in[0], in[1]); },
        [](const Arrays& in) {
          Dims shape = in[1].shape;
          shape.push_back(in[0].shape[1]);
          Array out = array(shape);
          for_each_index(shape, [&](const Dims& i) {
            Dims at = i;
            at.resize(at.rank() - 1);
            out[i] = in[0][{static_cast<int64_t>(in[1][at]), i[-1]}];
          });
          return out;
        });
  };
  add("sequences", 7, 3, {2, 4}, DType::i64);
  add("i32", 7, 3, {5}, DType::i32);
  add("one index", 7, 3, {}, DType::i64);
  add("no index", 7, 3, {0, 2}, DType::i64);
  add("large", 50, 96, {6, 60}, DType::i64);
  add("large, narrow", 50, 2, {290, 60}, DType::i64);
  row.tolerance = 8;
  Tensor table = empty({4, 2});
  row.errors = {
      {"past",
       [=] {
         embedding(table, from_vector<int64_t>({1, 4}, {1, 2}));
       },
       R"(index 4 at position \[0,1\] of i64\[1,2\] is outside table f32\[4,2\], which has size 4)",
       ""},
      {"table", [] { embedding(empty({4}), empty({1}, DType::i64)); }, R"(must be \[V, C\])", ""},
      {"type", [=] { embedding(table, empty({1})); }, "must be i64 or i32", ""},
      {"undefined", [=] { embedding(table, Tensor()); }, "index is undefined", ""}};
}

OP_ROW(one_hot) {
  Random random(47);
  auto add = [&](const char* label, const Dims& shape, int64_t classes, DType type) {
    row.add(
        label, {random.integers(shape, 0, classes, type)},
        [=](const Tensors& in, DType dtype) { return one_hot(in[0], classes, dtype); },
        [=](const Arrays& in) {
          Dims to = shape;
          to.push_back(classes);
          Array out = array(to);
          for_each_index(shape, [&](const Dims& i) {
            Dims place = i;
            place.push_back(static_cast<int64_t>(in[0][i]));
            out[place] = 1;
          });
          return out;
        });
  };
  add("labels", {5}, 4, DType::i64);
  add("pairs, i32", {2, 3}, 5, DType::i32);
  add("scalar", {}, 3, DType::i64);
  add("nothing", {0, 2}, 3, DType::i64);
  add("large", {4000}, 10, DType::i64);
  row.dtypes = every_type;
  row.no_gradient = "the input is an index";
  row.errors = {{"past", [] { one_hot(from_vector<int64_t>({3}, {1}), 3); },
                 "index 3 at position .* is outside 3 classes", ""},
                {"negative", [] { one_hot(from_vector<int64_t>({-1}, {1}), 3); }, "index -1", ""},
                {"type", [] { one_hot(empty({1}), 3); }, "must be i64 or i32", ""},
                {"undefined", [] { one_hot(Tensor(), 3); }, "index is undefined", ""}};
}

namespace {

// Values and places of the first k in order of each line.
Arrays ordered(const Array& x, int axis, int64_t k, bool descending) {
  Dims shape = x.shape, starts = x.shape;
  shape[axis] = k;
  starts[axis] = 1;
  Array values = array(shape), indices = as(array(shape), DType::i64);
  for_each_index(starts, [&](Dims line) {
    std::vector<int64_t> order(static_cast<size_t>(x.shape[axis]));
    std::iota(order.begin(), order.end(), 0);
    auto value = [&](int64_t i) {
      line[axis] = i;
      return x[line];
    };
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return descending ? value(a) > value(b) : value(a) < value(b);
    });
    for (int64_t i = 0; i < k; ++i) {
      double v = value(order[static_cast<size_t>(i)]);
      line[axis] = i;
      values[line] = v;
      indices[line] = static_cast<double>(order[static_cast<size_t>(i)]);
    }
  });
  return {values, indices};
}

struct Lines {
  const char* label;
  Dims shape;
  int axis;
};
const std::vector<Lines> line_shapes = {
    {"rows", {3, 5}, 1},     {"columns", {5, 3}, 0},  {"middle", {2, 6, 3}, -2}, {"vector", {9}, 0},
    {"no lines", {0, 3}, 1}, {"large", {300, 40}, 1}, {"long", {3, 5000}, 1}};

// Small integers, so that ties abound and 8 bits hold them; distinct ones for derivatives.
Array sortable(Random& random, const Dims& shape) {
  if (shape.product() <= 120) return random.distinct(shape, 1);
  return constant(random.uniform(shape, 0, 120));
}

}  // namespace

OP_ROW(sort) {
  Random random(48);
  for (const Lines& l : line_shapes) {
    for (bool descending : {false, true}) {
      row.add(
          std::string(l.label) + (descending ? ", descending" : ""), {sortable(random, l.shape)},
          [=](const Tensors& in) {
            auto [values, indices] = sort(in[0], l.axis, descending);
            return Tensors{values, indices};
          },
          [=](const Arrays& in) {
            int axis = along(l.axis, in[0]);
            return ordered(in[0], axis, in[0].shape[axis], descending);
          });
    }
  }
  row.dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16, DType::i64, DType::i32};
  row.no_scalar = "needs an axis";
  row.errors = {{"axis",
                 [] {
                   sort(empty({2, 3}), 2);
                 },
                 "axis 2 is outside", ""},
                {"undefined", [] { sort(Tensor()); }, "x is undefined", ""}};
}

OP_ROW(argsort) {
  Random random(49);
  for (const Lines& l : line_shapes) {
    row.add(
        l.label, {random.integers(l.shape, 0, 100, DType::u8)},
        [=](const Tensors& in) { return argsort(in[0], l.axis, true); },
        [=](const Arrays& in) {
          int axis = along(l.axis, in[0]);
          return ordered(in[0], axis, in[0].shape[axis], true)[1];
        });
  }
  row.result_dtype = [](DType) { return DType::i64; };
  row.no_gradient = "the result is an index";
  row.no_scalar = "needs an axis";
  row.errors = {{"axis",
                 [] {
                   argsort(empty({2, 3}), 2);
                 },
                 "axis 2 is outside", ""},
                {"undefined", [] { argsort(Tensor()); }, "x is undefined", ""}};
}

OP_ROW(topk) {
  Random random(50);
  for (const Lines& l : line_shapes) {
    int64_t size = l.shape[l.axis];
    for (int64_t k : {int64_t{0}, int64_t{2}, size}) {
      bool largest = k != 2 || l.axis == 1;
      row.add(
          fmt::format("{}, {} {}", l.label, k, largest ? "largest" : "smallest"),
          {sortable(random, l.shape)},
          [=](const Tensors& in) {
            auto [values, indices] = topk(in[0], k, l.axis, largest);
            return Tensors{values, indices};
          },
          [=](const Arrays& in) { return ordered(in[0], along(l.axis, in[0]), k, largest); });
    }
  }
  row.dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16, DType::i64, DType::i32};
  row.no_scalar = "needs an axis";
  row.errors = {{"k",
                 [] {
                   topk(empty({2, 3}), 4);
                 },
                 R"(k = 4 elements along axis 1 of f32\[2,3\], which has 3)", ""},
                {"undefined", [] { topk(Tensor(), 1); }, "x is undefined", ""}};
}

}  // namespace strata::test

// Joining, splitting, padding, shifting.
#include "tests/support/op_table.h"

namespace strata::test {
namespace {

const std::vector<DType> every_type = {DType::f64, DType::f32, DType::bf16, DType::f16,
                                       DType::i64, DType::i32, DType::u8,   DType::boolean};

Array joined(const Arrays& parts, int axis) {
  Dims shape = parts[0].shape;
  shape[axis] = 0;
  for (const Array& p : parts) shape[axis] += p.shape[axis];
  Array out = array(shape);
  int64_t first = 0;
  for (const Array& p : parts) {
    for_each_index(p.shape, [&](Dims i) {
      double v = p[i];
      i[axis] += first;
      out[i] = v;
    });
    first += p.shape[axis];
  }
  return out;
}

Arrays parted(const Array& x, const std::vector<int64_t>& sizes, int axis) {
  Arrays parts;
  int64_t first = 0;
  for (int64_t size : sizes) {
    Dims shape = x.shape;
    shape[axis] = size;
    Array part = array(shape);
    for_each_index(shape, [&](Dims i) {
      Dims from = i;
      from[axis] += first;
      part[i] = x[from];
    });
    parts.push_back(part);
    first += size;
  }
  return parts;
}

}  // namespace

OP_ROW(concatenate) {
  Random random(61);
  auto add = [&](const char* label, const std::vector<Dims>& shapes, int axis) {
    Arrays inputs;
    for (const Dims& s : shapes) inputs.push_back(random.uniform(s));
    row.add(
        label, inputs, [=](const Tensors& in) { return concatenate(in, axis); },
        [=](const Arrays& in) { return joined(in, axis < 0 ? axis + in[0].rank() : axis); });
  };
  add("rows", {{2, 3}, {1, 3}, {4, 3}}, 0);
  add("last", {{2, 3}, {2, 1}}, -1);
  add("middle", {{2, 1, 3}, {2, 4, 3}}, 1);
  add("one part", {{2, 3}}, 0);
  add("an empty part", {{2, 3}, {0, 3}}, 0);
  add("nothing", {{0, 3}, {0, 3}}, 0);
  add("large", {{200, 100}, {200, 150}}, 1);
  row.dtypes = every_type;
  row.no_scalar = "needs an axis; stack() joins scalars";
  Tensor x = empty({2, 3});
  row.errors = {{"none", [] { concatenate({}); }, "no parts were given", ""},
                {"size",
                 [=] {
                   concatenate({x, empty({2, 4})}, 0);
                 },
                 R"(part 1 is f32\[2,4\] and part 0 is f32\[2,3\]: all sizes but axis 0)", ""},
                {"rank",
                 [=] {
                   concatenate({x, empty({2})}, 0);
                 },
                 "must be equal", ""},
                {"scalar", [] { concatenate({empty({})}); }, "stack", ""},
                {"undefined",
                 [=] {
                   concatenate({x, Tensor()});
                 },
                 "part 1 of 2 is undefined", ""}};
}

OP_ROW(stack) {
  Random random(62);
  auto add = [&](const char* label, const Dims& shape, int count, int axis) {
    Arrays inputs;
    for (int i = 0; i < count; ++i) inputs.push_back(random.uniform(shape));
    row.add(
        label, inputs, [=](const Tensors& in) { return stack(in, axis); },
        [=](const Arrays& in) {
          int at = axis < 0 ? axis + shape.rank() + 1 : axis;
          Arrays rows = in;
          for (Array& r : rows) r.shape.insert(at, 1);
          return joined(rows, at);
        });
  };
  add("front", {2, 3}, 3, 0);
  add("middle", {2, 3}, 2, 1);
  add("end", {2, 3}, 2, -1);
  add("scalars", {}, 4, 0);
  add("nothing", {0, 2}, 2, 1);
  add("large", {100, 200}, 2, 1);
  Tensor x = empty({2, 3});
  row.errors = {{"none", [] { stack({}); }, "no parts were given", ""},
                {"shape",
                 [=] {
                   stack({x, empty({3, 2})});
                 },
                 R"(part 1 is f32\[3,2\] and part 0 is f32\[2,3\])", ""},
                {"axis", [=] { stack({x}, 3); }, "axis 3 is outside", ""},
                {"undefined", [=] { stack({Tensor()}); }, "part 0 of 1 is undefined", ""}};
}

OP_ROW(split) {
  Random random(63);
  row.add(
      "even", {random.uniform({6, 2})}, [](const Tensors& in) { return split(in[0], 2); },
      [](const Arrays& in) {
        return parted(in[0], {2, 2, 2}, 0);
      });
  row.add(
      "a rest", {random.uniform({2, 7})}, [](const Tensors& in) { return split(in[0], 3, -1); },
      [](const Arrays& in) {
        return parted(in[0], {3, 3, 1}, 1);
      });
  row.add(
      "sizes", {random.uniform({5, 2})},
      [](const Tensors& in) {
        return split(in[0], std::vector<int64_t>{1, 0, 4});
      },
      [](const Arrays& in) {
        return parted(in[0], {1, 0, 4}, 0);
      });
  row.add(
      "nothing", {random.uniform({0, 4})}, [](const Tensors& in) { return split(in[0], 2, 1); },
      [](const Arrays& in) {
        return parted(in[0], {2, 2}, 1);
      });
  row.add(
      "large", {random.uniform({300, 115})}, [](const Tensors& in) { return split(in[0], 100); },
      [](const Arrays& in) {
        return parted(in[0], {100, 100, 100}, 0);
      });
  row.no_scalar = "needs an axis";
  Tensor x = empty({6, 2});
  row.errors = {{"size", [=] { split(x, 0); }, "the size must be positive", ""},
                {"sum",
                 [=] {
                   split(x, std::vector<int64_t>{1, 2});
                 },
                 R"(part sizes \[1,2\] add up to 3, but axis 0 of f32\[6,2\] has size 6)", ""},
                {"negative",
                 [=] {
                   split(x, std::vector<int64_t>{-1, 7});
                 },
                 "-1 is negative", ""},
                {"undefined", [] { split(Tensor(), 1); }, "x is undefined", ""}};
}

OP_ROW(pad) {
  Random random(64);
  auto add = [&](const char* label, const Dims& shape, const Dims& before, const Dims& after,
                 PadMode mode, double value) {
    row.add(
        label, {random.uniform(shape)},
        [=](const Tensors& in) { return pad(in[0], before, after, value, mode); },
        [=](const Arrays& in) {
          Dims to = shape;
          for (int k = 0; k < shape.rank(); ++k) to[k] += before[k] + after[k];
          Array out = array(to);
          for_each_index(to, [&](const Dims& i) {
            Dims from = i;
            bool inside = true;
            for (int k = 0; k < shape.rank(); ++k) {
              int64_t n = shape[k], at = i[k] - before[k];
              inside &= at >= 0 && at < n;
              if (mode == PadMode::replicate) at = std::clamp(at, int64_t{0}, n - 1);
              if (mode == PadMode::reflect && at < 0) at = -at;
              if (mode == PadMode::reflect && at >= n) at = 2 * n - 2 - at;
              from[k] = at;
            }
            out[i] = inside || mode != PadMode::constant ? in[0][from] : value;
          });
          return out;
        });
  };
  add("zeros", {2, 3}, {1, 0}, {0, 2}, PadMode::constant, 0);
  add("a value", {2, 3}, {1, 2}, {3, 0}, PadMode::constant, 1.5);
  add("reflect", {3, 4}, {2, 1}, {1, 3}, PadMode::reflect, 0);
  add("replicate", {3, 4}, {2, 0}, {1, 5}, PadMode::replicate, 0);
  add("replicate one", {1, 2}, {2, 0}, {1, 0}, PadMode::replicate, 0);
  add("scalar", {}, {}, {}, PadMode::constant, 0);
  add("nothing", {0, 2}, {1, 1}, {0, 1}, PadMode::constant, 2);
  add("large", {5, 60, 60, 2}, {0, 2, 2, 0}, {0, 2, 2, 0}, PadMode::constant, 0);
  add("large reflect", {5, 60, 60, 2}, {0, 2, 2, 0}, {0, 2, 2, 0}, PadMode::reflect, 0);
  Tensor x = empty({2, 3});
  row.errors = {
      {"entries",
       [=] {
         pad(x, {1}, {1, 1});
       },
       "has 2 axes but before", ""},
      {"negative",
       [=] {
         pad(x, {-1, 0}, {0, 0});
       },
       "amounts are 0 or more", ""},
      {"reflect",
       [=] {
         pad(x, {2, 0}, {0, 0}, 0, PadMode::reflect);
       },
       R"(reflecting 2 elements of axis 0 of f32\[2,3\] needs more than its 2 \(at most 1\))", ""},
      {"replicate", [] { pad(empty({0}), {1}, {0}, 0, PadMode::replicate); },
       "no element to replicate", ""},
      {"undefined", [] { pad(Tensor(), {}, {}); }, "x is undefined", ""}};
}

OP_ROW(roll) {
  Random random(65);
  auto add = [&](const char* label, const Dims& shape, const Dims& shifts, const Dims& axes) {
    row.add(
        label, {random.uniform(shape)},
        [=](const Tensors& in) { return roll(in[0], shifts, axes); },
        [=](const Arrays& in) {
          Array out = array(shape);
          for_each_index(shape, [&](const Dims& i) {
            Dims to = i;
            for (int k = 0; k < axes.rank(); ++k) {
              int axis = static_cast<int>(axes[k] < 0 ? axes[k] + shape.rank() : axes[k]);
              to[axis] = ((to[axis] + shifts[k]) % shape[axis] + shape[axis]) % shape[axis];
            }
            out[to] = in[0][i];
          });
          return out;
        });
  };
  add("right", {5}, {2}, {0});
  add("left, last axis", {2, 4}, {-1}, {-1});
  add("both axes, far", {3, 4}, {7, -9}, {0, 1});
  add("the whole way", {3}, {3}, {0});
  add("scalar", {}, {}, {});
  add("nothing", {0, 3}, {1, 1}, {0, 1});
  add("large", {180, 190}, {17, 5}, {0, 1});
  Tensor x = empty({2, 3});
  row.errors = {{"as many",
                 [=] {
                   roll(x, {1}, Dims{0, 1});
                 },
                 "must be as many", ""},
                {"axis", [=] { roll(x, {1}, {2}); }, "axis 2 is outside", ""},
                {"undefined", [] { roll(Tensor(), {}, {}); }, "x is undefined", ""}};
}

OP_ROW(repeat) {
  Random random(66);
  auto add = [&](const char* label, const Dims& shape, const Dims& times) {
    row.add(
        label, {random.uniform(shape)}, [=](const Tensors& in) { return repeat(in[0], times); },
        [=](const Arrays& in) {
          Dims to = times;
          int extra = times.rank() - shape.rank();
          for (int k = extra; k < to.rank(); ++k) to[k] *= shape[k - extra];
          Array out = array(to);
          for_each_index(to, [&](const Dims& i) {
            Dims from = shape;
            for (int k = 0; k < shape.rank(); ++k) from[k] = i[k + extra] % shape[k];
            out[i] = in[0][from];
          });
          return out;
        });
  };
  add("both axes", {2, 3}, {2, 3});
  add("a new axis", {3}, {2, 2});
  add("once", {2, 3}, {1, 1});
  add("scalar", {}, {3});
  add("zero times", {2, 3}, {0, 2});
  add("nothing", {0, 3}, {2, 3});
  add("large", {50, 40}, {6, 5});
  Tensor x = empty({2, 3});
  row.errors = {{"entries", [=] { repeat(x, {2}); }, "has 2 axes but times", ""},
                {"negative",
                 [=] {
                   repeat(x, {-1, 1});
                 },
                 "-1 is negative", ""},
                {"undefined", [] { repeat(Tensor(), {}); }, "x is undefined", ""}};
}

}  // namespace strata::test

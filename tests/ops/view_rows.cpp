// Views: values, gradients and messages.
#include "tests/support/op_table.h"

namespace strata::test {
namespace {

// out[i] = x[source(i)] for each index of a shape.
template <class F>
Array pick(const Dims& shape, const Array& x, F&& source) {
  Array out = array(shape);
  for_each_index(shape, [&](const Dims& i) { out[i] = x[source(i)]; });
  return out;
}

Array slice_oracle(const Array& x, int axis, int64_t start, int64_t stop, int64_t step) {
  Dims shape = x.shape;
  shape[axis] = stop > start ? (stop - start - 1) / step + 1 : 0;
  return pick(shape, x, [&](Dims i) {
    i[axis] = start + i[axis] * step;
    return i;
  });
}

Array reshaped(const Array& x, const Dims& shape) { return array(shape, x.values); }

const std::vector<DType> every_type = {DType::f64, DType::f32, DType::bf16, DType::f16,
                                       DType::i64, DType::i32, DType::u8,   DType::boolean};

}  // namespace

OP_ROW(reshape) {
  row.dtypes = every_type;
  Random random(11);
  auto add = [&](const char* label, const Dims& from, const Dims& asked, const Dims& to) {
    row.add(
        label, {random.uniform(from)}, [=](const Tensors& in) { return reshape(in[0], asked); },
        [=](const Arrays& in) { return reshaped(in[0], to); });
  };
  add("merge", {2, 3, 4}, {6, 4}, {6, 4});
  add("cut, one size open", {6, 4}, {2, -1, 2}, {2, 6, 2});
  add("same", {2, 3}, {2, 3}, {2, 3});
  add("to a scalar", {1, 1}, {}, {});
  add("from a scalar", {}, {1, -1}, {1, 1});
  add("nothing", {0, 3}, {3, 0, 2}, {3, 0, 2});
  add("nothing, one size open", {0, 3}, {-1, 3}, {0, 3});
  add("large", {40, 30, 40}, {-1}, {48000});
  Tensor x = empty({2, 3});
  row.errors = {
      {"count", [=] { reshape(x, {4}); }, R"(f32\[2,3\] to \[4\]: 6 elements do not fill 4)", ""},
      {"two open",
       [=] {
         reshape(x, {-1, -1});
       },
       "only one size may be -1", ""},
      {"not divisible",
       [=] {
         reshape(x, {4, -1});
       },
       "6 elements cannot be divided by 4", ""},
      {"negative",
       [=] {
         reshape(x, {-2, -3});
       },
       "size -2 is negative", ""},
      {"open in nothing",
       [] {
         reshape(empty({0}), {0, -1});
       },
       "could be anything", ""},
      {"undefined", [] { reshape(Tensor(), {1}); }, "x is undefined", ""}};
}

OP_ROW(permute) {
  row.dtypes = every_type;
  Random random(12);
  auto add = [&](const char* label, const Dims& shape, const Dims& axes) {
    row.add(
        label, {random.uniform(shape)}, [=](const Tensors& in) { return permute(in[0], axes); },
        [=](const Arrays& in) {
          Dims to = shape;
          for (int i = 0; i < axes.rank(); ++i) to[i] = shape[static_cast<int>(axes[i])];
          return pick(to, in[0], [&](const Dims& i) {
            Dims from = i;
            for (int k = 0; k < axes.rank(); ++k) from[static_cast<int>(axes[k])] = i[k];
            return from;
          });
        });
  };
  add("cycle", {2, 3, 4}, {2, 0, 1});
  add("from the right", {2, 3, 4}, {0, -1, -2});
  add("same", {2, 3}, {0, 1});
  add("scalar", {}, {});
  add("nothing", {0, 3}, {1, 0});
  add("large", {40, 20, 50}, {1, 2, 0});
  Tensor x = empty({2, 3});
  row.errors = {{"count", [=] { permute(x, {0}); }, "has 2 axes but .* names 1", ""},
                {"twice",
                 [=] {
                   permute(x, {1, -1});
                 },
                 "names axis 1 twice", ""},
                {"range",
                 [=] {
                   permute(x, {0, 2});
                 },
                 "axis 2 is outside", ""},
                {"undefined", [] { permute(Tensor(), {}); }, "x is undefined", ""}};
}

OP_ROW(transpose) {
  Random random(13);
  auto add = [&](const char* label, const Dims& shape, int a, int b) {
    row.add(
        label, {random.uniform(shape)}, [=](const Tensors& in) { return transpose(in[0], a, b); },
        [=](const Arrays& in) {
          Dims to = shape;
          std::swap(to[a], to[b]);
          return pick(to, in[0], [&](Dims i) {
            std::swap(i[a], i[b]);
            return i;
          });
        });
  };
  add("matrix", {3, 4}, 0, 1);
  add("last two", {2, 3, 4}, -1, -2);
  add("same axis", {2, 3}, 1, 1);
  add("nothing", {0, 3}, 0, 1);
  add("large", {200, 190}, 0, -1);
  row.no_scalar = "needs two axes";
  Tensor x = empty({2, 3});
  row.errors = {{"range", [=] { transpose(x, 0, 2); }, "axis 2 is outside", ""},
                {"undefined", [] { transpose(Tensor(), 0, 1); }, "x is undefined", ""}};
}

OP_ROW(slice) {
  row.dtypes = every_type;
  Random random(14);
  auto add = [&](const char* label, const Dims& shape, int axis, int64_t start, int64_t stop,
                 int64_t step, int64_t from, int64_t to) {
    row.add(
        label, {random.uniform(shape)},
        [=](const Tensors& in) { return slice(in[0], axis, start, stop, step); },
        [=](const Arrays& in) {
          return slice_oracle(in[0], axis < 0 ? axis + in[0].rank() : axis, from, to, step);
        });
  };
  add("middle", {5, 3}, 0, 1, 4, 1, 1, 4);
  add("every second", {3, 7}, 1, 1, 7, 2, 1, 7);
  add("every third, from the end", {3, 8}, -1, -7, -1, 3, 1, 7);
  add("clipped", {4}, 0, -9, 9, 1, 0, 4);
  add("past the stop", {4, 2}, 0, 3, 1, 1, 3, 3);
  add("nothing", {0, 3}, 0, 0, 2, 1, 0, 0);
  add("large", {190, 180}, 0, 7, 185, 5, 7, 185);
  row.no_scalar = "needs an axis";
  Tensor x = empty({2, 3});
  row.errors = {{"step", [=] { slice(x, 0, 0, 2, 0); }, "step 0 .* steps are positive", ""},
                {"axis", [=] { slice(x, 2, 0, 2); }, "axis 2 is outside", ""},
                {"undefined", [] { slice(Tensor(), 0, 0, 1); }, "x is undefined", ""}};
}

OP_ROW(select) {
  Random random(15);
  auto add = [&](const char* label, const Dims& shape, int axis, int64_t index) {
    row.add(
        label, {random.uniform(shape)},
        [=](const Tensors& in) { return select(in[0], axis, index); },
        [=](const Arrays& in) {
          Dims to = shape;
          to.erase(axis);
          int64_t at = index < 0 ? index + shape[axis] : index;
          return pick(to, in[0], [&](Dims i) {
            i.insert(axis, at);
            return i;
          });
        });
  };
  add("row", {3, 4}, 0, 1);
  add("column, from the end", {3, 4}, 1, -1);
  add("to a scalar", {3}, 0, 2);
  add("nothing", {3, 0}, 0, 1);
  add("large", {200, 3, 90}, 1, 2);
  row.no_scalar = "needs an axis";
  Tensor x = empty({2, 3});
  row.errors = {
      {"past", [=] { select(x, 1, 3); }, R"(index 3 is outside axis 1 of f32\[2,3\].*size 3)", ""},
      {"before", [=] { select(x, 0, -3); }, "index -3 is outside", ""},
      {"undefined", [] { select(Tensor(), 0, 0); }, "x is undefined", ""}};
}

OP_ROW(expand) {
  Random random(16);
  auto add = [&](const char* label, const Dims& shape, const Dims& asked, const Dims& to) {
    row.add(
        label, {random.uniform(shape)}, [=](const Tensors& in) { return expand(in[0], asked); },
        [=](const Arrays& in) {
          Array out = array(to);
          for_each_index(to, [&](const Dims& i) { out[i] = broadcast_at(in[0], i); });
          return out;
        });
  };
  add("stretch", {3, 1}, {3, 4}, {3, 4});
  add("new axes, size kept", {1, 3}, {2, 4, -1}, {2, 4, 3});
  add("scalar", {}, {2, 3}, {2, 3});
  add("same", {2, 3}, {-1, -1}, {2, 3});
  add("to nothing", {1, 3}, {0, 3}, {0, 3});
  add("nothing", {0, 1}, {0, 5}, {0, 5});
  add("large", {1, 180, 1}, {20, 180, 10}, {20, 180, 10});
  Tensor x = empty({2, 3});
  row.errors = {{"size",
                 [=] {
                   expand(x, {4, 3});
                 },
                 "axis 0 has size 2 and cannot become 4", ""},
                {"rank", [=] { expand(x, {3}); }, "has 2 axes and cannot become", ""},
                {"front",
                 [=] {
                   expand(x, {-1, 2, 3});
                 },
                 "in front needs a size", ""},
                {"undefined", [] { expand(Tensor(), {1}); }, "x is undefined", ""}};
}

OP_ROW(unsqueeze) {
  Random random(17);
  auto add = [&](const char* label, const Dims& shape, int axis, const Dims& to) {
    row.add(
        label, {random.uniform(shape)}, [=](const Tensors& in) { return unsqueeze(in[0], axis); },
        [=](const Arrays& in) { return reshaped(in[0], to); });
  };
  add("front", {2, 3}, 0, {1, 2, 3});
  add("middle", {2, 3}, 1, {2, 1, 3});
  add("end", {2, 3}, -1, {2, 3, 1});
  add("scalar", {}, 0, {1});
  add("nothing", {0, 2}, 1, {0, 1, 2});
  add("large", {200, 200}, 1, {200, 1, 200});
  Tensor x = empty({2, 3}), deep = empty({1, 1, 1, 1, 1, 1, 1, 1});
  row.errors = {{"range", [=] { unsqueeze(x, 3); }, "axis 3 is outside", ""},
                {"rank", [=] { unsqueeze(deep, 0); }, "already has 8 axes", ""},
                {"undefined", [] { unsqueeze(Tensor(), 0); }, "x is undefined", ""}};
}

OP_ROW(squeeze) {
  Random random(18);
  auto add = [&](const char* label, const Dims& shape, int axis, const Dims& to) {
    row.add(
        label, {random.uniform(shape)}, [=](const Tensors& in) { return squeeze(in[0], axis); },
        [=](const Arrays& in) { return reshaped(in[0], to); });
  };
  add("front", {1, 2, 3}, 0, {2, 3});
  add("end", {2, 3, 1}, -1, {2, 3});
  add("to a scalar", {1}, 0, {});
  add("nothing", {0, 1, 2}, 1, {0, 2});
  add("large", {200, 1, 200}, 1, {200, 200});
  row.no_scalar = "needs an axis";
  Tensor x = empty({2, 3});
  row.errors = {{"size", [=] { squeeze(x, 1); }, R"(axis 1 of f32\[2,3\] has size 3)", ""},
                {"range", [=] { squeeze(x, 2); }, "axis 2 is outside", ""},
                {"undefined", [] { squeeze(Tensor(), 0); }, "x is undefined", ""}};
}

OP_ROW(flatten) {
  Random random(19);
  auto add = [&](const char* label, const Dims& shape, int first, int last, const Dims& to) {
    row.add(
        label, {random.uniform(shape)},
        [=](const Tensors& in) { return flatten(in[0], first, last); },
        [=](const Arrays& in) { return reshaped(in[0], to); });
  };
  add("all", {2, 3, 4}, 0, -1, {24});
  add("after the first", {2, 3, 4}, 1, -1, {2, 12});
  add("first two", {2, 3, 4}, 0, 1, {6, 4});
  add("one", {2, 3}, 1, 1, {2, 3});
  add("scalar", {}, 0, -1, {1});
  add("nothing", {0, 3}, 0, -1, {0});
  add("large", {40, 30, 40}, 1, -1, {40, 1200});
  Tensor x = empty({2, 3});
  row.errors = {{"order", [=] { flatten(x, 1, 0); }, "first axis, 1, comes after the last, 0", ""},
                {"range", [=] { flatten(x, 0, 2); }, "axis 2 is outside", ""},
                {"undefined", [] { flatten(Tensor()); }, "x is undefined", ""}};
}

OP_ROW(flip) {
  row.dtypes = every_type;
  Random random(20);
  auto add = [&](const char* label, const Dims& shape, const Dims& axes) {
    row.add(
        label, {random.uniform(shape)}, [=](const Tensors& in) { return flip(in[0], axes); },
        [=](const Arrays& in) {
          return pick(shape, in[0], [&](Dims i) {
            for (int k = 0; k < shape.rank(); ++k) {
              bool named = axes.empty();
              for (int64_t axis : axes) named |= axis == k || axis + shape.rank() == k;
              if (named) i[k] = shape[k] - 1 - i[k];
            }
            return i;
          });
        });
  };
  add("one", {5}, {0});
  add("last", {2, 3}, {-1});
  add("two of three", {2, 3, 4}, {0, 2});
  add("all", {2, 3}, {});
  add("scalar", {}, {});
  add("nothing", {0, 3}, {0, 1});
  add("large", {200, 200}, {1});
  Tensor x = empty({2, 3});
  row.errors = {{"range", [=] { flip(x, {2}); }, "axis 2 is outside", ""},
                {"twice",
                 [=] {
                   flip(x, Dims{1, -1});
                 },
                 "twice", ""},
                {"undefined", [] { flip(Tensor(), {0}); }, "x is undefined", ""}};
}

}  // namespace strata::test

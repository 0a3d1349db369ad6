// Rows of engine/ops/create.h.
#include "tests/support/op_table.h"

namespace strata::test {
namespace {

const std::vector<DType> everything = {DType::f64, DType::f32, DType::bf16, DType::f16,
                                       DType::i64, DType::i32, DType::u8,   DType::boolean};

// Cases without inputs: the label, what is made, what it should be.
void made(Row& row, const char* label, Op op, Array want) {
  row.no_gradient = "it has no input";
  row.dtypes = everything;
  row.add(label, {}, std::move(op), [want](const Arrays&) { return want; });
}
void filled(Row& row, double value, std::function<Tensor(const Dims&, DType)> make) {
  for (const Dims& shape : {Dims{3, 5}, Dims{}, Dims{0, 2}, Dims{300, 200}}) {
    made(
        row, "filled", [=](const Tensors&, DType dtype) { return make(shape, dtype); },
        array(shape, value));
  }
}
void like(Row& row, double value, Tensor (*make)(const Tensor&, Caller)) {
  row.no_gradient = "its result does not depend on the values of its input";
  row.dtypes = everything;
  for (const Dims& shape : {Dims{3, 5}, Dims{}, Dims{0, 2}, Dims{300, 200}}) {
    row.add(
        "like", {Random(1).uniform(shape)},
        [=](const Tensors& in) { return make(in[0], Caller::here()); },
        [=](const Arrays& in) { return array(in[0].shape, value); });
  }
}

}  // namespace

OP_ROW(full) {
  filled(row, 3, [](const Dims& shape, DType dtype) { return full(shape, 3, dtype); });
  row.errors = {{"negative", [] { full({2, -1}, 0); }, R"(\[2,-1\] has a negative size)", ""}};
}
OP_ROW(zeros) {
  filled(row, 0, [](const Dims& shape, DType dtype) { return zeros(shape, dtype); });
  row.errors = {{"negative", [] { zeros({-2}); }, "negative size", ""}};
}
OP_ROW(ones) {
  filled(row, 1, [](const Dims& shape, DType dtype) { return ones(shape, dtype); });
  row.errors = {{"negative", [] { ones({-2}); }, "negative size", ""}};
}
OP_ROW(zeros_like) {
  like(row, 0, zeros_like);
  row.errors = {{"undefined", [] { zeros_like(Tensor()); }, "undefined", ""}};
}
OP_ROW(ones_like) {
  like(row, 1, ones_like);
  row.errors = {{"undefined", [] { ones_like(Tensor()); }, "undefined", ""}};
}
OP_ROW(scalar) {
  made(
      row, "number", [](const Tensors&, DType dtype) { return scalar(7, dtype); }, number(7));
  row.cannot_fail = "any number in any type";
}

OP_ROW(arange) {
  made(
      row, "up", [](const Tensors&, DType dtype) { return arange(2, 7, 2, dtype); },
      array({3}, {2, 4, 6}));
  made(
      row, "down", [](const Tensors&, DType dtype) { return arange(5, 2, -1, dtype); },
      array({3}, {5, 4, 3}));
  made(
      row, "nothing", [](const Tensors&, DType dtype) { return arange(5, 2, 1, dtype); },
      array({0}));
  Array many = array({1000});
  for (size_t i = 0; i < 1000; ++i) many.values[i] = static_cast<double>(i);
  made(
      row, "many", [](const Tensors&, DType dtype) { return arange(0, 1000, 1, dtype); }, many);
  row.dtypes = {DType::f64, DType::f32, DType::i64, DType::i32};
  row.errors = {{"step 0", [] { arange(0, 5, 0); }, "the step not 0", ""},
                {"endless", [] { arange(0, INFINITY); }, "finite", ""}};
}
OP_ROW(linspace) {
  made(
      row, "five", [](const Tensors&, DType dtype) { return linspace(-1, 1, 5, dtype); },
      array({5}, {-1, -0.5, 0, 0.5, 1}));
  made(
      row, "one", [](const Tensors&, DType dtype) { return linspace(3, 9, 1, dtype); },
      array({1}, {3}));
  made(
      row, "none", [](const Tensors&, DType dtype) { return linspace(3, 9, 0, dtype); },
      array({0}));
  row.dtypes = floats;
  row.errors = {{"negative", [] { linspace(0, 1, -1); }, "negative size", ""}};
}
OP_ROW(eye) {
  made(
      row, "three", [](const Tensors&, DType dtype) { return eye(3, dtype); },
      array({3, 3}, {1, 0, 0, 0, 1, 0, 0, 0, 1}));
  made(
      row, "nothing", [](const Tensors&, DType dtype) { return eye(0, dtype); }, array({0, 0}));
  row.errors = {{"negative", [] { eye(-1); }, "negative size", ""}};
}
OP_ROW(tril_mask) {
  auto mask = [&](int64_t k, std::vector<double> want) {
    made(
        row, "2 x 3", [=](const Tensors&) { return tril_mask(2, 3, k); },
        as(array({2, 3}, std::move(want)), DType::boolean));
  };
  mask(0, {1, 0, 0, 1, 1, 0});
  mask(1, {1, 1, 0, 1, 1, 1});
  mask(-1, {0, 0, 0, 1, 0, 0});
  made(
      row, "nothing", [](const Tensors&) { return tril_mask(0, 3); },
      as(array({0, 3}), DType::boolean));
  row.dtypes = {DType::f32};
  row.errors = {{"negative", [] { tril_mask(-1, 2); }, "negative size", ""}};
}

}  // namespace strata::test

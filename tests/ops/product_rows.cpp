// Rows of engine/ops/product.h.
#include <map>

#include "tests/support/op_table.h"

namespace strata::test {
namespace {

// The matrix axes of an operand are its last two; `index` is of the result.
double matrix_element(const Array& a, const Dims& index, int64_t row, int64_t column) {
  Dims own = index;
  own[-2] = row;
  own[-1] = column;
  Dims place;
  int shift = index.rank() - a.rank();
  for (int i = 0; i < a.rank(); ++i) {
    bool is_batch = i < a.rank() - 2;
    place.push_back(is_batch && a.shape[i] == 1 ? 0 : own[i + shift]);
  }
  return a[place];
}

Array matmul_oracle(Array a, Array b) {
  bool row = a.rank() == 1, column = b.rank() == 1;
  if (row) a.shape.insert(0, 1);
  if (column) b.shape.push_back(1);
  Dims batch_a = a.shape, batch_b = b.shape, shape;
  batch_a.resize(a.rank() - 2);
  batch_b.resize(b.rank() - 2);
  if (!broadcast(batch_a, batch_b, &shape)) throw std::logic_error("oracle: no broadcast");
  shape.push_back(a.shape[-2]);
  shape.push_back(b.shape[-1]);
  Array out = array(shape);
  for_each_index(shape, [&](const Dims& index) {
    for (int64_t k = 0; k < a.shape[-1]; ++k) {
      out[index] += matrix_element(a, index, index[-2], k) * matrix_element(b, index, k, index[-1]);
    }
  });
  if (column) out.shape.erase(out.rank() - 1);
  if (row) out.shape.erase(column ? out.rank() - 1 : out.rank() - 2);
  return out;
}

void add_matmul(Row& row, const char* label, Array a, Array b) {
  row.add(
      label, {std::move(a), std::move(b)}, [](const Tensors& in) { return matmul(in[0], in[1]); },
      [](const Arrays& in) { return matmul_oracle(in[0], in[1]); });
}

// Sums over every assignment of the letters.
Array einsum_oracle(const std::vector<std::string>& inputs, const std::string& output,
                    const Arrays& in) {
  std::map<char, int64_t> size;
  std::string letters;
  for (size_t i = 0; i < inputs.size(); ++i) {
    for (size_t axis = 0; axis < inputs[i].size(); ++axis) {
      if (!size.count(inputs[i][axis])) letters += inputs[i][axis];
      size[inputs[i][axis]] = in[i].shape[static_cast<int>(axis)];
    }
  }
  Dims all, shape;
  for (char letter : letters) all.push_back(size[letter]);
  for (char letter : output) shape.push_back(size[letter]);
  auto pick = [&](const std::string& wanted, const Dims& index) {
    Dims place;
    for (char letter : wanted) place.push_back(index[static_cast<int>(letters.find(letter))]);
    return place;
  };
  Array out = array(shape);
  for_each_index(all, [&](const Dims& index) {
    double product = 1;
    for (size_t i = 0; i < inputs.size(); ++i) product *= in[i][pick(inputs[i], index)];
    out[pick(output, index)] += product;
  });
  return out;
}

void add_einsum(Row& row, const std::string& equation, const std::vector<std::string>& inputs,
                const std::string& output, Arrays in) {
  std::string label = equation + " " + to_string(in[0].shape);
  row.add(
      label, std::move(in), [=](const Tensors& tensors) { return einsum(equation, tensors); },
      [=](const Arrays& arrays) { return einsum_oracle(inputs, output, arrays); });
}

const std::vector<DType> floats_and_ints = {DType::f64, DType::f32, DType::bf16,
                                            DType::f16, DType::i64, DType::i32};

}  // namespace

OP_ROW(matmul) {
  Random random(51);
  row.dtypes = floats_and_ints;
  row.tolerance = row.gradient_tolerance = 10;
  add_matmul(row, "matrices", random.uniform({3, 4}), random.uniform({4, 5}));
  add_matmul(row, "vector x vector", random.uniform({4}), random.uniform({4}));
  add_matmul(row, "vector x matrix", random.uniform({4}), random.uniform({4, 3}));
  add_matmul(row, "matrix x vector", random.uniform({3, 4}), random.uniform({4}));
  add_matmul(row, "vector x batch", random.uniform({4}), random.uniform({2, 4, 3}));
  add_matmul(row, "batch x vector", random.uniform({2, 3, 4}), random.uniform({4}));
  add_matmul(row, "batch", random.uniform({2, 3, 4}), random.uniform({2, 4, 2}));
  add_matmul(row, "batch x shared", random.uniform({2, 3, 4}), random.uniform({4, 2}));
  add_matmul(row, "shared x batch", random.uniform({3, 4}), random.uniform({2, 4, 2}));
  add_matmul(row, "batches broadcast", random.uniform({2, 1, 3, 2}), random.uniform({3, 2, 2}));
  add_matmul(row, "both batches broadcast", random.uniform({2, 1, 2, 3}),
             random.uniform({1, 3, 3, 2}));
  add_matmul(row, "one row", random.uniform({1, 6}), random.uniform({6, 5}));
  add_matmul(row, "one column", random.uniform({5, 6}), random.uniform({6, 1}));
  add_matmul(row, "outer", random.uniform({5, 1}), random.uniform({1, 4}));
  add_matmul(row, "nothing summed", array({3, 0}), array({0, 4}));
  add_matmul(row, "no rows", array({0, 3}), random.uniform({3, 4}));
  add_matmul(row, "no batch", array({0, 2, 3}), random.uniform({3, 4}));
  add_matmul(row, "large", random.uniform({70, 90}), random.uniform({90, 110}));
  add_matmul(row, "large vector", random.uniform({1, 200}), random.uniform({200, 300}));
  add_matmul(row, "large batch", random.uniform({6, 20, 33}), random.uniform({6, 33, 17}));
  row.no_scalar = "a scalar has no matrix product";
  Tensor x = empty({2, 3}), y = empty({2, 3}), batch = empty({2, 3, 4}), other = empty({5, 4, 2});
  row.errors = {
      {"inner", [=] { matmul(x, y); }, R"(\[2,3\].*size 3.*size 2.*transpose b\?)", ""},
      {"scalar", [=] { matmul(scalar(2), y); }, "use \\*", ""},
      {"batches", [=] { matmul(batch, other); }, R"(\[2\] and \[5\] do not broadcast)", ""},
      {"undefined", [=] { matmul(x, Tensor()); }, "b is undefined", ""},
      {"bool",
       [] {
         Tensor b = empty({2, 2}, DType::boolean);
         matmul(b, b);
       },
       "no product of bool", ""}};
}

OP_ROW(linear) {
  Random random(52);
  row.tolerance = row.gradient_tolerance = 10;
  auto add = [&](const char* label, Array x, Array weight, Array bias) {
    row.add(
        label, {std::move(x), std::move(weight), std::move(bias)},
        [](const Tensors& in) { return linear(in[0], in[1], in[2]); },
        [](const Arrays& in) {
          Array flipped = array({in[1].shape[1], in[1].shape[0]});
          for_each_index(flipped.shape, [&](const Dims& i) {
            flipped[i] = in[1][Dims{i[1], i[0]}];
          });
          Array out = matmul_oracle(in[0], flipped);
          if (in[2].undefined) return out;
          return zip(out, in[2], [](double a, double b) { return a + b; });
        });
  };
  add("rows", random.uniform({3, 4}), random.uniform({5, 4}), random.uniform({5}));
  add("no bias", random.uniform({3, 4}), random.uniform({5, 4}), none());
  add("one vector", random.uniform({4}), random.uniform({3, 4}), random.uniform({3}));
  add("sequences", random.uniform({2, 3, 4}), random.uniform({3, 4}), random.uniform({3}));
  add("no inputs", array({2, 0}), array({3, 0}), random.uniform({3}));
  add("no rows", array({0, 4}), random.uniform({3, 4}), random.uniform({3}));
  add("large", random.uniform({60, 100}), random.uniform({70, 100}), random.uniform({70}));
  row.no_scalar = "a scalar has no last axis";
  Tensor x = empty({2, 3}), w = empty({4, 5}), b = empty({3});
  row.errors = {{"sizes", [=] { linear(x, w); }, R"(\[2,3\].*\[4,5\].*same K)", ""},
                {"bias",
                 [=] {
                   linear(empty({2, 5}), w, b);
                 },
                 R"(4 outputs.*\[4\].*\[3\])", ""},
                {"integers", [=] { linear(x.to(DType::i64), w); }, "floating", ""},
                {"undefined", [=] { linear(x, Tensor()); }, "weight is undefined", ""}};
}

OP_ROW(einsum) {
  Random random(53);
  row.tolerance = row.gradient_tolerance = 10;
  add_einsum(row, "ij,jk->ik", {"ij", "jk"}, "ik",
             {random.uniform({2, 3}), random.uniform({3, 4})});
  add_einsum(row, "ij,jk", {"ij", "jk"}, "ik", {random.uniform({2, 3}), random.uniform({3, 2})});
  add_einsum(row, "ij -> ji", {"ij"}, "ji", {random.uniform({2, 3})});
  add_einsum(row, "ijk->j", {"ijk"}, "j", {random.uniform({2, 3, 2})});
  add_einsum(row, "i,i->", {"i", "i"}, "", {random.uniform({4}), random.uniform({4})});
  add_einsum(row, "i,j->ji", {"i", "j"}, "ji", {random.uniform({2}), random.uniform({3})});
  add_einsum(row, "bqhd,bkhd->bhqk", {"bqhd", "bkhd"}, "bhqk",
             {random.uniform({2, 2, 2, 3}), random.uniform({2, 3, 2, 3})});
  add_einsum(row, "ab,bc,cd->ad", {"ab", "bc", "cd"}, "ad",
             {random.uniform({2, 3}), random.uniform({3, 2}), random.uniform({2, 2})});
  add_einsum(row, "ab,ac,ad->bd", {"ab", "ac", "ad"}, "bd",
             {random.uniform({2, 2}), random.uniform({2, 3}), random.uniform({2, 2})});
  add_einsum(row, ",i->i", {"", "i"}, "i", {random.uniform({}), random.uniform({3})});
  add_einsum(row, "ij,jk->ik", {"ij", "jk"}, "ik", {array({2, 0}), array({0, 4})});
  add_einsum(row, "bij,bjk->bik", {"bij", "bjk"}, "bik",
             {random.uniform({3, 16, 20}), random.uniform({3, 20, 24})});
  Tensor x = empty({2, 3}), y = empty({4, 2});
  row.errors = {{"sizes",
                 [=] {
                   einsum("ij,jk->ik", {x, y});
                 },
                 R"('j' is 3 in operand 0.*but 4 in operand 1)", ""},
                {"rank", [=] { einsum("ijk->i", {x}); }, "names 3 axes", ""},
                {"count", [=] { einsum("ij,jk->ik", {x}); }, "names 2 operands but 1", ""},
                {"diagonal", [=] { einsum("ii->i", {x}); }, "'i' occurs twice.*diagonals", ""},
                {"ellipsis", [=] { einsum("...i->i", {x}); }, "ellipses", ""},
                {"symbol", [=] { einsum("i+j->i", {x}); }, R"('\+' is not a letter)", ""},
                {"output", [=] { einsum("ij->k", {x}); }, "'k' occurs in no operand", ""}};
}

OP_ROW(dot) {
  Random random(54);
  row.dtypes = floats_and_ints;
  row.tolerance = row.gradient_tolerance = 10;
  for (int64_t n : {4, 0, 1500}) {
    row.add(
        std::to_string(n), {random.uniform({n}), random.uniform({n})},
        [](const Tensors& in) { return dot(in[0], in[1]); },
        [](const Arrays& in) { return matmul_oracle(in[0], in[1]); });
  }
  row.no_scalar = "needs vectors";
  Tensor x = empty({2}), y = empty({3});
  row.errors = {{"lengths", [=] { dot(x, y); }, R"(\[2\].*\[3\].*same length)", ""},
                {"undefined", [=] { dot(x, Tensor()); }, "b is undefined", ""}};
}

OP_ROW(outer) {
  Random random(55);
  row.dtypes = floats_and_ints;
  auto add = [&](const char* label, int64_t m, int64_t n) {
    row.add(
        label, {random.uniform({m}), random.uniform({n})},
        [](const Tensors& in) { return outer(in[0], in[1]); },
        [](const Arrays& in) {
          Array out = array({in[0].shape[0], in[1].shape[0]});
          for_each_index(out.shape,
                         [&](const Dims& i) { out[i] = in[0][Dims{i[0]}] * in[1][Dims{i[1]}]; });
          return out;
        });
  };
  add("small", 3, 4);
  add("empty", 0, 4);
  add("large", 40, 50);
  row.no_scalar = "needs vectors";
  Tensor x = empty({2, 3}), y = empty({3});
  row.errors = {{"rank", [=] { outer(x, y); }, R"(\[2,3\].*two vectors)", ""}};
}

}  // namespace strata::test

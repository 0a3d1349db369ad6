// Runs every row of the op table through every check, and checks the checker.
#include "tests/support/op_table.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "engine/autograd/autograd.h"

namespace strata::test {
namespace {

std::string lines(const Problems& problems) {
  std::string text;
  for (size_t i = 0; i < problems.size() && i < 8; ++i) text += problems[i] + "\n";
  if (problems.size() > 8) text += fmt::format("... and {} more\n", problems.size() - 8);
  return text;
}

class Ops : public ::testing::TestWithParam<std::string> {
 protected:
  void passes(Problems (*check)(const Row&)) {
    Problems problems = check(find_row(GetParam()));
    EXPECT_TRUE(problems.empty()) << lines(problems);
  }
};
TEST_P(Ops, Forward) { passes(check_forward); }
TEST_P(Ops, Layouts) { passes(check_layouts); }
TEST_P(Ops, Gradient) { passes(check_gradient); }
TEST_P(Ops, SecondGradient) { passes(check_second_gradient); }
TEST_P(Ops, GraphPath) { passes(check_graph_path); }
TEST_P(Ops, Repeat) { passes(check_repeat); }
TEST_P(Ops, Errors) { passes(check_errors); }
TEST_P(Ops, Coverage) { passes(check_coverage); }
INSTANTIATE_TEST_SUITE_P(Table, Ops, ::testing::ValuesIn(registered_rows()),
                         [](const auto& info) { return info.param; });

TEST(OpTable, EveryPublicOpHasARow) {
  std::vector<std::string> rows = registered_rows(), missing;
  std::set<std::string> declared;
  for (auto& entry :
       std::filesystem::directory_iterator(std::string(STRATA_SOURCE_DIR) + "/engine/ops")) {
    if (entry.path().extension() != ".h") continue;
    std::ifstream file(entry.path());
    std::stringstream text;
    text << file.rdbuf();
    for (const std::string& op : declared_ops(text.str())) declared.insert(op);
  }
  EXPECT_GT(declared.size(), 100u) << "the parser of headers found too little to be right";
  for (const std::string& op : declared) {
    if (std::find(rows.begin(), rows.end(), op) == rows.end()) missing.push_back(op);
  }
  EXPECT_TRUE(missing.empty()) << missing.size() << " public ops have no row in tests/ops: "
                               << fmt::format("{}", fmt::join(missing, ", "));
  for (const std::string& row : rows) {
    EXPECT_TRUE(declared.count(row)) << "row '" << row << "' is for no op in engine/ops/*.h";
  }
}

TEST(OpTable, FindsDeclarations) {
  auto ops = declared_ops(
      "// Tensor hidden(int);\nstruct Both {\n  Tensor values;\n  Tensor indices;  // i64\n};\n"
      "struct Options {\n  int64_t groups = 1;\n};\nTensor one(const Tensor& x);\n"
      "Both two(const Tensor& x,\n         int k);\nvoid three_(const Tensor& x);\n"
      "std::vector<Tensor> four(int n);\nvoid manual_seed(uint64_t seed);\n"
      "inline Tensor operator+(const Operand& a, const Operand& b) {\n  return add(a, b);\n}\n"
      "Options five();\n");
  EXPECT_EQ(ops, (std::vector<std::string>{"four", "one", "three_", "two"}));
}

// A cube with a gradient that can be made wrong, written without the op under test.
Row cube_row(double gradient_factor = 1, double second_factor = 1, double oracle_factor = 1) {
  auto op = [=](const Tensors& in) {
    Tensor out = mul(mul(in[0], in[0]), in[0]).detach();
    return record(out, "cube", Caller::here(), {in[0]}, {in[0]},
                  [=](const Tensor& g, const Saved& s) {
                    double factor = grad_enabled() ? second_factor : gradient_factor;
                    return Gradients{g * s[0] * s[0] * (3 * factor)};
                  });
  };
  Row row;
  row.name = "cube";
  row.tolerance = 4;
  row.add("typical", {Random(1).uniform({2, 3})}, op, [=](const Arrays& in) {
    return map(in[0], [=](double x) { return oracle_factor * x * x * x; });
  });
  return row;
}

TEST(OpTable, RightRowPasses) {
  Row row = cube_row();
  for (auto check : {check_forward, check_layouts, check_gradient, check_second_gradient,
                     check_graph_path, check_repeat}) {
    Problems problems = check(row);
    EXPECT_TRUE(problems.empty()) << lines(problems);
  }
}

TEST(OpTable, CatchesAWrongValue) {
  EXPECT_FALSE(check_forward(cube_row(1, 1, 1 + 1e-10)).empty());
  Row row = cube_row();
  row.cases[0].oracle = [](const Arrays& in) { return array({6}, in[0].values); };
  EXPECT_FALSE(check_forward(row).empty()) << "a wrong shape";
  row = cube_row();
  row.result_dtype = [](DType) { return DType::i64; };
  EXPECT_FALSE(check_forward(row).empty()) << "a wrong type";
}

TEST(OpTable, CatchesAWrongGradient) {
  EXPECT_FALSE(check_gradient(cube_row(1 + 1e-5, 1 + 1e-5)).empty());
  Row row = cube_row(1 + 1e-5, 1 + 1e-5);
  row.cases[0].inputs[0] = Random(1).uniform({30, 40});  // along random directions
  EXPECT_FALSE(check_gradient(row).empty());
  row = cube_row();
  row.no_gradient = "it has one";
  EXPECT_FALSE(check_gradient(row).empty());
  row = cube_row();
  row.cases[0].op = [](const Tensors& in) { return in[0].detach(); };
  EXPECT_FALSE(check_gradient(row).empty()) << "a missing gradient";
}

TEST(OpTable, CatchesAWrongSecondGradient) {
  EXPECT_FALSE(check_second_gradient(cube_row(1, 1 + 1e-5)).empty());
  Row row = cube_row();  // the composed formula forgets to depend on x
  row.cases[0].op = [](const Tensors& in) {
    Tensor out = mul(mul(in[0], in[0]), in[0]).detach();
    return record(out, "cube", Caller::here(), {in[0]}, {in[0]},
                  [](const Tensor& g, const Saved& s) {
                    Tensor x = s[0].detach();
                    return Gradients{g * x * x * 3.0};
                  });
  };
  EXPECT_TRUE(check_gradient(row).empty());
  EXPECT_FALSE(check_second_gradient(row).empty());
}

TEST(OpTable, CatchesPathsThatDisagree) {
  EXPECT_FALSE(check_graph_path(cube_row(1, 1 + 1e-8)).empty());
}

TEST(OpTable, CatchesAnOpThatIgnoresStrides) {
  Row row;
  row.name = "copy";
  row.no_gradient = "a test of layouts";
  row.add(
      "typical", {Random(1).uniform({2, 3})},
      [](const Tensors& in) {
        return make_view(in[0], in[0].shape(), contiguous_strides(in[0].shape()),
                         in[0].offset() - (in[0].strides()[0] < 0 ? 5 : 0));
      },
      [](const Arrays& in) { return in[0]; });
  EXPECT_TRUE(check_forward(row).empty());
  EXPECT_EQ(check_layouts(row).size(), 3u);
}

TEST(OpTable, CatchesResultsThatChange) {
  int calls = 0;
  Row row = cube_row();
  row.no_gradient = "a test of repetition";
  row.cases[0].op = [&calls](const Tensors& in) {
    Array a = to_array(in[0]);
    a.values[0] += 1e-6 * ++calls;
    return to_tensor(a, in[0].dtype());
  };
  EXPECT_FALSE(check_repeat(row).empty());
}

TEST(OpTable, CatchesBadMessages) {
  Row row = cube_row();
  Caller here = Caller::here();
  row.errors = {{"good", [=] { fail("cube", here, "expects f32"); }, "expects f32", ""}};
  EXPECT_TRUE(check_errors(row).empty());
  row.errors = {{"none", [] {}, "", ""}};
  EXPECT_EQ(check_errors(row).size(), 1u);
  row.errors = {{"op", [=] { fail("square", here, "expects f32"); }, "expects f32", ""}};
  EXPECT_EQ(check_errors(row).size(), 1u);
  row.errors = {{"text", [=] { fail("cube", here, "no"); }, "expects f32", ""}};
  EXPECT_EQ(check_errors(row).size(), 1u);
  row.errors = {{"line", [] { fail("cube", Caller{"matmul.cpp", 3}, "expects f32"); }, "f32", ""}};
  EXPECT_EQ(check_errors(row).size(), 1u);
}

TEST(OpTable, CatchesMissingCases) {
  EXPECT_EQ(check_coverage(cube_row()).size(), 3u) << "no empty case, no scalar, no bad call";
}

}  // namespace
}  // namespace strata::test

// Rows of the activations (engine/ops/activation.cpp). Integers become f32, but for relu.
#include "tests/support/op_table.h"

namespace strata::test {
namespace {

double normal_cdf(double x) { return 0.5 * std::erfc(-x * std::sqrt(0.5)); }

template <class F, class G>
void activation(Row& row, F f, G oracle, const std::vector<double>& kinks = {}, double low = -5) {
  row.dtypes = numbers;
  row.result_dtype = [](DType dtype) { return is_float(dtype) ? dtype : DType::f32; };
  row.cases = unary_cases([f](const Tensor& x) { return f(x); }, oracle, low, 5, kinks);
  row.tolerance = 2;
}

}  // namespace

OP_ROW(relu) {
  activation(
      row, [](const Tensor& x) { return relu(x); }, [](double x) { return std::max(x, 0.0); }, {0});
  row.result_dtype = nullptr;
  row.errors = {{"undefined", [] { relu(Tensor()); }, "undefined", ""}};
}
OP_ROW(leaky_relu) {
  activation(
      row, [](const Tensor& x) { return leaky_relu(x, 0.2); },
      [](double x) { return x > 0 ? x : 0.2 * x; }, {0});
  row.add(
      "slope above 1", {Random(1).uniform_away({3, 4}, -2, 2, {0})},
      [](const Tensors& in) { return leaky_relu(in[0], 1.5); },
      [](const Arrays& in) { return map(in[0], [](double x) { return x > 0 ? x : 1.5 * x; }); });
  row.errors = {{"undefined", [] { leaky_relu(Tensor()); }, "undefined", ""}};
}
OP_ROW(elu) {
  activation(
      row, [](const Tensor& x) { return elu(x, 1.3); },
      [](double x) { return x > 0 ? x : 1.3 * std::expm1(x); }, {0});
  row.errors = {{"undefined", [] { elu(Tensor()); }, "undefined", ""}};
}
OP_ROW(softplus) {
  activation(
      row, [](const Tensor& x) { return softplus(x); },
      [](double x) { return std::log1p(std::exp(x)); });
  row.errors = {{"undefined", [] { softplus(Tensor()); }, "undefined", ""}};
}
OP_ROW(silu) {
  activation(
      row, [](const Tensor& x) { return silu(x); },
      [](double x) { return x / (1 + std::exp(-x)); });
  row.errors = {{"undefined", [] { silu(Tensor()); }, "undefined", ""}};
}
OP_ROW(gelu) {
  activation(
      row, [](const Tensor& x) { return gelu(x); }, [](double x) { return x * normal_cdf(x); }, {},
      -2);
  row.errors = {{"undefined", [] { gelu(Tensor()); }, "undefined", ""}};
}
OP_ROW(gelu_tanh) {
  activation(
      row, [](const Tensor& x) { return gelu_tanh(x); },
      [](double x) {
        double u = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
        return x / (1 + std::exp(-2 * u));
      });
  row.errors = {{"undefined", [] { gelu_tanh(Tensor()); }, "undefined", ""}};
}
OP_ROW(hard_sigmoid) {
  activation(
      row, [](const Tensor& x) { return hard_sigmoid(x); },
      [](double x) { return std::clamp(x + 3, 0.0, 6.0) / 6; }, {-3, 3});
  row.errors = {{"undefined", [] { hard_sigmoid(Tensor()); }, "undefined", ""}};
}
OP_ROW(hard_swish) {
  activation(
      row, [](const Tensor& x) { return hard_swish(x); },
      [](double x) { return x * std::clamp(x + 3, 0.0, 6.0) / 6; }, {-3, 3});
  row.errors = {{"undefined", [] { hard_swish(Tensor()); }, "undefined", ""}};
}

}  // namespace strata::test

#include "tools/introspect/attribution/op_kind.h"

#include <algorithm>

namespace strata::introspect {

std::optional<OpKind> op_kind(std::string_view op) {
  using Ops = std::initializer_list<std::string_view>;
  static const auto table = [] {
    std::map<std::string_view, OpKind> kinds;
    auto all = [&](OpKind kind, Ops ops) {
      for (std::string_view name : ops) kinds[name] = kind;
    };
    all(OpKind::weighted,
        {"conv2d", "conv1d", "conv_transpose2d", "conv_transpose1d", "linear", "matmul"});
    all(OpKind::sum, {"add", "sub", "neg", "mean", "sum", "cumsum", "index_add", "scatter_add"});
    all(OpKind::sum, {"avg_pool2d", "avg_pool1d", "adaptive_avg_pool2d", "global_avg_pool2d",
                      "upsample_bilinear2d"});
    all(OpKind::move, {"reshape", "permute", "transpose", "slice", "select", "expand", "unsqueeze",
                       "squeeze", "flip"});
    all(OpKind::move, {"to_dtype", "contiguous", "clone", "to_device", "concatenate", "pad"});
    all(OpKind::move, {"gather", "index_select", "embedding", "scatter", "where", "max_unpool2d",
                       "upsample_nearest2d"});
    all(OpKind::extreme, {"max_pool2d", "max_pool2d_with_switches", "max_pool1d",
                          "adaptive_max_pool2d", "max", "min", "maximum", "minimum"});
    all(OpKind::activation, {"relu", "leaky_relu", "elu", "softplus", "silu", "gelu", "gelu_tanh",
                             "tanh", "sigmoid", "hard_sigmoid", "hard_swish"});
    all(OpKind::activation, {"erf", "clamp", "abs", "square", "sqrt"});
    all(OpKind::function,
        {"exp", "expm1", "log", "log1p", "rsqrt", "reciprocal", "sin", "cos", "pow"});
    all(OpKind::product, {"mul"});
    all(OpKind::quotient, {"div"});
    all(OpKind::softmax, {"softmax", "log_softmax", "logsumexp"});
    all(OpKind::row_norm, {"layer_norm", "rms_norm"});
    all(OpKind::batch_norm, {"batch_norm"});
    return kinds;
  }();
  auto found = table.find(op);
  return found == table.end() ? std::nullopt : std::optional(found->second);
}

bool is_gate(const Tape& tape, const Tensor& x) {
  Tensor value = x;
  while (value.requires_grad()) {
    int at = tape.find(value.node().get());
    if (at < 0) return false;
    const Step& step = tape.steps()[static_cast<size_t>(at)];
    std::string_view op = step.op;
    if (op == "sigmoid" || op == "hard_sigmoid" || op == "softmax") return true;
    if (op_kind(op) != OpKind::move || op == "concatenate") return false;
    value = step.inputs[op == "where" ? 1 : 0];
  }
  return false;
}

std::map<int, int> weighted_depths(const Tape& tape, const std::vector<Tensor>& sources) {
  std::unordered_map<const Node*, int> before;
  for (const Tensor& source : sources) before[source.node().get()] = 0;
  std::map<int, int> depths;
  for (size_t i = 0; i < tape.steps().size(); ++i) {
    const Step& step = tape.steps()[i];
    int depth = -1;
    for (const Tensor& input : step.inputs) {
      if (!input.defined() || !input.requires_grad()) continue;
      auto found = before.find(input.node().get());
      if (found != before.end()) depth = std::max(depth, found->second);
    }
    if (depth < 0 || !step.out.requires_grad()) continue;
    bool weighted = op_kind(step.op) == OpKind::weighted;
    if (weighted) depths[static_cast<int>(i)] = depth;
    auto& after = before[step.out.node().get()];
    after = std::max(after, depth + (weighted ? 1 : 0));
  }
  return depths;
}

std::unordered_map<const Node*, int> count_uses(const Tape& tape) {
  std::unordered_map<const Node*, int> uses;
  for (const Step& step : tape.steps()) {
    for (const Tensor& input : step.inputs) {
      if (input.defined() && input.requires_grad()) ++uses[input.node().get()];
    }
  }
  return uses;
}

}  // namespace strata::introspect

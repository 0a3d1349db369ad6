#include "tools/introspect/attribution/relevance_op.h"

#include <algorithm>
#include <set>

namespace strata::introspect {
namespace {

const std::map<std::string_view, RelevanceKind>& kinds() {
  static const auto* table = [] {
    auto* kinds = new std::map<std::string_view, RelevanceKind>;
    auto all = [&](RelevanceKind kind, std::initializer_list<std::string_view> ops) {
      for (std::string_view op : ops) (*kinds)[op] = kind;
    };
    all(RelevanceKind::linear,
        {"conv2d", "conv1d", "conv_transpose2d", "conv_transpose1d", "linear", "matmul"});
    all(RelevanceKind::sum,
        {"add", "sub", "mean", "sum", "cumsum", "avg_pool2d", "avg_pool1d", "adaptive_avg_pool2d",
         "global_avg_pool2d", "index_add", "scatter_add", "upsample_bilinear2d"});
    all(RelevanceKind::carry, {"reshape",
                               "permute",
                               "transpose",
                               "slice",
                               "select",
                               "expand",
                               "unsqueeze",
                               "squeeze",
                               "flip",
                               "to_dtype",
                               "contiguous",
                               "clone",
                               "to_device",
                               "concatenate",
                               "pad",
                               "gather",
                               "index_select",
                               "embedding",
                               "scatter",
                               "where",
                               "max_pool2d",
                               "max_pool1d",
                               "max_pool2d_with_switches",
                               "adaptive_max_pool2d",
                               "max_unpool2d",
                               "upsample_nearest2d",
                               "max",
                               "min",
                               "maximum",
                               "minimum"});
    all(RelevanceKind::pass,
        {"relu", "leaky_relu", "elu", "softplus", "silu", "gelu", "gelu_tanh", "tanh", "sigmoid",
         "erf", "hard_sigmoid", "hard_swish", "clamp", "neg", "abs", "square", "sqrt", "dropout"});
    all(RelevanceKind::product, {"mul"});
    all(RelevanceKind::quotient, {"div"});
    all(RelevanceKind::norm, {"layer_norm", "rms_norm"});
    all(RelevanceKind::batch_norm, {"batch_norm"});
    return kinds;
  }();
  return *table;
}

}  // namespace

std::optional<RelevanceKind> relevance_kind(std::string_view op) {
  auto found = kinds().find(op);
  return found == kinds().end() ? std::nullopt : std::optional(found->second);
}

bool is_gate(const Tape& tape, const Tensor& x) {
  static const std::set<std::string_view> views = {
      "reshape", "permute", "transpose", "slice",    "select",
      "expand",  "squeeze", "unsqueeze", "to_dtype", "contiguous"};
  Tensor value = x;
  while (value.requires_grad()) {
    int at = tape.find(value.node().get());
    if (at < 0) return false;
    const Step& step = tape.steps()[static_cast<size_t>(at)];
    std::string_view op = step.op;
    if (op == "sigmoid" || op == "hard_sigmoid" || op == "softmax") return true;
    if (op != "where" && !views.count(op)) return false;
    value = step.inputs[op == "where" ? 1 : 0];
  }
  return false;
}

std::map<int, int> linear_depths(const Tape& tape, const std::vector<Tensor>& sources) {
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
    bool linear = relevance_kind(step.op) == RelevanceKind::linear;
    if (linear) depths[static_cast<int>(i)] = depth;
    auto& after = before[step.out.node().get()];
    after = std::max(after, depth + (linear ? 1 : 0));
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

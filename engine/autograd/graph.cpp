// The tape, drawn and weighed.
#include <map>
#include <set>
#include <unordered_map>

#include "engine/autograd/autograd.h"

namespace strata {
namespace {

std::vector<Node*> nodes_below(const Tensor& output) {
  std::vector<Node*> nodes;
  std::set<Node*> seen;
  auto add = [&](Node* node) {
    if (node && seen.insert(node).second) nodes.push_back(node);
  };
  if (output.defined()) add(output.node().get());
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (auto& input : nodes[i]->inputs) add(input.get());
  }
  return nodes;
}

// As inside a quoted string of the dot language.
std::string quoted(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

size_t bytes_of(const Tensor& t) { return t.defined() ? t.storage()->bytes : 0; }

}  // namespace

std::string to_dot(const Tensor& output, const std::vector<std::pair<std::string, Tensor>>& names) {
  std::unordered_map<Node*, std::string> called;
  for (auto& [name, tensor] : names) {
    if (tensor.requires_grad()) called[tensor.node().get()] = name;
  }
  std::string dot =
      "digraph tape {\n  rankdir=BT;\n  node [fontname=\"Helvetica\", fontsize=11];\n";
  std::vector<Node*> nodes = nodes_below(output);
  std::unordered_map<Node*, size_t> index;
  for (size_t i = 0; i < nodes.size(); ++i) index[nodes[i]] = i;
  for (size_t i = 0; i < nodes.size(); ++i) {
    Node* node = nodes[i];
    std::string title = called.count(node) ? quoted(called[node]) : node->name;
    std::string label =
        fmt::format("{}\\n{}{}", title, name_of(node->dtype), to_string(node->shape));
    size_t saved = 0;
    for (auto& s : node->saved) saved += bytes_of(s.tensor);
    if (saved) label += fmt::format("\\nsaves {} B", saved);
    dot += fmt::format("  n{} [label=\"{}\", shape={}];\n", i, label,
                       node->is_leaf() ? "box" : "ellipse");
  }
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (auto& input : nodes[i]->inputs) {
      if (input) dot += fmt::format("  n{} -> n{};\n", index[input.get()], i);
    }
  }
  return dot + "}\n";
}

std::vector<std::pair<std::string, size_t>> saved_bytes(const Tensor& output) {
  std::map<std::string, size_t> sums;
  std::set<const Storage*> counted;
  for (Node* node : nodes_below(output)) {
    for (auto& saved : node->saved) {
      if (!saved.tensor.defined()) continue;
      if (counted.insert(saved.tensor.storage().get()).second) {
        sums[node->name] += bytes_of(saved.tensor);
      }
    }
  }
  return {sums.begin(), sums.end()};
}

}  // namespace strata

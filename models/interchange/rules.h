// How another library names and lays out the parameters of a network we have too: a table of rules,
// one a kind of tensor.
//   theirs                                        ours                          layout
//   layer*.*.conv1.weight                         layer*.*.conv1.conv.weight    convolution
//   encoder.layer.*.attention.{q,k,v}.weight      blocks.*.attention.qkv.weight
// A * stands for a number, the same on both sides in order; braces list several of their tensors
// that are ours one below the other.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/nn/module.h"

namespace strata::interchange {

enum class Layout {
  same,
  convolution,       // OIHW -> OHWI; OIT -> OTI
  transposed,        // [inputs, outputs] -> [outputs, inputs]
  flattened,         // columns (channel, row, column) -> (row, column, channel)
  flat_convolution,  // OIHW over the whole map -> [O, H W I], the map being square
};

struct Rule {
  std::string theirs, ours;
  Layout layout = Layout::same;
  int64_t channels = 0;  // for `flattened` and `flat_convolution`
};

// A library's names of one network. Built by one call a layer; names are patterns as above.
class Dialect {
 public:
  explicit Dialect(std::string name) : name(std::move(name)) {}

  void tensor(const std::string& theirs, const std::string& ours, Layout layout = Layout::same,
              int64_t channels = 0) {
    rules.push_back({theirs, ours, layout, channels});
  }
  // Weight and bias; the layout is the weight's.
  void layer(const std::string& theirs, const std::string& ours, Layout layout = Layout::same,
             int64_t channels = 0);
  // Scale, shift, running mean and variance; and on their side a count of batches.
  void batch_norm(const std::string& theirs, const std::string& ours);

  std::string name;  // "torchvision"
  std::vector<Rule> rules;
  // Tensors of theirs that repeat one of ours (tied weights). Where a file has them they must be
  // equal; they are written again.
  std::vector<Rule> copies;
  // Tensors that theirs has beside each of ours: counts, written as 0.
  std::vector<Rule> counters;
  // Globs of names that hold nothing of ours: masks, position numbers, heads for other uses.
  std::vector<std::string> ignored;
  // A prefix of theirs that some files leave out ("transformer.").
  std::string root;
  // Parts of names that are spelled otherwise in some files: {"LayerNorm.weight",
  // "LayerNorm.gamma"}.
  std::vector<std::pair<std::string, std::string>> spellings;
};

// The dialects of a registered model with these options (all of them), the usual one first; none
// for networks that are only ours.
std::vector<Dialect> dialects_of(const std::string& model, const nlohmann::json& options);

// Numbers at the stars of `pattern`, or false when `name` does not match.
bool match(const std::string& pattern, const std::string& name, std::vector<std::string>* numbers);
// The names of a pattern with its stars replaced, one for each word in braces.
std::vector<std::string> fill(const std::string& pattern, const std::vector<std::string>& numbers);

// One tensor in our layout, and in theirs. A tensor whose rank or sizes the layout cannot be is an
// error that names `name`.
Tensor to_ours(const Rule& rule, const Tensor& theirs, const std::string& name, Caller at);
Tensor to_theirs(const Rule& rule, const Tensor& ours, const std::string& name, Caller at);

}  // namespace strata::interchange

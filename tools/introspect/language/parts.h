// The parts of a Gpt, by the names that interpretability knows them by. Matrices act on row vectors
// of the residual stream: x [C] times a [C, D] matrix.
#pragma once

#include <string>
#include <vector>

#include "models/language/gpt.h"

namespace strata::introspect {

struct GptParts {
  explicit GptParts(Gpt& model);

  int64_t layers, heads, width, head_size, vocabulary;
  Tensor token;     // [V, C]: embedding and unembedding
  Tensor position;  // [context, C]
  LayerNorm& norm;  // before the unembedding

  MultiheadAttention& attention(int64_t layer) const;
  LayerNorm& norm_before_attention(int64_t layer) const;
  // What a head does to the normalised stream: query, key, value [C, D], output [D, C].
  Tensor query(int64_t layer, int64_t head) const { return read(layer, head, 0); }
  Tensor key(int64_t layer, int64_t head) const { return read(layer, head, 1); }
  Tensor value(int64_t layer, int64_t head) const { return read(layer, head, 2); }
  Tensor output(int64_t layer, int64_t head) const;

 private:
  Tensor read(int64_t layer, int64_t head, int64_t part) const;
  void check(int64_t layer, int64_t head) const;
  Gpt& model_;
};

// Runs a module in evaluation mode and puts every layer's mode back at the end of the scope.
class Evaluation {
 public:
  explicit Evaluation(Module& module);
  ~Evaluation();
  Evaluation(const Evaluation&) = delete;
  Evaluation& operator=(const Evaluation&) = delete;

 private:
  std::vector<std::pair<Module*, bool>> modes_;
};

}  // namespace strata::introspect

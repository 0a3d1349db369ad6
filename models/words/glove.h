// GloVe: vectors of words whose products are the logarithms of co-occurrence counts (Pennington,
// Socher, Manning 2014, equations 8 and 9).
//   J = sum over X_ij > 0 of f(X_ij) (w_i . w~_j + b_i + b~_j - log X_ij)^2
//   f(x) = min(1, (x / x_max)^alpha)
//
//   layer             result     parameters   multiply-adds a cell
//   word, context     [N, C]     2 V C        3 C
//   bias, context_bias           2 V
//   scores            [N, V]     (log of the count of each word beside the given one)
//
// 2 V (C + 1) parameters: 2,020,000 for the default (V 10,000, C 100). The vectors are w + w~.
//
// Loss and gradient come in two ways, as in models/words/word2vec.h.
#pragma once

#include <array>

#include "engine/nn/linear.h"
#include "models/model.h"
#include "models/words/cooccurrence.h"
#include "models/words/row_gradient.h"

namespace strata {

struct GloveOptions {
  int64_t vocabulary = 10000;
  int64_t width = 100;
  double largest_count = 100;  // x_max
  double alpha = 0.75;
};

// 2 V (C + 1).
int64_t glove_parameter_count(const GloveOptions& options);

class Glove : public Model {
 public:
  // All uniform within 0.5 / C, as in the authors' program.
  explicit Glove(const GloveOptions& options = {});
  std::string kind() const override { return "Glove"; }
  // index [N], or [N, K] for the mean of K words: what log X is fitted by, [N, V].
  Tensor forward(const Tensor& index) override;
  std::vector<std::string> stages() const override { return {"embedding", "head"}; }

  // J over the number of cells; recorded.
  Tensor loss(const Cooccurrence& cells);
  struct Gradient {
    double loss = 0;
    std::array<RowGradient, 4> rows;  // of the parameters, in their order
  };
  // The same loss, and its gradient. f32 on the cpu.
  Gradient gradient(const Cooccurrence& cells, Caller at = Caller::here()) const;

  Tensor vectors() const;  // [V, C]

 private:
  double importance(double count) const;

  GloveOptions options_;
  Embedding& word_;
  Embedding& context_;
  Tensor bias_, context_bias_;  // [V]
};

}  // namespace strata

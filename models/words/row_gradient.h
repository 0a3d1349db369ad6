// Gradients of tables of which a batch touches few rows: the rows and nothing else. A dense
// gradient of a table of 100,000 words costs 100,000 rows a batch, a sparse one those that were
// looked up.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/optim/optimizer.h"

namespace strata {

struct RowGradient {
  std::vector<int64_t> rows;  // distinct
  std::vector<float> values;  // [rows, width]
};

// For each distinct row r among `row`: the sum over entries e with row[e] = r, in order of e, of
// scale[e] source[source_row[e]]. `source` [.., width]; rows are below `table_rows`. Threads own
// rows, so the sums do not depend on their number.
RowGradient sum_by_row(std::span<const int64_t> row, std::span<const int64_t> source_row,
                       std::span<const float> scale, const float* source, int64_t width,
                       int64_t table_rows);

// AdaGrad (Duchi et al. 2011): every element has its own rate, learning rate / sqrt(sum of its
// squared gradients). It suits words: rare ones get few gradients and take large steps, and a batch
// that meets a frequent word a hundred times does not move it a hundred times as far. Element by
// element, so rows without a gradient stay as they are, and sparse steps are dense ones to the bit.
class AdaGrad : public Optimizer {
 public:
  AdaGrad(std::vector<NamedTensor> parameters, double learning_rate = 0.05, double epsilon = 1e-8);
  const char* name() const override { return "AdaGrad"; }
  void step(Caller at = Caller::here()) override;
  // One gradient a parameter, in their order; parameters are f32 on the cpu, of any rank >= 1 (rows
  // along the first axis).
  void step_rows(std::span<const RowGradient> gradients, Caller at = Caller::here());

  double epsilon;

 private:
  void make_state(Slot& slot);
};

}  // namespace strata

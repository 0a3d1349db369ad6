#include "models/words/row_gradient.h"

#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops/create.h"
#include "engine/ops/elementwise.h"
#include "kernels/common/parallel.h"

namespace strata {

RowGradient sum_by_row(std::span<const int64_t> row, std::span<const int64_t> source_row,
                       std::span<const float> scale, const float* source, int64_t width,
                       int64_t table_rows) {
  RowGradient sums;
  std::vector<int> slot(static_cast<size_t>(table_rows), -1);
  std::vector<size_t> begin = {0};  // entries of each row, then where they start
  for (int64_t r : row) {
    int& place = slot[static_cast<size_t>(r)];
    if (place < 0) {
      place = static_cast<int>(sums.rows.size());
      sums.rows.push_back(r);
      begin.push_back(0);
    }
    ++begin[static_cast<size_t>(place) + 1];
  }
  for (size_t i = 1; i < begin.size(); ++i) begin[i] += begin[i - 1];
  std::vector<size_t> entries(row.size()), next(begin.begin(), begin.end() - 1);
  for (size_t e = 0; e < row.size(); ++e)
    entries[next[static_cast<size_t>(slot[static_cast<size_t>(row[e])])]++] = e;

  sums.values.assign(sums.rows.size() * static_cast<size_t>(width), 0);
  parallel_for(static_cast<int64_t>(sums.rows.size()), 8, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      float* sum = sums.values.data() + r * width;
      for (size_t i = begin[static_cast<size_t>(r)]; i < begin[static_cast<size_t>(r) + 1]; ++i) {
        const float* from = source + source_row[entries[i]] * width;
        const float weight = scale[entries[i]];
#pragma omp simd
        for (int64_t c = 0; c < width; ++c) sum[c] += weight * from[c];
      }
    }
  });
  return sums;
}

AdaGrad::AdaGrad(std::vector<NamedTensor> parameters, double learning_rate, double epsilon)
    : Optimizer({{std::move(parameters)}}, learning_rate, 0, {"sum"}), epsilon(epsilon) {}

void AdaGrad::make_state(Slot& slot) {
  const Tensor& p = slot.parameter;
  const DType dtype = p.dtype() == DType::f64 ? DType::f64 : DType::f32;
  if (!slot.state[0].defined()) slot.state[0] = zeros(p.shape(), dtype, p.device());
}

void AdaGrad::step(Caller) {
  NoGrad off;
  for (Slot& slot : slots_) {
    const Tensor g = slot.parameter.grad();
    if (!g.defined()) continue;
    make_state(slot);
    add_(slot.state[0], square(g));
    add_(slot.parameter, g / (sqrt(slot.state[0]) + epsilon), -learning_rate());
    ++slot.steps;
  }
}

void AdaGrad::step_rows(std::span<const RowGradient> gradients, Caller at) {
  if (gradients.size() != slots_.size())
    fail("AdaGrad", at, "{} gradients of rows for {} parameters", gradients.size(), slots_.size());
  const float rate = static_cast<float>(learning_rate()), e = static_cast<float>(epsilon);
  for (size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    const RowGradient& gradient = gradients[i];
    make_state(slot);
    float* weight = slot.parameter.data<float>(at);
    float* sum = slot.state[0].data<float>(at);
    const int64_t width = slot.parameter.numel() / slot.parameter.size(0);
    parallel_for(static_cast<int64_t>(gradient.rows.size()), 32, [&](int64_t first, int64_t last) {
      for (int64_t r = first; r < last; ++r) {
        const int64_t base = gradient.rows[static_cast<size_t>(r)] * width;
        const float* g = gradient.values.data() + r * width;
#pragma omp simd
        for (int64_t c = 0; c < width; ++c) {
          sum[base + c] += g[c] * g[c];
          weight[base + c] -= rate * g[c] / (std::sqrt(sum[base + c]) + e);
        }
      }
    });
    note_write(slot.parameter, name(), at);
    ++slot.steps;
  }
}

}  // namespace strata

#include "tools/introspect/attribution/masking.h"

#include <algorithm>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::introspect {

Groups groups_of(const char* op, const Tensor& groups, const Tensor& x) {
  if (x.rank() < 2) fail(op, Caller{}, "x {} must be [N, ...]", describe(x));
  Dims example = x.shape();
  example.erase(0);
  Groups result;
  if (!groups.defined()) {
    result.grid = example;
    result.count = example.product();
    for (int64_t i = 0; i < result.count; ++i) result.of.push_back(i);
    return result;
  }
  Dims joint;
  if (is_float(groups.dtype()) || !broadcast(groups.shape(), example, &joint) || joint != example) {
    fail(op, Caller{}, "groups {} must be integers that broadcast to one example {} of x {}",
         describe(groups), to_string(example), describe(x));
  }
  result.grid = groups.shape();
  while (result.grid.rank() < example.rank()) result.grid.insert(0, 1);
  result.of = groups.to_vector<int64_t>();
  auto [low, high] = std::minmax_element(result.of.begin(), result.of.end());
  if (*low < 0) fail(op, Caller{}, "groups are numbered from 0, and {} is among them", *low);
  result.count = *high + 1;
  return result;
}

Masking::Masking(const char* op, const Scores& model, const Tensor& x, const Tensor& baseline,
                 const std::vector<int64_t>& target, const PassLimit& limit, Dims grid)
    : model_(model), x_(x.detach()), target_(target), grid_(std::move(grid)) {
  Tensor under = baseline.defined() ? baseline.detach().to(x.dtype()).to(x.device())
                                    : scalar(0, x.dtype()).to(x.device());
  Dims joint;
  if (!broadcast(under.shape(), x.shape(), &joint) || joint != x.shape()) {
    fail(op, Caller{}, "the baseline {} does not broadcast to x {}", describe(baseline),
         describe(x));
  }
  under_ = under.expand(x.shape());
  limit_ = examples_per_pass(model, x, limit);
}

void Masking::scores(
    int64_t count, const std::function<Hidden(int64_t mask)>& hide,
    const std::function<void(int64_t mask, int64_t example, double score)>& take) const {
  int64_t examples = x_.size(0), total = count * examples;
  for (int64_t begin = 0; begin < total; begin += limit_) {
    int64_t end = std::min(begin + limit_, total);
    std::vector<int64_t> rows;
    Hidden hidden, mask;
    for (int64_t i = begin; i < end; ++i) {
      if (i == begin || i % examples == 0) mask = hide(i / examples);
      hidden.insert(hidden.end(), mask.begin(), mask.end());
      rows.push_back(i % examples);
    }
    auto found = pass(rows, hidden);
    for (int64_t i = begin; i < end; ++i) {
      take(i / examples, i % examples, found[static_cast<size_t>(i - begin)]);
    }
  }
}

std::vector<double> Masking::pass(const std::vector<int64_t>& rows, const Hidden& hidden) const {
  NoGrad off;
  Dims shape = grid_;
  shape.insert(0, static_cast<int64_t>(rows.size()));
  Tensor mask = from_vector(hidden, shape).to(DType::boolean).to(x_.device());
  Tensor points = where(mask, rows_of(under_, rows), rows_of(x_, rows));
  return scores_of(model_, points, targets_of(target_, rows));
}

}  // namespace strata::introspect

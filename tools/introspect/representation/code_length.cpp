#include "tools/introspect/representation/code_length.h"

#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::introspect {
namespace {

// Where portions end, in rows, ascending and ending with n.
std::vector<int64_t> ends_of(const std::vector<double>& portions, int64_t n) {
  std::vector<int64_t> ends;
  double before = 0;
  for (double share : portions) {
    if (!(share > before && share <= 1)) {
      fail("code_length", Caller{}, "portions must ascend from above 0 to 1; {} follows {}", share,
           before);
    }
    before = share;
    auto end = static_cast<int64_t>(std::llround(share * static_cast<double>(n)));
    if (end > (ends.empty() ? 0 : ends.back())) ends.push_back(end);
  }
  if (ends.empty() || ends.back() != n) {
    fail("code_length", Caller{}, "portions must end with 1, so that all {} rows are sent", n);
  }
  return ends;
}

}  // namespace

CodeLength code_length(const Tensor& x, const LabelSet& labels, const CodeLengthOptions& options) {
  NoGrad off;
  int64_t n = static_cast<int64_t>(labels.labels.size());
  if (x.rank() != 2 || x.size(0) != n || n < 2) {
    fail("code_length", Caller{}, "features {} must be [n, D] for {} labels, n at least 2",
         describe(x), n);
  }
  LogisticOptions probe = options.probe;
  if (probe.bias_l2 == 0) probe.bias_l2 = probe.l2;
  Generator generator(options.seed);
  Tensor order = randperm(n, &generator);
  Tensor shuffled = index_select(x, 0, order);
  std::vector<int64_t> targets;
  for (int64_t i : order.to_vector<int64_t>())
    targets.push_back(labels.labels[static_cast<size_t>(i)]);
  double uniform = std::log2(static_cast<double>(labels.classes));
  CodeLength result;
  result.uniform_bits = static_cast<double>(n) * uniform;
  int64_t begin = 0;
  for (int64_t end : ends_of(options.portions, n)) {
    double bits = static_cast<double>(end - begin) * uniform;
    if (begin > 0) {
      LabelSet seen{labels.classes, {targets.begin(), targets.begin() + begin}};
      LogisticFit fit = fit_logistic(shuffled.slice(0, 0, begin), {seen}, probe)[0];
      Tensor logits = matmul(shuffled.slice(0, begin, end), fit.weight) + fit.bias;
      bits = static_cast<double>(end - begin) / std::log(2.0) *
             log_loss(logits, {targets.begin() + begin, targets.begin() + end});
    }
    result.rows.push_back(end - begin);
    result.portion_bits.push_back(bits);
    result.bits += bits;
    begin = end;
  }
  return result;
}

}  // namespace strata::introspect

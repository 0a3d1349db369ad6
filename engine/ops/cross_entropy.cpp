// Cross entropy and negative log-likelihood. What cross entropy saves: logits, targets, and the
// largest logit and log-sum-exp of each row; no probabilities.
#include "kernels/loss/cross_entropy.h"
#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/ops/detail/kernel_inputs.h"

namespace strata {
namespace {

using namespace detail;

// "[3,5]" for the flat position of an element.
std::string position(const Dims& shape, int64_t flat) {
  Dims index = shape;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    index[i] = flat % shape[i];
    flat /= shape[i];
  }
  return to_string(index);
}

// Targets as dense i64, each of them a class or `ignored`; how many are classes goes to `count`.
Tensor checked_target(const char* op, const char* name, const Tensor& x, const Tensor& target,
                      std::optional<int64_t> ignored, int64_t* count, Caller at) {
  check_floating(op, name, x, at);
  if (!target.defined()) fail(op, at, "target is undefined");
  if (x.rank() < 1) {
    fail(op, at, "{} {} has no axis of classes; expected [..., classes]", name, describe(x));
  }
  if (target.dtype() != DType::i64 && target.dtype() != DType::i32) {
    fail(op, at, "target {} must hold class indices, i64 or i32", describe(target));
  }
  Dims expected = x.shape();
  expected.erase(x.rank() - 1);
  if (target.shape() != expected) {
    fail(op, at, "{} {} needs a target of shape {}, one class index for each row, but got {}", name,
         describe(x), to_string(expected), describe(target));
  }
  Tensor indices = dense(target, DType::i64);
  const int64_t* values = indices.data<int64_t>();
  *count = 0;
  for (int64_t i = 0; i < indices.numel(); ++i) {
    if (ignored && values[i] == *ignored) continue;
    ++*count;
    if (values[i] >= 0 && values[i] < x.size(-1)) continue;
    fail(op, at, "target {} at {} is not a class of {} {}: expected 0 to {}{}", values[i],
         position(target.shape(), i), name, describe(x), x.size(-1) - 1,
         ignored ? fmt::format(", or {} to ignore the row", *ignored) : "");
  }
  return indices;
}

double total(const Tensor& values) {
  double sum = 0;
  for (double value : values.to_vector<double>()) sum += value;
  return sum;
}

// What each row's gradient is multiplied with: 1 / count for the mean.
double share(Reduction reduction, int64_t count) {
  return reduction == Reduction::mean ? 1.0 / static_cast<double>(std::max<int64_t>(count, 1)) : 1;
}

Gradients fused_gradient(const Tensor& g, const Saved& s, const CrossEntropyOptions& options,
                         int64_t count) {
  DType dtype = s[0].dtype();
  Tensor logits = dense(s[0], dtype), target = s[1], rows = s[2], dx = empty_like(logits);
  std::vector<double> gradient = g.to_vector<double>();
  for (double& value : gradient) value *= share(options.reduction, count);
  CrossEntropyGradientArgs args;
  args.logits = logits.raw();
  args.target = target.data<int64_t>();
  args.largest = rows.raw();
  args.log_sum = static_cast<char*>(rows.raw()) + rows.strides()[0] * size_of(rows.dtype());
  args.gradient = gradient.data();
  args.gradient_stride = options.reduction == Reduction::none ? 1 : 0;
  args.dx = dx.raw();
  args.rows = target.numel();
  args.classes = logits.size(-1);
  args.smoothing = options.label_smoothing;
  args.ignore_index = options.ignore_index;
  args.dtype = dtype;
  on(logits.device(), "cross_entropy", Caller{}, [&] { cpu::cross_entropy_gradient(args); });
  return {dx};
}

// g (softmax(x) - wanted), where the rows that count are 1 and the ignored ones 0.
Gradients composed_gradient(const Tensor& g, const Saved& s, const CrossEntropyOptions& options,
                            int64_t count) {
  DType compute = compute_type(s[0].dtype());
  Tensor logits = s[0].to(compute), target = s[1];
  Tensor counted = not_equal(target, scalar(static_cast<double>(options.ignore_index), DType::i64));
  Tensor classes = where(counted, target, zeros_like(target));
  double smoothing = options.label_smoothing;
  Tensor wanted = one_hot(classes, logits.size(-1), compute) * (1 - smoothing) +
                  smoothing / static_cast<double>(logits.size(-1));
  Tensor factor = g.to(compute) * (counted.to(compute) * share(options.reduction, count));
  return {(softmax(logits, -1) - wanted) * factor.unsqueeze(-1)};
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options,
                     Caller at) {
  const char* op = "cross_entropy";
  int64_t count = 0;
  Tensor indices = checked_target(op, "logits", logits, target, options.ignore_index, &count, at);
  if (options.label_smoothing < 0 || options.label_smoothing > 1) {
    fail(op, at, "label_smoothing is {}; expected 0 to 1", options.label_smoothing);
  }
  DType dtype = logits.dtype(), compute = compute_type(dtype);
  Tensor from = dense(logits, dtype), loss = empty(target.shape(), compute, logits.device());
  Tensor rows = empty({2, target.numel()}, compute, logits.device());
  CrossEntropyArgs args;
  args.logits = from.raw();
  args.target = indices.data<int64_t>();
  args.loss = loss.raw();
  args.largest = rows.raw();
  args.log_sum = static_cast<char*>(rows.raw()) + rows.strides()[0] * size_of(compute);
  args.rows = target.numel();
  args.classes = logits.size(-1);
  args.smoothing = options.label_smoothing;
  args.ignore_index = options.ignore_index;
  args.dtype = dtype;
  on(logits.device(), op, at, [&] { cpu::cross_entropy(args); });
  Tensor out = options.reduction == Reduction::none
                   ? dense(loss, dtype)
                   : scalar(total(loss) * share(options.reduction, count), dtype);
  return record(out, op, at, {logits}, {logits, indices, rows},
                [options, count](const Tensor& g, const Saved& s) {
                  return grad_enabled() ? composed_gradient(g, s, options, count)
                                        : fused_gradient(g, s, options, count);
                });
}

Tensor nll_loss(const Tensor& log_probabilities, const Tensor& target, Reduction reduction,
                Caller at) {
  int64_t count = 0;
  Tensor indices = checked_target("nll_loss", "log_probabilities", log_probabilities, target,
                                  std::nullopt, &count, at);
  Tensor picked = gather(log_probabilities, -1, indices.unsqueeze(-1), at).squeeze(-1, at);
  if (reduction == Reduction::none) return neg(picked, at);
  if (reduction == Reduction::sum) return neg(sum(picked, {}, false, at), at);
  return neg(mean(picked, {}, false, at), at);
}

}  // namespace strata

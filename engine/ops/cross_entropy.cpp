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

struct Target {
  Tensor classes;  // dense i64, each of them a class or the ignored index
  Tensor share;    // f64 scalar on the same device: 1 / how many rows count
};

// What a target that is no class looks like, for the message.
[[noreturn]] void refuse_target(const char* op, const char* name, const Tensor& x,
                                const Tensor& target, const Tensor& wrong,
                                std::optional<int64_t> ignored, Caller at) {
  const std::vector<bool> flags = wrong.to_vector<bool>();
  const auto first = std::find(flags.begin(), flags.end(), true) - flags.begin();
  fail(op, at, "target {} at {} is not a class of {} {}: expected 0 to {}{}",
       target.to_vector<int64_t>()[static_cast<size_t>(first)], position(target.shape(), first),
       name, describe(x), x.size(-1) - 1,
       ignored ? fmt::format(", or {} to ignore the row", *ignored) : "");
}

Target checked_target(const char* op, const char* name, const Tensor& x, const Tensor& target,
                      std::optional<int64_t> ignored, Caller at) {
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
  if (target.device() != x.device()) {
    fail(op, at, "{} {} is on {} but the target is on {}; move one with to(Device)", name,
         describe(x), name_of(x.device()), name_of(target.device()));
  }
  NoGrad off;
  Tensor classes = dense(target.detach(), DType::i64);
  Tensor wrong =
      logical_or(less(classes, scalar(0, DType::i64)),
                 greater_equal(classes, scalar(static_cast<double>(x.size(-1)), DType::i64)));
  Tensor counted;
  if (ignored) {
    counted = not_equal(classes, scalar(static_cast<double>(*ignored), DType::i64));
    wrong = logical_and(wrong, counted);
  }
  // A captured step cannot stop to look; it was looked at when it was first run.
  if (!capturing(x.device()) && sum(wrong).item() > 0) {
    refuse_target(op, name, x, target, wrong, ignored, at);
  }
  Tensor count = counted.defined()
                     ? sum(counted).to(DType::f64)
                     : full({}, static_cast<double>(classes.numel()), DType::f64, x.device());
  return {classes, reciprocal(clamp(count, 1, std::numeric_limits<double>::infinity()))};
}

// What is saved: logits, classes, the rows' largest and log-sum, and the share of a row.
Gradients fused_gradient(const Tensor& g, const Saved& s, const CrossEntropyOptions& options) {
  DType dtype = s[0].dtype();
  Tensor logits = dense(s[0], dtype), target = s[1], rows = s[2], dx = empty_like(logits);
  Tensor gradient = dense(g, DType::f64);
  if (options.reduction == Reduction::mean) gradient = gradient * s[3];
  CrossEntropyGradientArgs args;
  args.logits = logits.raw();
  args.target = static_cast<const int64_t*>(target.raw());
  args.largest = rows.raw();
  args.log_sum = static_cast<char*>(rows.raw()) + rows.strides()[0] * size_of(rows.dtype());
  args.gradient = static_cast<const double*>(gradient.raw());
  args.gradient_stride = options.reduction == Reduction::none ? 1 : 0;
  args.dx = dx.raw();
  args.rows = target.numel();
  args.classes = logits.size(-1);
  args.smoothing = options.label_smoothing;
  args.ignore_index = options.ignore_index;
  args.dtype = dtype;
  on(logits.device(), "cross_entropy", Caller{}, cpu::cross_entropy_gradient,
     gpu::cross_entropy_gradient, args);
  return {dx};
}

// g (softmax(x) - wanted), where the rows that count are 1 and the ignored ones 0.
Gradients composed_gradient(const Tensor& g, const Saved& s, const CrossEntropyOptions& options) {
  DType compute = compute_type(s[0].dtype());
  Tensor logits = s[0].to(compute), target = s[1];
  Tensor counted = not_equal(target, scalar(static_cast<double>(options.ignore_index), DType::i64));
  Tensor classes = where(counted, target, zeros_like(target));
  double smoothing = options.label_smoothing;
  Tensor wanted = one_hot(classes, logits.size(-1), compute) * (1 - smoothing) +
                  smoothing / static_cast<double>(logits.size(-1));
  Tensor factor = g.to(compute) * counted.to(compute);
  if (options.reduction == Reduction::mean) factor = factor * s[3].to(compute);
  return {(softmax(logits, -1) - wanted) * factor.unsqueeze(-1)};
}

}  // namespace

namespace {

// The rows' losses, their sum, or the mean over those that count; summed in f64.
Tensor reduced(const Tensor& loss, Reduction reduction, const Tensor& share, DType dtype) {
  NoGrad off;
  if (reduction == Reduction::none) return dense(loss, dtype);
  Tensor total = sum(loss.to(DType::f64));
  return (reduction == Reduction::mean ? total * share : total).to(dtype);
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options,
                     Caller at) {
  const char* op = "cross_entropy";
  auto [indices, share] = checked_target(op, "logits", logits, target, options.ignore_index, at);
  if (options.label_smoothing < 0 || options.label_smoothing > 1) {
    fail(op, at, "label_smoothing is {}; expected 0 to 1", options.label_smoothing);
  }
  DType dtype = logits.dtype(), compute = compute_type(dtype);
  Tensor from = dense(logits, dtype), loss = empty(target.shape(), compute, logits.device());
  Tensor rows = empty({2, target.numel()}, compute, logits.device());
  CrossEntropyArgs args;
  args.logits = from.raw();
  args.target = static_cast<const int64_t*>(indices.raw());
  args.loss = loss.raw();
  args.largest = rows.raw();
  args.log_sum = static_cast<char*>(rows.raw()) + rows.strides()[0] * size_of(compute);
  args.rows = target.numel();
  args.classes = logits.size(-1);
  args.smoothing = options.label_smoothing;
  args.ignore_index = options.ignore_index;
  args.dtype = dtype;
  on(logits.device(), op, at, cpu::cross_entropy, gpu::cross_entropy, args);
  Tensor out = reduced(loss, options.reduction, share, dtype);
  return record(out, op, at, {logits}, {logits, indices, rows, share},
                [options](const Tensor& g, const Saved& s) {
                  return grad_enabled() ? composed_gradient(g, s, options)
                                        : fused_gradient(g, s, options);
                });
}

Tensor nll_loss(const Tensor& log_probabilities, const Tensor& target, Reduction reduction,
                Caller at) {
  Tensor indices =
      checked_target("nll_loss", "log_probabilities", log_probabilities, target, std::nullopt, at)
          .classes;
  Tensor picked = gather(log_probabilities, -1, indices.unsqueeze(-1), at).squeeze(-1, at);
  if (reduction == Reduction::none) return neg(picked, at);
  if (reduction == Reduction::sum) return neg(sum(picked, {}, false, at), at);
  return neg(mean(picked, {}, false, at), at);
}

}  // namespace strata

#include "engine/ops/ctc.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/ops/detail/check.h"
#include "engine/ops/detail/kernel_inputs.h"
#include "kernels/common/parallel.h"

namespace strata {
namespace {

using namespace detail;

constexpr double nothing = -std::numeric_limits<double>::infinity();

double log_sum(double a, double b, double c) {
  const double largest = std::max({a, b, c});
  if (largest == nothing) return nothing;
  return largest + std::log(std::exp(a - largest) + std::exp(b - largest) + std::exp(c - largest));
}

// One sequence: its log-probabilities and its labels between blanks.
struct Sequence {
  const double* y;  // [steps, classes]
  int64_t steps, classes;
  std::vector<int64_t> labels;  // l', of length 2 U + 1
  bool possible;

  int64_t states() const { return static_cast<int64_t>(labels.size()); }
  double at(int64_t t, int64_t s) const { return y[t * classes + labels[static_cast<size_t>(s)]]; }
  // Whether state s may follow s - 2: the blank between them may be left out.
  bool skips(int64_t s) const {
    return s >= 2 && s % 2 == 1 &&
           labels[static_cast<size_t>(s)] != labels[static_cast<size_t>(s - 2)];
  }

  // log of the summed probability of all beginnings that stand in state s after step t.
  std::vector<double> forward() const {
    const int64_t n = states();
    std::vector<double> alpha(static_cast<size_t>(steps * n), nothing);
    for (int64_t s = 0; s < std::min<int64_t>(2, n); ++s) alpha[static_cast<size_t>(s)] = at(0, s);
    for (int64_t t = 1; t < steps; ++t) {
      const double* before = &alpha[static_cast<size_t>((t - 1) * n)];
      double* now = &alpha[static_cast<size_t>(t * n)];
      for (int64_t s = 0; s < n; ++s) {
        now[s] = at(t, s) + log_sum(before[s], s >= 1 ? before[s - 1] : nothing,
                                    skips(s) ? before[s - 2] : nothing);
      }
    }
    return alpha;
  }
  // The same of all endings that leave state s after step t (step t itself not counted).
  std::vector<double> backward() const {
    const int64_t n = states();
    std::vector<double> beta(static_cast<size_t>(steps * n), nothing);
    for (int64_t s = std::max<int64_t>(0, n - 2); s < n; ++s)
      beta[static_cast<size_t>((steps - 1) * n + s)] = 0;
    for (int64_t t = steps - 2; t >= 0; --t) {
      const double* after = &beta[static_cast<size_t>((t + 1) * n)];
      double* now = &beta[static_cast<size_t>(t * n)];
      auto leave = [&](int64_t s) { return s < n ? at(t + 1, s) + after[s] : nothing; };
      for (int64_t s = 0; s < n; ++s) {
        now[s] =
            log_sum(leave(s), leave(s + 1), s + 2 < n && skips(s + 2) ? leave(s + 2) : nothing);
      }
    }
    return beta;
  }
  double log_probability(const std::vector<double>& alpha) const {
    if (steps == 0) return 0;  // the empty target of an empty sequence
    const double* last = &alpha[alpha.size() - labels.size()];
    const int64_t n = states();
    return log_sum(last[n - 1], n >= 2 ? last[n - 2] : nothing, nothing);
  }
};

// The operands on the host, checked.
struct Problem {
  Tensor y;        // f64 [N, T, C]
  Tensor targets;  // i64 [N, U]
  std::vector<int64_t> steps, lengths;
  int64_t blank;
  std::vector<bool> possible;

  int64_t size() const { return y.size(0); }
  Sequence sequence(int64_t n) const {
    const int64_t length = lengths[static_cast<size_t>(n)];
    Sequence sequence{y.data<double>() + n * y.size(1) * y.size(2), steps[static_cast<size_t>(n)],
                      y.size(2), std::vector<int64_t>(static_cast<size_t>(2 * length + 1), blank),
                      possible[static_cast<size_t>(n)]};
    const int64_t* labels = targets.data<int64_t>() + n * targets.size(1);
    for (int64_t u = 0; u < length; ++u)
      sequence.labels[static_cast<size_t>(2 * u + 1)] = labels[u];
    return sequence;
  }
  // What a sequence counts in the result.
  double share(int64_t n, Reduction reduction) const {
    if (reduction != Reduction::mean) return 1;
    const auto length = static_cast<double>(std::max<int64_t>(1, lengths[static_cast<size_t>(n)]));
    return 1 / (length * static_cast<double>(size()));
  }
};

void check_indices(const char* name, const Tensor& x, const Dims& shape, Caller at) {
  const char* op = "ctc_loss";
  check_defined(op, name, x, at);
  if (x.dtype() != DType::i64 && x.dtype() != DType::i32)
    fail(op, at, "{} {} must be i64 or i32", name, describe(x));
  if (x.shape() != shape)
    fail(op, at, "{} {} must have the shape {}", name, describe(x), to_string(shape));
}

std::vector<int64_t> checked_lengths(const char* name, const Tensor& x, int64_t limit,
                                     const char* of, Caller at) {
  std::vector<int64_t> values = x.to_vector<int64_t>();
  for (size_t n = 0; n < values.size(); ++n) {
    if (values[n] < 0 || values[n] > limit)
      fail("ctc_loss", at, "{}[{}] is {}; expected 0 to {}, the {}", name, n, values[n], limit, of);
  }
  return values;
}

// Whether sequence n has an alignment; labels that are none are errors.
bool check_labels(const Problem& p, int64_t n, const CtcOptions& options, Caller at) {
  const int64_t length = p.lengths[static_cast<size_t>(n)], steps = p.steps[static_cast<size_t>(n)];
  const int64_t* labels = p.targets.data<int64_t>() + n * p.targets.size(1);
  int64_t needed = length;
  for (int64_t u = 0; u < length; ++u) {
    if (labels[u] < 0 || labels[u] >= p.y.size(2) || labels[u] == options.blank)
      fail("ctc_loss", at,
           "target {} at [{},{}] is no label: expected 0 to {} but not the blank {}", labels[u], n,
           u, p.y.size(2) - 1, options.blank);
    if (u > 0 && labels[u] == labels[u - 1]) ++needed;
  }
  if (needed > steps && !options.skip_impossible)
    fail("ctc_loss", at,
         "target {} has {} labels and needs {} steps (equal neighbours have a blank between them), "
         "but the sequence has {}; lengthen it, or set skip_impossible to leave such targets out",
         n, length, needed, steps);
  return needed <= steps;
}

Problem checked(const Tensor& y, const Tensor& targets, const Tensor& input_lengths,
                const Tensor& target_lengths, const CtcOptions& options, Caller at) {
  const char* op = "ctc_loss";
  check_floating(op, "log_probabilities", y, at);
  if (y.rank() != 3)
    fail(op, at, "log_probabilities {} must be [N, T, C]: sequences, steps, classes", describe(y));
  check_defined(op, "targets", targets, at);
  if (targets.rank() != 2)
    fail(op, at, "targets {} must be [N, U], padded to the longest", describe(targets));
  check_indices("targets", targets, {y.size(0), targets.size(1)}, at);
  check_indices("input_lengths", input_lengths, {y.size(0)}, at);
  check_indices("target_lengths", target_lengths, {y.size(0)}, at);
  if (options.blank < 0 || options.blank >= y.size(2))
    fail(op, at, "blank is {}; expected a class, 0 to {}", options.blank, y.size(2) - 1);
  NoGrad off;
  Problem p{
      dense(y.detach().to(Device::cpu), DType::f64),
      dense(targets.detach().to(Device::cpu), DType::i64),
      checked_lengths("input_lengths", input_lengths, y.size(1), "number of steps", at),
      checked_lengths("target_lengths", target_lengths, targets.size(1), "width of targets", at),
      options.blank,
      {}};
  for (int64_t n = 0; n < p.size(); ++n) p.possible.push_back(check_labels(p, n, options, at));
  return p;
}

// Losses [N] of the sequences, f64, each times its share.
Tensor losses(const Problem& p, Reduction reduction) {
  Tensor out = empty({p.size()}, DType::f64);
  parallel_for(p.size(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      Sequence s = p.sequence(n);
      double loss = s.possible ? -s.log_probability(s.forward()) : 0;
      out.data<double>()[n] = loss * p.share(n, reduction);
    }
  });
  return out;
}

// The gradient [N, T, C] at the log-probabilities; g is [N].
Tensor gradient(const Problem& p, const double* g, Reduction reduction) {
  Tensor out = zeros(p.y.shape(), DType::f64);
  parallel_for(p.size(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      Sequence s = p.sequence(n);
      if (!s.possible || s.steps == 0) continue;
      const std::vector<double> alpha = s.forward(), beta = s.backward();
      const double total = s.log_probability(alpha), scale = g[n] * p.share(n, reduction);
      double* d = out.data<double>() + n * p.y.size(1) * p.y.size(2);
      for (int64_t t = 0; t < s.steps; ++t) {
        for (int64_t i = 0; i < s.states(); ++i) {
          const auto place = static_cast<size_t>(t * s.states() + i);
          d[t * s.classes + s.labels[static_cast<size_t>(i)]] -=
              scale * std::exp(alpha[place] + beta[place] - total);
        }
      }
    }
  });
  return out;
}

// The recursion in public ops, [N], for derivatives of any order. What cannot be reached has a log
// of -1e30 here: finite, so that no difference of infinities arises, and 0 after exp in any type.
Tensor composed(const Tensor& y, const Problem& p, Reduction reduction) {
  constexpr double far = -1e30;
  const int64_t count = p.size(), states = 2 * p.targets.size(1) + 1;
  std::vector<int64_t> labels(static_cast<size_t>(count * states), p.blank);
  std::vector<uint8_t> skips(labels.size(), 0), last(labels.size(), 0);
  std::vector<double> share;
  for (int64_t n = 0; n < count; ++n) {
    const Sequence s = p.sequence(n);
    const auto row = static_cast<size_t>(n * states);
    std::copy(s.labels.begin(), s.labels.end(), labels.begin() + n * states);
    for (int64_t i = 0; i < s.states(); ++i) {
      skips[row + static_cast<size_t>(i)] = s.skips(i);
      last[row + static_cast<size_t>(i)] = i >= s.states() - 2;
    }
    share.push_back(s.possible && s.steps > 0 ? p.share(n, reduction) : 0);
  }
  auto mask = [&](const std::vector<uint8_t>& values) {
    return from_vector(values, {count, states}).to(y.device()).to(DType::boolean);
  };
  auto index = [&](const std::vector<int64_t>& values, const Dims& shape) {
    return from_vector(values, shape).to(y.device());
  };
  const Tensor wall = full({}, far, y.dtype(), y.device()), may_skip = mask(skips);
  Tensor emit = gather(y, 2, index(labels, {count, 1, states}).expand({count, y.size(1), states}));
  const Tensor place = arange(0, static_cast<double>(states)).to(y.device());
  Tensor alpha = where(less(place, scalar(2, DType::i64).to(y.device())), emit.select(1, 0), wall);
  auto shifted = [&](int64_t by) {
    const int64_t moved = std::min(by, states);
    return pad(alpha.slice(1, 0, states - moved), {0, moved}, {0, 0}, far);
  };
  const Tensor steps = index(p.steps, {count, 1});
  for (int64_t t = 1; t < y.size(1); ++t) {
    Tensor ways = stack({alpha, shifted(1), where(may_skip, shifted(2), wall)}, 2);
    Tensor next = emit.select(1, t) + logsumexp(ways, {2});
    alpha = where(greater(steps, full({}, static_cast<double>(t), DType::i64, y.device())), next,
                  alpha);
  }
  Tensor total = logsumexp(where(mask(last), alpha, wall), {1});
  return neg(total) * from_vector(share, {count}).to(y.dtype()).to(y.device());
}

Gradients vjp_of(const Tensor& g, const Saved& saved, const CtcOptions& options) {
  const Tensor y = saved[0];
  Problem p = checked(y, saved[1], saved[2], saved[3], options, Caller{});
  if (!grad_enabled() || y.numel() == 0) {
    const Tensor rows =
        dense(g.detach().to(Device::cpu), DType::f64).expand({p.size()}).contiguous();
    return {gradient(p, rows.data<double>(), options.reduction).to(y.dtype()).to(y.device())};
  }
  Tensor values = composed(y.to(compute_type(y.dtype())), p, options.reduction).to(y.dtype());
  return grad({values}, {y}, {g.expand({p.size()})}, {.create_graph = true});
}

}  // namespace

Tensor ctc_loss(const Tensor& log_probabilities, const Tensor& targets, const Tensor& input_lengths,
                const Tensor& target_lengths, const CtcOptions& options, Caller at) {
  Tensor out;
  {
    NoGrad off;
    Problem p = checked(log_probabilities, targets, input_lengths, target_lengths, options, at);
    out = losses(p, options.reduction);
    if (options.reduction != Reduction::none) out = sum(out);
    out = out.to(log_probabilities.dtype()).to(log_probabilities.device());
  }
  return record(out, "ctc_loss", at, {log_probabilities},
                {log_probabilities, targets, input_lengths, target_lengths},
                [options](const Tensor& g, const Saved& s) { return vjp_of(g, s, options); });
}

}  // namespace strata

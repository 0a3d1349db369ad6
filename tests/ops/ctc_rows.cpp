// Row of engine/ops/ctc.h: against the sum over every alignment, one by one.
#include <limits>

#include "tests/support/op_table.h"

namespace strata::test {
namespace {

// What is left of an alignment without repeats and blanks.
std::vector<int64_t> collapsed(const std::vector<int64_t>& path, int64_t blank) {
  std::vector<int64_t> labels;
  for (size_t t = 0; t < path.size(); ++t) {
    if (path[t] != blank && (t == 0 || path[t] != path[t - 1])) labels.push_back(path[t]);
  }
  return labels;
}

// -log of the summed probability of the C^T paths that collapse to the target; 0 when none does.
double enumerated(const Array& y, int64_t n, int64_t steps, const std::vector<int64_t>& target,
                  int64_t blank) {
  const int64_t classes = y.shape[2];
  std::vector<int64_t> path(static_cast<size_t>(steps), 0);
  double total = 0;
  for (;;) {
    if (collapsed(path, blank) == target) {
      double log_probability = 0;
      for (int64_t t = 0; t < steps; ++t)
        log_probability += y[{n, t, path[static_cast<size_t>(t)]}];
      total += std::exp(log_probability);
    }
    size_t i = 0;
    while (i < path.size() && ++path[i] == classes) path[i++] = 0;
    if (i == path.size()) break;
  }
  return total > 0 ? -std::log(total) : 0;
}

Array ctc_oracle(const Arrays& in, const CtcOptions& options) {
  const Array &y = in[0], &targets = in[1];
  Array losses = array({y.shape[0]});
  double sum = 0, mean = 0;
  for (int64_t n = 0; n < y.shape[0]; ++n) {
    std::vector<int64_t> target;
    for (int64_t u = 0; u < static_cast<int64_t>(in[3][{n}]); ++u)
      target.push_back(static_cast<int64_t>(targets[{n, u}]));
    const double loss = enumerated(y, n, static_cast<int64_t>(in[2][{n}]), target, options.blank);
    losses[{n}] = loss;
    sum += loss;
    mean += loss / static_cast<double>(std::max<size_t>(1, target.size()) * losses.values.size());
  }
  if (options.reduction == Reduction::none) return losses;
  return number(options.reduction == Reduction::sum ? sum : mean);
}

Array integers(const Dims& shape, std::vector<double> values, DType dtype = DType::i64) {
  return as(array(shape, std::move(values)), dtype);
}

}  // namespace

OP_ROW(ctc_loss) {
  Random random(61);
  auto add = [&](const std::string& label, const Dims& shape, Array targets, Array steps,
                 Array lengths, const CtcOptions& options = {}) {
    row.add(
        label,
        {random.uniform(shape, -2, 0), std::move(targets), std::move(steps), std::move(lengths)},
        [=](const Tensors& in) { return ctc_loss(in[0], in[1], in[2], in[3], options); },
        [=](const Arrays& in) { return ctc_oracle(in, options); });
  };
  const Array pair = integers({2, 2}, {1, 2, 2, 2});
  for (Reduction reduction : {Reduction::mean, Reduction::sum, Reduction::none}) {
    add(reduction == Reduction::mean  ? "mean"
        : reduction == Reduction::sum ? "sum"
                                      : "none",
        {2, 4, 3}, pair, integers({2}, {4, 4}), integers({2}, {2, 2}), {.reduction = reduction});
  }
  // Padding holds values that are no labels.
  add("ragged", {3, 5, 4}, integers({3, 3}, {3, 1, 3, 2, -1, 9, 2, 2, 77}, DType::i32),
      integers({3}, {5, 2, 4}, DType::i32), integers({3}, {3, 1, 2}, DType::i32));
  add("no labels", {2, 3, 3}, integers({2, 1}, {1, 0}), integers({2}, {3, 2}),
      integers({2}, {1, 0}));
  add("another blank", {1, 4, 3}, integers({1, 2}, {0, 1}), integers({1}, {4}), integers({1}, {2}),
      {.blank = 2});
  add("impossible left out", {2, 3, 3}, integers({2, 2}, {1, 1, 2, 2}), integers({2}, {3, 2}),
      integers({2}, {2, 2}), {.skip_impossible = true});
  add("no sequences", {0, 3, 4}, integers({0, 2}, {}), integers({0}, {}), integers({0}, {}),
      {.reduction = Reduction::sum});
  add("large", {60, 5, 3}, random.integers({60, 2}, 1, 3), as(array({60}, 5), DType::i64),
      random.integers({60}, 0, 3), {.reduction = Reduction::none});
  row.no_scalar = "sequences have three axes";
  row.tolerance = 8;
  row.gradient_tolerance = 8;

  const Tensor y = zeros({1, 3, 4});
  auto call = [=](std::vector<int64_t> labels, int64_t steps, const CtcOptions& options = {}) {
    auto count = static_cast<int64_t>(labels.size());
    auto one = [](int64_t value) { return from_vector(std::vector<int64_t>{value}, {1}); };
    ctc_loss(y, from_vector(labels, {1, count}), one(steps), one(count), options);
  };
  row.errors = {
      {"label",
       [=] {
         call({1, 4}, 3);
       },
       R"(target 4 at \[0,1\] is no label.*0 to 3)", ""},
      {"blank as label", [=] { call({0}, 3); }, R"(not the blank 0)", ""},
      {"blank", [=] { call({1}, 3, {.blank = 4}); }, "blank is 4; expected a class, 0 to 3", ""},
      {"steps", [=] { call({1}, 5); }, R"(input_lengths\[0\] is 5; expected 0 to 3)", ""},
      {"impossible",
       [=] {
         call({1, 1, 2}, 3);
       },
       "needs 4 steps.*has 3.*skip_impossible", ""},
      {"rank",
       [=] {
         ctc_loss(zeros({3, 4}), y, y, y);
       },
       R"(must be \[N, T, C\])", ""},
      {"type",
       [=] {
         ctc_loss(y, zeros({1, 2}), y, y);
       },
       "targets .* i64 or i32", ""},
      {"lengths",
       [=] {
         ctc_loss(y, zeros({1, 2}, DType::i64), zeros({2}, DType::i64), zeros({1}, DType::i64));
       },
       R"(input_lengths .* must have the shape \[1\])", ""},
      {"undefined", [=] { ctc_loss({}, y, y, y); }, "log_probabilities is undefined", ""}};
}

}  // namespace strata::test

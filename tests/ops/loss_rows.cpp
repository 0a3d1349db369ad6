// Rows of engine/ops/loss.h.
#include <limits>

#include "tests/support/op_table.h"

namespace strata::test {
namespace {

constexpr Reduction reductions[] = {Reduction::mean, Reduction::sum, Reduction::none};

std::string label_of(Reduction reduction) {
  return reduction == Reduction::mean ? "mean" : reduction == Reduction::sum ? "sum" : "none";
}

// `count` is what a mean divides by.
Array reduced(const Array& values, Reduction reduction, double count) {
  if (reduction == Reduction::none) return values;
  double total = 0;
  for (double v : values.values) total += v;
  return number(reduction == Reduction::sum ? total : total / count);
}
Array reduced(const Array& values, Reduction reduction) {
  return reduced(values, reduction, static_cast<double>(values.numel()));
}

using PairOp = std::function<Tensor(const Tensor&, const Tensor&, Reduction)>;
using PairOracle = std::function<double(double, double)>;

// Cases of a loss of two tensors of the same shape, of its bad calls too.
void add_pairs(Row& row, const PairOp& op, const PairOracle& oracle, double low, double high,
               double target_low, double target_high, double gap = 0) {
  Random random(41);
  auto add = [&](const std::string& label, const Dims& shape, Reduction reduction) {
    Array x = random.uniform(shape, low, high), t = random.uniform(shape, target_low, target_high);
    for (size_t i = 0; i < x.values.size(); ++i) {  // away from the kink at equality
      while (std::abs(x.values[i] - t.values[i]) < gap) x.values[i] = random.real(low, high);
    }
    row.add(
        label, {x, t}, [=](const Tensors& in) { return op(in[0], in[1], reduction); },
        [=](const Arrays& in) { return reduced(zip(in[0], in[1], oracle), reduction); });
  };
  for (Reduction reduction : reductions) add(label_of(reduction), {3, 4}, reduction);
  add("scalar", {}, Reduction::mean);
  add("empty, sum", {0, 3}, Reduction::sum);
  add("empty, none", {2, 0}, Reduction::none);
  add("large", {70, 90}, Reduction::mean);
  row.tolerance = 16;
  Tensor a = empty({2, 3}), b = empty({3, 2});
  row.errors = {{"shapes", [=] { op(a, b, Reduction::mean); }, "must have the same shape", ""},
                {"undefined", [=] { op(a, Tensor(), Reduction::mean); }, "undefined", ""},
                {"integer", [=] { op(a.to(DType::i64), a, Reduction::mean); }, "floating", ""}};
}

// log sum exp of the row of x at `index` (which has an axis less).
double log_sum_exp(const Array& x, Dims index) {
  index.push_back(0);
  double largest = -std::numeric_limits<double>::infinity(), total = 0;
  for (index[-1] = 0; index[-1] < x.shape.back(); ++index[-1])
    largest = std::max(largest, x[index]);
  for (index[-1] = 0; index[-1] < x.shape.back(); ++index[-1]) {
    total += std::exp(x[index] - largest);
  }
  return largest + std::log(total);
}

Array cross_entropy_oracle(const Array& x, const Array& target, const CrossEntropyOptions& o) {
  Array values = array(target.shape);
  double count = 0, classes = static_cast<double>(x.shape.back());
  for_each_index(target.shape, [&](const Dims& index) {
    auto t = static_cast<int64_t>(target[index]);
    if (t == o.ignore_index) return;
    ++count;
    double normaliser = log_sum_exp(x, index);
    Dims place = index;
    place.push_back(0);
    for (int64_t c = 0; c < x.shape.back(); ++c) {
      place[-1] = c;
      double wanted = o.label_smoothing / classes + (c == t ? 1 - o.label_smoothing : 0);
      values[index] -= wanted * (x[place] - normaliser);
    }
  });
  return reduced(values, o.reduction, std::max(count, 1.0));
}

}  // namespace

OP_ROW(cross_entropy) {
  Random random(42);
  auto add = [&](const std::string& label, const Dims& shape, const CrossEntropyOptions& options,
                 Array target) {
    row.add(
        label, {random.uniform(shape), std::move(target)},
        [=](const Tensors& in) { return cross_entropy(in[0], in[1], options); },
        [=](const Arrays& in) { return cross_entropy_oracle(in[0], in[1], options); });
  };
  for (Reduction reduction : reductions) {
    std::string label = label_of(reduction);
    add(label, {3, 4}, {.reduction = reduction}, random.integers({3}, 0, 4));
    add(label + ", smoothed", {2, 2, 5}, {.label_smoothing = 0.1, .reduction = reduction},
        random.integers({2, 2}, 0, 5, DType::i32));
    add(label + ", one ignored", {3, 4}, {.ignore_index = 2, .reduction = reduction},
        as(array({3}, {1, 2, 3}), DType::i64));
  }
  add("one row", {4}, {}, as(number(2), DType::i64));
  add("all ignored", {2, 3}, {}, as(array({2}, -100), DType::i64));
  add("no rows", {0, 3}, {}, as(array({0}), DType::i64));
  add("large", {60, 300}, {.label_smoothing = 0.2}, random.integers({60}, 0, 300));
  row.no_scalar = "a scalar has no classes";
  row.tolerance = 8;
  Tensor x = empty({2, 3});
  auto target = [](std::vector<int64_t> values) {
    auto n = static_cast<int64_t>(values.size());
    return from_vector(values, {n});
  };
  row.errors = {
      {"range",
       [=] {
         cross_entropy(x, target({1, 3}));
       },
       R"(target 3 at \[1\].*0 to 2)", ""},
      {"negative",
       [=] {
         cross_entropy(x, target({-1, 0}));
       },
       R"(target -1 at \[0\])", ""},
      {"shape", [=] { cross_entropy(x, target({0})); }, R"(target of shape \[2\])", ""},
      {"type", [=] { cross_entropy(x, empty({2})); }, "i64 or i32", ""},
      {"scalar", [=] { cross_entropy(scalar(1), target({0})); }, "no axis of classes", ""},
      {"undefined", [=] { cross_entropy(x, {}); }, "target is undefined", ""},
      {"smoothing",
       [=] {
         cross_entropy(x, target({0, 1}), {.label_smoothing = 2});
       },
       "label_smoothing is 2", ""}};
}

OP_ROW(nll_loss) {
  Random random(43);
  auto add = [&](const std::string& label, const Dims& shape, Reduction reduction, Array target) {
    row.add(
        label, {random.uniform(shape, -3, 0), std::move(target)},
        [=](const Tensors& in) { return nll_loss(in[0], in[1], reduction); },
        [=](const Arrays& in) {
          Array values = array(in[1].shape);
          for_each_index(in[1].shape, [&](const Dims& index) {
            Dims place = index;
            place.push_back(static_cast<int64_t>(in[1][index]));
            values[index] = -in[0][place];
          });
          return reduced(values, reduction);
        });
  };
  for (Reduction reduction : reductions) {
    add(label_of(reduction), {2, 3, 4}, reduction, random.integers({2, 3}, 0, 4));
  }
  add("no rows, sum", {0, 3}, Reduction::sum, as(array({0}), DType::i64));
  add("one row", {4}, Reduction::mean, as(number(3), DType::i32));
  row.no_scalar = "a scalar has no classes";
  row.tolerance = 4;
  Tensor x = empty({2, 3});
  row.errors = {{"range",
                 [=] {
                   nll_loss(x, from_vector(std::vector<int64_t>{0, 5}, {2}));
                 },
                 R"(target 5 at \[1\])", ""},
                {"type", [=] { nll_loss(x, empty({2})); }, "i64 or i32", ""}};
}

OP_ROW(bce_with_logits) {
  add_pairs(
      row, [](const Tensor& x, const Tensor& t, Reduction r) { return bce_with_logits(x, t, r); },
      [](double z, double t) { return std::log1p(std::exp(-z)) + (1 - t) * z; }, -4, 4, 0, 1);
}

OP_ROW(bce) {
  add_pairs(
      row, [](const Tensor& x, const Tensor& t, Reduction r) { return bce(x, t, r); },
      [](double p, double t) { return -t * std::log(p) - (1 - t) * std::log1p(-p); }, 0.1, 0.9, 0,
      1);
}

OP_ROW(mse_loss) {
  add_pairs(
      row, [](const Tensor& x, const Tensor& t, Reduction r) { return mse_loss(x, t, r); },
      [](double x, double t) { return (x - t) * (x - t); }, -2, 2, -2, 2);
}

OP_ROW(l1_loss) {
  add_pairs(
      row, [](const Tensor& x, const Tensor& t, Reduction r) { return l1_loss(x, t, r); },
      [](double x, double t) { return std::abs(x - t); }, -2, 2, -2, 2, 0.05);
}

OP_ROW(huber_loss) {
  constexpr double delta = 0.7;
  // Below delta for one half of the values and above it for the other, never at it.
  add_pairs(
      row,
      [](const Tensor& x, const Tensor& t, Reduction r) {
        return huber_loss(x, t.defined() ? t * 0.5 : t, delta, r);
      },
      [](double x, double t) {
        double d = std::abs(x - t * 0.5);
        return d < delta ? 0.5 * d * d : delta * (d - 0.5 * delta);
      },
      0, 0.4, -0.2, 0.2);
  Random random(44);
  row.add(
      "linear part", {random.uniform({3, 4}, 2, 3), random.uniform({3, 4}, -1, 1)},
      [](const Tensors& in) { return huber_loss(in[0], in[1], delta); },
      [](const Arrays& in) {
        return reduced(
            zip(in[0], in[1],
                [](double x, double t) { return delta * (std::abs(x - t) - 0.5 * delta); }),
            Reduction::mean);
      });
  Tensor a = empty({2, 3});
  row.errors.push_back({"delta", [=] { huber_loss(a, a, 0); }, "delta is 0", ""});
}

OP_ROW(kl_divergence) {
  Random random(45);
  auto add = [&](const std::string& label, const Dims& shape, Reduction reduction,
                 double low = 0.1) {
    Array target = random.uniform(shape, low, 1);
    if (low == 0 && !target.values.empty()) target.values[0] = 0;
    if (low == 0) target.constant = true;  // the gradient is infinite at 0
    row.add(
        label, {random.uniform(shape, -3, 0), target},
        [=](const Tensors& in) { return kl_divergence(in[0], in[1], reduction); },
        [=](const Arrays& in) {
          Array terms = zip(in[0], in[1],
                            [](double l, double t) { return t > 0 ? t * (std::log(t) - l) : 0; });
          Array sums = reduce(terms, {-1}, false, [](const std::vector<double>& values) {
            double total = 0;
            for (double v : values) total += v;
            return total;
          });
          return reduced(sums, reduction);
        });
  };
  for (Reduction reduction : reductions) add(label_of(reduction), {2, 3, 4}, reduction);
  add("one row", {4}, Reduction::mean);
  add("target 0", {2, 3}, Reduction::mean, 0);
  add("no rows, sum", {0, 3}, Reduction::sum);
  add("large", {50, 60}, Reduction::mean);
  row.no_scalar = "a scalar has no classes";
  row.tolerance = 16;
  Tensor a = empty({2, 3});
  row.errors = {{"shapes",
                 [=] {
                   kl_divergence(a, empty({2, 2}));
                 },
                 "same shape", ""},
                {"scalar", [=] { kl_divergence(scalar(1), scalar(1)); }, "no axis of classes", ""}};
}

namespace {
double cosine(const std::vector<double>& a, const std::vector<double>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return ab / (std::max(std::sqrt(aa), 1e-8) * std::max(std::sqrt(bb), 1e-8));
}
std::vector<double> line(const Array& x, Dims index, int axis) {
  std::vector<double> values;
  for (index[axis] = 0; index[axis] < x.shape[axis]; ++index[axis]) values.push_back(x[index]);
  return values;
}
}  // namespace

OP_ROW(cosine_similarity) {
  Random random(46);
  auto add = [&](const char* label, const Dims& shape, int axis) {
    row.add(
        label, {random.uniform(shape), random.uniform(shape)},
        [=](const Tensors& in) { return cosine_similarity(in[0], in[1], axis); },
        [=](const Arrays& in) {
          int at = axis < 0 ? axis + in[0].rank() : axis;
          Dims rest = in[0].shape;
          rest.erase(at);
          Array out = array(rest);
          for_each_index(rest, [&](const Dims& index) {
            Dims place = index;
            place.insert(at, 0);
            out[index] = cosine(line(in[0], place, at), line(in[1], place, at));
          });
          return out;
        });
  };
  add("last axis", {3, 4}, -1);
  add("first axis", {3, 4}, 0);
  add("middle axis", {2, 3, 2}, 1);
  add("vectors", {5}, 0);
  add("no rows", {0, 3}, -1);
  add("large", {40, 60}, -1);
  row.no_scalar = "a scalar has no axis";
  row.tolerance = 16;
  row.gradient_tolerance = 4;
  Tensor a = empty({2, 3});
  row.errors = {{"shapes",
                 [=] {
                   cosine_similarity(a, empty({2, 2}));
                 },
                 "same shape", ""},
                {"scalar", [=] { cosine_similarity(scalar(1), scalar(1)); }, "no axis", ""},
                {"axis", [=] { cosine_similarity(a, a, 2); }, "axis 2", ""}};
}

OP_ROW(contrastive_loss) {
  Random random(47);
  auto add = [&](const char* label, const Dims& shape, double temperature) {
    row.add(
        label, {random.uniform(shape), random.uniform(shape)},
        [=](const Tensors& in) { return contrastive_loss(in[0], in[1], temperature); },
        [=](const Arrays& in) {
          int64_t n = in[0].shape[0];
          Array similarity = array({n, n}), other = similarity, target = array({n});
          for (int64_t i = 0; i < n; ++i) {
            target.values[static_cast<size_t>(i)] = static_cast<double>(i);
            for (int64_t j = 0; j < n; ++j) {
              similarity[{i, j}] = cosine(line(in[0], {i, 0}, 1), line(in[1], {j, 0}, 1));
              other[{j, i}] = similarity[{i, j}] /= temperature;
            }
          }
          return number((cross_entropy_oracle(similarity, target, {}).values[0] +
                         cross_entropy_oracle(other, target, {}).values[0]) /
                        2);
        });
  };
  add("typical", {4, 3}, 0.5);
  add("cold", {3, 5}, 0.2);
  add("no pairs", {0, 3}, 1);
  add("large", {30, 40}, 0.3);
  row.no_scalar = "operands have rank 2";
  row.tolerance = 32;
  row.gradient_tolerance = 8;
  Tensor a = empty({2, 3});
  row.errors = {{"shapes",
                 [=] {
                   contrastive_loss(a, empty({3, 3}));
                 },
                 "same shape", ""},
                {"rank", [=] { contrastive_loss(empty({3}), empty({3})); }, R"(\[N, C\])", ""},
                {"temperature", [=] { contrastive_loss(a, a, 0); }, "temperature is 0", ""}};
}

}  // namespace strata::test

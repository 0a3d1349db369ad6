#include "tools/introspect/attribution/perturbation.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::introspect {
namespace {

// Which positions are hidden, one byte each, in the layout of a mask.
using Hidden = std::vector<uint8_t>;

// A batch, its baseline, and masks over a grid that broadcasts to an example.
class Masked {
 public:
  Masked(const char* op, const Scores& model, const Tensor& x, const Tensor& baseline,
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

  int64_t examples() const { return x_.size(0); }

  // Scores of every example under each of `count` masks, which hide() makes when their turn comes:
  // take(mask, example, score), masks in order.
  void scores(int64_t count, const std::function<Hidden(int64_t)>& hide,
              const std::function<void(int64_t, int64_t, double)>& take) const {
    int64_t total = count * examples();
    for (int64_t begin = 0; begin < total; begin += limit_) {
      int64_t end = std::min(begin + limit_, total);
      std::vector<int64_t> rows;
      Hidden hidden, mask;
      for (int64_t i = begin; i < end; ++i) {
        if (i == begin || i % examples() == 0) mask = hide(i / examples());
        hidden.insert(hidden.end(), mask.begin(), mask.end());
        rows.push_back(i % examples());
      }
      auto found = pass(rows, hidden);
      for (int64_t i = begin; i < end; ++i) {
        take(i / examples(), i % examples(), found[static_cast<size_t>(i - begin)]);
      }
    }
  }

 private:
  std::vector<double> pass(const std::vector<int64_t>& rows, const Hidden& hidden) const {
    NoGrad off;
    Dims shape = grid_;
    shape.insert(0, static_cast<int64_t>(rows.size()));
    Tensor mask = from_vector(hidden, shape).to(DType::boolean).to(x_.device());
    Tensor points = where(mask, rows_of(under_, rows), rows_of(x_, rows));
    return scores_of(model_, points, targets_of(target_, rows));
  }

  const Scores& model_;
  Tensor x_, under_;
  std::vector<int64_t> target_;
  Dims grid_;
  int64_t limit_ = 1;
};

// The group of each position of a grid that has an example's rank.
struct Groups {
  std::vector<int64_t> of;
  Dims grid;
  int64_t count = 0;
};

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

// The mask that hides the groups for which hidden(group) is true.
template <class F>
Hidden mask_of(const Groups& groups, F&& hidden) {
  Hidden mask;
  for (int64_t group : groups.of) mask.push_back(hidden(group) ? 1 : 0);
  return mask;
}

// The windows' extents along an axis: [begin, end), cut at the far edge.
std::vector<std::pair<int64_t, int64_t>> windows(int64_t size, int64_t window, int64_t stride) {
  std::vector<std::pair<int64_t, int64_t>> all;
  for (int64_t begin = 0; begin < size; begin += stride) {
    all.emplace_back(begin, std::min(begin + window, size));
    if (begin + window >= size) break;
  }
  return all;
}

// Running mean and sum of squared deviations of marginal contributions.
struct Moments {
  std::vector<double> mean, deviations;
  int64_t count = 0;
  explicit Moments(size_t size) : mean(size, 0), deviations(size, 0) {}
  void add(const std::vector<double>& sample) {
    ++count;
    for (size_t i = 0; i < sample.size(); ++i) {
      double step = sample[i] - mean[i];
      mean[i] += step / static_cast<double>(count);
      deviations[i] += step * (sample[i] - mean[i]);
    }
  }
  std::vector<double> standard_errors() const {
    std::vector<double> errors;
    auto n = static_cast<double>(count);
    for (double d : deviations) errors.push_back(std::sqrt(d / (n * (n - 1))));
    return errors;
  }
};

// Adds what each group adds to those before it in `order` to `sample` [N * d], times `share`.
void add_marginals(const Masked& masked, const Groups& groups, const std::vector<int64_t>& order,
                   const GroupValues& ends, double share, std::vector<double>* sample) {
  auto d = static_cast<size_t>(groups.count);
  std::vector<size_t> rank(d);
  for (size_t i = 0; i < d; ++i) rank[static_cast<size_t>(order[i])] = i;
  std::vector<double> before = ends.baseline_scores;
  auto gain = [&](size_t example, size_t place, double score) {
    (*sample)[example * d + static_cast<size_t>(order[place])] += share * (score - before[example]);
    before[example] = score;
  };
  masked.scores(
      groups.count - 1,
      [&](int64_t place) {
        return mask_of(groups, [&](int64_t group) {
          return rank[static_cast<size_t>(group)] > static_cast<size_t>(place);
        });
      },
      [&](int64_t place, int64_t example, double score) {
        gain(static_cast<size_t>(example), static_cast<size_t>(place), score);
      });
  for (size_t n = 0; n < before.size(); ++n) gain(n, d - 1, ends.scores[n]);
}

GroupValues ends_of(const Masked& masked, const Groups& groups) {
  GroupValues ends;
  masked.scores(
      2, [&](int64_t none) { return mask_of(groups, [&](int64_t) { return none == 1; }); },
      [&](int64_t none, int64_t, double score) {
        (none == 1 ? ends.baseline_scores : ends.scores).push_back(score);
      });
  return ends;
}

}  // namespace

Tensor occlusion(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                 const OcclusionOptions& options) {
  const char* op = "occlusion";
  int64_t stride = options.stride == 0 ? options.window : options.stride;
  if ((x.rank() != 3 && x.rank() != 4) || options.window < 1 || stride < 1 ||
      stride > options.window) {
    fail(op, Caller{},
         "x {} with windows of {} at a stride of {}: expected [N, H, W, C] or [N, T, C], and a "
         "stride of 1 to the window",
         describe(x), options.window, stride);
  }
  int64_t height = x.rank() == 4 ? x.size(1) : 1, width = x.size(-2);
  auto rows = windows(height, options.window, stride),
       columns = windows(width, options.window, stride);
  auto inside = [&](int64_t window, auto&& visit) {
    auto [top, bottom] = rows[static_cast<size_t>(window) / columns.size()];
    auto [left, right] = columns[static_cast<size_t>(window) % columns.size()];
    for (int64_t i = top; i < bottom; ++i) {
      for (int64_t j = left; j < right; ++j) visit(static_cast<size_t>(i * width + j));
    }
  };
  Dims grid = x.rank() == 4 ? Dims{height, width, 1} : Dims{width, 1};
  Masked masked(op, model, x, options.baseline, target, options.limit, grid);
  auto places = static_cast<size_t>(height * width);
  auto count = static_cast<int64_t>(rows.size() * columns.size());
  std::vector<double> whole(static_cast<size_t>(x.size(0))), cover(places, 0);
  std::vector<double> drops(whole.size() * places, 0);
  for (int64_t w = 0; w < count; ++w) inside(w, [&](size_t place) { ++cover[place]; });
  masked.scores(
      count + 1,  // the first hides nothing
      [&](int64_t mask) {
        Hidden hidden(places, 0);
        if (mask > 0) inside(mask - 1, [&](size_t place) { hidden[place] = 1; });
        return hidden;
      },
      [&](int64_t mask, int64_t example, double score) {
        auto n = static_cast<size_t>(example);
        if (mask == 0) whole[n] = score;
        if (mask == 0) return;
        inside(mask - 1, [&](size_t place) {
          drops[n * places + place] += (whole[n] - score) / cover[place];
        });
      });
  Dims shape = x.rank() == 4 ? Dims{x.size(0), height, width} : Dims{x.size(0), width};
  return from_vector(drops, shape).to(x.dtype());
}

GroupValues feature_ablation(const Scores& model, const Tensor& x,
                             const std::vector<int64_t>& target, const GroupOptions& options) {
  Groups groups = groups_of("feature_ablation", options.groups, x);
  Masked masked("feature_ablation", model, x, options.baseline, target, options.limit, groups.grid);
  GroupValues result = ends_of(masked, groups);
  auto d = static_cast<size_t>(groups.count);
  std::vector<double> values(result.scores.size() * d);
  masked.scores(
      groups.count,
      [&](int64_t hidden) {
        return mask_of(groups, [&](int64_t group) { return group == hidden; });
      },
      [&](int64_t hidden, int64_t example, double score) {
        auto n = static_cast<size_t>(example);
        values[n * d + static_cast<size_t>(hidden)] = result.scores[n] - score;
      });
  result.values = from_vector(values, {x.size(0), groups.count});
  return result;
}

GroupValues shapley_values(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                           const GroupOptions& options) {
  Groups groups = groups_of("shapley_values", options.groups, x);
  if (groups.count > 16) {
    fail("shapley_values", Caller{},
         "{} groups have 2^{} coalitions; give at most 16 groups, or use sampled_shapley_values",
         groups.count, groups.count);
  }
  Masked masked("shapley_values", model, x, options.baseline, target, options.limit, groups.grid);
  auto d = static_cast<size_t>(groups.count), all = size_t{1} << d;
  auto examples = static_cast<size_t>(x.size(0));
  std::vector<double> worth(examples * all);  // of coalition S, bit i: group i is shown
  masked.scores(
      static_cast<int64_t>(all),
      [&](int64_t shown) {
        return mask_of(groups, [&](int64_t group) { return ((shown >> group) & 1) == 0; });
      },
      [&](int64_t shown, int64_t example, double score) {
        worth[static_cast<size_t>(example) * all + static_cast<size_t>(shown)] = score;
      });
  // |S|! (d - |S| - 1)! / d! = 1 / (d choose(d - 1, |S|)).
  std::vector<double> weight(d, 1 / static_cast<double>(d));
  for (size_t size = 1; size < d; ++size) {
    weight[size] = weight[size - 1] * static_cast<double>(size) / static_cast<double>(d - size);
  }
  GroupValues result;
  std::vector<double> values(examples * d, 0);
  for (size_t n = 0; n < examples; ++n) {
    const double* v = worth.data() + n * all;
    result.scores.push_back(v[all - 1]);
    result.baseline_scores.push_back(v[0]);
    for (size_t s = 0; s < all; ++s) {
      auto size = static_cast<size_t>(__builtin_popcountll(s));
      for (size_t i = 0; i < d; ++i) {
        if ((s >> i) & 1) continue;
        values[n * d + i] += weight[size] * (v[s | (size_t{1} << i)] - v[s]);
      }
    }
  }
  result.values = from_vector(values, {x.size(0), groups.count});
  return result;
}

GroupValues sampled_shapley_values(const Scores& model, const Tensor& x,
                                   const std::vector<int64_t>& target, const GroupOptions& options,
                                   const ShapleySampling& sampling) {
  const char* op = "sampled_shapley_values";
  Groups groups = groups_of(op, options.groups, x);
  int samples = sampling.antithetic ? sampling.permutations / 2 : sampling.permutations;
  if (samples < 2) {
    fail(op, Caller{}, "{} permutations{} are too few for a standard error: take at least {}",
         sampling.permutations, sampling.antithetic ? " in pairs" : "",
         sampling.antithetic ? 4 : 2);
  }
  Masked masked(op, model, x, options.baseline, target, options.limit, groups.grid);
  GroupValues result = ends_of(masked, groups);
  Generator generator(sampling.seed);
  Moments moments(result.scores.size() * static_cast<size_t>(groups.count));
  for (int k = 0; k < samples; ++k) {
    std::vector<double> sample(moments.mean.size(), 0);
    auto order = randperm(groups.count, &generator).to_vector<int64_t>();
    double share = sampling.antithetic ? 0.5 : 1;
    add_marginals(masked, groups, order, result, share, &sample);
    if (sampling.antithetic) {
      std::reverse(order.begin(), order.end());
      add_marginals(masked, groups, order, result, share, &sample);
    }
    moments.add(sample);
  }
  result.values = from_vector(moments.mean, {x.size(0), groups.count});
  result.standard_errors = from_vector(moments.standard_errors(), {x.size(0), groups.count});
  return result;
}

Tensor spread_to_elements(const Tensor& values, const Tensor& groups, const Tensor& x) {
  Groups g = groups_of("spread_to_elements", groups, x);
  if (values.rank() != 2 || values.size(0) != x.size(0) || values.size(1) != g.count) {
    fail("spread_to_elements", Caller{},
         "values {} are not one for each of {} examples and {} groups", describe(values), x.size(0),
         g.count);
  }
  NoGrad off;
  Tensor index = from_vector(g.of, {static_cast<int64_t>(g.of.size())});
  Dims shape = g.grid;
  shape.insert(0, x.size(0));
  return index_select(values, 1, index).reshape(shape).expand(x.shape()).to(x.dtype()).contiguous();
}

}  // namespace strata::introspect

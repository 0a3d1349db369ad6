#include "tools/introspect/attribution/group_values.h"

#include <algorithm>
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/attribution/masking.h"

namespace strata::introspect {
namespace {

GroupValues ends_of(const Masking& masking, const Groups& groups) {
  GroupValues ends;
  masking.scores(
      2, [&](int64_t none) { return mask_of(groups, [&](int64_t) { return none == 1; }); },
      [&](int64_t none, int64_t, double score) {
        (none == 1 ? ends.baseline_scores : ends.scores).push_back(score);
      });
  return ends;
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
void add_marginals(const Masking& masking, const Groups& groups, const std::vector<int64_t>& order,
                   const GroupValues& ends, double share, std::vector<double>* sample) {
  auto d = static_cast<size_t>(groups.count);
  std::vector<size_t> rank(d);
  for (size_t i = 0; i < d; ++i) rank[static_cast<size_t>(order[i])] = i;
  std::vector<double> before = ends.baseline_scores;
  auto gain = [&](size_t example, size_t place, double score) {
    (*sample)[example * d + static_cast<size_t>(order[place])] += share * (score - before[example]);
    before[example] = score;
  };
  masking.scores(
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

}  // namespace

GroupValues feature_ablation(const Scores& model, const Tensor& x,
                             const std::vector<int64_t>& target, const GroupOptions& options) {
  Groups groups = groups_of("feature_ablation", options.groups, x);
  Masking masking("feature_ablation", model, x, options.baseline, target, options.limit,
                  groups.grid);
  GroupValues result = ends_of(masking, groups);
  auto d = static_cast<size_t>(groups.count);
  std::vector<double> values(result.scores.size() * d);
  masking.scores(
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
  Masking masking("shapley_values", model, x, options.baseline, target, options.limit, groups.grid);
  auto d = static_cast<size_t>(groups.count), all = size_t{1} << d;
  auto examples = static_cast<size_t>(x.size(0));
  std::vector<double> worth(examples * all);  // of coalition S, bit i: group i is shown
  masking.scores(
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
  Masking masking(op, model, x, options.baseline, target, options.limit, groups.grid);
  GroupValues result = ends_of(masking, groups);
  Generator generator(sampling.seed);
  Moments moments(result.scores.size() * static_cast<size_t>(groups.count));
  for (int k = 0; k < samples; ++k) {
    std::vector<double> sample(moments.mean.size(), 0);
    auto order = randperm(groups.count, &generator).to_vector<int64_t>();
    double share = sampling.antithetic ? 0.5 : 1;
    add_marginals(masking, groups, order, result, share, &sample);
    if (sampling.antithetic) {
      std::reverse(order.begin(), order.end());
      add_marginals(masking, groups, order, result, share, &sample);
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

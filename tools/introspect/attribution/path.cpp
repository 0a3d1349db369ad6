#include "tools/introspect/attribution/path.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <span>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/attribution/linear_pieces.h"

namespace strata::introspect {
namespace {

constexpr const char* op = "integrated_gradients";

// A stretch of an example's path, and the share at which its gradient is taken.
struct Cell {
  Stretch stretch;
  double node = 0.5;
};
using VisitCells = std::function<void(std::span<const Cell>)>;

// The straight paths of a batch.
class Path {
 public:
  Path(const Tensor& x, const Tensor& baseline) : start_(start(x, baseline)) {
    NoGrad off;
    direction_ = x.detach() - start_;
  }
  const Tensor& start() const { return start_; }
  const Tensor& direction() const { return direction_; }
  Tensor at(const std::vector<int64_t>& examples, const std::vector<double>& shares) const {
    NoGrad off;
    return rows_of(start_, examples) +
           rows_of(direction_, examples) * column_like(shares, direction_);
  }

 private:
  static Tensor start(const Tensor& x, const Tensor& baseline) {
    if (!baseline.defined()) return zeros_like(x).detach();
    Dims joint;
    if (!broadcast(baseline.shape(), x.shape(), &joint) || joint != x.shape()) {
      fail(op, Caller{}, "the baseline {} does not broadcast to x {}", describe(baseline),
           describe(x));
    }
    return baseline.detach().to(x.dtype()).to(x.device()).expand(x.shape());
  }
  Tensor start_, direction_;
};

std::vector<int64_t> examples_of(std::span<const Cell> cells) {
  std::vector<int64_t> examples;
  for (const Cell& cell : cells) examples.push_back(cell.stretch.example);
  return examples;
}
std::vector<double> shares_of(std::span<const Cell> cells, double (*share)(const Cell&)) {
  std::vector<double> shares;
  for (const Cell& cell : cells) shares.push_back(share(cell));
  return shares;
}
double node_of(const Cell& cell) { return cell.node; }
double from_of(const Cell& cell) { return cell.stretch.from; }
double to_of(const Cell& cell) { return cell.stretch.to; }
double length_of(const Cell& cell) { return cell.stretch.to - cell.stretch.from; }

// Calls visit with all cells of all examples, at most a pass of them at a time.
void visit_cells(const Scores& model, const Path& path, const PathOptions& options,
                 const VisitCells& visit) {
  int64_t examples = path.direction().size(0);
  int64_t limit = examples_per_pass(model, path.direction(), options.limit);
  std::vector<Cell> cells;
  auto take = [&](const Cell& cell) {
    cells.push_back(cell);
    if (static_cast<int64_t>(cells.size()) < limit) return;
    visit(cells);
    cells.clear();
  };
  if (options.quadrature == Quadrature::exact) {
    auto points = [&](const std::vector<int64_t>& rows, const std::vector<double>& shares) {
      return path.at(rows, shares);
    };
    visit_linear_pieces(model, points, examples, limit, options.most_pieces, [&](const Stretch& s) {
      take({s, 0.5 * (s.from + s.to)});
    });
  } else {
    bool gauss = options.quadrature == Quadrature::gauss_legendre;
    QuadratureRule rule = gauss ? gauss_legendre(options.steps) : midpoints(options.steps);
    double from = 0;
    for (size_t k = 0; k < rule.nodes.size(); ++k) {
      double to = k + 1 == rule.nodes.size() ? 1 : from + rule.weights[k];
      for (int64_t n = 0; n < examples; ++n) take({{n, from, to}, rule.nodes[k]});
      from = to;
    }
  }
  if (!cells.empty()) visit(cells);
}

// Sums rows into examples, in f64.
class Totals {
 public:
  void add(int64_t examples, const std::vector<int64_t>& rows, const Tensor& values) {
    NoGrad off;
    if (!total_.defined()) {
      Dims shape = values.shape();
      shape[0] = examples;
      total_ = zeros(shape, DType::f64, values.device());
    }
    Tensor index = from_vector(rows, {static_cast<int64_t>(rows.size())}).to(values.device());
    total_ = index_add(total_, 0, index, values.to(DType::f64));
  }
  const Tensor& value() const { return total_; }

 private:
  Tensor total_;
};

// Attribution, and the gap it leaves between the scores at the ends.
PathAttribution finished(const Tensor& total, DType type, std::vector<double> scores,
                         std::vector<double> baseline_scores, int64_t gradients) {
  NoGrad off;
  PathAttribution result{
      total.to(type), std::move(scores), std::move(baseline_scores), {}, gradients};
  Tensor sums = total.rank() == 1 ? total : sum(total.flatten(1), {1});
  result.gap = sums.to_vector<double>();
  for (size_t n = 0; n < result.gap.size(); ++n) {
    result.gap[n] -= result.scores[n] - result.baseline_scores[n];
  }
  return result;
}

std::vector<double> scores_at(const Scores& model, const Path& path, double share,
                              const std::vector<int64_t>& target, int64_t limit) {
  std::vector<double> scores;
  int64_t examples = path.direction().size(0);
  for (int64_t n = 0; n < examples; n += limit) {
    std::vector<int64_t> rows;
    for (int64_t i = n; i < std::min(n + limit, examples); ++i) rows.push_back(i);
    Tensor points = path.at(rows, std::vector<double>(rows.size(), share));
    for (double s : scores_of(model, points, targets_of(target, rows))) scores.push_back(s);
  }
  return scores;
}

// d score / d activation at the points, detached.
Tensor activation_gradient(const Scores& model, const Tensor& points, const std::string& layer,
                           const std::vector<int64_t>& target) {
  EnableGrad on;
  Capture capture({layer});
  Tensor input = points.detach().set_requires_grad();
  Tensor score = sum(target_scores(model(input), target));
  const auto& uses = uses_of(capture, layer, model, points);
  if (uses.size() > 1) {
    fail("conductance", Caller{},
         "the layer '{}' is used {} times in a pass, and its uses depend on each other; choose a "
         "layer that is used once",
         layer, uses.size());
  }
  return grad(score, uses[0]);
}

}  // namespace

std::string PathAttribution::summary() const {
  double largest = 0, share = 0;
  for (size_t n = 0; n < gap.size(); ++n) {
    largest = std::max(largest, std::abs(gap[n]));
    double change = std::abs(scores[n] - baseline_scores[n]);
    if (change > 0) share = std::max(share, std::abs(gap[n]) / change);
  }
  return fmt::format(
      "completeness: largest gap {:.2e} ({:.2g}% of the change of the score), {} examples, {} "
      "gradients",
      largest, 100 * share, gap.size(), gradients);
}

PathAttribution integrated_gradients(const Scores& model, const Tensor& x,
                                     const std::vector<int64_t>& target,
                                     const PathOptions& options) {
  Path path(x, options.baseline);
  Totals totals;
  int64_t gradients = 0;
  visit_cells(model, path, options, [&](std::span<const Cell> cells) {
    NoGrad off;
    auto examples = examples_of(cells);
    Tensor points = path.at(examples, shares_of(cells, node_of));
    Tensor gradient = input_gradient(model, points, targets_of(target, examples));
    totals.add(x.size(0), examples, gradient * column_like(shares_of(cells, length_of), gradient));
    gradients += static_cast<int64_t>(cells.size());
  });
  NoGrad off;
  int64_t limit = examples_per_pass(model, x, options.limit);
  return finished(totals.value() * path.direction().to(DType::f64), x.dtype(),
                  scores_at(model, path, 1, target, limit),
                  scores_at(model, path, 0, target, limit), gradients);
}

PathAttribution layer_integrated_gradients(const Scores& model, const Tensor& x,
                                           const std::string& layer,
                                           const std::vector<int64_t>& target,
                                           const PathOptions& options) {
  Path inputs(x, options.baseline);
  PathAttribution result;
  std::vector<Tensor> parts;
  auto append = [](std::vector<double>& all, const std::vector<double>& more) {
    all.insert(all.end(), more.begin(), more.end());
  };
  for (int64_t n = 0; n < x.size(0); ++n) {
    PathOptions own = options;
    own.baseline = activation_of(model, inputs.at({n}, {0}), layer);
    Tensor example = x.slice(0, n, n + 1);
    auto part =
        integrated_gradients(from_layer(model, example, layer),
                             activation_of(model, example, layer), targets_of(target, {n}), own);
    parts.push_back(part.attribution);
    append(result.scores, part.scores);
    append(result.baseline_scores, part.baseline_scores);
    append(result.gap, part.gap);
    result.gradients += part.gradients;
  }
  result.attribution = concatenate(parts);
  return result;
}

PathAttribution conductance(const Scores& model, const Tensor& x, const std::string& layer,
                            const std::vector<int64_t>& target, const PathOptions& options) {
  Path path(x, options.baseline);
  Totals totals;
  DType type = x.dtype();
  int64_t gradients = 0;
  visit_cells(model, path, options, [&](std::span<const Cell> cells) {
    NoGrad off;
    auto examples = examples_of(cells);
    Tensor from = activation_of(model, path.at(examples, shares_of(cells, from_of)), layer);
    Tensor to = activation_of(model, path.at(examples, shares_of(cells, to_of)), layer);
    Tensor gradient = activation_gradient(model, path.at(examples, shares_of(cells, node_of)),
                                          layer, targets_of(target, examples));
    type = gradient.dtype();
    totals.add(x.size(0), examples, gradient * (to - from));
    gradients += static_cast<int64_t>(cells.size());
  });
  int64_t limit = examples_per_pass(model, x, options.limit);
  return finished(totals.value(), type, scores_at(model, path, 1, target, limit),
                  scores_at(model, path, 0, target, limit), gradients);
}

}  // namespace strata::introspect

#include "tools/introspect/attribution/linear_pieces.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/attribution/dependence.h"
#include "tools/introspect/attribution/op_kind.h"

namespace strata::introspect {
namespace {

enum class Bends {
  never,  // linear in the operands that vary
  once,   // two lines: one cut is all there is
  often,  // more lines: the parts are looked at again
  other,  // not piecewise linear, or not known to be
};

Bends bends(const DependentStep& step) {
  auto kind = op_kind(step.op);
  std::string name = step.name();
  if (!kind || step.switched || name == "max_unpool2d") return Bends::other;
  bool both = step.inputs.size() > 1 && step.varies[0] && step.varies[1];
  switch (*kind) {
    case OpKind::sum:
    case OpKind::move:
      return Bends::never;
    case OpKind::weighted:
    case OpKind::product:
    case OpKind::batch_norm:
      return both ? Bends::other : Bends::never;
    case OpKind::quotient:
      return step.varies.back() ? Bends::other : Bends::never;
    case OpKind::extreme:
      return Bends::often;
    case OpKind::activation:
      if (name == "relu" || name == "leaky_relu" || name == "abs") return Bends::once;
      return name == "clamp" || name == "hard_sigmoid" ? Bends::often : Bends::other;
    default:
      return Bends::other;
  }
}

struct Precision {
  double rounding, nearest;  // relative noise of a result; least distance between cuts
};
Precision precision(DType type) {
  return type == DType::f64 ? Precision{1e-14, 1e-13} : Precision{2e-6, 1e-6};
}

// The halves of [2 S, ...] exchanged.
Tensor exchanged(const Tensor& x) {
  int64_t half = x.size(0) / 2;
  return concatenate({x.slice(0, half, 2 * half), x.slice(0, 0, half)});
}

// By how much the result at the other end differs from the line it follows at this end, [2 S,
// rest], and the size below which that is rounding.
struct Departure {
  std::vector<double> amount, noise;
  int64_t rest = 1;
};
Departure departure(const DependentPass& pass, const DependentStep& op, double rounding) {
  NoGrad off;
  std::vector<Tensor> steps(op.inputs.size());
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    if (op.varies[i]) steps[i] = exchanged(op.inputs[i].detach()) - op.inputs[i].detach();
  }
  Tensor here = op.out.detach(), there = exchanged(here), line = linear_part(pass, op, steps);
  Departure result;
  result.amount = (there - here - line).to_vector<double>();
  result.noise = ((abs(there) + abs(here) + abs(line)) * rounding).to_vector<double>();
  result.rest = here.numel() / here.size(0);
  return result;
}

// Where the lines of the two ends of stretch s meet, for every element that follows different ones.
std::vector<double> cuts(const Departure& d, int64_t stretches, int64_t s, const Stretch& stretch,
                         double nearest) {
  std::vector<double> found;
  double length = stretch.to - stretch.from;
  for (int64_t i = 0; i < d.rest; ++i) {
    auto first = static_cast<size_t>(s * d.rest + i);
    auto last = static_cast<size_t>((stretches + s) * d.rest + i);
    double ahead = d.amount[first], back = d.amount[last];
    bool bent = std::abs(ahead) > d.noise[first], bent_back = std::abs(back) > d.noise[last];
    if (!bent && !bent_back) continue;
    // Parallel or crossing outside (a clamp passed from side to side): halve and look again.
    double share = bent && bent_back && ahead * back < 0 ? 0.5 : back / (back + ahead);
    double cut = stretch.from + share * length;
    if (cut - stretch.from > nearest && stretch.to - cut > nearest) found.push_back(cut);
  }
  std::sort(found.begin(), found.end());
  auto close = [&](double a, double b) { return b - a <= nearest; };
  found.erase(std::unique(found.begin(), found.end(), close), found.end());
  return found;
}

void check_piecewise_linear(const DependentPass& pass) {
  std::set<std::string> others;
  for (const DependentStep& op : pass.steps) {
    if (bends(op) == Bends::other) others.insert(op.name());
  }
  if (others.empty()) return;
  fail("integrated_gradients", Caller{},
       "the network is not piecewise linear in its input: it uses {}. Exact integration needs "
       "linear ops, ReLUs, maxima and their like; use Gauss-Legendre quadrature",
       fmt::join(others, ", "));
}

void check_inference(const DependentPass& pass) {
  for (const DependentStep& op : pass.steps) {
    if (op.name() != "batch_norm") continue;
    Departure d = departure(pass, op, 1e-5);
    for (size_t i = 0; i < d.amount.size(); ++i) {
      if (std::abs(d.amount[i]) <= d.noise[i] + 1e-9) continue;
      fail("integrated_gradients", op.at,
           "batch_norm works in training mode, where the examples of a pass change each other; "
           "call eval() on the model first");
    }
  }
}

class Walk {
 public:
  Walk(const Scores& model, const PointsAt& points, int64_t most)
      : model_(model), points_(points), most_(most) {}

  // Looks at stretches, from the op each has come to; returns those that are pieces.
  struct Pending {
    Stretch stretch;
    size_t op = 0;  // among those that bend
  };
  std::vector<Stretch> examine(const std::vector<Pending>& batch, std::vector<Pending>* rest) {
    DependentPass pass = record_dependence(model_, ends(batch));
    Precision limits = precision(pass.scores.dtype());
    std::vector<const DependentStep*> bending = this->bending(pass);
    std::vector<bool> cut(batch.size(), false);
    size_t open = batch.size();
    for (size_t k = 0; k < bending.size() && open > 0; ++k) {
      auto wanted = [&](size_t s) { return !cut[s] && batch[s].op <= k; };
      bool any = false;
      for (size_t s = 0; s < batch.size(); ++s) any |= wanted(s);
      if (!any) continue;
      Departure d = departure(pass, *bending[k], limits.rounding);
      size_t next = bends(*bending[k]) == Bends::once ? k + 1 : k;
      for (size_t s = 0; s < batch.size(); ++s) {
        if (!wanted(s)) continue;
        auto places = cuts(d, static_cast<int64_t>(batch.size()), static_cast<int64_t>(s),
                           batch[s].stretch, limits.nearest);
        if (places.empty()) continue;
        split(batch[s].stretch, places, next, rest);
        cut[s] = true;
        --open;
      }
    }
    std::vector<Stretch> pieces;
    for (size_t s = 0; s < batch.size(); ++s) {
      if (!cut[s]) pieces.push_back(batch[s].stretch);
    }
    return pieces;
  }

  void count(const std::vector<Pending>& waiting, size_t pieces, int64_t examples) {
    done_ += static_cast<int64_t>(pieces);
    if (done_ + static_cast<int64_t>(waiting.size()) <= most_ * examples) return;
    fail("integrated_gradients", Caller{},
         "the network has more than {} linear pieces an example along the path; allow more "
         "(most_pieces), or use Gauss-Legendre quadrature",
         most_);
  }

 private:
  // All starts, then all ends: [2 S, ...].
  Tensor ends(const std::vector<Pending>& batch) const {
    std::vector<int64_t> examples;
    std::vector<double> shares;
    for (bool end : {false, true}) {
      for (const Pending& p : batch) {
        examples.push_back(p.stretch.example);
        shares.push_back(end ? p.stretch.to : p.stretch.from);
      }
    }
    return points_(examples, shares);
  }

  std::vector<const DependentStep*> bending(const DependentPass& pass) {
    std::vector<const DependentStep*> found;
    std::vector<std::string> names;
    if (!checked_) {
      check_piecewise_linear(pass);
      check_inference(pass);
    }
    for (const DependentStep& op : pass.steps) {
      Bends kind = bends(op);
      if (kind != Bends::once && kind != Bends::often) continue;
      if (op.out.rank() == 0 || op.out.size(0) != pass.x.size(0)) {
        fail("integrated_gradients", op.at,
             "the result {} of {} does not have the batch of {} examples as its first axis, so "
             "examples cannot be told apart",
             describe(op.out), op.name(), pass.x.size(0));
      }
      found.push_back(&op);
      names.push_back(op.name());
    }
    if (!checked_) names_ = names;
    checked_ = true;
    if (names != names_) {
      fail("integrated_gradients", Caller{},
           "the network runs other ops at one point of the path than at another, so its pieces "
           "cannot be followed");
    }
    return found;
  }

  static void split(const Stretch& stretch, const std::vector<double>& places, size_t op,
                    std::vector<Pending>* rest) {
    // The last part first: the stack then goes along the path.
    double to = stretch.to;
    for (auto place = places.rbegin(); place != places.rend(); ++place) {
      rest->push_back({{stretch.example, *place, to}, op});
      to = *place;
    }
    rest->push_back({{stretch.example, stretch.from, to}, op});
  }

  const Scores& model_;
  const PointsAt& points_;
  int64_t most_, done_ = 0;
  std::vector<std::string> names_;
  bool checked_ = false;
};

}  // namespace

void visit_linear_pieces(const Scores& model, const PointsAt& points, int64_t examples,
                         int64_t per_pass, int64_t most,
                         const std::function<void(const Stretch&)>& visit) {
  Walk walk(model, points, most);
  std::vector<Walk::Pending> waiting;
  for (int64_t n = examples - 1; n >= 0; --n) waiting.push_back({{n, 0, 1}, 0});
  auto many = static_cast<size_t>(std::max<int64_t>(per_pass / 2, 1));
  while (!waiting.empty()) {
    size_t count = std::min(many, waiting.size());
    std::vector<Walk::Pending> batch(waiting.end() - static_cast<long>(count), waiting.end());
    waiting.resize(waiting.size() - count);
    auto pieces = walk.examine(batch, &waiting);
    walk.count(waiting, pieces.size(), examples);
    for (const Stretch& piece : pieces) visit(piece);
  }
}

}  // namespace strata::introspect

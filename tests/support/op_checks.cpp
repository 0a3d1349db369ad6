// The checks of the op table. Each returns what is wrong as lines of text, so that the checker can
// itself be tested with rows that are wrong on purpose.
//
// Derivatives by finite differences: f'(x) = (8 (f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h))) / 12h,
// error h^4 f'''''/30 and rounding 1e-16 f/h: about 1e-12 for h = 1e-3 where f is tame.
#include <regex>

#include "engine/autograd/autograd.h"
#include "tests/support/op_table.h"

namespace strata::test {
namespace {

constexpr double step = 1e-3;
constexpr int64_t small_case = 512;  // elements up to which each one is differentiated

double default_tolerance(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return 2e-6;
    case DType::f16:
      return 2e-3;
    case DType::bf16:
      return 1.6e-2;
    default:
      return 1e-12;
  }
}

int64_t elements(const Case& c) {
  int64_t n = 0;
  for (const Array& a : c.inputs) n += a.numel();
  return n;
}

// Compares arrays; at most one line a pair. NaN equals NaN, an infinity itself.
void compare(const std::string& what, const Array& got, const Array& want, double tolerance,
             Problems& problems) {
  if (got.undefined != want.undefined) {
    problems.push_back(what + (got.undefined ? ": undefined" : ": should be undefined"));
    return;
  }
  if (!(got.shape == want.shape)) {
    problems.push_back(fmt::format("{}: shape {} instead of {}", what, to_string(got.shape),
                                   to_string(want.shape)));
    return;
  }
  double mean = 0;
  int64_t finite = 0;
  for (double v : want.values) {
    if (std::isfinite(v)) mean += std::abs(v), ++finite;
  }
  mean /= static_cast<double>(std::max<int64_t>(finite, 1));
  for (size_t i = 0; i < want.values.size(); ++i) {
    double g = got.values[i], w = want.values[i];
    if (g == w || (std::isnan(g) && std::isnan(w))) continue;
    double allowed = tolerance * (std::abs(w) + mean);
    if (std::abs(g - w) <= allowed) continue;
    problems.push_back(fmt::format("{}: element {} of {} is {:.17g} instead of {:.17g}", what, i,
                                   to_string(want.shape), g, w));
    return;
  }
}

// Runs a check on each case; what it throws is a problem too.
template <class F>
Problems for_each_case(const Row& row, F&& check) {
  Problems problems;
  for (const Case& c : row.cases) {
    try {
      check(c, problems);
    } catch (const std::exception& e) {
      problems.push_back(fmt::format("{}: threw {}", c.label, e.what()));
    }
  }
  return problems;
}

Tensors to_tensors(const Arrays& arrays, DType dtype, Layout layout = Layout::contiguous) {
  Tensors out;
  for (const Array& a : arrays) out.push_back(to_tensor(a, dtype, layout));
  return out;
}

// Types a row can be differentiated in.
std::vector<DType> float_types(const Row& row) {
  std::vector<DType> types;
  for (DType t : row.dtypes) {
    if (is_float(t)) types.push_back(t);
  }
  return types;
}
bool runs_in(const Row& row, DType dtype) {
  return std::find(row.dtypes.begin(), row.dtypes.end(), dtype) != row.dtypes.end();
}

bool differentiable(const Array& a) { return !a.undefined && !a.constant && !a.fixed; }

// A case at a point, ready for gradients: leaves for the differentiable inputs, the results that
// carry gradients, and a fixed random gradient for each of them.
struct Evaluation {
  Tensors inputs, leaves, outputs, seeds;
  std::vector<size_t> leaf_input;  // which input each leaf is
};

Evaluation evaluate(const Case& c, const Arrays& at, DType dtype, Layout layout,
                    bool seeds_want_grad, Layout seed_layout = Layout::contiguous,
                    double constant_seed = 0) {
  EnableGrad on;
  Evaluation e;
  e.inputs = to_tensors(at, dtype, layout);
  for (size_t i = 0; i < at.size(); ++i) {
    if (!differentiable(c.inputs[i])) continue;
    e.inputs[i].set_requires_grad();
    e.leaves.push_back(e.inputs[i]);
    e.leaf_input.push_back(i);
  }
  Random random(17);
  for (Tensor& out : c.op(e.inputs, dtype)) {
    if (!out.defined() || !out.requires_grad()) continue;
    Array seed = random.uniform(out.shape(), 0.5, 1.5);
    for (double& v : seed.values) v = constant_seed != 0 ? constant_seed : v - 0.9;
    Tensor s = to_tensor(seed, out.dtype(), seed_layout);
    if (constant_seed != 0 && out.numel() > 0) {  // one number, stride 0 everywhere
      s = make_view(to_tensor(number(constant_seed), out.dtype()), out.shape(),
                    Dims::filled(out.rank(), 0), 0);
    }
    if (seeds_want_grad) s.set_requires_grad();
    e.outputs.push_back(out);
    e.seeds.push_back(s);
  }
  return e;
}

// <op(at), seeds> summed over the results that carry gradients.
double projected(const Case& c, const Arrays& at, const Evaluation& e) {
  Evaluation other = evaluate(c, at, DType::f64, Layout::contiguous, false);
  double total = 0;
  for (size_t i = 0; i < other.outputs.size(); ++i) {
    auto y = other.outputs[i].to_vector<double>(), v = e.seeds[i].to_vector<double>();
    for (size_t j = 0; j < y.size(); ++j) total += y[j] * v[j];
  }
  return total;
}

// Derivative of f along `direction` (arrays beside `at`) at `at`.
template <class F>
double derivative(const Arrays& at, const Arrays& direction, F&& f) {
  auto moved = [&](double h) {
    Arrays point = at;
    for (size_t i = 0; i < at.size(); ++i) {
      for (size_t j = 0; j < at[i].values.size(); ++j) {
        point[i].values[j] += h * direction[i].values[j];
      }
    }
    return f(point);
  };
  return (8 * (moved(step) - moved(-step)) - (moved(2 * step) - moved(-2 * step))) / (12 * step);
}

double inner(const Array& a, const Array& b) {
  double total = 0;
  for (size_t i = 0; i < a.values.size(); ++i) total += a.values[i] * b.values[i];
  return total;
}

Arrays zeros_beside(const Arrays& at) {
  Arrays out = at;
  for (Array& a : out) std::fill(a.values.begin(), a.values.end(), 0.0);
  return out;
}

Array gradient_array(const Tensor& gradient, const Tensor& leaf) {
  return gradient.defined() ? to_array(gradient) : array(leaf.shape());
}

Arrays gradients_of(const Evaluation& e, bool create_graph) {
  Arrays out;
  if (e.outputs.empty()) {
    for (const Tensor& leaf : e.leaves) out.push_back(array(leaf.shape()));
    return out;
  }
  Tensors g =
      grad(e.outputs, e.leaves, e.seeds, {.create_graph = create_graph, .allow_unused = true});
  for (size_t i = 0; i < g.size(); ++i) out.push_back(gradient_array(g[i], e.leaves[i]));
  return out;
}

void compare_all(const std::string& what, const Arrays& got, const Arrays& want, double tolerance,
                 Problems& problems) {
  if (got.size() != want.size()) {
    problems.push_back(fmt::format("{}: {} results instead of {}", what, got.size(), want.size()));
    return;
  }
  for (size_t i = 0; i < got.size(); ++i) {
    compare(fmt::format("{}, #{}", what, i), got[i], want[i], tolerance, problems);
  }
}

Arrays rounded_all(const Arrays& arrays, DType dtype) {
  Arrays out;
  for (const Array& a : arrays) out.push_back(rounded(a, dtype));
  return out;
}

// Compared relative to the root of the summed squares: what a direction gives when its terms are
// independent, so that a gradient wrong everywhere by a small factor shows however many terms
// cancel.
void check_direction(const std::string& what, const Arrays& gradients,
                     const std::vector<size_t>& leaf_input, const Arrays& direction,
                     double measured, double tolerance, Problems& problems) {
  double predicted = 0, scale = 0;
  for (size_t k = 0; k < gradients.size(); ++k) {
    const Array& d = direction[leaf_input[k]];
    predicted += inner(gradients[k], d);
    for (size_t j = 0; j < d.values.size(); ++j) {
      double term = gradients[k].values[j] * d.values[j];
      scale += term * term;
    }
  }
  if (std::abs(predicted - measured) <= tolerance * (std::sqrt(scale) + std::abs(measured)) + 1e-9)
    return;
  problems.push_back(
      fmt::format("{}: along a random direction the gradient gives {:.12g}, finite differences "
                  "{:.12g}",
                  what, predicted, measured));
}

// Random directions over the differentiable inputs.
Arrays random_direction(const Case& c, uint64_t seed) {
  Random random(seed);
  Arrays direction = zeros_beside(c.inputs);
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    if (differentiable(c.inputs[i])) direction[i] = random.uniform(c.inputs[i].shape, -1, 1);
  }
  return direction;
}

}  // namespace

Problems check_forward(const Row& row) {
  return for_each_case(row, [&](const Case& c, Problems& problems) {
    for (DType dtype : row.dtypes) {
      std::string what = fmt::format("{} in {}", c.label, name_of(dtype));
      Arrays in = rounded_all(c.inputs, dtype);
      NoGrad off;
      Tensors got = c.op(to_tensors(in, dtype), dtype);
      Arrays want = c.oracle(in), values;
      for (const Tensor& t : got) values.push_back(to_array(t));
      std::vector<DType> types(got.size(), row.result_dtype ? row.result_dtype(dtype) : dtype);
      if (row.result_dtypes) types = row.result_dtypes(dtype);
      for (size_t i = 0; i < got.size() && i < want.size(); ++i) {
        DType type = want[i].fixed.value_or(types.at(i));
        if (got[i].defined() && got[i].dtype() != type) {
          problems.push_back(fmt::format("{}: result {} is {}, not {}", what, i,
                                         name_of(got[i].dtype()), name_of(type)));
        }
        if (!is_float(type)) want[i] = rounded(want[i], type);
        want[i].fixed.reset();
      }
      DType loosest = dtype;
      for (DType t : types) {
        if (default_tolerance(t) > default_tolerance(loosest)) loosest = t;
      }
      compare_all(what, values, want, row.tolerance * default_tolerance(loosest), problems);
    }
  });
}

Problems check_layouts(const Row& row) {
  if (!row.no_layouts.empty()) return {};
  DType dtype = runs_in(row, DType::f32) ? DType::f32 : row.dtypes.front();
  double tolerance = 2 * row.tolerance * default_tolerance(dtype);
  return for_each_case(row, [&](const Case& c, Problems& problems) {
    if (c.inputs.empty()) return;
    bool with_gradient = row.no_gradient.empty() && is_float(dtype);
    Arrays want, gradients;
    for (const Tensor& t : c.op(to_tensors(c.inputs, dtype), dtype)) want.push_back(to_array(t));
    if (with_gradient) {
      gradients = gradients_of(evaluate(c, c.inputs, dtype, Layout::contiguous, false), false);
    }
    const std::pair<Layout, const char*> layouts[] = {{Layout::transposed, "transposed"},
                                                      {Layout::sliced, "sliced"},
                                                      {Layout::flipped, "flipped"}};
    for (auto [layout, name] : layouts) {
      std::string what = fmt::format("{}, {}", c.label, name);
      Arrays got;
      for (const Tensor& t : c.op(to_tensors(c.inputs, dtype, layout), dtype)) {
        got.push_back(to_array(t));
      }
      compare_all(what, got, want, tolerance, problems);
      if (!with_gradient) continue;
      double wider = tolerance * row.gradient_tolerance;
      compare_all(what + " inputs, gradient",
                  gradients_of(evaluate(c, c.inputs, dtype, layout, false), false), gradients,
                  wider, problems);
      compare_all(
          what + " incoming gradient",
          gradients_of(evaluate(c, c.inputs, dtype, Layout::contiguous, false, layout), false),
          gradients, wider, problems);
    }
    if (!with_gradient) return;
    // The gradient of sum() arrives with stride 0.
    auto seeded = [&](bool expanded) {
      Evaluation e =
          evaluate(c, c.inputs, dtype, Layout::contiguous, false, Layout::contiguous, 0.7);
      for (Tensor& s : e.seeds) {
        if (!expanded) s = to_tensor(to_array(s), s.dtype());
      }
      return gradients_of(e, false);
    };
    compare_all(c.label + ", incoming gradient of stride 0", seeded(true), seeded(false),
                tolerance * row.gradient_tolerance, problems);
  });
}

Problems check_gradient(const Row& row) {
  if (!row.no_gradient.empty()) {
    return for_each_case(row, [&](const Case& c, Problems& problems) {
      DType dtype = float_types(row).empty() ? row.dtypes.front() : float_types(row).front();
      if (!is_float(dtype)) return;
      Evaluation e = evaluate(c, c.inputs, dtype, Layout::contiguous, false);
      if (!e.outputs.empty()) {
        problems.push_back(c.label + ": said to have no gradient, but its result requires one");
      }
    });
  }
  bool in_f64 = runs_in(row, DType::f64);
  return for_each_case(row, [&](const Case& c, Problems& problems) {
    Evaluation e =
        evaluate(c, c.inputs, in_f64 ? DType::f64 : DType::f32, Layout::contiguous, false);
    if (e.leaves.empty()) return;
    if (e.outputs.empty()) {
      problems.push_back(c.label + ": no result requires a gradient, though inputs do");
      return;
    }
    Arrays gradients = gradients_of(e, false);
    for (size_t k = 0; k < gradients.size(); ++k) {
      if (!(gradients[k].shape == e.leaves[k].shape())) {
        problems.push_back(fmt::format("{}: gradient {} has another shape", c.label, k));
        return;
      }
    }
    auto f = [&](const Arrays& at) { return projected(c, at, e); };
    if (in_f64 && elements(c) <= small_case) {
      Arrays measured;
      for (size_t k = 0; k < e.leaves.size(); ++k) {
        Array d = array(e.leaves[k].shape());
        Arrays direction = zeros_beside(c.inputs);
        Array& own = direction[e.leaf_input[k]];
        for (size_t j = 0; j < own.values.size(); ++j) {
          own.values[j] = 1;
          d.values[j] = derivative(c.inputs, direction, f);
          own.values[j] = 0;
        }
        measured.push_back(d);
        // Where a gradient is zero everywhere, finite differences leave their rounding.
        for (double& v : measured.back().values) {
          if (std::abs(v) < 1e-10) v = 0;
        }
      }
      for (size_t k = 0; k < gradients.size(); ++k) {
        for (double& v : gradients[k].values) {
          if (std::abs(v) < 1e-10) v = 0;
        }
        compare(fmt::format("{}: gradient of input {} against finite differences", c.label,
                            e.leaf_input[k]),
                gradients[k], measured[k], 1e-6 * row.gradient_tolerance, problems);
      }
    } else if (in_f64) {
      for (uint64_t seed : {3, 4}) {
        Arrays direction = random_direction(c, seed);
        check_direction(c.label, gradients, e.leaf_input, direction,
                        derivative(c.inputs, direction, f), 1e-6 * row.gradient_tolerance,
                        problems);
      }
    }
    if (!in_f64) return;
    for (DType dtype : float_types(row)) {
      if (dtype == DType::f64) continue;
      Arrays at = rounded_all(c.inputs, dtype);
      Arrays exact = gradients_of(evaluate(c, at, DType::f64, Layout::contiguous, false), false);
      compare_all(fmt::format("{}: gradient in {} against f64", c.label, name_of(dtype)),
                  gradients_of(evaluate(c, at, dtype, Layout::contiguous, false), false), exact,
                  4 * row.tolerance * row.gradient_tolerance * default_tolerance(dtype), problems);
    }
  });
}

Problems check_second_gradient(const Row& row) {
  if (!row.no_gradient.empty() || !runs_in(row, DType::f64)) return {};
  return for_each_case(row, [&](const Case& c, Problems& problems) {
    if (elements(c) > small_case) return;
    Evaluation e = evaluate(c, c.inputs, DType::f64, Layout::contiguous, true);
    if (e.leaves.empty() || e.outputs.empty()) return;
    Tensors first, wanted = e.leaves;
    wanted.insert(wanted.end(), e.seeds.begin(), e.seeds.end());
    // w: what the first gradient is multiplied with.
    Arrays w;
    Random random(19);
    for (const Tensor& leaf : e.leaves) w.push_back(random.uniform(leaf.shape(), -1, 1));
    Tensors second(wanted.size());
    try {
      first = grad(e.outputs, e.leaves, e.seeds, {.create_graph = true, .allow_unused = true});
      Tensors attached, weights;
      for (size_t k = 0; k < first.size(); ++k) {
        if (!first[k].defined() || !first[k].requires_grad()) continue;
        attached.push_back(first[k]);
        weights.push_back(to_tensor(w[k], DType::f64));
      }
      if (!attached.empty()) second = grad(attached, wanted, weights, {.allow_unused = true});
    } catch (const Error& error) {
      if (row.no_second_gradient.empty()) throw;
      return;  // says by name that it has none
    }
    if (!row.no_second_gradient.empty()) {
      problems.push_back(c.label + ": said to have no second gradient, but gave one without error");
      return;
    }
    Arrays gradients;
    for (size_t k = 0; k < wanted.size(); ++k) {
      gradients.push_back(gradient_array(second[k], wanted[k]));
    }
    // <g(x, v), w> at moved inputs x and moved incoming gradients v, by the ordinary pass.
    size_t inputs = c.inputs.size();
    auto f = [&](const Arrays& at) {
      Arrays x(at.begin(), at.begin() + static_cast<std::ptrdiff_t>(inputs));
      Evaluation other = evaluate(c, x, DType::f64, Layout::contiguous, false);
      for (size_t i = 0; i < other.seeds.size(); ++i) {
        other.seeds[i] = to_tensor(at[inputs + i], DType::f64);
      }
      Arrays g = gradients_of(other, false);
      double total = 0;
      for (size_t k = 0; k < g.size(); ++k) total += inner(g[k], w[k]);
      return total;
    };
    Arrays at = c.inputs;
    for (const Tensor& s : e.seeds) at.push_back(to_array(s));
    std::vector<size_t> places = e.leaf_input;
    for (size_t i = 0; i < e.seeds.size(); ++i) places.push_back(inputs + i);
    for (size_t only = 0; only < places.size();
         ++only) {  // each variable on its own, then together
      for (uint64_t seed : {5, 6}) {
        Arrays direction = zeros_beside(at);
        Random pick(seed + 100 * only);
        Array& own = direction[places[only]];
        own = pick.uniform(own.shape, -1, 1);
        const char* kind = only < e.leaves.size() ? "input" : "incoming gradient";
        check_direction(fmt::format("{}: second gradient, {} {}", c.label, kind,
                                    only < e.leaves.size() ? places[only] : only - e.leaves.size()),
                        gradients, places, direction, derivative(at, direction, f),
                        1e-6 * row.gradient_tolerance, problems);
      }
    }
  });
}

Problems check_graph_path(const Row& row) {
  if (!row.no_gradient.empty()) return {};
  return for_each_case(row, [&](const Case& c, Problems& problems) {
    for (auto [dtype, tolerance] : {std::pair(DType::f64, 1e-10), std::pair(DType::f32, 1e-5)}) {
      if (!runs_in(row, dtype)) continue;
      Evaluation e = evaluate(c, c.inputs, dtype, Layout::contiguous, false);
      if (e.leaves.empty()) continue;
      Arrays composed;
      try {
        composed = gradients_of(e, true);
      } catch (const Error&) {
        if (row.no_second_gradient.empty()) throw;
        return;
      }
      Arrays ordinary =
          gradients_of(evaluate(c, c.inputs, dtype, Layout::contiguous, false), false);
      compare_all(fmt::format("{}: gradient under create_graph in {}", c.label, name_of(dtype)),
                  composed, ordinary, tolerance * row.gradient_tolerance, problems);
    }
  });
}

Problems check_repeat(const Row& row) {
  DType dtype = runs_in(row, DType::f32) ? DType::f32 : row.dtypes.front();
  return for_each_case(row, [&](const Case& c, Problems& problems) {
    auto once = [&] {
      Arrays out;
      for (const Tensor& t : c.op(to_tensors(c.inputs, dtype), dtype)) out.push_back(to_array(t));
      if (row.no_gradient.empty() && is_float(dtype)) {
        for (Array& g :
             gradients_of(evaluate(c, c.inputs, dtype, Layout::contiguous, false), false)) {
          out.push_back(std::move(g));
        }
      }
      return out;
    };
    compare_all(c.label + ", a second time", once(), once(), 0, problems);
  });
}

Problems check_errors(const Row& row) {
  Problems problems;
  for (const BadCall& bad : row.errors) {
    std::string op = bad.op.empty() ? row.name : bad.op, message;
    try {
      bad.call();
      problems.push_back(bad.label + ": no error");
      continue;
    } catch (const std::exception& e) {
      message = e.what();
    }
    if (message.rfind("[" + op + "] ", 0) != 0) {
      problems.push_back(fmt::format("{}: '{}' does not start with [{}]", bad.label, message, op));
    }
    if (!std::regex_search(message, std::regex(bad.expected))) {
      problems.push_back(
          fmt::format("{}: '{}' does not say '{}'", bad.label, message, bad.expected));
    }
    // The line of the call, which is in a file of rows or tests, not inside the engine.
    if (!std::regex_search(message, std::regex(R"(\(\w+_(rows|test)\.cpp:\d+\)$)"))) {
      problems.push_back(
          fmt::format("{}: '{}' does not end with the line of the call", bad.label, message));
    }
  }
  return problems;
}

Problems check_coverage(const Row& row) {
  Problems problems;
  if (row.cases.empty()) problems.push_back("no cases");
  bool empty = false, scalar = false, inputs = false;
  for (const Case& c : row.cases) {
    for (const Array& a : c.inputs) {
      if (a.undefined) continue;
      inputs = true;
      empty |= a.numel() == 0;
      scalar |= a.rank() == 0;
    }
  }
  if (inputs && !empty && row.no_empty.empty()) {
    problems.push_back("no case with an empty input; add one, or say why not in no_empty");
  }
  if (inputs && !scalar && row.no_scalar.empty()) {
    problems.push_back("no case with a scalar; add one, or say why not in no_scalar");
  }
  if (row.errors.empty() && row.cannot_fail.empty()) {
    problems.push_back("no bad call; add one to errors, or say why it cannot_fail");
  }
  return problems;
}

}  // namespace strata::test

#include "tools/experiments/experiment.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "tools/experiments/list.h"

namespace strata::experiments {
namespace {

Measure measure(std::string name, std::string definition, std::vector<double> per_seed,
                std::string unit) {
  Measure m;
  m.name = std::move(name);
  m.definition = std::move(definition);
  m.per_seed = std::move(per_seed);
  m.unit = std::move(unit);
  return m;
}

bool all_of(const std::vector<double>& values, const std::function<bool(double)>& holds) {
  return !values.empty() && std::all_of(values.begin(), values.end(), holds);
}

}  // namespace

const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::supported:
      return "supported";
    case Verdict::in_part:
      return "supported in part";
    case Verdict::not_supported:
      return "not supported";
  }
  return "";
}

void conclude(Result& result) {
  int passed = 0, decisive = 0;
  std::vector<std::string> missed, open;
  for (const Measure& m : result.measures) {
    if (!m.decisive) continue;
    ++decisive;
    passed += m.passed;
    if (!m.passed) missed.push_back(fmt::format("{} ({})", m.name, m.threshold));
  }
  for (const Control& c : result.controls)
    if (!c.passed) open.push_back(c.fake);
  result.verdict = !open.empty() || passed == 0 ? Verdict::not_supported
                   : passed == decisive         ? Verdict::supported
                                                : Verdict::in_part;
  result.why = fmt::format("{} of {} thresholds met", passed, decisive);
  if (!missed.empty()) result.why += fmt::format("; missed: {}", fmt::join(missed, "; "));
  if (!open.empty()) result.why += fmt::format("; not excluded: {}", fmt::join(open, "; "));
}

Measure in_every_seed(std::string name, std::string definition, std::vector<double> per_seed,
                      double at_least, std::string unit) {
  Measure m = measure(std::move(name), std::move(definition), std::move(per_seed), std::move(unit));
  m.threshold = fmt::format("at least {:g} in every seed", at_least);
  m.passed = all_of(m.per_seed, [=](double v) { return v >= at_least; });
  return m;
}

Measure at_most_in_every_seed(std::string name, std::string definition,
                              std::vector<double> per_seed, double at_most, std::string unit) {
  Measure m = measure(std::move(name), std::move(definition), std::move(per_seed), std::move(unit));
  m.threshold = fmt::format("at most {:g} in every seed", at_most);
  m.passed = all_of(m.per_seed, [=](double v) { return v <= at_most; });
  return m;
}

Measure on_average(std::string name, std::string definition, std::vector<double> per_seed,
                   double at_least, std::string unit) {
  Measure m = measure(std::move(name), std::move(definition), std::move(per_seed), std::move(unit));
  m.threshold = fmt::format("at least {:g} on average", at_least);
  m.passed = !m.per_seed.empty() && mean(m.per_seed) >= at_least;
  return m;
}

Measure at_most_on_average(std::string name, std::string definition, std::vector<double> per_seed,
                           double at_most, std::string unit) {
  Measure m = measure(std::move(name), std::move(definition), std::move(per_seed), std::move(unit));
  m.threshold = fmt::format("at most {:g} on average", at_most);
  m.passed = !m.per_seed.empty() && mean(m.per_seed) <= at_most;
  return m;
}

Measure shown(std::string name, std::string definition, std::vector<double> per_seed,
              std::string unit) {
  Measure m = measure(std::move(name), std::move(definition), std::move(per_seed), std::move(unit));
  m.decisive = false;
  m.passed = true;
  return m;
}

const std::vector<Experiment>& experiments() {
  static const std::vector<Experiment> all = list();
  return all;
}

const Experiment& experiment_named(const std::string& name, Caller at) {
  std::string lower = name, names;
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const Experiment& e : experiments()) {
    if (lower == e.name || lower == fmt::format("e{}", e.number) ||
        lower == std::to_string(e.number))
      return e;
    names += fmt::format("{}E{} {}", names.empty() ? "" : ", ", e.number, e.name);
  }
  fail("experiment", at, "there is no experiment '{}'; there are {}", name, names);
}

}  // namespace strata::experiments

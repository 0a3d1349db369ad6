#include "models/audio/ctc_decode.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

namespace strata {
namespace {

constexpr double nothing = -std::numeric_limits<double>::infinity();

double log_sum(double a, double b) {
  const double largest = std::max(a, b);
  return largest == nothing ? nothing : largest + std::log1p(std::exp(std::min(a, b) - largest));
}

// Log-probabilities of a beginning's alignments.
struct Ends {
  double blank = nothing, label = nothing;
  double both() const { return log_sum(blank, label); }
};
using Beam = std::map<std::vector<int64_t>, Ends>;

void check(const char* op, const Tensor& y, int64_t blank, Caller at) {
  if (!y.defined() || y.rank() != 2)
    fail(op, at, "log_probabilities must be [T, C]; got {}", y.defined() ? describe(y) : "nothing");
  if (blank < 0 || blank >= y.size(1))
    fail(op, at, "blank is {}; expected a class, 0 to {}", blank, y.size(1) - 1);
}

// The beginnings one step on, given the step's log-probabilities.
Beam extended(const Beam& beam, const double* y, int64_t classes, int64_t blank) {
  Beam next;
  for (const auto& [labels, ends] : beam) {
    Ends& same = next[labels];
    same.blank = log_sum(same.blank, ends.both() + y[blank]);
    if (!labels.empty()) same.label = log_sum(same.label, ends.label + y[labels.back()]);
    std::vector<int64_t> longer = labels;
    longer.push_back(0);
    for (int64_t c = 0; c < classes; ++c) {
      if (c == blank) continue;
      // The same label again is a new one only after a blank.
      const bool repeats = !labels.empty() && c == labels.back();
      longer.back() = c;
      Ends& ended = next[longer];
      ended.label = log_sum(ended.label, (repeats ? ends.blank : ends.both()) + y[c]);
    }
  }
  return next;
}

std::vector<Transcript> ranked(const Beam& beam, int64_t width) {
  std::vector<Transcript> list;
  for (const auto& [labels, ends] : beam)
    if (ends.both() > nothing) list.push_back({labels, ends.both()});
  std::stable_sort(list.begin(), list.end(), [](const Transcript& a, const Transcript& b) {
    return a.log_probability > b.log_probability;
  });
  if (static_cast<int64_t>(list.size()) > width) list.resize(static_cast<size_t>(width));
  return list;
}

}  // namespace

Transcript ctc_greedy(const Tensor& y, int64_t blank, Caller at) {
  check("ctc_greedy", y, blank, at);
  const std::vector<double> values = y.to_vector<double>();
  Transcript best;
  int64_t before = blank;
  for (int64_t t = 0; t < y.size(0); ++t) {
    const double* row = &values[static_cast<size_t>(t * y.size(1))];
    const int64_t c = std::max_element(row, row + y.size(1)) - row;
    best.log_probability += row[c];
    if (c != blank && c != before) best.labels.push_back(c);
    before = c;
  }
  return best;
}

std::vector<Transcript> ctc_beam_search(const Tensor& y, int64_t width, int64_t blank, Caller at) {
  check("ctc_beam_search", y, blank, at);
  if (width < 1) fail("ctc_beam_search", at, "width is {}; expected at least 1", width);
  const std::vector<double> values = y.to_vector<double>();
  Beam beam = {{{}, {.blank = 0}}};
  for (int64_t t = 0; t < y.size(0); ++t) {
    Beam all = extended(beam, &values[static_cast<size_t>(t * y.size(1))], y.size(1), blank);
    beam.clear();
    for (const Transcript& kept : ranked(all, width)) beam[kept.labels] = all[kept.labels];
  }
  return ranked(beam, width);
}

int64_t edit_distance(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  std::vector<int64_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 0; i < a.size(); ++i) {
    int64_t diagonal = row[0]++;
    for (size_t j = 0; j < b.size(); ++j) {
      const int64_t changed = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace strata

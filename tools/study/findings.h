// What the numbers of a study say, in sentences, by rules fixed here.
//
// For each factor, over pixels and layers of the trained network: where it is read best; its onset,
// the first layer that reaches 90 % of its own best score; its centre of gravity, the mean layer
// weighted by score. A score is (accuracy - chance) / (ceiling - chance), not below 0. Factors
// whose best score is below `readable` are listed as not read and left out of the order.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/introspect/representation/shape.h"

namespace strata::study {

inline constexpr double readable = 0.5;  // a factor counts as read
inline constexpr double supported =
    0.8;  // rank correlation of level and depth that supports the claim
inline constexpr double margin = 0.2;  // by which the class must be better read than untrained

struct FactorReading {
  std::string name;
  int level = 0;  // 0: unknown
  bool is_label = false;
  double chance = 0, ceiling = 1;
  std::vector<double> trained, untrained;  // accuracy at pixels, layer 1, 2, ...
  int best = 0, onset = 0;                 // index into these; 0 is pixels
  double gravity = 0, score = 0;           // score at the best layer
};

struct Findings {
  std::vector<FactorReading> factors;
  std::vector<std::string> layers;                        // "pixels" first
  double onset_correlation = 0, gravity_correlation = 0;  // Spearman with the level
  double attainable = 0;  // the largest Spearman that the ties in level allow
  std::string verdict;    // "supported", "supported in part", "not supported", "not testable"
  nlohmann::json summary, sentences;  // for the report
  std::vector<std::string> lines;     // three, for the terminal
};

// metrics: columns as report::read_metrics gives them; accuracy: on the test set at the end.
Findings findings_of(const nlohmann::json& config, const nlohmann::json& metrics,
                     double test_accuracy);

using introspect::spearman;

}  // namespace strata::study

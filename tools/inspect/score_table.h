// Every attribution method at every layer, scored against the truth that generated images come
// with.
#pragma once

#include <optional>

#include "tools/inspect/method.h"

namespace strata::inspect {

struct ScoreOptions {
  int64_t images = 60;
  // Of them, for what takes long: randomisation, which runs a method once a layer, and ROAD.
  int64_t slow_images = 16;
  uint64_t seed = 1;
  const Subject* random_labels = nullptr;  // the twin trained on labels that mean nothing
  std::vector<std::string> methods;        // empty: all but those that take minutes an image
  std::function<void(const std::string& what)> progress;
};

// One method at one layer ("pixels" for the input), means over the images.
struct ScoredMethod {
  std::string method, layer;
  double mass = 0, area = 0, pointing = 0, auc = 0;  // against the object's mask
  double untrained_mass = 0;                         // the same method on the untrained network
  double road = 0;                                   // gain of removing the most relevant first
  double cascade = 0, cascade_magnitude = 0;  // rank correlation after all layers are redrawn
  std::optional<double> independent;          // the smallest after one layer alone is
  std::optional<double> random_labels;        // rank correlation with the maps of the twin
  std::string verdict;                        // of the cascade
  double seconds = 0;                         // of the maps themselves
};

// A subject without masks is an error.
std::vector<ScoredMethod> score_methods(const Subject& subject, const ScoreOptions& options);

std::string to_markdown(const std::vector<ScoredMethod>& rows);
Json to_json(const std::vector<ScoredMethod>& rows);

}  // namespace strata::inspect

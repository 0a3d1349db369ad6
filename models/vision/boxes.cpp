#include "models/vision/boxes.h"

#include <algorithm>
#include <cmath>

#include "engine/error.h"

namespace strata {

double overlap(const Box& a, const Box& b) {
  const Box shared{std::max(a.x0, b.x0), std::max(a.y0, b.y0), std::min(a.x1, b.x1),
                   std::min(a.y1, b.y1)};
  const double either = a.area() + b.area() - shared.area();
  return either > 0 ? shared.area() / either : 0;
}

std::vector<Detection> suppress_overlaps(std::vector<Detection> detections, double limit) {
  std::stable_sort(detections.begin(), detections.end(),
                   [](const Detection& a, const Detection& b) { return a.score > b.score; });
  std::vector<Detection> kept;
  for (const Detection& candidate : detections) {
    const bool covered = std::any_of(kept.begin(), kept.end(), [&](const Detection& better) {
      return better.label == candidate.label && overlap(better.box, candidate.box) > limit;
    });
    if (!covered) kept.push_back(candidate);
  }
  return kept;
}

namespace {

struct Ranked {
  size_t image;
  Detection detection;
};

std::vector<Ranked> ranked(const std::vector<std::vector<Detection>>& found, int64_t label) {
  std::vector<Ranked> all;
  for (size_t image = 0; image < found.size(); ++image)
    for (const Detection& d : found[image])
      if (d.label == label) all.push_back({image, d});
  std::stable_sort(all.begin(), all.end(), [](const Ranked& a, const Ranked& b) {
    return a.detection.score > b.detection.score;
  });
  return all;
}

}  // namespace

double average_precision(const std::vector<std::vector<Detection>>& found,
                         const std::vector<std::vector<LabelledBox>>& truth, int64_t label,
                         double limit) {
  if (found.size() != truth.size())
    fail("average_precision", Caller{}, "got detections of {} images and true boxes of {}",
         found.size(), truth.size());
  int64_t wanted = 0;
  std::vector<std::vector<bool>> taken;
  for (const auto& boxes : truth) {
    taken.emplace_back(boxes.size(), false);
    for (const LabelledBox& box : boxes) wanted += box.label == label;
  }
  if (wanted == 0) return NAN;

  std::vector<double> precision;  // where a true box is found
  int64_t right = 0, seen = 0;
  for (const Ranked& r : ranked(found, label)) {
    ++seen;
    const auto& boxes = truth[r.image];
    size_t best = boxes.size();
    double best_overlap = limit;
    for (size_t i = 0; i < boxes.size(); ++i) {
      const double now = overlap(boxes[i].box, r.detection.box);
      if (boxes[i].label == label && !taken[r.image][i] && now >= best_overlap) {
        best = i;
        best_overlap = now;
      }
    }
    if (best == boxes.size()) continue;
    taken[r.image][best] = true;
    precision.push_back(static_cast<double>(++right) / static_cast<double>(seen));
  }
  double area = 0, reached = 0;
  for (size_t i = precision.size(); i-- > 0;) {
    reached = std::max(reached, precision[i]);
    area += reached / static_cast<double>(wanted);
  }
  return area;
}

double mean_average_precision(const std::vector<std::vector<Detection>>& found,
                              const std::vector<std::vector<LabelledBox>>& truth, int64_t labels,
                              double limit) {
  double sum = 0;
  int64_t present = 0;
  for (int64_t label = 0; label < labels; ++label) {
    const double value = average_precision(found, truth, label, limit);
    if (std::isnan(value)) continue;
    sum += value;
    ++present;
  }
  return present > 0 ? sum / static_cast<double>(present) : NAN;
}

}  // namespace strata

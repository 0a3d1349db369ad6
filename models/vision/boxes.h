// Boxes in images: overlap, non-maximum suppression, and average precision, the score of detectors
// (Everingham et al. 2010, "The PASCAL visual object classes challenge").
#pragma once

#include <cstdint>
#include <vector>

namespace strata {

// Pixels from (x0, y0), included, to (x1, y1), excluded.
struct Box {
  double x0 = 0, y0 = 0, x1 = 0, y1 = 0;
  double area() const { return x1 > x0 && y1 > y0 ? (x1 - x0) * (y1 - y0) : 0; }
};
struct LabelledBox {
  Box box;
  int64_t label = 0;
};
struct Detection {
  Box box;
  int64_t label = 0;
  double score = 0;
};

// Area of the intersection over that of the union; 0 where the union is empty.
double overlap(const Box& a, const Box& b);

// Drops each detection that overlaps a better one of its label by more than `limit`. The rest, the
// best first.
std::vector<Detection> suppress_overlaps(std::vector<Detection> detections, double limit = 0.5);

// Area under the curve of precision over recall of one label. Detections of all images are taken
// from the best to the worst; one is right if it overlaps a true box of its image by `limit` or
// more that no better one has taken. At each recall the precision counts that is reached there or
// beyond. NaN where no image has the label.
double average_precision(const std::vector<std::vector<Detection>>& found,
                         const std::vector<std::vector<LabelledBox>>& truth, int64_t label,
                         double limit = 0.5);
// The mean over the labels that occur: AP50 for a limit of .5.
double mean_average_precision(const std::vector<std::vector<Detection>>& found,
                              const std::vector<std::vector<LabelledBox>>& truth, int64_t labels,
                              double limit = 0.5);

}  // namespace strata

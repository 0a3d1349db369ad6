// EventFile: what TensorBoard shows, as it happens: curves, pictures, histograms.
//
// A file holds Event messages in records (tools/events/record_file.h); each has the time, the step,
// and a Summary of tagged values (tensorflow/core/util/event.proto, framework/summary.proto).
// TensorBoard sorts tags into groups by what stands before the first '/'.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/data/image_file.h"
#include "tools/events/record_file.h"

namespace strata::events {

// Equal cells from the least to the greatest value. Values that are not finite are left out.
struct Histogram {
  double least = 0, greatest = 0, count = 0, sum = 0, squares = 0;
  std::vector<double> upper, inside;  // upper edge of each cell; how many values lie in it
};
Histogram histogram_of(std::span<const float> values, size_t cells = 30);

class EventFile {
 public:
  // Goes on after the first `keep` bytes, as a checkpoint remembers them from size(); 0: a new
  // file.
  EventFile(const std::filesystem::path& file, int64_t keep, Caller at = Caller::here());

  void scalars(int64_t step, const std::vector<std::pair<std::string, double>>& values);
  void picture(const std::string& tag, int64_t step, const Picture& picture);
  // Nothing is written when no value is finite.
  void histogram(const std::string& tag, int64_t step, std::span<const float> values);
  int64_t size() const { return file_.size(); }

 private:
  void write(int64_t step, int field, const std::string& bytes);

  RecordFile file_;
};

}  // namespace strata::events

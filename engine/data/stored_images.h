// A Dataset whose images are all in memory, and the cutting of one file's records into splits.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/data/dataset.h"

namespace strata {

// Images and classes as a file holds them.
struct ImageRecords {
  int64_t height = 0, width = 0, channels = 0;
  std::vector<uint8_t> pixels;  // [N, H, W, C]
  std::vector<int64_t> labels;  // [N]
  int64_t size() const { return static_cast<int64_t>(labels.size()); }
};

class StoredImages : public Dataset {
 public:
  StoredImages(std::string name, ImageRecords records, std::vector<std::string> class_names,
               Caller at = Caller::here());
  int64_t size() const override { return records_.size(); }
  void read(int64_t index, uint8_t* pixels, int64_t* label, int64_t* values) const override;

 private:
  ImageRecords records_;
};

// Which of `records` training records, and `test_records` test records (0: the source has none),
// belong to a split. Without a test set a sixth of the training records becomes one; of the rest,
// validation takes a tenth, at most 2000, or what the limits say. Membership is by `seed`: the
// records at the first places of a keyed permutation; the order inside a split is that of the file.
struct SplitChoice {
  bool from_test = false;        // indices are into the test records
  std::vector<int64_t> indices;  // ascending
};
SplitChoice choose_split(int64_t records, int64_t test_records, Split split, uint64_t seed,
                         const DatasetLimits& limits, const std::string& name,
                         Caller at = Caller::here());

ImageRecords take(const ImageRecords& records, const std::vector<int64_t>& indices);

// Mean and standard deviation of pixel / 255 for each channel (exact integer sums). A channel that
// never changes gets deviation 1.
void channel_statistics(const ImageRecords& records, std::vector<float>* mean,
                        std::vector<float>* deviation);

}  // namespace strata

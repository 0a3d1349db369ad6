// Dataset: labelled images by index, with what is known about each.
//
// Every image set of the engine (generated, IDX, CIFAR, folders) is one of these; what is not
// images (text, treebanks, sound, graphs) has a reader of its own in this folder.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata {

// Something known about each image besides its class: what probes are scored against.
struct FactorInfo {
  std::string name;
  int level = 0;       // place in the hierarchy, 1 the lowest
  int64_t values = 0;  // the factor is an integer in [0, values)
  double chance = 0;   // accuracy of the best guess that sees no image
  double ceiling = 1;  // accuracy that no reader of images can exceed
  std::vector<std::string> value_names;
};

struct Batch {
  Tensor images;   // f32 [N, H, W, C], (pixel / 255 - mean) / deviation of each channel
  Tensor labels;   // i64 [N]
  Tensor factors;  // i64 [N, F]; F is 0 for data whose factors are not known
};

enum class Split : uint8_t { train, validation, test };
const char* name_of(Split split);

class Dataset {
 public:
  virtual ~Dataset() = default;

  std::string name;
  int64_t height = 0, width = 0, channels = 0;
  std::vector<std::string> class_names;
  std::vector<FactorInfo> factors;
  std::string label_name = "class";
  int label_factor = -1;  // index in `factors` of the factor that is the class, if one is
  std::vector<float> mean, deviation;  // a channel, of pixel / 255

  virtual int64_t size() const = 0;
  // Image `index`: height * width * channels bytes (HWC), its class, its factors (`factor_values`
  // holds factors.size() numbers). May be called from several threads at once.
  virtual void read(int64_t index, uint8_t* pixels, int64_t* label,
                    int64_t* factor_values) const = 0;

  int64_t classes() const { return static_cast<int64_t>(class_names.size()); }
  int64_t image_bytes() const { return height * width * channels; }
  // Images at `indices`, in their order. Out of range is an error. Runs on all threads.
  Batch fill(std::span<const int64_t> indices, Caller at = Caller::here()) const;
  // The first `count` images (all when fewer).
  Batch head(int64_t count) const;
  // (pixel / 255 - mean) / deviation for one image.
  void normalise(const uint8_t* pixels, float* out) const;
};

// How much of a data set to use, and how.
struct DatasetLimits {
  int64_t train = 0, validation = 0, test = 0;  // images at most; 0: all there are (for generated
                                                // data 20000, 2000 and 2000)
  int64_t image_size = 0;                       // side of the images of a folder: 0 for 32
};

// "terrace", "terrace:TASK" (engine/data/terrace.h), "mnist:DIR", "fashion:DIR", "cifar10:DIR",
// "cifar100:DIR", "folder:DIR". Splits never share an image: where the files hold no validation
// (or no test) set it is taken from the training records, by `seed`. An unknown name is an error
// that lists the known ones.
std::unique_ptr<Dataset> open_dataset(const std::string& spec, Split split, uint64_t seed,
                                      const DatasetLimits& limits = {}, Caller at = Caller::here());

}  // namespace strata

#include "engine/data/stored_images.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/data/keyed_random.h"

namespace strata {

StoredImages::StoredImages(std::string set_name, ImageRecords records,
                           std::vector<std::string> names, Caller at)
    : records_(std::move(records)) {
  name = std::move(set_name);
  class_names = std::move(names);
  height = records_.height;
  width = records_.width;
  channels = records_.channels;
  if (static_cast<int64_t>(records_.pixels.size()) != records_.size() * image_bytes())
    fail("dataset", at, "{}: {} bytes of pixels for {} images of {}x{}x{}", name,
         records_.pixels.size(), records_.size(), height, width, channels);
  for (int64_t label : records_.labels)
    if (label < 0 || label >= classes())
      fail("dataset", at, "{}: label {} is outside [0, {})", name, label, classes());
  channel_statistics(records_, &mean, &deviation);
}

void StoredImages::read(int64_t index, uint8_t* pixels, int64_t* label, int64_t*) const {
  std::memcpy(pixels, records_.pixels.data() + index * image_bytes(),
              static_cast<size_t>(image_bytes()));
  *label = records_.labels[static_cast<size_t>(index)];
}

SplitChoice choose_split(int64_t records, int64_t test_records, Split split, uint64_t seed,
                         const DatasetLimits& limits, const std::string& name, Caller at) {
  SplitChoice choice;
  // Places of a permutation of the training records: [0, test) [test, test + validation) [rest).
  int64_t test = test_records > 0 ? 0 : limits.test > 0 ? limits.test : records / 6;
  int64_t validation =
      limits.validation > 0 ? limits.validation : std::min<int64_t>(2000, (records - test) / 10);
  int64_t train = records - test - validation;
  if (records < 3 || validation < 1 || train < 1)
    fail("dataset", at,
         "{} has {} training records: too few for {} of validation{} and at least one to train on",
         name, records, validation, test ? " and " + std::to_string(test) + " of test" : "");
  int64_t first = 0, count = 0;
  if (split == Split::test && test_records > 0) {
    choice.from_test = true;
    count = limits.test > 0 ? std::min(limits.test, test_records) : test_records;
    choice.indices.resize(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) choice.indices[static_cast<size_t>(i)] = i;
    return choice;
  }
  if (split == Split::test) {
    count = test;
  } else if (split == Split::validation) {
    first = test;
    count = validation;
  } else {
    first = test + validation;
    count = limits.train > 0 ? std::min(limits.train, train) : train;
  }
  KeyedPermutation place(static_cast<uint64_t>(records), seed, 0x73706c6974u);
  for (int64_t i = first; i < first + count; ++i)
    choice.indices.push_back(static_cast<int64_t>(place(static_cast<uint64_t>(i))));
  std::sort(choice.indices.begin(), choice.indices.end());
  return choice;
}

ImageRecords take(const ImageRecords& records, const std::vector<int64_t>& indices) {
  ImageRecords out{records.height, records.width, records.channels, {}, {}};
  size_t bytes = static_cast<size_t>(records.height * records.width * records.channels);
  out.pixels.reserve(indices.size() * bytes);
  for (int64_t index : indices) {
    auto from = records.pixels.begin() + index * static_cast<int64_t>(bytes);
    out.pixels.insert(out.pixels.end(), from, from + static_cast<int64_t>(bytes));
    out.labels.push_back(records.labels[static_cast<size_t>(index)]);
  }
  return out;
}

void channel_statistics(const ImageRecords& records, std::vector<float>* mean,
                        std::vector<float>* deviation) {
  mean->clear();
  deviation->clear();
  int64_t channels = records.channels;
  for (int64_t c = 0; c < channels; ++c) {
    uint64_t sum = 0, squares = 0, count = 0;
    for (size_t i = static_cast<size_t>(c); i < records.pixels.size();
         i += static_cast<size_t>(channels)) {
      uint64_t value = records.pixels[i];
      sum += value;
      squares += value * value;
      ++count;
    }
    double n = std::max<double>(1, static_cast<double>(count)), m = static_cast<double>(sum) / n;
    double variance = static_cast<double>(squares) / n - m * m;
    mean->push_back(static_cast<float>(m / 255));
    deviation->push_back(variance > 1e-9 ? static_cast<float>(std::sqrt(variance) / 255) : 1.0f);
  }
}

}  // namespace strata

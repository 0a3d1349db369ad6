#include "tools/study/random_labels.h"

#include "engine/data/keyed_random.h"

namespace strata::study {
namespace {

constexpr uint32_t stream = 0x6c61626c;  // apart from those that make and augment images

}  // namespace

RandomLabels::RandomLabels(std::unique_ptr<Dataset> data, uint64_t seed)
    : data_(std::move(data)), seed_(seed) {
  name = data_->name;
  height = data_->height;
  width = data_->width;
  channels = data_->channels;
  class_names = data_->class_names;
  factors = data_->factors;
  label_name = data_->label_name;
  label_factor = data_->label_factor;
  mean = data_->mean;
  deviation = data_->deviation;
}

void RandomLabels::read(int64_t index, uint8_t* pixels, int64_t* label,
                        int64_t* factor_values) const {
  data_->read(index, pixels, label, factor_values);
  KeyedRandom random(seed_, static_cast<uint64_t>(index), stream);
  *label = random.below(static_cast<uint32_t>(classes()));
}

}  // namespace strata::study

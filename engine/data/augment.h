// Random changes of training images that keep their class. What happens to an image is a function
// of (seed, epoch, index of the image) alone.
#pragma once

#include <cstdint>
#include <string>

namespace strata {

struct Augment {
  int64_t pad_crop = 0;  // shift by up to this many whole pixels each way; black comes in
  bool flip = false;     // left-right, half of the time
  double shift = 0;      // pixels each way, any fraction (with rotate and zoom: one resampling)
  double rotate = 0;     // degrees each way
  double zoom = 0;       // .1: scaled by .9 to 1.1
  int64_t cutout = 0;    // side of a square set to mid grey (DeVries and Taylor 2017), anywhere

  bool any() const {
    return pad_crop > 0 || flip || shift > 0 || rotate > 0 || zoom > 0 || cutout > 0;
  }
};

// What suits a data set, by the name open_dataset gives it: digits are shifted, turned and zoomed a
// little; clothes shifted and flipped; photographs shifted, flipped and cut out; generated
// images are left alone.
Augment augment_for(const std::string& dataset_name);

// Changes the image [height, width, channels] in place.
void augment_image(const Augment& augment, uint64_t seed, uint64_t epoch, uint64_t index,
                   int64_t height, int64_t width, int64_t channels, uint8_t* pixels);

}  // namespace strata

// Pictures of either kind; the corpus decides where the search begins.
#include "engine/data/image_file.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return strata::fuzz::run([&] {
    strata::Picture picture = strata::decode_picture({data, size}, "fuzz");
    // Large pictures are decoded, not resized: the search should not spend its time on arithmetic.
    if (picture.height * picture.width < (1 << 16)) {
      strata::Picture small = strata::resize(strata::crop_square(picture), 8, 8);
      if (strata::to_rgb(small).pixels.size() != 192) std::abort();
    }
    return strata::empty({0});
  });
}

// Pictures in folders, a folder a class: DIR/cat/1.png, DIR/dog/2.jpg; or DIR/train/CLASS/... and
// DIR/test/CLASS/... when there is a test set.
#pragma once

#include <string>
#include <vector>

#include "engine/data/stored_images.h"

namespace strata {

struct FolderImages {
  ImageRecords train, test;              // test is empty when there is no DIR/test
  std::vector<std::string> class_names;  // the folders' names, sorted
};

// All .png, .jpg and .jpeg files (any case), in the order of their names; cropped to the centred
// square and resized to `side` x `side` RGB. A folder without classes, a class without pictures, a
// picture that cannot be read: errors that name it.
FolderImages read_image_folder(const std::string& folder, int64_t side, Caller at = Caller::here());

}  // namespace strata

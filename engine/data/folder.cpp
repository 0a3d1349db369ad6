#include "engine/data/folder.h"

#include <algorithm>
#include <cctype>

#include "engine/data/files.h"
#include "engine/data/image_file.h"

namespace strata {
namespace {

bool is_picture(std::string name) {
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const char* ending : {".png", ".jpg", ".jpeg"}) {
    std::string end = ending;
    if (name.size() > end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0)
      return true;
  }
  return false;
}

ImageRecords read_classes(const std::string& folder, const std::vector<std::string>& classes,
                          int64_t side, Caller at) {
  ImageRecords records{side, side, 3, {}, {}};
  for (size_t label = 0; label < classes.size(); ++label) {
    std::string inside = join_path(folder, classes[label]);
    size_t before = records.labels.size();
    for (const std::string& name : files_in("folder", inside, at)) {
      if (!is_picture(name)) continue;
      Picture picture =
          to_rgb(resize(crop_square(read_picture(join_path(inside, name), at)), side, side, at));
      records.pixels.insert(records.pixels.end(), picture.pixels.begin(), picture.pixels.end());
      records.labels.push_back(static_cast<int64_t>(label));
    }
    if (records.labels.size() == before)
      fail("folder", at, "'{}' has no .png, .jpg or .jpeg file", inside);
  }
  return records;
}

}  // namespace

FolderImages read_image_folder(const std::string& folder, int64_t side, Caller at) {
  if (side < 1 || side > 4096)
    fail("folder", at, "images of a folder are resized to a side of 1..4096; asked for {}", side);
  std::vector<std::string> inside = folders_in("folder", folder, at);
  bool cut = std::find(inside.begin(), inside.end(), "train") != inside.end() &&
             std::find(inside.begin(), inside.end(), "test") != inside.end();
  FolderImages out;
  std::string train = cut ? join_path(folder, "train") : folder;
  out.class_names = folders_in("folder", train, at);
  if (out.class_names.empty())
    fail("folder", at, "'{}' has no folders: expected one a class, with .png or .jpg files", train);
  out.train = read_classes(train, out.class_names, side, at);
  if (cut) {
    std::string test = join_path(folder, "test");
    if (folders_in("folder", test, at) != out.class_names)
      fail("folder", at, "'{}' and '{}' do not have the same classes", train, test);
    out.test = read_classes(test, out.class_names, side, at);
  }
  return out;
}

}  // namespace strata

#include "tools/study/patch_sheet.h"

#include "engine/ops.h"
#include "tools/study/panels.h"

namespace strata::study {
namespace {

introspect::ReceptiveField whole(const Dataset& data) {
  introspect::ReceptiveField field;
  field.height = field.image_height = data.height;
  field.width = field.image_width = data.width;
  return field;
}

}  // namespace

PatchSheet::PatchSheet(const Batch& images, const Dataset& data,
                       const introspect::ReceptiveField& field)
    : images_(images),
      data_(data),
      field_(field),
      sheet_(static_cast<size_t>(field.height), static_cast<size_t>(field.width),
             static_cast<size_t>(data.channels)) {}

PatchSheet::PatchSheet(const Batch& images, const Dataset& data)
    : PatchSheet(images, data, whole(data)) {}

bool PatchSheet::whole_images() const {
  return field_.height == data_.height && field_.width == data_.width;
}

size_t PatchSheet::tile(const introspect::Excitation& place) {
  auto w = field_.window(place.row, place.column);
  auto [found, fresh] = tiles_.try_emplace({place.image, w.top, w.left}, sheet_.count());
  if (fresh) {
    Tensor image = images_.images.slice(0, place.image, place.image + 1);
    Tensor patch = pixels_of(image, data_)
                       .select(0, 0)
                       .slice(0, w.top, w.bottom)
                       .slice(1, w.left, w.right)
                       .contiguous();
    sheet_.add({patch.data<float>(), static_cast<size_t>(patch.numel())});
    image_of_.push_back(place.image);
  }
  return found->second;
}

nlohmann::json PatchSheet::to_json() const {
  nlohmann::json sprite = sheet_.to_json(), columns = nlohmann::json::object();
  auto column = [&](const std::string& name, const Tensor& values) {
    auto all = values.to_vector<int64_t>();
    for (int64_t image : image_of_) columns[name].push_back(all[static_cast<size_t>(image)]);
  };
  for (size_t f = 0; f < data_.factors.size(); ++f) {
    column(data_.factors[f].name, images_.factors.select(1, static_cast<int64_t>(f)));
  }
  if (data_.label_factor < 0) column(data_.label_name, images_.labels);
  sprite["factors"] = columns;
  return sprite;
}

}  // namespace strata::study

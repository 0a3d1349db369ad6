// PatchSheet: windows of the images of a data set as tiles of one sprite sheet, each window once
// however often it is asked for. A film of a unit's best patches shows the same few over and over.
#pragma once

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "engine/data/dataset.h"
#include "tools/introspect/units/excitation.h"
#include "tools/report/sprite_sheet.h"

namespace strata::study {

class PatchSheet {
 public:
  // `images`: the batch that tiles are cut from, `data`: what it was read from. Windows are those
  // that a place of a layer with this receptive field can see.
  PatchSheet(const Batch& images, const Dataset& data, const introspect::ReceptiveField& field);
  // Whole images.
  PatchSheet(const Batch& images, const Dataset& data);

  // The tile that shows what the unit at this place saw.
  size_t tile(const introspect::Excitation& place);
  bool whole_images() const;
  // The sprite of the contract, with the values of the factors of every tile.
  nlohmann::json to_json() const;

 private:
  const Batch& images_;
  const Dataset& data_;
  introspect::ReceptiveField field_;
  report::SpriteSheet sheet_;
  std::map<std::array<int64_t, 3>, size_t> tiles_;  // by image, top, left
  std::vector<int64_t> image_of_;                   // by tile
};

}  // namespace strata::study

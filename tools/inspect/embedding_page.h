// A map of a data set as a page: every image a point, near where a layer finds them alike, with
// thumbnails, factors to colour by, and the nearest neighbours in the layer's own space; beside it
// the same layer of the untrained network (tools/report).
//
// Cost for N images: both networks on all; a map of each, by t-SNE N log N but minutes for 100,000,
// by principal components nothing; neighbours N^2 D.
#pragma once

#include <nlohmann/json.hpp>

#include "tools/inspect/embedding.h"

namespace strata::inspect {

struct MapOptions {
  EmbedOptions embed;
  std::string method = "t-sne";  // or "pca"
  std::string command;           // as typed, for the page
  // With up to so many images, thumbnails are the whole images, in one PNG; with more, 16 x 16
  // JPEG.
  int64_t whole_images = 4000;
};

// {"config", "metrics", "panels"} of a report whose first picture is the map. Fewer than 10 images,
// and the inner product, which is no distance, are errors.
nlohmann::json embedding_page(const Subject& subject, const MapOptions& options);

}  // namespace strata::inspect

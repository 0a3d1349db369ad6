// The files that TensorBoard's embedding projector reads: points as tab-separated numbers, a line
// of labels for each, small pictures of them in one sheet, and projector_config.pbtxt, which names
// them (tensorboard/plugins/projector/projector_config.proto).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata::events {

struct Embedding {
  std::string name;                              // of the layer
  Tensor points;                                 // [count, dimensions]
  std::vector<std::string> columns;              // what is known of each point: "class", "hue"
  std::vector<std::vector<std::string>> labels;  // a row for each point, a text for each column
  Tensor thumbnails;  // [count, H, W, C] from 0 to 1, C 1 or 3; undefined: none
};

// Writes into `folder`, which TensorBoard is pointed at, in place of an earlier embedding. A row of
// labels for each point is expected. The sheet of thumbnails may be 8192 pixels wide, no more; it
// is left out where it would be wider.
void write_projector(const std::filesystem::path& folder, const Embedding& embedding,
                     Caller at = Caller::here());

}  // namespace strata::events

// From a list of layers as read to layers: makes each, follows the shape through them, and writes
// the table.
#pragma once

#include "models/config/configured.h"

namespace strata::config {

// A layer of a list; one that is repeated comes once each time, as "name.0", "name.1", ...
struct Place {
  std::string path;
  bool follows = false, holds_layers = false, has_parameters = false;
};

class Builder {
 public:
  explicit Builder(const Description& description) : description_(description) {}

  struct List {
    std::vector<std::pair<std::string, std::shared_ptr<Layer>>> layers;
    std::vector<Place> places;
    Shape out;
  };
  // The layers of a list whose paths start with `prefix` ("" or "block1.").
  List list(const std::vector<LayerText>& texts, Shape in, const std::string& prefix);

  std::vector<Row> rows;

 private:
  Made one(const LayerText& text, const Shape& in, const std::string& path, Place& place);
  Made chain(Site& site, const std::string& path);
  std::shared_ptr<Layer> shortcut(Site& site, const Shape& out, int64_t& multiply_adds);

  const Description& description_;
};

}  // namespace strata::config

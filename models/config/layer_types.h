// The types of layers that a description in TOML may name: their settings, which shapes they take,
// and what comes out. `strata new --types` prints this table.
//
// Shapes are those of one example. Multiply-adds are counted as in models/vision/cost.h: products
// of convolutions, linear and recurrent layers and attention; a sequence counts with its full
// length.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/nn/layer.h"
#include "models/config/description.h"

namespace strata::config {

// image [H, W, C], sequence [T, C], vectors [C] or tokens [T].
struct Shape {
  InputKind kind = InputKind::image;
  std::vector<int64_t> dims;

  int64_t channels() const { return dims.back(); }  // not of tokens
  bool operator==(const Shape&) const = default;
};
std::string to_string(const Shape& shape);  // "image [32, 32, 3]"
Shape input_shape(const Description& description);

// A layer about to be made: its settings, and the shape that arrives. Every error names the file,
// the line, the layer and that shape.
class Site {
 public:
  Site(const Description& description, const LayerText& text, Shape in)
      : text(text), in(std::move(in)), description_(description) {}

  const LayerText& text;
  const Shape in;

  // A whole number of at least `least`, or the name of a size of the input; without a fallback it
  // must be given.
  int64_t count(const std::string& key);
  int64_t count(const std::string& key, int64_t fallback, int64_t least = 1);
  double number(const std::string& key, double fallback);
  bool flag(const std::string& key, bool fallback);
  std::string word(const std::string& key,
                   const std::vector<std::string>& choices);  // or the first
  // A size of the input.
  int64_t size(const std::string& name) const { return description_.sizes.at(name); }
  // What arrives must be one of these.
  void takes(const std::vector<InputKind>& kinds, const std::string& advice);
  // A setting that nobody asked for is an error that lists those the type has.
  void finish(const std::string& settings);
  [[noreturn]] void refuse(const std::string& message) const;
  [[noreturn]] void refuse(const std::string& key, const std::string& message) const;

 private:
  const Setting* find(const std::string& key);

  const Description& description_;
  std::set<std::string> asked_;
};

struct Made {
  std::shared_ptr<Layer> layer;
  Shape out;
  int64_t multiply_adds = 0;  // of one example
};

struct LayerType {
  std::string name, settings, about;
  bool follows = false;  // a norm or a nonlinearity: part of the stage of the layer before it
  std::function<Made(Site&)> make;  // none of block and residual, which hold layers of their own
};
const std::vector<LayerType>& layer_types();
// An unknown type is an error that lists those there are.
const LayerType& layer_type(const Site& site);

}  // namespace strata::config

// Capture: keeps the named activations of every forward pass run while it lives, attached to the
// graph, so that gradients with respect to them can be asked for. Only what is asked for is kept;
// all is let go at the end of the scope.
//
//   Capture capture({"conv3"});
//   Tensor logits = model(x);
//   Tensor gradient = grad(sum(logits), capture["conv3"]);
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/event.h"

namespace strata::introspect {

class Capture {
 public:
  // Keeps the activations of these names; with no names, all of them.
  explicit Capture(std::vector<std::string> names = {});

  // The activation of the latest pass. A name that was not seen is an error that lists those that
  // were.
  const Tensor& operator[](const std::string& name) const;
  // One entry for each time the name was seen (a layer used twice has two).
  const std::vector<Tensor>& every(const std::string& name) const;
  // Names in the order of their first appearance.
  const std::vector<std::string>& names() const { return order_; }
  void clear();

 private:
  std::vector<std::string> order_;
  std::map<std::string, std::vector<Tensor>> values_;
  ActivationObserver observer_;
};

}  // namespace strata::introspect

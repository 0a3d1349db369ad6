// A panel that shows an explanation, which cannot be drawn without the result of a control.
//
//   Panel panel({"Grad-CAM, conv5", draw::HeatMap{map, photo}});
//   panel.set_control(control_of(randomise(network, model, method, x, target)));
//   figure.rows.push_back({.panels = {panel.drawn()}});    // notes "cascade .12: passes"
#pragma once

#include <optional>

#include "tools/draw/figure.h"
#include "tools/introspect/scores/localisation.h"
#include "tools/introspect/scores/sanity.h"

namespace strata::introspect {

struct Control {
  std::string finding;  // "cascade .12 (abs .35)"
  Verdict verdict = Verdict::unclear;
  std::string text() const;  // "cascade .12 (abs .35): passes"
};
// Of a cascade.
Control control_of(const Randomisation& randomisation);
Control control_of_shuffled_labels(const Similarity& similarity);
Control control_of(const Localisation& localisation);

class Panel {
 public:
  explicit Panel(draw::Panel content) : content_(std::move(content)) {}

  void set_control(Control control) { control_ = std::move(control); }
  const std::optional<Control>& control() const { return control_; }
  // The content with the control's finding and verdict in its note. Without a control an error.
  draw::Panel drawn() const;

 private:
  draw::Panel content_;
  std::optional<Control> control_;
};

}  // namespace strata::introspect

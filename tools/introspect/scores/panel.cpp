#include "tools/introspect/scores/panel.h"

#include <cmath>

namespace strata::introspect {
namespace {

// ".12", "−.40", "1.00".
std::string short_number(double value) {
  std::string text = fmt::format("{:.2f}", std::abs(value));
  if (text.starts_with("0")) text = text.substr(1);
  return (value < -0.005 ? "−" : "") + text;
}

std::string correlations(const char* name, const Similarity& similarity) {
  return fmt::format("{} {} (abs {})", name, short_number(similarity.rank),
                     short_number(similarity.magnitude_rank));
}

}  // namespace

std::string Control::text() const { return finding + ": " + name_of(verdict); }

Control control_of(const Randomisation& randomisation) {
  Verdict verdict = randomisation.verdict();
  return {correlations("cascade", randomisation.steps.back().similarity), verdict};
}

Control control_of_shuffled_labels(const Similarity& similarity) {
  return {correlations("shuffled labels", similarity), verdict_of(similarity)};
}

Control control_of(const Localisation& localisation) {
  return {fmt::format("mass {}, area {}", short_number(localisation.mass),
                      short_number(localisation.area)),
          localisation.verdict()};
}

draw::Panel Panel::drawn() const {
  if (!control_) {
    fail("Panel", Caller{},
         "'{}' has no control, and is not drawn without: run randomise() or compare with masks, "
         "and give the result to set_control()",
         content_.title);
  }
  draw::Panel out = content_;
  out.note += (out.note.empty() ? "" : "\n") + control_->text();
  return out;
}

}  // namespace strata::introspect

#include "models/multimodal/clip_rates.h"

namespace strata {

std::vector<ParameterGroup> clip_groups(Clip& clip) {
  std::vector<ParameterGroup> groups(3);
  for (NamedTensor& p : clip.named_parameters()) {
    const bool of_words = p.name == "text.token.weight" || p.name == "text.position";
    const size_t group = of_words ? 1 : p.name.starts_with("text.") ? 2 : 0;
    groups[group].parameters.push_back(std::move(p));
  }
  return groups;
}

void set_clip_rates(Optimizer& optimizer, double rate, ClipPart part) {
  auto& groups = optimizer.groups();
  if (groups.size() != 3)
    fail("set_clip_rates", Caller{},
         "takes an optimizer of the three groups of clip_groups(); "
         "this one has {}",
         groups.size());
  const bool words = part == ClipPart::words;
  groups[0].initial_learning_rate = rate;
  groups[1].initial_learning_rate = words ? 4 * rate : rate;
  groups[2].initial_learning_rate = words ? 0.03 * rate : rate;
}

}  // namespace strata

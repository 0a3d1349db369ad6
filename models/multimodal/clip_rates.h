// Learning rates for a CLIP that sees few pairs.
//
// The first thing that both towers agree on (of terrace's captions, the hue) takes a hundred steps.
// From then on all else that the text tower tells of a caption is noise to the loss, and the
// matrices, which all words share, learn to drop it long before the image tower has found what it
// is about: texts that agree in the first thing fall on one point, and it takes hundreds of steps
// to get away from it. A word's own numbers can drop nothing but that word. So in the first part of
// a training words learn fast and matrices hardly; in the second, which is about what the order of
// words says, all learn alike.
#pragma once

#include "engine/optim/optimizer.h"
#include "models/multimodal/clip.h"

namespace strata {

// The image tower with the scale; words with positions; the rest of the text tower.
std::vector<ParameterGroup> clip_groups(Clip& clip);

enum class ClipPart { words, order };
// Sets what schedules multiply for an optimizer of clip_groups(): `rate` for all; for the part of
// the words 4 times that for words and .03 of it for the rest of the text tower.
void set_clip_rates(Optimizer& optimizer, double rate, ClipPart part);

}  // namespace strata

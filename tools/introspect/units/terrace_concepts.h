// The concepts of the generated data set as masks, for dissection: every value of every factor is a
// concept, of the factor's level, and covers the pixels in which it is drawn.
//
//   hue, orientation, frequency   the fill of both parts, away from the outline
//   texture, outline, part        the part above or below that has the value
//   junction                      the junction's strokes
//   background                    all but the parts
//   object                        both parts
//   scene                         the whole image
//
// An object has about a twelfth of all pixels, so units must be on in a larger share than the
// customary .005 to reach an IoU of .04 with one: .02 does.
#pragma once

#include "engine/data/terrace.h"
#include "tools/introspect/units/dissection.h"

namespace strata::introspect {

// In the order of factors and values, the part above and below being one: "hue red",
// "texture stripes", ...
std::vector<Concept> terrace_concepts();
// bool [count, 32, 32, K]: the masks of images first, first + 1, ...
Tensor terrace_masks(const Terrace& data, int64_t first, int64_t count);

}  // namespace strata::introspect

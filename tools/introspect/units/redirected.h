// Gradients through dead ReLUs (the redirected ReLU of Lucid, Olah et al. 2017): a unit that does
// not respond to noise has a ReLU with a negative input on every path, so its gradient is 0 and
// ascent stays where it is. For an image that gets nothing at all through a ReLU, what would raise
// the ReLU's input is let through:
//
//   g_x = g_y [x > 0]                     where that is not 0 for the whole image
//   g_x = g_y (0 where x < 0 and g_y < 0)   otherwise
#pragma once

#include "tools/introspect/tape.h"

namespace strata::introspect {

// The rule, for propagate(). The first axis of what a ReLU sees is the batch.
Rules redirected_relu();

}  // namespace strata::introspect

// Numbers on axes and beside colours.
#pragma once

#include "tools/draw/paper.h"

namespace strata::draw {

// Round numbers (1, 2 or 5 times a power of ten apart) within [low, high], about `count` of them.
std::vector<double> round_ticks(double low, double high, int count);
// Powers of ten within [low, high], at most `count`.
std::vector<double> decade_ticks(double low, double high, int count);
// With as many digits as ticks this far apart need; a true minus sign.
std::string tick_text(double value, double step);
// Three significant digits; "1.2e−5" for what is small or large.
std::string number_text(double value);

// What a bar needs to the right of a plot, gap included.
double bar_width(const Range& range, const std::string& label);
// The colours of `range`, high above, with its ends and middle in numbers, as tall as `plot` and to
// the right of it. `saturates`: values beyond the ends have the colours of the ends.
void draw_bar(Paper& paper, const Box& plot, const Range& range, const std::string& label,
              bool saturates);

}  // namespace strata::draw

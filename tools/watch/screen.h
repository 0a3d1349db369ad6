// The picture of a run as lines of text, for a terminal of any size or for a pipe.
#pragma once

#include <string>
#include <vector>

#include "tools/watch/run_state.h"

namespace strata::watch {

struct Look {
  int width = 100, height = 0;  // characters; height 0: as many lines as there is to say
  bool ascii = false;
};

// At most `height` lines of at most `width` columns: what it is and where it stands, the curves,
// the table of probe accuracies or a task's scores. What does not fit is left out from below and
// counted.
std::vector<std::string> screen(const RunState& run, const Look& look);

// "training", "no line for 5 min 00 s (stopped?)", "ended": the state in words.
std::string state_of(const RunState& run);

}  // namespace strata::watch

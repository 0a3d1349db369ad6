#include "tools/experiments/list.h"

namespace strata::experiments {

std::vector<Experiment> list() { return {}; }

}  // namespace strata::experiments

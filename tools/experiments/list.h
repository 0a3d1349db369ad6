// The experiments there are: one function a file of this folder.
#pragma once

#include <vector>

#include "tools/experiments/experiment.h"

namespace strata::experiments {

std::vector<Experiment> list();

}  // namespace strata::experiments

// The experiments there are: one function a file of this folder.
#pragma once

#include <vector>

#include "tools/experiments/experiment.h"

namespace strata::experiments {

Experiment hierarchy();
Experiment emergence();
Experiment transferability();
Experiment similarity();
Experiment monitoring();
Experiment implicit_bias();
Experiment batch_noise();
Experiment depth_width();
Experiment diminishing_depth();
Experiment bias_matrix();
Experiment transfer_saves_data();
Experiment distributed_codes();
Experiment attribution_truth();
Experiment language_pipeline();
Experiment embeddings();

std::vector<Experiment> list();

}  // namespace strata::experiments

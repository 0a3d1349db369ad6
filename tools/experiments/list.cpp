#include "tools/experiments/list.h"

namespace strata::experiments {

std::vector<Experiment> list() {
  return {hierarchy(),           emergence(),         transferability(),   similarity(),
          monitoring(),          implicit_bias(),     batch_noise(),       depth_width(),
          diminishing_depth(),   distributed_codes(), attribution_truth(), bias_matrix(),
          transfer_saves_data(), language_pipeline(), embeddings()};
}

}  // namespace strata::experiments

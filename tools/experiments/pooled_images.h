// Terrace images made small, for networks that are to be trained many times: means over blocks of
// 4 x 4 pixels, 8 x 8 x 3 numbers an image.
#pragma once

#include <cstdint>
#include <string>

#include "engine/data/dataset.h"

namespace strata::experiments {

struct PooledImages {
  Tensor x;  // f32 [N, 192]
  Tensor y;  // i64 [N]
  int64_t classes = 0;
};
// The first `count` images of a split of "terrace:<task>". A `share_random` of the labels, the
// first ones, are replaced by classes drawn uniformly by the seed.
PooledImages pooled_terrace(const std::string& task, Split split, uint64_t seed, int64_t count,
                            double share_random = 0);

// Share of rows whose largest logit is the label.
double accuracy_of(const Tensor& logits, const Tensor& labels);

}  // namespace strata::experiments

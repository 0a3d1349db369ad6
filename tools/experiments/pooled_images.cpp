#include "tools/experiments/pooled_images.h"

#include <cmath>

#include "engine/data/keyed_random.h"
#include "engine/ops.h"

namespace strata::experiments {

PooledImages pooled_terrace(const std::string& task, Split split, uint64_t seed, int64_t count,
                            double share_random) {
  const DatasetLimits limits{.train = count, .validation = count, .test = count};
  const auto data = open_dataset("terrace:" + task, split, seed, limits);
  const Batch all = data->head(count);
  const int64_t side = data->height / 4;
  const Tensor blocks = all.images.reshape({count, side, 4, side, 4, data->channels});
  std::vector<int64_t> labels = all.labels.to_vector<int64_t>();
  const auto replaced = static_cast<size_t>(std::lround(share_random * static_cast<double>(count)));
  for (size_t i = 0; i < replaced; ++i) {
    KeyedRandom random(seed, i, 0x72616e64u);
    labels[i] = random.below(static_cast<uint32_t>(data->classes()));
  }
  return {mean(blocks, {2, 4}).reshape({count, -1}), from_vector(labels, {count}), data->classes()};
}

double accuracy_of(const Tensor& logits, const Tensor& labels) {
  return mean(equal(argmax(logits, -1), labels).to(DType::f32)).item();
}

}  // namespace strata::experiments

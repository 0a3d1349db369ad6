// A small transformer that learns to copy: the network on which the views of language are shown. It
// is trained on random letters that repeat, with a period that changes from batch to batch: what
// comes next can be known only by finding the last time and looking one further, so induction heads
// have to form (Olsson et al. 2022), which takes two layers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

namespace strata::inspect {

struct InductionOptions {
  int64_t layers = 2, heads = 4, width = 64, context = 32;
  int64_t steps = 2500, batch = 32;
  double learning_rate = 2e-3;
  uint64_t seed = 1;
  std::function<void(int64_t step, double loss)> progress = {};
};
struct Induction {
  double loss = 0;      // nats a letter that has been seen before, on fresh sequences
  double accuracy = 0;  // of those letters
};
// Trains a gpt on the letters a to z and leaves checkpoint.safetensors and config.json in
// `folder`, as `strata inspect` takes them.
Induction train_induction(const std::filesystem::path& folder,
                          const InductionOptions& options = {});

}  // namespace strata::inspect

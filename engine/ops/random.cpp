// Random tensors; the numbers themselves come from kernels/random.
#include "engine/ops/random.h"

namespace strata {

Generator& default_generator() {
  static thread_local Generator generator;
  return generator;
}

void manual_seed(uint64_t seed) { default_generator() = Generator(seed); }

}  // namespace strata

#include <limits>
#include <stdexcept>

#include "bench/gpu/rivals.h"
#include "kernels/gpu/runtime.h"

namespace strata::bench {

std::function<void(int)> fastest(const std::vector<std::function<void(int)>>& ways, int copies) {
  const gpu::Stream stream = gpu::current_stream();
  const gpu::Event begin = gpu::create_event(), end = gpu::create_event();
  double least = std::numeric_limits<double>::infinity();
  std::function<void(int)> best;
  std::string refusal = "it proposes nothing for this shape";
  for (const auto& way : ways) {
    try {
      for (int i = 0; i < copies; ++i) way(i);
      gpu::record(begin, stream);
      for (int i = 0; i < copies; ++i) way(i);
      gpu::record(end, stream);
      gpu::synchronize(stream);
      const double time = gpu::elapsed_ms(begin, end);
      if (time < least) least = time, best = way;
    } catch (const std::exception& error) {
      refusal = error.what();
    }
  }
  gpu::destroy_event(begin);
  gpu::destroy_event(end);
  if (!best) throw std::runtime_error(refusal);
  return best;
}

}  // namespace strata::bench

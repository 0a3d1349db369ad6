// Rung 1: one thread an element, any strides. Neighbouring threads take neighbouring elements of
// the innermost axis of the output; each finds its place by dividing its index by the sizes of the
// axes (a multiplication each, layout.h) and multiplying by the strides of each operand.
//
// Bytes: each input and the output once where the inner strides are 1; a stride of s elements reads
// a 32-byte sector for every max(1, 32 / (s size)) elements. FLOPs: those of the function.
// Always possible. Run on an H200 by its tests, not timed.
#include "kernels/elementwise/layout.h"

namespace strata::gpu::elementwise {

inline constexpr int strided_threads = 256;

template <class Body>
__global__ __launch_bounds__(strided_threads) void strided_kernel(Body body, Layout layout) {
  const uint32_t index = blockIdx.x * strided_threads + threadIdx.x;
  if (index >= layout.count) return;
  Offsets offset;
  layout.offsets<Body::operands>(index, offset);
  body.template run<1>(offset);
}

void strided(const Work& work) {
  const Layout layout(work.args, 1);
  visit_body(work, 1, [&]<class Body>(const Body& body) {
    launch<strided_kernel<Body>>(
        {.grid = divide_up(layout.count, strided_threads), .block = strided_threads}, body, layout);
  });
}

}  // namespace strata::gpu::elementwise

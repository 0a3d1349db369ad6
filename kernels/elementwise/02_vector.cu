// Rung 2: one thread V neighbouring elements, moved by instructions of 16 bytes. Against rung 1 a
// warp asks for 512 bytes at once instead of 128 (f32), so that fewer warps keep the memory busy,
// and the index arithmetic and the switches are paid once for V elements.
//
// Needs the innermost axis dense (stride 1, or 0 for a broadcast operand) and divisible by V, and
// every row aligned; so a bias [C] on [N, C] is vectorised too. V is 16 bytes over the widest
// operand's size: 4 for f32, 8 for bf16. What is left of a single long axis goes to rung 1.
// Bytes: each operand once. H200: conversions and views 0.94 to 0.95 of
// a copy, x + row 0.91, gelu(x + row) y 0.50 (bf16) and 0.66 (f32).
#include "kernels/elementwise/layout.h"

namespace strata::gpu::elementwise {

inline constexpr int vector_threads = 128;

// What ptxas is told of blocks a multiprocessor; 0: nothing. Of itself it gives a chain 64
// registers and spills one; with 72 there are still 28 warps.
template <class Body>
inline constexpr int least_blocks = 0;
template <class C>
inline constexpr int least_blocks<ChainBody<C>> = 7;

template <class Body, int V>
__global__ __launch_bounds__(vector_threads, least_blocks<Body>) void vector_kernel(Body body,
                                                                                    Layout layout) {
  const uint32_t index = blockIdx.x * vector_threads + threadIdx.x;
  if (index >= layout.count) return;
  Offsets offset;
  layout.offsets<Body::operands>(index, offset);
  body.template run<V>(offset);
}

namespace {

// The V that are compiled for a body that works on E: unsigned types are moved, the others
// computed.
template <class E>
constexpr bool exists(int V) {
  if (std::is_unsigned_v<E>) return V == 16 / static_cast<int>(sizeof(E));
  if (std::is_same_v<E, double>) return V == 2;
  if (std::is_same_v<E, float>) return V == 4 || V == 8;
  return V == 2 || V == 4 || V == 8;
}

template <int V, class Body>
void launch_if(int size, const Body& body, const Layout& layout) {
  if constexpr (exists<typename Body::Element>(V)) {
    if (size != V) return;
    launch<vector_kernel<Body, V>>(
        {.grid = divide_up(layout.count, vector_threads), .block = vector_threads}, body, layout);
  }
}

// Whether an input has values that the type computed in has not.
bool narrows(const cpu::ElementwiseArgs& args) {
  if (is_float(args.compute)) return false;
  for (int k = 1; k < args.operands; ++k) {
    const DType type = args.dtype[k];
    if (is_float(type) || size_of(type) > size_of(args.compute)) return true;
    if (args.compute == DType::boolean && type != DType::boolean) return true;
  }
  return false;
}

int preferred_size(const Work& work) {
  size_t widest = 1;
  for (int k = 0; k < work.args.operands; ++k)
    widest = std::max(widest, size_of(work.args.dtype[k]));
  const int size = 16 / static_cast<int>(widest);
  if (work.kind == Kind::where || work.kind == Kind::move || work.kind == Kind::fill) return size;
  if (narrows(work.args)) return 1;
  if (work.args.compute == DType::f64) return 2;
  return std::clamp(size, is_float(work.args.compute) ? 4 : 2, 8);
}

}  // namespace

int vector_size(const Work& work) {
  const cpu::ElementwiseArgs& args = work.args;
  const int size = preferred_size(work), inner = args.rank - 1;
  if (size == 1 || args.sizes[inner] < size || args.strides[0][inner] != 1) return 1;
  if (args.rank > 1 && args.sizes[inner] % size != 0) return 1;
  for (int k = 0; k < args.operands; ++k) {
    if (args.strides[k][inner] == 0) continue;  // one element, wherever it lies
    const int64_t element = static_cast<int64_t>(size_of(args.dtype[k]));
    const int64_t access = std::min<int64_t>(16, size * element);
    if (args.strides[k][inner] != 1 || reinterpret_cast<uintptr_t>(args.data[k]) % access != 0)
      return 1;
    for (int axis = 0; axis < inner; ++axis)
      if (args.strides[k][axis] * element % access != 0) return 1;
  }
  return size;
}

void vectors(const Work& work, int size) {
  const Layout layout(work.args, size);
  visit_body(work, size, [&](const auto& body) {
    launch_if<2>(size, body, layout);
    launch_if<4>(size, body, layout);
    launch_if<8>(size, body, layout);
    launch_if<16>(size, body, layout);
  });
}

}  // namespace strata::gpu::elementwise

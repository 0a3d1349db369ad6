// Cell steps on the GPU: one thread an element of [N, H]; neighbours along H, so each of a thread's
// 5 to 13 accesses is a whole request for the warp. Nothing is shared and nothing is read twice.
//
// Unfused, an LSTM step is some 10 elementwise kernels and 40 H words a row; here it is one and 15
// H. A step of a small batch (64 x 512) moves 2 MB: the launch is then the larger part, which a
// captured graph removes. Registers: see README.md. Run on an H200 by its tests, not timed.
#include "kernels/gpu/divisor.h"
#include "kernels/gpu/gpu.h"
#include "kernels/recurrent/step.h"

namespace strata::gpu {
namespace recurrent {

inline constexpr int threads = 256;

struct Convert {
  template <class T>
  static DEVICE Compute<T> widen(T value) {
    return gpu::widen(value);
  }
  template <class T>
  static DEVICE T narrow(Compute<T> value) {
    return gpu::narrow<T>(value);
  }
};

// The elements of the four kernels, by the type of their arguments.
template <class T>
DEVICE void element(const LstmArgs& args, int64_t n, int64_t h) {
  strata::recurrent::lstm_element<T, Convert>(args, n, h);
}
template <class T>
DEVICE void element(const LstmGradientArgs& args, int64_t n, int64_t h) {
  strata::recurrent::lstm_gradient_element<T, Convert>(args, n, h);
}
template <class T>
DEVICE void element(const GruArgs& args, int64_t n, int64_t h) {
  strata::recurrent::gru_element<T, Convert>(args, n, h);
}
template <class T>
DEVICE void element(const GruGradientArgs& args, int64_t n, int64_t h) {
  strata::recurrent::gru_gradient_element<T, Convert>(args, n, h);
}

template <class T, class Args>
__global__ __launch_bounds__(threads) void cell_kernel(Args args, uint32_t count, Divisor H) {
  const uint32_t thread = blockIdx.x * threads + threadIdx.x;
  if (thread >= count) return;
  const uint32_t n = H.divide(thread);
  element<T>(args, n, thread - n * H.value);
}

template <class Args>
void run(const char* name, const Args& args) {
  const int64_t count = args.N * args.H;
  if (count == 0) return;
  if (count >= int64_t{1} << 31)
    throw Error(std::string(name) + " of " + std::to_string(args.N) + " x " +
                std::to_string(args.H) + ": the GPU's kernel takes fewer than 2^31 elements");
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    launch<cell_kernel<T, Args>>({.grid = divide_up(count, threads), .block = threads}, args,
                                 static_cast<uint32_t>(count),
                                 Divisor(static_cast<uint32_t>(args.H)));
  });
}

}  // namespace recurrent

void lstm_step(const LstmArgs& args) { recurrent::run("lstm_step", args); }
void lstm_step_gradient(const LstmGradientArgs& args) {
  recurrent::run("lstm_step_gradient", args);
}
void gru_step(const GruArgs& args) { recurrent::run("gru_step", args); }
void gru_step_gradient(const GruGradientArgs& args) { recurrent::run("gru_step_gradient", args); }

}  // namespace strata::gpu

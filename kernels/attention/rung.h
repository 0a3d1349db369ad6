// The ladder of attention on the GPU: every rung can be run by itself, by name, so that tests, the
// x-ray and benchmarks see each of them; gpu::attention (attention.cu) picks one.
#pragma once

#include <span>
#include <string>

#include "kernels/attention/attention.h"

namespace strata::gpu {

namespace attention_ladder {
template <class Args>
struct Rung {
  const char* name;         // "03_flash2"
  const char* description;  // its idea in one line
  // Whether it computes this on device(); sizes of zero are the launcher's business.
  bool (*supports)(const Args& args);
  size_t (*workspace)(const AttentionShape& shape);  // bytes it needs
  void (*run)(const Args& args);                     // in current_stream()
};
}  // namespace attention_ladder
using AttentionRung = attention_ladder::Rung<AttentionArgs>;
using AttentionGradientRung = attention_ladder::Rung<AttentionGradientArgs>;

// In the order of the ladder.
std::span<const AttentionRung* const> attention_rungs();
std::span<const AttentionGradientRung* const> attention_gradient_rungs();
// By name; throw gpu::Error with the names that there are.
const AttentionRung& attention_rung(const std::string& name);
const AttentionGradientRung& attention_gradient_rung(const std::string& name);

namespace attention_ladder {
extern const AttentionRung naive, online, flash2, flash3;
extern const AttentionGradientRung naive_gradient, online_gradient, flash2_gradient,
    flash3_gradient;

// delta [N, heads, T] = sum(dout out), what the softmax takes off each gradient of a row. f64 for
// f64, f32 otherwise.
void launch_delta(const AttentionGradientArgs& args, void* delta);
size_t delta_bytes(const AttentionShape& shape);

inline constexpr int64_t largest_size = 256;  // head size of all rungs but the naive one

bool is_float16(DType dtype);
// Whether rows of a head array, or of a dense one, start at multiples of 16 bytes.
bool rows_aligned(const HeadArray& x, DType dtype);
inline bool aligned16(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }
}  // namespace attention_ladder

}  // namespace strata::gpu

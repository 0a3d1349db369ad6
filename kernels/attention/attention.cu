// The launcher of attention: which rung runs when. The highest one that takes the arguments does:
//
//   forward   05_flash3   bf16 and f16 on sm_90; not packed, strides positive
//             03_flash2   bf16 and f16 on sm_80 and up; head sizes to 256, a multiple of 8; rows
//             and
//                         out at multiples of 16 bytes; a mask of less than 2^31 elements a head
//                         (05_flash3 asks for that too)
//             02_online   head sizes to 256; any floating type, any stride, any address
//             01_naive    any head size, with a matrix of scores as workspace
//   backward  06_flash3_backward as 05_flash3, head sizes to 128; then 04_flash2_backward,
//             02_online, 01_naive by the same conditions
//
// All take causal, windows, masks, grouped heads, strides; and, but for 05 and 06, packed samples.
#include <string>

#include "kernels/attention/rung.h"
#include "kernels/gpu/runtime.h"

namespace strata::gpu {
namespace {

using namespace attention_ladder;

constexpr const AttentionRung* rungs[] = {&naive, &online, &flash2, &flash3};
constexpr const AttentionGradientRung* gradient_rungs[] = {&naive_gradient, &online_gradient,
                                                           &flash2_gradient, &flash3_gradient};

// The highest rung of the ladder that takes the arguments.
template <class Args>
const Rung<Args>& pick(std::span<const Rung<Args>* const> ladder, const Args& args) {
  for (size_t i = ladder.size(); i-- > 0;)
    if (ladder[i]->supports(args)) return *ladder[i];
  throw Error(std::string("attention takes floating types, not ") + name_of(args.shape.dtype));
}

template <class Args>
const Rung<Args>& named(std::span<const Rung<Args>* const> ladder, const std::string& name) {
  std::string names;
  for (const Rung<Args>* rung : ladder) {
    if (rung->name == name) return *rung;
    names += (names.empty() ? "" : ", ") + std::string(rung->name);
  }
  throw Error("attention has no rung \"" + name + "\"; there are " + names);
}

void check(const AttentionShape& s) {
  if ((s.query_offsets == nullptr) != (s.key_offsets == nullptr))
    throw Error("packed attention needs query_offsets and key_offsets; one of them is null");
  if (s.query_offsets && s.mask_kind != MaskKind::none)
    throw Error("packed attention takes no mask: samples have no common [T, S]");
}

}  // namespace

namespace attention_ladder {

bool is_float16(DType dtype) { return dtype == DType::bf16 || dtype == DType::f16; }

bool rows_aligned(const HeadArray& x, DType dtype) {
  const int64_t bytes = static_cast<int64_t>(size_of(dtype));
  return aligned16(x.data) && x.sample * bytes % 16 == 0 && x.row * bytes % 16 == 0 &&
         x.head * bytes % 16 == 0;
}

}  // namespace attention_ladder

std::span<const AttentionRung* const> attention_rungs() { return rungs; }
std::span<const AttentionGradientRung* const> attention_gradient_rungs() { return gradient_rungs; }
const AttentionRung& attention_rung(const std::string& name) {
  return named(attention_rungs(), name);
}
const AttentionGradientRung& attention_gradient_rung(const std::string& name) {
  return named(attention_gradient_rungs(), name);
}

// Every rung but the naive one needs the same: nothing forward, delta backward.
size_t attention_workspace(const AttentionShape& shape) {
  return (shape.size <= largest_size ? online : naive).workspace(shape);
}
size_t attention_gradient_workspace(const AttentionShape& shape) {
  return (shape.size <= largest_size ? online_gradient : naive_gradient).workspace(shape);
}

void attention(const AttentionArgs& args) {
  check(args.shape);
  if (args.shape.samples * args.shape.queries * args.shape.heads == 0) return;
  pick(attention_rungs(), args).run(args);
}

void attention_gradient(const AttentionGradientArgs& args) {
  check(args.shape);
  if (args.dmask && args.shape.query_offsets)
    throw Error("packed attention has no mask, so dmask must be null");
  const AttentionShape& s = args.shape;
  if (s.samples * s.heads == 0) {  // keys that nobody asks
    const size_t bytes =
        static_cast<size_t>(s.samples * s.keys * s.key_heads * s.size) * size_of(s.dtype);
    for (void* gradient : {args.dk, args.dv})
      if (gradient) fill_bytes(gradient, 0, bytes, current_stream());
    return;
  }
  pick(attention_gradient_rungs(), args).run(args);
}

}  // namespace strata::gpu

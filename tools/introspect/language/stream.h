// The residual stream of a Gpt as a sum of what each part wrote to it (Elhage et al. 2021, "A
// mathematical framework for transformer circuits"), and what the unembedding reads of it: at each
// layer (logit lens, nostalgebraist 2020), and of each part (direct logit attribution). In
// evaluation mode.
#pragma once

#include <string>
#include <vector>

#include "tools/introspect/language/parts.h"

namespace strata::introspect {

// The parts, in the order they are written:
//   token, position; then for each block its attention's heads "blocks.i.attention.head.j", its
//   bias "blocks.i.attention.bias" and "blocks.i.mlp".
struct StreamParts {
  std::vector<std::string> names;
  Tensor parts;   // [parts, N, T, C]
  Tensor stream;  // [N, T, C]: their sum, as the model computed it
};
// tokens [N, T]. `layers`: of the stream after that many blocks; -1: all of them. parts N T C
// numbers.
StreamParts stream_parts(Gpt& model, const Tensor& tokens, int64_t layers = -1);

// The logits [N, T, V] that the final norm and the unembedding make of the stream at each stage:
// "embedding", "blocks.0", ..., the last of which are the model's.
std::vector<NamedTensor> logit_lens(Gpt& model, const Tensor& tokens);

// What each part adds to a logit: the final norm is made linear by keeping its scale,
//   logit(v) = sum over parts of <(part - mean(part)) / s * weight, token_v> + <bias, token_v>,
// s the standard deviation of the whole stream, so the values of a row sum to the logit exactly.
struct LogitAttribution {
  std::vector<std::string> names;  // those of stream_parts, and "norm.bias"
  Tensor values;                   // [N, names]
};
// Of the logit of answers[n] at `position` (negative: from the end); with `others`, of its
// difference to the logit of others[n].
LogitAttribution direct_logit_attribution(Gpt& model, const Tensor& tokens, int64_t position,
                                          const std::vector<int64_t>& answers,
                                          const std::vector<int64_t>& others = {});

}  // namespace strata::introspect

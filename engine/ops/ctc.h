// Connectionist temporal classification (Graves, Fernandez, Gomez and Schmidhuber 2006): the loss
// of a sequence of labels whose places in time are not known.
//
// An alignment gives each of T steps a label or the blank; collapsing it removes repeats, then
// blanks ("--aa-ab" is "aab"). The loss of a target is -log of the summed probability of all
// alignments that collapse to it. With the target's labels between blanks, l' = - a - b -, of
// length S = 2 U + 1, and log_probabilities y,
//   alpha[t, s] = y[t, l'[s]] + logsumexp(alpha[t - 1, s], alpha[t - 1, s - 1],
//                                         alpha[t - 1, s - 2] where l'[s] is neither - nor l'[s -
//                                         2])
//   loss = -logsumexp(alpha[T - 1, S - 1], alpha[T - 1, S - 2])
// and, with beta the same from the other end, the gradient at y[t, k] is minus the probability that
// step t belongs to label k: -sum over s with l'[s] = k of exp(alpha + beta - y + loss).
//
// Cost: 3 N T S logsumexps of three, the backward pass included; all in f64. Nothing but the
// operands is kept for the backward pass. On the gpu the operands are moved to the host, where the
// threads share the sequences, and the results back; under create_graph the recursion runs in
// public ops instead, so derivatives of any order exist.
#pragma once

#include "engine/ops/loss.h"
#include "engine/tensor/tensor.h"

namespace strata {

struct CtcOptions {
  int64_t blank = 0;
  // mean: over sequences, each divided by its number of labels (by 1 when it has none), as PyTorch.
  Reduction reduction = Reduction::mean;
  // A target with more labels (and blanks between equal ones) than there are steps has no
  // alignment: an error, or with this set a loss of 0 and no gradient.
  bool skip_impossible = false;
};

// log_probabilities [N, T, C] (of a log_softmax; floating), targets [N, U] and the lengths [N], i64
// or i32 -> scalar, or [N] with Reduction::none. Steps from input_lengths[n] and labels from
// target_lengths[n] on are padding and not read. Errors: shapes, lengths beyond T or U, labels that
// are no class or the blank, targets without an alignment.
Tensor ctc_loss(const Tensor& log_probabilities, const Tensor& targets, const Tensor& input_lengths,
                const Tensor& target_lengths, const CtcOptions& options = {},
                Caller at = Caller::here());

}  // namespace strata

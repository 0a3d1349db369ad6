// What the methods of attribution share: the number of each example that is explained, its
// gradient, and how a long list of points is cut into passes that fit a memory limit.
//
// A method explains one number an example. For class scores [N, classes] it is scores[n,
// target[n]]; for anything else (a loss, a margin between two classes, the mean of a map) give a
// Scores that returns the number itself, [N] or [N, 1], and no targets. For a neuron or a channel
// in the middle of the model use units_of() and channels_of(): every method then is its neuron
// variant,
//
//   integrated_gradients(channels_of(model, "layer2.0"), x, {17});
//
// and with attribution_at_layer() its layer variant. Examples never mix: the sum of the chosen
// scores is differentiated.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/tensor/tensor.h"
#include "tools/introspect/capture.h"
#include "tools/introspect/edit.h"

namespace strata::introspect {

// scores[n, target[n]] as [N]; of no targets, scores [N] or [N, 1] themselves. Recorded.
Tensor target_scores(const Tensor& scores, const std::vector<int64_t>& target);
// The targets of these examples; none of none.
std::vector<int64_t> targets_of(const std::vector<int64_t>& target,
                                const std::vector<int64_t>& examples);

// d score[n] / d x[n], in x's shape; 0 where the score does not depend on x at all.
Tensor input_gradient(const Scores& model, const Tensor& x, const std::vector<int64_t>& target);
// The score of each example, in f64, without gradients.
std::vector<double> scores_of(const Scores& model, const Tensor& x,
                              const std::vector<int64_t>& target);

// Every use of a layer that `capture`, made for it, saw of model(x). A layer that the model did not
// show is an error that lists those it does.
const std::vector<Tensor>& uses_of(const Capture& capture, const std::string& layer,
                                   const Scores& model, const Tensor& x);
// The activation of a layer, of its latest use, without gradients.
Tensor activation_of(const Scores& model, const Tensor& x, const std::string& layer);
// The model that ends at a layer: x -> every unit of its activation [N, units], row-major; and x ->
// the means of its channels (the last axis) [N, C]. The target is the unit or the channel.
Scores units_of(Scores model, std::string layer);
Scores channels_of(Scores model, std::string layer);

// A method that takes a model, its input and targets, applied to the part of the model above a
// layer and the layer's activation, example by example: its result for the activation, [N, ...].
//
//   attribution_at_layer(model, x, "layer2", target, gradient_times_input);
using AttributionMethod =
    std::function<Tensor(const Scores& model, const Tensor& x, const std::vector<int64_t>& target)>;
Tensor attribution_at_layer(const Scores& model, const Tensor& x, const std::string& layer,
                            const std::vector<int64_t>& target, const AttributionMethod& method);

// How much one pass through the model may hold.
struct PassLimit {
  int64_t examples = 64;
  // 0: no limit in bytes. Otherwise as many examples (at most `examples`, at least 1) as fit, a
  // pass being taken to need three times what the graph of a forward pass holds, measured on one
  // example.
  size_t bytes = 0;
};
int64_t examples_per_pass(const Scores& model, const Tensor& x, const PassLimit& limit);

// Rows of x (examples) at these indices; x itself where they are all of it in order.
Tensor rows_of(const Tensor& x, const std::vector<int64_t>& examples);
// One number an example as [N, 1, ...], to multiply x with.
Tensor column_like(const std::vector<double>& values, const Tensor& x);

}  // namespace strata::introspect

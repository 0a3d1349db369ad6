// ConvNorm: a convolution, a batch norm and, if asked, a residual sum and a ReLU: the block
// convolutional networks are made of. Children: conv, norm. The norm takes away any bias of the
// convolution, so it has none unless a network's published form does (VGG).
//
// Training runs two ops: the convolution, and batch norm with the sum and ReLU fused. For inference
// fold_batch_norm() moves the norm's fixed scale and shift into the convolution's weight and bias:
//   weight'[o] = weight[o] s[o],  bias'[o] = shift[o] + (bias[o] - mean[o]) s[o],
//   s = scale / sqrt(var + eps),
// and bias, sum and ReLU become its epilogue, so that a block is one op.
#pragma once

#include "engine/nn/conv.h"
#include "engine/nn/norm.h"

namespace strata {

struct ConvNormOptions {
  Conv2dOptions conv;
  bool relu = true;
  bool bias = false;  // of the convolution
};

// x [N, H, W, inputs] -> [N, H', W', outputs].
class ConvNorm : public Layer {
 public:
  ConvNorm(int64_t inputs, int64_t outputs, Pair kernel, const ConvNormOptions& options = {});
  std::string kind() const override;
  Tensor forward(const Tensor& x) override { return block(x, {}); }
  using Layer::operator();
  // relu(norm(conv(x)) + residual); residual has the result's shape.
  Tensor operator()(const Tensor& x, const Tensor& residual) {
    return run(x, [&] { return block(x, residual); });
  }

  // Uses the folded weight from now on, in evaluation, where the parameters want no gradient.
  // The weight is folded again when parameters or statistics were written since.
  void fold(bool folded = true) { fold_ = folded; }

  Conv2d& conv;
  BatchNorm& norm;

 private:
  Tensor block(const Tensor& x, const Tensor& residual);
  void refresh_folded();

  bool fold_ = false;
  Tensor folded_weight_, folded_bias_;
  std::vector<std::pair<Ref<Storage>, uint32_t>> folded_from_;
};

// Folds every ConvNorm of the tree; the values computed stay the same up to rounding. The
// activations shown are then those of the blocks; "conv" and "norm" inside them are not computed.
// Training again needs no unfolding, and the state dict does not change. Returns their number. For
// one or a few images a call also keep the weights packed (engine/ops/packed_weights.h).
int fold_batch_norm(Module& model);

}  // namespace strata

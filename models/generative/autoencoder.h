// Autoencoders of one hidden layer: a code from which the input can be told again, and one of four
// reasons for the code to say something about the data.
//   h = s(W x + b),  y = V h + c,  loss = mean over examples of |y - x|^2 + weight * penalty
//   denoising     x is seen with a part of its numbers at 0, and told as it was (Vincent et al.
//                 2008, "Extracting and composing robust features with denoising autoencoders")
//   sparse, l1    penalty = sum |h|
//   sparse, kl    penalty = sum over units of KL(target || mean over the batch of h) (Ng 2011)
//   contractive   penalty = |dh/dx|_F^2 = sum_j (h_j (1 - h_j))^2 |W_j|^2 (Rifai et al. 2011)
// s is the sigmoid, or nothing: a linear autoencoder finds the subspace of the leading principal
// components (Baldi and Hornik 1989). Tied: V = W^T.
//
//   layer      result       parameters           multiply-adds
//   encoder    [N, code]    D code + code        D code
//   decoder    [N, D]       D code + D (tied: D) D code
//
// D 784, code 128: 201,616 parameters, 101,264 tied; 0.2 M multiply-adds.
#pragma once

#include "engine/nn/linear.h"
#include "models/model.h"

namespace strata {

enum class CodePenalty { none, l1, kl, contractive };

struct AutoencoderOptions {
  int64_t inputs = 784;  // D
  int64_t code = 128;
  bool linear = false;  // no sigmoid
  bool tied = false;
  double corruption = 0;  // share of the input's numbers that training does not see
  CodePenalty penalty = CodePenalty::none;
  double weight = 0;     // of the penalty
  double target = 0.05;  // mean activation, for kl
};

// Parameters of a network with these options, without making it.
int64_t autoencoder_parameter_count(const AutoencoderOptions& options);

// x [N, ...] of D numbers an example -> its reconstruction, of x's shape.
class Autoencoder : public Model {
 public:
  explicit Autoencoder(const AutoencoderOptions& options = {});
  std::string kind() const override { return fmt::format("Autoencoder({})", options_.code); }
  // What is seen here is never corrupted. Shows "code" and "reconstruction" (rows of D).
  Tensor forward(const Tensor& x) override;
  std::vector<std::string> stages() const override { return {"code", "reconstruction"}; }

  Tensor encode(const Tensor& x);     // [N, ...] -> [N, code]
  Tensor decode(const Tensor& code);  // [N, code] -> [N, D]
  // The training loss, a scalar. In training mode the input is corrupted, by the default generator.
  Tensor loss(const Tensor& x);
  // The penalty of a batch of codes, without its weight.
  Tensor penalty(const Tensor& code) const;

 private:
  Tensor rows(const Tensor& x) const;

  AutoencoderOptions options_;
  Linear& encoder_;
  Linear* decoder_ = nullptr;  // not tied
  Tensor bias_;                // [D] of the decoder, tied
};

}  // namespace strata

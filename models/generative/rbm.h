// Restricted Boltzmann machine: a distribution over binary images with hidden causes, undirected
// and without connections inside a layer (Smolensky 1986; Hinton 2002, "Training products of
// experts by minimizing contrastive divergence").
//   p(v, h) = exp(-E) / Z,  E = -b.v - c.h - h.W v,  p(h_j = 1 | v) = sigmoid(c_j + W_j.v)
//   free energy F(v) = -log sum over h of exp(-E) = -b.v - sum_j softplus(c_j + W_j.v)
// The gradient of -log p(v) is that of F at the data less its mean under the model. Contrastive
// divergence (CD-k) puts k steps of Gibbs sampling from the data in the model's place; persistent
// CD (Tieleman 2008) goes on with chains of its own.
//
//   layer      result    parameters    multiply-adds
//   hidden     [N, H]    H V + H       H V
//   visible    [N, V]    V             H V
//
// V 784, H 128: 101,264 parameters; a Gibbs step is 0.2 M multiply-adds.
#pragma once

#include "engine/ops/random.h"
#include "models/model.h"

namespace strata {

struct RbmOptions {
  int64_t visible = 784;
  int64_t hidden = 128;
};

inline int64_t rbm_parameter_count(const RbmOptions& o) {
  return o.hidden * o.visible + o.hidden + o.visible;
}

class Rbm : public Model {
 public:
  explicit Rbm(const RbmOptions& options = {});
  std::string kind() const override;
  // Probabilities of the visible units given those of the hidden ones given v (mean field):
  // [N, ...] of V numbers in [0, 1] -> the same shape. Shows "hidden" and "visible".
  Tensor forward(const Tensor& v) override;
  std::vector<std::string> stages() const override { return {"hidden", "visible"}; }

  // Sets the visible biases to log p / (1 - p) of the share p [V] of examples in which each unit is
  // on, so that the hidden units need not all learn it (Hinton 2012, "A practical guide to training
  // restricted Boltzmann machines").
  void start_at(const Tensor& share);

  Tensor hidden(const Tensor& v) const;       // p(h = 1 | v): [N, V] -> [N, H]
  Tensor visible(const Tensor& h) const;      // p(v = 1 | h): [N, H] -> [N, V]
  Tensor free_energy(const Tensor& v) const;  // [N, V] -> [N]
  // Binary states after `steps` of Gibbs sampling (hidden, then visible) from v [N, V]; not
  // recorded. Draws from the default generator if none is given.
  Tensor sample(const Tensor& v, int64_t steps, Generator* generator = nullptr) const;
  // mean F(data) - mean F(model), whose gradient is contrastive divergence when `model` is
  // sample(data, k), and persistent CD when it is sample(model of the step before, k).
  Tensor loss(const Tensor& data, const Tensor& model) const;

  // log Z, by summing over every state of the smaller layer: up to 20 units, else an error.
  Tensor log_partition(Caller at = Caller::here()) const;
  // Exact log p(v), [N, V] -> [N], in nats.
  Tensor log_likelihood(const Tensor& v, Caller at = Caller::here()) const;

 private:
  Tensor rows(const Tensor& v) const;

  RbmOptions options_;
  Tensor weight_;  // [H, V]
  Tensor visible_bias_, hidden_bias_;
};

// Every binary row of `bits` numbers, [2^bits, bits]; row r has bit i of r in place i.
Tensor binary_states(int64_t bits, DType dtype = DType::f32);

}  // namespace strata

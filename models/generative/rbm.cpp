#include "models/generative/rbm.h"

#include <vector>

#include "engine/autograd/autograd.h"
#include "engine/nn/init.h"
#include "engine/ops/create.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/product.h"
#include "engine/ops/reduce.h"
#include "engine/ops/view.h"

namespace strata {
namespace {

constexpr int64_t most_enumerated = 20;

// 1 with the probabilities given.
Tensor draw(const Tensor& probability, Generator* generator) {
  const Tensor uniform = rand(probability.shape(), 0, 1, DType::f32, generator);
  return less(uniform.to(probability.device()), probability).to(probability.dtype());
}

}  // namespace

Tensor binary_states(int64_t bits, DType dtype) {
  const int64_t count = int64_t{1} << bits;
  std::vector<double> states(static_cast<size_t>(count * bits));
  for (int64_t row = 0; row < count; ++row)
    for (int64_t i = 0; i < bits; ++i)
      states[static_cast<size_t>(row * bits + i)] = static_cast<double>(row >> i & 1);
  return from_vector(states, {count, bits}).to(dtype);
}

Rbm::Rbm(const RbmOptions& options)
    : options_(options),
      weight_(add_parameter("weight", empty({options.hidden, options.visible}))),
      visible_bias_(add_parameter("visible_bias", zeros({options.visible}))),
      hidden_bias_(add_parameter("hidden_bias", zeros({options.hidden}))) {
  init::normal_(weight_, 0, 0.01);
}

std::string Rbm::kind() const {
  return fmt::format("Rbm({}, {})", options_.visible, options_.hidden);
}

Tensor Rbm::rows(const Tensor& v) const {
  const Tensor flat = v.rank() == 2 ? v : v.flatten(1);
  if (flat.size(1) != options_.visible)
    fail("Rbm", Caller{}, "takes {} numbers an example; got {}", options_.visible, describe(v));
  return flat;
}

Tensor Rbm::forward(const Tensor& v) {
  const Tensor h = named("hidden", hidden(v));
  return named("visible", visible(h)).reshape(v.shape());
}

void Rbm::start_at(const Tensor& share) {
  NoGrad off;
  const Tensor p = clamp(share, 1e-3, 1 - 1e-3);
  copy_(visible_bias_, log(p / (1 - p)));
}

Tensor Rbm::hidden(const Tensor& v) const {
  return sigmoid(linear(rows(v), weight_, hidden_bias_));
}

Tensor Rbm::visible(const Tensor& h) const {
  return sigmoid(linear(h, weight_.transpose(0, 1), visible_bias_));
}

Tensor Rbm::free_energy(const Tensor& v) const {
  const Tensor flat = rows(v);
  return -sum(flat * visible_bias_, {1}) - sum(softplus(linear(flat, weight_, hidden_bias_)), {1});
}

Tensor Rbm::sample(const Tensor& v, int64_t steps, Generator* generator) const {
  NoGrad off;
  Tensor state = rows(v);
  for (int64_t i = 0; i < steps; ++i)
    state = draw(visible(draw(hidden(state), generator)), generator);
  return state;
}

Tensor Rbm::loss(const Tensor& data, const Tensor& model) const {
  return mean(free_energy(data)) - mean(free_energy(model.detach()));
}

Tensor Rbm::log_partition(Caller at) const {
  if (std::min(options_.hidden, options_.visible) > most_enumerated) {
    fail("Rbm", at,
         "log Z is summed over the states of the smaller layer, of {} units at most; "
         "this machine has {} and {}",
         most_enumerated, options_.visible, options_.hidden);
  }
  if (options_.visible <= options_.hidden)
    return logsumexp(-free_energy(binary_states(options_.visible, weight_.dtype())), {0});
  // The free energy of the hidden layer, its mirror.
  const Tensor h = binary_states(options_.hidden, weight_.dtype());
  return logsumexp(sum(h * hidden_bias_, {1}) +
                       sum(softplus(linear(h, weight_.transpose(0, 1), visible_bias_)), {1}),
                   {0});
}

Tensor Rbm::log_likelihood(const Tensor& v, Caller at) const {
  return -free_energy(v) - log_partition(at);
}

}  // namespace strata

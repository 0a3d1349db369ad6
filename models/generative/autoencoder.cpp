#include "models/generative/autoencoder.h"

#include <cmath>

#include "engine/nn/init.h"
#include "engine/ops/create.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/product.h"
#include "engine/ops/random.h"
#include "engine/ops/reduce.h"
#include "engine/ops/view.h"

namespace strata {

int64_t autoencoder_parameter_count(const AutoencoderOptions& o) {
  return (o.inputs + 1) * o.code + o.inputs + (o.tied ? 0 : o.inputs * o.code);
}

Autoencoder::Autoencoder(const AutoencoderOptions& options)
    : options_(options), encoder_(add<Linear>("encoder", options.inputs, options.code)) {
  if (!(options.corruption >= 0 && options.corruption < 1))
    fail("Autoencoder", Caller{}, "the corruption is a share in [0, 1); got {}",
         options.corruption);
  if (options.linear && (options.penalty == CodePenalty::kl))
    fail("Autoencoder", Caller{}, "the kl penalty wants codes in (0, 1), of a sigmoid");
  if (!(options.target > 0 && options.target < 1))
    fail("Autoencoder", Caller{}, "the target is in (0, 1); got {}", options.target);
  if (options.tied)
    bias_ = add_parameter("decoder_bias", zeros({options.inputs}));
  else
    decoder_ = &add<Linear>("decoder", options.code, options.inputs);
  init::xavier_uniform_(encoder_.weight);
  init::zeros_(encoder_.bias);
}

Tensor Autoencoder::rows(const Tensor& x) const {
  const Tensor flat = x.rank() == 2 ? x : x.flatten(1);
  if (flat.size(1) != options_.inputs)
    fail("Autoencoder", Caller{}, "takes {} numbers an example; got {}", options_.inputs,
         describe(x));
  return flat;
}

Tensor Autoencoder::encode(const Tensor& x) {
  const Tensor sum = encoder_(rows(x));
  return named("code", options_.linear ? sum : sigmoid(sum));
}

Tensor Autoencoder::decode(const Tensor& code) {
  return decoder_ ? (*decoder_)(code) : linear(code, encoder_.weight.transpose(0, 1), bias_);
}

Tensor Autoencoder::forward(const Tensor& x) {
  return named("reconstruction", decode(encode(x))).reshape(x.shape());
}

Tensor Autoencoder::penalty(const Tensor& code) const {
  const double n = static_cast<double>(code.size(0));
  switch (options_.penalty) {
    case CodePenalty::l1:
      return sum(abs(code)) / n;
    case CodePenalty::kl: {
      const double rho = options_.target;
      const Tensor active = mean(code, {0});
      return sum(rho * (std::log(rho) - log(active)) +
                 (1 - rho) * (std::log(1 - rho) - log(1 - active)));
    }
    case CodePenalty::contractive: {
      const Tensor lengths = sum(square(encoder_.weight), {1});
      const Tensor slopes = options_.linear ? ones_like(code) : square(code * (1 - code));
      return sum(slopes * lengths) / n;
    }
    case CodePenalty::none:
      break;
  }
  return zeros({}, code.dtype(), code.device());
}

Tensor Autoencoder::loss(const Tensor& x) {
  const Tensor truth = rows(x);
  Tensor seen = truth;
  if (training() && options_.corruption > 0) {
    const Tensor kept = bernoulli(truth.shape(), 1 - options_.corruption);
    seen = truth * kept.to(truth.dtype()).to(truth.device());
  }
  const Tensor code = encode(seen);
  const Tensor error = sum(square(decode(code) - truth)) / static_cast<double>(truth.size(0));
  return options_.penalty == CodePenalty::none ? error : error + penalty(code) * options_.weight;
}

}  // namespace strata

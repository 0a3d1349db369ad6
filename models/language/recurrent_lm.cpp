#include "models/language/recurrent_lm.h"

#include "engine/nn/init.h"
#include "engine/ops/product.h"

namespace strata {

int64_t recurrent_lm_parameter_count(const RecurrentLmOptions& o) {
  const int64_t gates = o.cell == RecurrentCell::rnn ? 1 : o.cell == RecurrentCell::gru ? 3 : 4;
  const int64_t first = gates * o.width * (o.embedding + o.width + 2);
  const int64_t later = gates * o.width * (2 * o.width + 2);
  return o.vocabulary * o.embedding + first + (o.layers - 1) * later +
         (o.tied ? 0 : o.vocabulary * o.width) + o.vocabulary;
}

RecurrentLm::RecurrentLm(const RecurrentLmOptions& options)
    : options_(options),
      token_(add<Embedding>("token", options.vocabulary, options.embedding)),
      dropout_(add<Dropout>("dropout", options.dropout)),
      recurrent_(
          add<Recurrent>("recurrent", options.cell, options.embedding, options.width,
                         RecurrentOptions{.layers = options.layers, .dropout = options.dropout})) {
  if (options.tied && options.embedding != options.width)
    fail("RecurrentLm", Caller{},
         "a tied head needs an embedding as wide as the states; got {} and {}", options.embedding,
         options.width);
  if (!options.tied) {
    head_ = &add<Linear>("head", options.width, options.vocabulary);
    return;
  }
  // As a head, rows of deviation 1 would start with logits of deviation near sqrt(H).
  init::normal_(token_.weight, 0, 0.1);
  bias_ = add_parameter("bias", empty({options.vocabulary}));
  init::zeros_(bias_);
}

Tensor RecurrentLm::forward(const Tensor& index) {
  RecurrentState state;
  return next(index, state);
}

Tensor RecurrentLm::next(const Tensor& index, RecurrentState& state) {
  if (index.rank() != 2 || index.size(1) == 0)
    fail("RecurrentLm", Caller{}, "takes tokens [N, T] with at least one step; got {}",
         describe(index));
  Tensor x = named("embedding", dropout_(token_(index)));
  RecurrentResult result = recurrent_(x, state);
  state = result.final;
  x = dropout_(result.output);
  return head_ ? (*head_)(x) : named("head", linear(x, token_.weight, bias_));
}

std::vector<std::string> RecurrentLm::stages() const {
  std::vector<std::string> names = {"embedding"};
  for (int64_t i = 0; i < options_.layers; ++i)
    names.push_back(fmt::format("recurrent.layer{}", i));
  names.push_back("head");
  return names;
}

}  // namespace strata

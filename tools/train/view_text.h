// What a report shows of a network of tokens: what each token of a text cost and what was expected
// in its place, and where the heads of its attention look (the panels "tokens" and "attention" of
// tools/report/CONTRACT.md).
//
//   loss of token t   -log p(token t | those before it), or, of a network that fills gaps,
//                     -log p(token t | all others, itself hidden): the terms of a text's
//                     pseudo-log-likelihood (Salazar et al. 2020, "Masked language model scoring")
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "models/model.h"
#include "tools/train/text_split.h"

namespace strata::train {

struct TextView {
  std::string unit;                            // what a token is: "character", "word"
  std::vector<std::string> symbols;            // by token number, as they are shown
  std::vector<std::vector<int64_t>> texts;     // held out; each of at least two tokens
  std::optional<int64_t> mask = std::nullopt;  // what hides a token, of networks that fill gaps
  Device device = Device::cpu;
};

// One token as the network expected it.
struct Expected {
  double loss = 0;                              // nats
  std::vector<std::pair<int64_t, double>> top;  // the likeliest tokens with their probabilities
};
// By token; the first has none where tokens are foretold by those before. model: tokens [N, T] ->
// logits [N, T, vocabulary], on `device`.
std::vector<std::optional<Expected>> expected_tokens(Model& model,
                                                     const std::vector<int64_t>& tokens,
                                                     std::optional<int64_t> mask, Device device);

// Two texts of `length` characters of the test part, its beginning and its middle.
TextView text_view(const TextSplit& text, int64_t length, Device device);

// {"tokens": ..., "attention": ...}; without attention layers the second is left out. Patterns are
// of the first 64 tokens of the first text.
nlohmann::json text_panels(const TextView& view, Model& trained, Model& untrained);

}  // namespace strata::train

#include "tools/train/view_text.h"

#include <algorithm>
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/nn/attention.h"
#include "engine/ops.h"
#include "tools/introspect/language/patterns.h"
#include "tools/report/packed.h"

namespace strata::train {
namespace {

using nlohmann::json;

constexpr size_t shown_guesses = 5;
constexpr int64_t longest_pattern = 64;

double rounded(double value) { return std::round(value * 1e4) / 1e4; }

Tensor row_of(const std::vector<int64_t>& tokens, size_t count) {
  return from_vector(
      std::vector<int64_t>(tokens.begin(), tokens.begin() + static_cast<int64_t>(count)),
      {1, static_cast<int64_t>(count)});
}

// Row t: the logarithms of the probabilities of token t. The first row is undefined for networks
// that foretell what follows.
std::vector<std::vector<float>> log_probabilities(Model& model, const std::vector<int64_t>& tokens,
                                                  std::optional<int64_t> mask, Device device) {
  const auto count = static_cast<int64_t>(tokens.size());
  std::vector<std::vector<float>> rows(tokens.size());
  auto row = [](const Tensor& logits) {
    return log_softmax(logits).to(Device::cpu).to_vector<float>();
  };
  if (!mask) {
    const Tensor logits = model(row_of(tokens, tokens.size() - 1).to(device));
    for (int64_t t = 1; t < count; ++t)
      rows[static_cast<size_t>(t)] = row(logits.select(0, 0).select(0, t - 1));
    return rows;
  }
  std::vector<int64_t> hidden;  // row t: the text with token t hidden
  for (int64_t t = 0; t < count; ++t) {
    hidden.insert(hidden.end(), tokens.begin(), tokens.end());
    hidden[static_cast<size_t>(t * count + t)] = *mask;
  }
  const Tensor logits = model(from_vector(hidden, {count, count}).to(device));
  for (int64_t t = 0; t < count; ++t)
    rows[static_cast<size_t>(t)] = row(logits.select(0, t).select(0, t));
  return rows;
}

Expected expected(const std::vector<float>& logs, int64_t token) {
  std::vector<int64_t> order(logs.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  auto likelier = [&](int64_t a, int64_t b) {
    const float x = logs[static_cast<size_t>(a)], y = logs[static_cast<size_t>(b)];
    return x != y ? x > y : a < b;
  };
  const size_t kept = std::min(shown_guesses, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<int64_t>(kept), order.end(),
                    likelier);
  Expected result{-static_cast<double>(logs[static_cast<size_t>(token)]), {}};
  for (size_t i = 0; i < kept; ++i)
    result.top.emplace_back(order[i], std::exp(logs[static_cast<size_t>(order[i])]));
  return result;
}

json symbols_of(const TextView& view, const std::vector<int64_t>& tokens, size_t count) {
  json list = json::array();
  for (size_t i = 0; i < count; ++i)
    list.push_back(view.symbols.at(static_cast<size_t>(tokens[i])));
  return list;
}

json text_of(const TextView& view, const std::vector<int64_t>& tokens, Model& trained,
             Model& untrained) {
  json text = {{"tokens", symbols_of(view, tokens, tokens.size())},
               {"loss", json::array()},
               {"untrained", json::array()},
               {"top", json::array()}};
  for (const auto& token : expected_tokens(trained, tokens, view.mask, view.device)) {
    text["loss"].push_back(token ? json(rounded(token->loss)) : json());
    json top = json::array();
    if (token)
      for (auto& [guess, probability] : token->top)
        top.push_back(
            json::array({view.symbols.at(static_cast<size_t>(guess)), rounded(probability)}));
    text["top"].push_back(top);
  }
  for (const auto& token : expected_tokens(untrained, tokens, view.mask, view.device))
    text["untrained"].push_back(token ? json(rounded(token->loss)) : json());
  return text;
}

bool has_attention(Model& model) {
  for (auto& [path, module] : model.named_modules())
    if (dynamic_cast<MultiheadAttention*>(module)) return true;
  return false;
}

json attention_panel(const TextView& view, Model& trained, Model& untrained) {
  const std::vector<int64_t>& tokens = view.texts.at(0);
  const size_t count = std::min<size_t>(tokens.size() - 1, longest_pattern);
  const Tensor x = row_of(tokens, count).to(view.device);
  const auto patterns = introspect::attention_patterns(trained, x);
  const auto before = introspect::attention_patterns(untrained, x);
  auto packed = [](const Tensor& pattern) {
    return report::pack(pattern.to(Device::cpu).to(DType::f32).to_vector<float>());
  };
  json layers = json::array();
  for (size_t i = 0; i < patterns.size(); ++i)
    layers.push_back({{"layer", patterns[i].name},
                      {"heads", patterns[i].tensor.size(1)},
                      {"pattern", packed(patterns[i].tensor)},
                      {"untrained", packed(before[i].tensor)}});
  return {{"unit", view.unit},
          {"causal", !view.mask},
          {"tokens", symbols_of(view, tokens, count)},
          {"layers", layers}};
}

}  // namespace

std::vector<std::optional<Expected>> expected_tokens(Model& model,
                                                     const std::vector<int64_t>& tokens,
                                                     std::optional<int64_t> mask, Device device) {
  NoGrad off;
  if (tokens.size() < 2)
    fail("expected_tokens", Caller{}, "a text of {} tokens; expected at least 2", tokens.size());
  const auto rows = log_probabilities(model, tokens, mask, device);
  std::vector<std::optional<Expected>> result;
  for (size_t t = 0; t < tokens.size(); ++t)
    result.push_back(rows[t].empty() ? std::nullopt : std::optional(expected(rows[t], tokens[t])));
  return result;
}

TextView text_view(const TextSplit& text, int64_t length, Device device) {
  TextView view{.unit = "character", .symbols = {}, .texts = {}, .device = device};
  for (int64_t i = 0; i < text.vocabulary.size(); ++i)
    view.symbols.push_back(text.vocabulary.symbol(i));
  const int64_t rest = text.length() - text.test_first, count = std::min(length, rest);
  for (const int64_t first : {text.test_first, text.test_first + (rest - count) / 2}) {
    const auto part = text.part(first, first + count);
    view.texts.emplace_back(part.begin(), part.end());
  }
  return view;
}

json text_panels(const TextView& view, Model& trained, Model& untrained) {
  json texts = json::array();
  for (const auto& tokens : view.texts) {
    texts.push_back(text_of(view, tokens, trained, untrained));
    texts.back()["title"] = fmt::format("held-out text {}", texts.size());
  }
  json panels = {{"tokens",
                  {{"unit", view.unit},
                   {"given", view.mask ? "each given all the others, itself hidden"
                                       : "each given those before it"},
                   {"uniform", std::log(static_cast<double>(view.symbols.size()))},
                   {"texts", texts}}}};
  panels["definitions"] = {{"nats", "Natural units of information: one bit is 0.693 nats."},
                           {"geometric mean",
                            "exp of the mean logarithm: the probability that would cost as much if "
                            "every token had it."}};
  if (has_attention(trained)) panels["attention"] = attention_panel(view, trained, untrained);
  return panels;
}

}  // namespace strata::train

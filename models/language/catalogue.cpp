// The language models, by name.
#include "models/language/gpt.h"
#include "models/registry.h"

namespace strata::catalogue {
namespace {

using nlohmann::json;

std::unique_ptr<Model> make_gpt(const json& o) {
  return std::make_unique<Gpt>(GptOptions{.vocabulary = o.at("vocabulary"),
                                          .context = o.at("context"),
                                          .width = o.at("width"),
                                          .heads = o.at("heads"),
                                          .layers = o.at("layers"),
                                          .dropout = o.at("dropout")});
}

}  // namespace

std::vector<ModelEntry> language() {
  const GptOptions gpt;
  const json gpt_defaults = {{"vocabulary", gpt.vocabulary}, {"context", gpt.context},
                             {"width", gpt.width},           {"heads", gpt.heads},
                             {"layers", gpt.layers},         {"dropout", gpt.dropout}};
  const json gpt_tiny = {
      {"vocabulary", 20}, {"context", 16}, {"width", 16}, {"heads", 2}, {"layers", 2}};
  return {{"gpt", "transformer that predicts the next token", Domain::text, gpt_defaults, gpt_tiny,
           make_gpt, token_example}};
}

}  // namespace strata::catalogue

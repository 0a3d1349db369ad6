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

ModelEntry gpt_entry(const std::string& name, const std::string& about, const GptOptions& o) {
  return {name,
          about,
          Domain::text,
          {{"vocabulary", o.vocabulary},
           {"context", o.context},
           {"width", o.width},
           {"heads", o.heads},
           {"layers", o.layers},
           {"dropout", o.dropout}},
          {{"vocabulary", 20}, {"context", 16}, {"width", 16}, {"heads", 2}, {"layers", 2}},
          make_gpt,
          token_example};
}

}  // namespace

std::vector<ModelEntry> language() {
  std::vector<ModelEntry> list = {
      gpt_entry("gpt", "transformer that predicts the next token", GptOptions{}),
      gpt_entry("gpt-nano", "the same, 3 layers of width 48", gpt_nano_options())};
  for (const char* name : {"gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl"}) {
    const GptOptions size = gpt2_options(name);
    const double millions = static_cast<double>(gpt_parameter_count(size)) / 1e6;
    list.push_back(gpt_entry(name, fmt::format("GPT-2 of {:.0f} M parameters", millions), size));
  }
  return list;
}

}  // namespace strata::catalogue

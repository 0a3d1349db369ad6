// The language models, by name.
#include "engine/ops/join.h"
#include "models/language/bert.h"
#include "models/language/gpt.h"
#include "models/language/recurrent_lm.h"
#include "models/language/tagger.h"
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

std::unique_ptr<Model> make_bert(const json& o) {
  const BertOptions options{.vocabulary = o.at("vocabulary"),
                            .context = o.at("context"),
                            .width = o.at("width"),
                            .heads = o.at("heads"),
                            .layers = o.at("layers"),
                            .types = o.at("types"),
                            .padding = o.at("padding"),
                            .dropout = o.at("dropout")};
  const std::string head = o.at("head");
  if (head == "masked") return std::make_unique<BertMaskedLm>(options);
  if (head == "classes") return std::make_unique<BertClassifier>(options, o.at("classes"));
  if (head == "tags") return std::make_unique<BertTagger>(options, o.at("classes"));
  if (head == "sentence") return std::make_unique<BertSentence>(options);
  fail("make_model", Caller{},
       "BERT has no head '{}'; there are masked, classes, tags and sentence", head);
}

ModelEntry bert_entry(const std::string& name, const std::string& about, const BertOptions& o) {
  return {name,
          about,
          Domain::text,
          {{"vocabulary", o.vocabulary},
           {"context", o.context},
           {"width", o.width},
           {"heads", o.heads},
           {"layers", o.layers},
           {"types", o.types},
           {"padding", o.padding},
           {"dropout", o.dropout},
           {"head", "masked"},
           {"classes", 2}},
          {{"vocabulary", 20}, {"context", 16}, {"width", 16}, {"heads", 2}, {"layers", 2}},
          make_bert,
          token_example};
}

ModelEntry recurrent_entry(const std::string& name, const std::string& about, RecurrentCell cell) {
  const RecurrentLmOptions o;
  return {name,
          about,
          Domain::text,
          {{"vocabulary", o.vocabulary},
           {"embedding", o.embedding},
           {"width", o.width},
           {"layers", o.layers},
           {"dropout", o.dropout},
           {"tied", o.tied}},
          {{"vocabulary", 20}, {"embedding", 12}, {"width", 16}, {"layers", 2}},
          [cell](const json& given) {
            return std::make_unique<RecurrentLm>(
                RecurrentLmOptions{.cell = cell,
                                   .vocabulary = given.at("vocabulary"),
                                   .embedding = given.at("embedding"),
                                   .width = given.at("width"),
                                   .layers = given.at("layers"),
                                   .dropout = given.at("dropout"),
                                   .tied = given.at("tied")});
          },
          [](const json& given, int64_t n, Generator& generator) {
            return randint(0, given.at("vocabulary"), {n, 16}, DType::i64, &generator);
          }};
}

std::unique_ptr<Model> make_tagger(const json& o) {
  return std::make_unique<Tagger>(TaggerOptions{.words = o.at("words"),
                                                .characters = o.at("characters"),
                                                .letters = o.at("letters"),
                                                .tags = o.at("tags"),
                                                .word_width = o.at("word_width"),
                                                .character_width = o.at("character_width"),
                                                .filters = o.at("filters"),
                                                .width = o.at("width"),
                                                .layers = o.at("layers"),
                                                .dropout = o.at("dropout")});
}

// Sentences of 6 words without padding.
Tensor tagger_example(const json& o, int64_t n, Generator& generator) {
  Tensor words = randint(1, o.at("words"), {n, 6, 1}, DType::i64, &generator);
  Tensor letters = randint(0, o.at("characters"), {n, 6, o.at("letters")}, DType::i64, &generator);
  return concatenate({words, letters}, 2);
}

ModelEntry tagger_entry() {
  const TaggerOptions o;
  return {"tagger",
          "bidirectional LSTM over words and their spelling that tags each word",
          Domain::words,
          {{"words", o.words},
           {"characters", o.characters},
           {"letters", o.letters},
           {"tags", o.tags},
           {"word_width", o.word_width},
           {"character_width", o.character_width},
           {"filters", o.filters},
           {"width", o.width},
           {"layers", o.layers},
           {"dropout", o.dropout}},
          {{"words", 30},
           {"characters", 20},
           {"letters", 5},
           {"tags", 4},
           {"word_width", 6},
           {"character_width", 4},
           {"filters", 5},
           {"width", 7}},
          make_tagger,
          tagger_example};
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
  list.push_back(
      bert_entry("bert", "transformer that reads both ways and fills gaps", BertOptions{}));
  for (const char* name : {"bert-base", "bert-large"})
    list.push_back(bert_entry(name, "BERT, uncased", bert_options(name)));
  list.push_back(recurrent_entry("rnn_lm", "recurrent network that predicts the next token",
                                 RecurrentCell::rnn));
  list.push_back(recurrent_entry("gru_lm", "the same with gated units", RecurrentCell::gru));
  list.push_back(
      recurrent_entry("lstm_lm", "the same with long short-term memory", RecurrentCell::lstm));
  list.push_back(tagger_entry());
  return list;
}

}  // namespace strata::catalogue

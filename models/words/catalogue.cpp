// The models of words, by name.
#include "models/registry.h"
#include "models/words/glove.h"
#include "models/words/word2vec.h"

namespace strata::catalogue {
namespace {

using nlohmann::json;

std::unique_ptr<Model> make_word2vec(const json& o) {
  return std::make_unique<Word2Vec>(
      Word2VecOptions{.vocabulary = o.at("vocabulary"), .width = o.at("width")});
}

std::unique_ptr<Model> make_glove(const json& o) {
  return std::make_unique<Glove>(GloveOptions{.vocabulary = o.at("vocabulary"),
                                              .width = o.at("width"),
                                              .largest_count = o.at("largest_count"),
                                              .alpha = o.at("alpha")});
}

Tensor word_example(const json& options, int64_t n, Generator& generator) {
  return randint(0, options.at("vocabulary"), {n}, DType::i64, &generator);
}

Tensor context_example(const json& options, int64_t n, Generator& generator) {
  return randint(0, options.at("vocabulary"), {n, 4}, DType::i64, &generator);
}

}  // namespace

std::vector<ModelEntry> words() {
  const json word2vec = {{"vocabulary", Word2VecOptions().vocabulary},
                         {"width", Word2VecOptions().width}};
  const GloveOptions g;
  const json glove = {{"vocabulary", g.vocabulary},
                      {"width", g.width},
                      {"largest_count", g.largest_count},
                      {"alpha", g.alpha}};
  const json tiny = {{"vocabulary", 30}, {"width", 8}};
  return {
      {"skipgram", "word2vec: a word predicts the words around it", Domain::words, word2vec, tiny,
       make_word2vec, word_example},
      {"cbow", "word2vec: the words around predict a word", Domain::words, word2vec, tiny,
       make_word2vec, context_example},
      {"glove", "vectors whose products are logarithms of co-occurrences", Domain::words, glove,
       tiny, make_glove, word_example},
  };
}

}  // namespace strata::catalogue

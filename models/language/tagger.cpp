#include "models/language/tagger.h"

#include <algorithm>

#include "engine/ops.h"

namespace strata {
namespace {

// Words before the first 0 of each row of [N, T]: i64 [N].
Tensor sentence_lengths(const Tensor& words) {
  const std::vector<int64_t> numbers = words.to_vector<int64_t>();
  const int64_t T = words.size(1);
  std::vector<int64_t> lengths;
  for (auto row = numbers.begin(); row != numbers.end(); row += T)
    lengths.push_back(std::find(row, row + T, 0) - row);
  return from_vector(lengths, {words.size(0)});
}

}  // namespace

int64_t tagger_parameter_count(const TaggerOptions& o) {
  const int64_t inputs = o.word_width + o.filters, width = o.width;
  return o.words * o.word_width + o.characters * o.character_width +
         3 * o.character_width * o.filters + o.filters + 2 * 4 * width * (inputs + width + 2) +
         (o.layers - 1) * 2 * 4 * width * (3 * width + 2) + 2 * width * o.tags + o.tags;
}

Tagger::Tagger(const TaggerOptions& options)
    : options_(options),
      word_(add<Embedding>("word", options.words, options.word_width)),
      character_(add<Embedding>("character", options.characters, options.character_width)),
      spelling_(add<Conv1d>("spelling", options.character_width, options.filters, 3,
                            Conv1dOptions{.padding_left = 2, .padding_right = 2})),
      dropout_(add<Dropout>("dropout", options.dropout)),
      recurrent_(add<LSTM>(
          "recurrent", options.word_width + options.filters, options.width,
          RecurrentOptions{
              .layers = options.layers, .bidirectional = true, .dropout = options.dropout})),
      head_(add<Linear>("head", 2 * options.width, options.tags)) {}

Tensor Tagger::forward(const Tensor& x) {
  const int64_t letters = options_.letters;
  if (x.rank() != 3 || x.size(2) != 1 + letters || x.size(1) == 0)
    fail("Tagger", Caller{}, "takes [N, T, {}], of each word its number and {} characters; got {}",
         1 + letters, letters, describe(x));
  const int64_t N = x.size(0), T = x.size(1);
  const Tensor words = x.select(2, 0);
  const Tensor characters = x.slice(2, 1, 1 + letters).reshape({N * T, letters});
  Tensor spelling = spelling_(character_(characters));  // [N T, L + 2, F]
  spelling = named("spelling.top", max(spelling, {1}).reshape({N, T, options_.filters}));
  Tensor embedding = dropout_(concatenate({word_(words), spelling}, 2));
  embedding = named("embedding", embedding);
  return head_(dropout_(recurrent_(embedding, {}, sentence_lengths(words)).output));
}

std::vector<std::string> Tagger::stages() const {
  std::vector<std::string> names = {"embedding"};
  for (int64_t i = 0; i < options_.layers; ++i)
    names.push_back(fmt::format("recurrent.layer{}", i));
  names.insert(names.end(), {"recurrent", "head"});
  return names;
}

}  // namespace strata

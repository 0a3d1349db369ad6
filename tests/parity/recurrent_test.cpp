// Recurrent language models and the tagger against PyTorch; fixtures: make_recurrent.py.
#include "models/language/recurrent_lm.h"
#include "models/language/tagger.h"
#include "tests/parity/follow.h"

namespace strata::test {
namespace {

template <class M>
void follow_adam(M& model, const char* name) {
  Adam optimizer(model.named_parameters(), {.learning_rate = 1e-2});
  follow(model, optimizer, fixture(name), [](const Tensor& x) { return x.contiguous(); });
}

TEST(Parity, RecurrentLanguageModelsWithAdam) {
  const std::pair<const char*, RecurrentCell> cells[] = {{"rnn_lm", RecurrentCell::rnn},
                                                         {"gru_lm", RecurrentCell::gru},
                                                         {"lstm_lm", RecurrentCell::lstm}};
  for (const auto& [name, cell] : cells) {
    SCOPED_TRACE(name);
    RecurrentLm model({.cell = cell, .vocabulary = 20, .embedding = 12, .width = 16});
    follow_adam(model, name);
  }
}

TEST(Parity, TaggerOnPaddedSentences) {
  Tagger model({.words = 30,
                .characters = 20,
                .letters = 5,
                .tags = 4,
                .word_width = 6,
                .character_width = 4,
                .filters = 5,
                .width = 7,
                .dropout = 0});
  follow_adam(model, "tagger");
}

}  // namespace
}  // namespace strata::test

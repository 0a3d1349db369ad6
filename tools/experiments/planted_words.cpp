#include "tools/experiments/planted_words.h"

#include "engine/data/terrace_text.h"
#include "engine/ops.h"
#include "engine/optim/schedule.h"
#include "tools/train/word_fit.h"

namespace strata::experiments {

Corpus terrace_words(uint64_t seed, int64_t passages) {
  Corpus corpus;
  for (const terrace_text::Word& word : terrace_text::words()) corpus.words.push_back(word.text);
  corpus.counts.assign(corpus.words.size(), 0);
  for (int word : TerraceText(seed).stream(0, passages)) {
    const bool begins = word == terrace_text::begin_word;
    corpus.tokens.push_back(begins ? Corpus::boundary : word);
    if (!begins) ++corpus.counts[static_cast<size_t>(word)];
  }
  return corpus;
}

AnalogyShares planted_analogies_of(const std::string& method, const Corpus& corpus, double passes,
                                   uint64_t seed) {
  const bool glove = method == "glove";
  manual_seed(seed);
  const auto fit = train::make_word_fit(
      method, corpus, {{"window", glove ? 4 : 2}, {"width", glove ? 32 : 64}}, seed);
  const auto steps =
      static_cast<int64_t>((glove ? 33 : 1) * passes * static_cast<double>(fit->steps_a_pass()));
  AdaGrad optimizer(fit->model().named_parameters(), glove ? 0.5 : 0.05);
  Scheduler scheduler(optimizer, linear_decay(std::max<int64_t>(1, steps), 0.01));
  for (int64_t step = 0; step < steps; ++step) {
    fit->update(step, optimizer);
    scheduler.step();
  }
  const WordVectors vectors(corpus.words, fit->vectors());
  const AnalogyScore all = vectors.score(terrace_text::planted_analogies()).back();
  return {all.accuracy(), all.accuracy_of_all()};
}

}  // namespace strata::experiments

// Word vectors: skip-gram, CBOW and GloVe, judged by analogies, beside the same fit to the same
// words in an order that tells nothing. GloVe is fitted to the cells that are not zero: that nouns
// of two settings never meet, which sampled negatives tell word2vec, it does not see, and it finds
// fewer of the planted analogies.
#include <fmt/format.h>

#include "engine/autograd/autograd.h"
#include "engine/data/terrace_text.h"
#include "engine/data/text.h"
#include "engine/io/atomic_file.h"
#include "models/words/analogies.h"
#include "tools/events/projector.h"
#include "tools/events/run_events.h"
#include "tools/train/domains.h"
#include "tools/train/word_fit.h"

namespace strata::train {
namespace {

struct Words {
  Corpus corpus;
  std::vector<AnalogySection> questions;
};

// Passages of terrace-text; windows do not leave a passage.
Words generated_words(uint64_t seed, int64_t passages) {
  Words all;
  for (const terrace_text::Word& word : terrace_text::words())
    all.corpus.words.push_back(word.text);
  all.corpus.counts.assign(all.corpus.words.size(), 0);
  for (int word : TerraceText(seed).stream(0, passages)) {
    const bool begins = word == terrace_text::begin_word;
    all.corpus.tokens.push_back(begins ? Corpus::boundary : word);
    if (!begins) ++all.corpus.counts[static_cast<size_t>(word)];
  }
  all.questions = terrace_text::planted_analogies();
  return all;
}

// TEXT or TEXT:QUESTIONS.
Words words_of_files(const std::string& data) {
  const size_t colon = data.find(':');
  Words all;
  all.corpus = corpus_of(read_text(data.substr(0, colon)));
  if (all.corpus.tokens.size() < 1000)
    fail("train", Caller{}, "{} has {} words that come 5 times; it takes 1,000 at least",
         data.substr(0, colon), all.corpus.tokens.size());
  if (colon != std::string::npos) all.questions = read_analogies(data.substr(colon + 1));
  return all;
}

Score percent(const char* name, double share) {
  Score score;
  score.name = name;
  score.value = 100 * share;
  score.unit = "%";
  return score;
}

class WordVectorTask : public Task {
 public:
  WordVectorTask(std::string method, int64_t passes, const TaskOptions& o)
      : options_(o),
        method_(std::move(method)),
        words_(o.data.empty() ? generated_words(o.seed, passages_of(o)) : words_of_files(o.data)),
        fit_options_(options_of_fit(method_, o)),
        fit_(make_word_fit(method_, words_.corpus, fit_options_, o.seed)),
        steps_(o.steps.value_or(passes * fit_->steps_a_pass())) {}

  Model& model() override { return fit_->model(); }
  int64_t total_steps() const override { return steps_; }
  std::unique_ptr<Optimizer> optimizer() override { return adagrad(*fit_); }
  Schedule schedule() const override { return linear_decay(steps_, 0.01); }
  Tensor loss(int64_t step) override { return fit_->loss(step); }
  std::optional<double> update(int64_t step, Optimizer& optimizer) override {
    if (options_.device != Device::cpu) return std::nullopt;
    return fit_->update(step, dynamic_cast<AdaGrad&>(optimizer));
  }

  std::vector<Score> evaluate(bool final) override {
    if (words_.questions.empty()) return {};
    scores_ = vectors_of(*fit_).score(words_.questions);
    std::vector<Score> all = {percent("analogies", scores_.back().accuracy())};
    if (!final) return all;
    all[0].yardstick_name = "the same on shuffled words";
    all[0].yardstick = 100 * control();
    const AnalogyScore by_product =
        vectors_of(*fit_).score(words_.questions, AnalogyRule::multiply).back();
    all.push_back(percent("analogies by 3CosMul", by_product.accuracy()));
    all.push_back(
        percent("analogies, words of the question allowed", scores_.back().accuracy_of_all()));
    return all;
  }

  std::vector<std::string> finish(const std::filesystem::path& out) override {
    write_vectors(out / "vectors.txt");
    events::Embedding embedding;
    embedding.name = "word vectors";
    embedding.points = fit_->vectors();
    embedding.columns = {"word"};
    for (const std::string& word : words_.corpus.words) embedding.labels.push_back({word});
    events::write_projector(events::events_folder(out), embedding);
    std::vector<std::string> lines = {
        fmt::format("{} words, {} tokens; vectors.txt holds the vectors as word2vec writes them",
                    words_.corpus.words.size(), words_.corpus.tokens.size())};
    for (const AnalogyScore& s : scores_)
      if (s.questions)
        lines.push_back(fmt::format("{:28} {:5.1f} % of {}; {} left out for unknown words", s.name,
                                    100 * s.accuracy(), s.questions, s.skipped));
    const WordVectors vectors = vectors_of(*fit_);
    for (const char* word : {"king", "queen", "horse", "sword"}) {
      if (vectors.number_of(word) < 0) continue;
      std::string near;
      for (const WordNeighbour& n : vectors.nearest(word, 5))
        near += fmt::format(" {} {:.2f}", n.word, n.cosine);
      lines.push_back(fmt::format("near {}:{}", word, near));
    }
    return lines;
  }

 private:
  // In generated sentences what tells the number of a noun stands next to it.
  static nlohmann::json options_of_fit(const std::string& method, const TaskOptions& o) {
    nlohmann::json options = nlohmann::json::object();
    if (o.data.empty()) options["window"] = method == "glove" ? 4 : 2;
    // More dimensions fit the counts word by word and find fewer analogies.
    if (o.data.empty() && method == "glove") options["width"] = 32;
    if (!o.model.is_null()) options.update(o.model);
    options.erase("passages");
    return options;
  }
  // 30,000 are about a million words.
  static int64_t passages_of(const TaskOptions& o) {
    return o.model.is_null() ? 30000 : o.model.value("passages", int64_t{30000});
  }
  std::unique_ptr<AdaGrad> adagrad(WordFit& fit) const {
    return std::make_unique<AdaGrad>(
        fit.model().named_parameters(),
        options_.learning_rate.value_or(method_ == "glove" ? 0.5 : 0.05));
  }
  WordVectors vectors_of(const WordFit& fit) const {
    return WordVectors(words_.corpus.words, fit.vectors().to(Device::cpu));
  }

  // Accuracy after as many steps on the same words shuffled.
  double control() const {
    Corpus shuffled = words_.corpus;
    shuffle_tokens(shuffled, options_.seed);
    const std::unique_ptr<WordFit> fit =
        make_word_fit(method_, shuffled, fit_options_, options_.seed);
    const std::unique_ptr<AdaGrad> optimizer = adagrad(*fit);
    Scheduler scheduler(*optimizer, schedule());
    for (int64_t step = 0; step < steps_; ++step) {
      fit->update(step, *optimizer);
      scheduler.step();
    }
    return vectors_of(*fit).score(words_.questions).back().accuracy();
  }

  void write_vectors(const std::filesystem::path& path) const {
    const Tensor vectors = fit_->vectors().to(Device::cpu);
    const std::vector<float> values = vectors.to_vector<float>();
    const auto width = static_cast<size_t>(vectors.size(1));
    std::string text = fmt::format("{} {}\n", vectors.size(0), width);
    for (size_t w = 0; w < words_.corpus.words.size(); ++w) {
      text += words_.corpus.words[w];
      for (size_t c = 0; c < width; ++c) text += fmt::format(" {:.6g}", values[w * width + c]);
      text += '\n';
    }
    io::write_file(path.string(), text);
  }

  TaskOptions options_;
  std::string method_;
  Words words_;
  nlohmann::json fit_options_;
  std::unique_ptr<WordFit> fit_;
  int64_t steps_;
  std::vector<AnalogyScore> scores_;
};

// Passes over the generated words, and over those of a file, which are likely to be fewer.
TaskEntry entry(const char* method, const char* about, int64_t passes, int64_t passes_of_file) {
  return {method, about, "", [=](const TaskOptions& o) {
            return std::make_unique<WordVectorTask>(method,
                                                    o.data.empty() ? passes : passes_of_file, o);
          }};
}

}  // namespace

std::vector<TaskEntry> words_tasks() {
  return {
      entry("skipgram", "word2vec on terrace-text or --data TEXT[:QUESTIONS], by analogies", 3, 20),
      entry("cbow", "word2vec the other way round, likewise", 3, 20),
      entry("glove", "GloVe on terrace-text or --data TEXT[:QUESTIONS], by analogies", 100, 15),
  };
}

}  // namespace strata::train

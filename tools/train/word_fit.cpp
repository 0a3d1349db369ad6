#include "tools/train/word_fit.h"

#include "models/registry.h"
#include "models/words/cooccurrence.h"
#include "models/words/glove.h"
#include "models/words/word2vec.h"

namespace strata::train {
namespace {

using nlohmann::json;

// options[key], taken out, or what it is by default.
template <class T>
T take(json& options, const char* key, T otherwise) {
  if (!options.contains(key)) return otherwise;
  const T value = options.at(key).get<T>();
  options.erase(key);
  return value;
}

template <class M>
std::unique_ptr<M> make(const std::string& name, const Corpus& corpus, json options) {
  options["vocabulary"] = corpus.words.size();
  if (!options.contains("width")) options["width"] = 64;
  std::unique_ptr<Model> model = make_model(name, options);
  return std::unique_ptr<M>(dynamic_cast<M*>(model.release()));
}

WordPairOptions pair_options(const std::string& name, json& options, uint64_t seed) {
  WordPairOptions pairs;
  pairs.cbow = name == "cbow";
  pairs.window = take(options, "window", pairs.window);
  pairs.negatives = take(options, "negatives", pairs.negatives);
  pairs.subsample = take(options, "subsample", pairs.subsample);
  pairs.batch = take(options, "batch", pairs.batch);
  pairs.seed = seed;
  return pairs;
}

class Word2VecFit : public WordFit {
 public:
  Word2VecFit(const std::string& name, const Corpus& corpus, json options, uint64_t seed)
      : sampler_(corpus, pair_options(name, options, seed)),
        model_(make<Word2Vec>(name, corpus, std::move(options))) {}
  Model& model() override { return *model_; }
  int64_t steps_a_pass() const override { return sampler_.batches(); }
  double update(int64_t step, AdaGrad& optimizer) override {
    const Word2Vec::Gradient gradient = model_->gradient(sampler_.batch(step));
    optimizer.step_rows(gradient.rows);
    return gradient.loss;
  }
  Tensor loss(int64_t step) override { return model_->loss(sampler_.batch(step)); }
  Tensor vectors() const override { return model_->vectors(); }

 private:
  WordPairSampler sampler_;
  std::unique_ptr<Word2Vec> model_;
};

class GloveFit : public WordFit {
 public:
  GloveFit(const Corpus& corpus, json options, uint64_t seed)
      : cells_(count_cooccurrences(corpus, take(options, "window", 10))),
        batch_(take(options, "batch", int64_t{512})),
        seed_(seed) {
    if (take(options, "every_cell", false))
      cells_ = every_cell(cells_, static_cast<int64_t>(corpus.words.size()));
    model_ = make<Glove>("glove", corpus, std::move(options));
  }
  Model& model() override { return *model_; }
  int64_t steps_a_pass() const override { return (cells_.size() + batch_ - 1) / batch_; }
  double update(int64_t step, AdaGrad& optimizer) override {
    const Glove::Gradient gradient = model_->gradient(cells_of(step));
    optimizer.step_rows(gradient.rows);
    return gradient.loss;
  }
  Tensor loss(int64_t step) override { return model_->loss(cells_of(step)); }
  Tensor vectors() const override { return model_->vectors(); }

 private:
  Cooccurrence cells_of(int64_t step) const {
    return cooccurrence_batch(cells_, batch_, seed_, step);
  }

  Cooccurrence cells_;
  int64_t batch_;
  uint64_t seed_;
  std::unique_ptr<Glove> model_;
};

}  // namespace

std::unique_ptr<WordFit> make_word_fit(const std::string& method, const Corpus& corpus,
                                       const json& options, uint64_t seed) {
  const json given = options.is_null() ? json::object() : options;
  if (method == "glove") return std::make_unique<GloveFit>(corpus, given, seed);
  return std::make_unique<Word2VecFit>(method, corpus, given, seed);
}

}  // namespace strata::train

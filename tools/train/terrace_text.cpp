// Transformers on terrace-text: a causal one and one that fills gaps, judged by agreement of verbs
// with their subjects past nouns of the other number, and by perplexity between counts and the
// entropy of the grammar.
#include <fmt/format.h>

#include <cmath>

#include "engine/data/keyed_random.h"
#include "engine/data/terrace_text.h"
#include "engine/ops.h"
#include "models/registry.h"
#include "tools/train/count_model.h"
#include "tools/train/domains.h"
#include "tools/train/view_text.h"

namespace strata::train {
namespace {

using nlohmann::json;
using terrace_text::Construction;
using terrace_text::MinimalPair;

// Passages are numbered: trained on from 0, held out from these on.
constexpr uint64_t first_of_validation = 1'000'000'000, first_of_test = 2'000'000'000;
constexpr int64_t nothing = -100;  // what losses ignore

Score score_of(const std::string& name, double value, const char* unit, bool higher = true) {
  Score score;
  score.name = name;
  score.value = value;
  score.unit = unit;
  score.higher_is_better = higher;
  return score;
}

// A model of counts of one word of context: it sees of a subject only what stands next to the verb.
CountModel bigrams_of(const TerraceText& data) {
  const std::vector<int> words = data.stream(0, 20000);
  CountModel counts(data.vocabulary(), 1);
  const std::vector<int64_t> text(words.begin(), words.end());
  counts.fit(text);
  return counts;
}

class TerraceTextTask : public Task {
 public:
  TerraceTextTask(const char* name, const TaskOptions& o, json defaults, int64_t steps)
      : options_(o), steps_(steps), data_(o.seed), bigrams_(bigrams_of(data_)) {
    if (!o.model.is_null()) defaults.update(o.model);
    model_ = make_model(name, defaults);
  }

  Model& model() override { return *model_; }
  int64_t total_steps() const override { return options_.steps.value_or(steps_); }
  std::unique_ptr<Optimizer> optimizer() override {
    return std::make_unique<AdamW>(
        model_->named_parameters(),
        AdamOptions{.learning_rate = options_.learning_rate.value_or(3e-3),
                    .beta2 = 0.98,
                    .weight_decay = 0.01});
  }
  Schedule schedule() const override {
    const int64_t rise = std::min<int64_t>(100, total_steps() / 10);
    return warm_up(rise, cosine(total_steps() - rise, 0.05));
  }
  double clip_norm() const override { return 1; }
  std::vector<std::string> finish(const std::filesystem::path&) override {
    return {data_.describe()};
  }
  json panels(const Untrained& untrained) override {
    return text_panels(text_view(), *model_, untrained());
  }

 protected:
  static constexpr int64_t passages = 32;  // a step

  // Held-out passages for the report.
  virtual TextView text_view() const {
    TextView view{.unit = "word", .symbols = {}, .texts = {}, .device = options_.device};
    for (const auto& word : terrace_text::words()) view.symbols.emplace_back(word.text);
    for (uint64_t i = 0; i < 3; ++i) {
      const std::vector<int> words = data_.stream(first_of_test + i, 1);
      view.texts.emplace_back(words.begin(), words.end());
    }
    return view;
  }

  // Scores of the words at pairs[i].place: [pairs, vocabulary].
  virtual Tensor scores_at_places(const std::vector<MinimalPair>& pairs) = 0;

  Tensor passages_of(int64_t step) const {
    return data_.padded(static_cast<uint64_t>(step * passages), passages);
  }

  // Of pairs past a noun of the other number; then of each construction, beside counts.
  std::vector<Score> agreement(bool final) {
    constexpr uint64_t pairs_of_each = 200;
    std::vector<Score> each;
    double right = 0, by_counts = 0;
    for (int c = 0; c < terrace_text::constructions; ++c) {
      const auto construction = static_cast<Construction>(c);
      std::vector<MinimalPair> pairs;
      for (uint64_t i = 0; i < pairs_of_each; ++i)
        pairs.push_back(
            data_.minimal_pair((final ? first_of_test : first_of_validation) + i, construction));
      Score score = score_of(fmt::format("agreement, {}", name_of(construction)),
                             100 * share_right(pairs), "%");
      score.yardstick_name = "counts of pairs of words";
      score.yardstick = 100 * share_right_by_counts(pairs);
      if (construction != Construction::simple) {
        right += score.value / (terrace_text::constructions - 1);
        by_counts += score.yardstick / (terrace_text::constructions - 1);
      }
      each.push_back(score);
    }
    Score all = score_of("agreement past attractors", right, "%");
    all.yardstick_name = "counts of pairs of words";
    all.yardstick = by_counts;
    each.insert(each.begin(), all);
    return each;
  }

  TaskOptions options_;
  int64_t steps_;
  TerraceText data_;
  CountModel bigrams_;
  std::unique_ptr<Model> model_;

 private:
  double share_right(const std::vector<MinimalPair>& pairs) {
    const Tensor scores = scores_at_places(pairs).to(Device::cpu);
    const std::vector<float> values = scores.to_vector<float>();
    const auto width = static_cast<size_t>(scores.size(1));
    double right = 0;
    for (size_t i = 0; i < pairs.size(); ++i)
      right += values[i * width + static_cast<size_t>(pairs[i].right)] >
               values[i * width + static_cast<size_t>(pairs[i].wrong)];
    return right / static_cast<double>(pairs.size());
  }

  double share_right_by_counts(const std::vector<MinimalPair>& pairs) const {
    double right = 0;
    for (const MinimalPair& pair : pairs) {
      std::vector<int64_t> text(pair.words.begin(), pair.words.end());
      const auto place = static_cast<size_t>(pair.place);
      const double good = bigrams_.probability(text, place);
      text[place] = pair.wrong;
      right += good > bigrams_.probability(text, place);
    }
    return right / static_cast<double>(pairs.size());
  }
};

// Pads (`nothing`) become `filler`, which nobody looks at.
Tensor filled(const Tensor& words, int64_t filler) {
  std::vector<int64_t> values = words.to_vector<int64_t>();
  for (int64_t& word : values)
    if (word == nothing) word = filler;
  return from_vector(values, words.shape());
}

Tensor words_of(const std::vector<MinimalPair>& pairs, int64_t filler, int64_t hidden) {
  size_t longest = 0;
  for (const MinimalPair& pair : pairs) longest = std::max(longest, pair.words.size());
  std::vector<int64_t> words;
  for (const MinimalPair& pair : pairs) {
    const size_t begin = words.size();
    words.insert(words.end(), pair.words.begin(), pair.words.end());
    words.resize(begin + longest, filler);
    if (hidden >= 0) words[begin + static_cast<size_t>(pair.place)] = hidden;
  }
  return from_vector(words, {static_cast<int64_t>(pairs.size()), static_cast<int64_t>(longest)});
}

// Rows logits[i][places[i]].
Tensor rows_at(const Tensor& logits, const std::vector<int64_t>& places) {
  const int64_t time = logits.size(1);
  std::vector<int64_t> rows;
  for (size_t i = 0; i < places.size(); ++i)
    rows.push_back(static_cast<int64_t>(i) * time + places[i]);
  Tensor index = from_vector(rows, {static_cast<int64_t>(rows.size())}).to(logits.device());
  return index_select(logits.reshape({-1, logits.size(2)}), 0, index);
}

class CausalTask : public TerraceTextTask {
 public:
  explicit CausalTask(const TaskOptions& o)
      : TerraceTextTask("gpt", o,
                        {{"vocabulary", terrace_text::words().size()},
                         {"context", TerraceText(0).longest() - 1},
                         {"width", 64},
                         {"heads", 4},
                         {"layers", 2}},
                        1500) {}

  Tensor loss(int64_t step) override { return loss_of(passages_of(step)); }

  std::vector<Score> evaluate(bool final) override {
    std::vector<Score> scores = agreement(final);
    scores.push_back(perplexity(final ? first_of_test : first_of_validation));
    if (final)
      scores.push_back(score_of("perplexity of the grammar itself",
                                std::exp2(bits_of_grammar(first_of_test)), "", false));
    return scores;
  }

 protected:
  Tensor scores_at_places(const std::vector<MinimalPair>& pairs) override {
    std::vector<int64_t> before;
    for (const MinimalPair& pair : pairs) before.push_back(pair.place - 1);
    return rows_at((*model_)(words_of(pairs, 0, -1).to(options_.device)), before);
  }

 private:
  static constexpr int64_t held_out = 256;  // passages

  Tensor loss_of(const Tensor& words) {
    const int64_t time = words.size(1);
    Tensor inputs = filled(words.slice(1, 0, time - 1).contiguous(), terrace_text::begin_word);
    Tensor targets = words.slice(1, 1, time).contiguous();
    return cross_entropy((*model_)(inputs.to(options_.device)), targets.to(options_.device));
  }

  Score perplexity(uint64_t first) {
    Score score =
        score_of("perplexity", std::exp(loss_of(data_.padded(first, held_out)).item()), "", false);
    double bits = 0, words = 0;
    for (int64_t i = 0; i < held_out; ++i) {
      const std::vector<int> passage = data_.stream(first + static_cast<uint64_t>(i), 1);
      const std::vector<int64_t> text(passage.begin(), passage.end());
      for (size_t t = 1; t < text.size(); ++t, ++words)
        bits -= std::log2(bigrams_.probability(text, t));
    }
    score.yardstick_name = "counts of pairs of words";
    score.yardstick = std::exp2(bits / words);
    return score;
  }

  double bits_of_grammar(uint64_t first) const {
    double bits = 0, words = 0;
    for (uint64_t i = 0; i < held_out; ++i) {
      const terrace_text::Passage passage = data_.passage(first + i);
      bits += passage.bits;
      words += static_cast<double>(passage.tokens.size()) - 1;
    }
    return bits / words;
  }
};

// Fills gaps: 15 % of the words are hidden (Devlin et al. 2019, always behind the mask). A step
// tells it of a seventh of the words that the causal one learns from, so it takes four times as
// many.
class MaskedTask : public TerraceTextTask {
 public:
  explicit MaskedTask(const TaskOptions& o)
      : TerraceTextTask("bert", o,
                        {{"vocabulary", padding() + 1},
                         {"context", TerraceText(0).longest()},
                         {"width", 64},
                         {"heads", 4},
                         {"layers", 2},
                         {"padding", padding()}},
                        6000) {}

  Tensor loss(int64_t step) override {
    return loss_of(passages_of(step), static_cast<uint64_t>(step));
  }

  std::vector<Score> evaluate(bool final) override {
    std::vector<Score> scores = agreement(final);
    const uint64_t first = final ? first_of_test : first_of_validation;
    scores.push_back(score_of("perplexity of hidden words",
                              std::exp(loss_of(data_.padded(first, 256), first).item()), "",
                              false));
    return scores;
  }

 protected:
  Tensor scores_at_places(const std::vector<MinimalPair>& pairs) override {
    std::vector<int64_t> places;
    for (const MinimalPair& pair : pairs) places.push_back(pair.place);
    const Tensor words = words_of(pairs, padding(), terrace_text::mask_word);
    return rows_at((*model_)(words.to(options_.device)), places);
  }

  TextView text_view() const override {
    TextView view = TerraceTextTask::text_view();
    view.mask = terrace_text::mask_word;
    view.symbols.emplace_back("(nothing)");
    return view;
  }

 private:
  // A word after all others.
  static int64_t padding() { return static_cast<int64_t>(terrace_text::words().size()); }

  Tensor loss_of(const Tensor& words, uint64_t draw) {
    std::vector<int64_t> inputs = words.to_vector<int64_t>(), targets(inputs.size(), nothing);
    KeyedRandom random(options_.seed, draw, 0x6d61736bu);
    for (size_t i = 0; i < inputs.size(); ++i) {
      const bool hide = random.uniform() < 0.15;
      if (inputs[i] == nothing) {
        inputs[i] = padding();
      } else if (hide && inputs[i] != terrace_text::begin_word) {
        targets[i] = inputs[i];
        inputs[i] = terrace_text::mask_word;
      }
    }
    return cross_entropy((*model_)(from_vector(inputs, words.shape()).to(options_.device)),
                         from_vector(targets, words.shape()).to(options_.device));
  }
};

}  // namespace

std::vector<TaskEntry> terrace_text_tasks() {
  return {
      {"terrace-gpt", "GPT on terrace-text: agreement past attractors, perplexity", "",
       [](const TaskOptions& o) { return std::make_unique<CausalTask>(o); }},
      {"terrace-bert", "BERT on terrace-text: agreement past attractors from both sides", "",
       [](const TaskOptions& o) { return std::make_unique<MaskedTask>(o); }},
  };
}

}  // namespace strata::train

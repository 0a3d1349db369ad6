// Parts of speech: a tagger that reads words, their spelling and their neighbours, against the tag
// that each word had most often.
#include <fmt/format.h>

#include "engine/data/files.h"
#include "engine/data/keyed_random.h"
#include "engine/io/atomic_file.h"
#include "engine/ops.h"
#include "models/language/tagger.h"
#include "models/registry.h"
#include "tools/train/domains.h"
#include "tools/train/tagged_words.h"

namespace strata::train {
namespace {

using nlohmann::json;

constexpr int64_t letters = 16;  // of a word that are read
constexpr int64_t sentences_a_step = 16;
constexpr int64_t validated_every = 10;  // this sentence of the training file is held out

// The only file of the folder whose name ends so.
std::string file_of(const std::string& folder, const std::string& end) {
  std::vector<std::string> found;
  for (const std::string& name : files_in("train", folder))
    if (name.ends_with(end)) found.push_back(name);
  if (found.size() != 1)
    fail("train", Caller{}, "{} has {} files *{}; expected one", folder, found.size(), end);
  return join_path(folder, found[0]);
}

bool held_out(size_t i) { return i % validated_every == validated_every - 1; }

template <class Which>
Sentences sentences(const Treebank& bank, Which&& which) {
  Sentences list;
  for (size_t i = 0; i < bank.sentences.size(); ++i)
    if (which(i)) list.push_back(&bank.sentences[i]);
  return list;
}

// Correctly tagged words, of all and of those that the training file does not have.
struct Tally {
  int64_t right = 0, words = 0, unseen_right = 0, unseen = 0;

  void add(bool correct, bool seen) {
    right += correct;
    ++words;
    unseen_right += correct && !seen;
    unseen += !seen;
  }
  double accuracy() const { return percent(right, words); }
  double unseen_accuracy() const { return percent(unseen_right, unseen); }
  static double percent(int64_t part, int64_t all) {
    return 100.0 * static_cast<double>(part) / static_cast<double>(std::max<int64_t>(all, 1));
  }
};

class Tagging : public Task {
 public:
  explicit Tagging(const TaskOptions& o)
      : options_(o),
        dev_(read_conllu(file_of(o.data, "-dev.conllu"))),
        test_(read_conllu(file_of(o.data, "-test.conllu"))),
        training_(sentences(dev_, [](size_t i) { return !held_out(i); })),
        validation_(sentences(dev_, held_out)),
        vocabulary_(training_),
        most_frequent_(sentences(dev_, [](size_t) { return true; })) {
    if (validation_.empty())
      fail("train", Caller{}, "{} sentences are too few; at least {} are needed",
           dev_.sentences.size(), validated_every);
    json model = {{"words", vocabulary_.words()},
                  {"characters", vocabulary_.characters()},
                  {"tags", vocabulary_.tags()},
                  {"letters", letters},
                  {"dropout", 0.5}};
    if (!o.model.is_null()) model.update(o.model);
    model_.reset(dynamic_cast<Tagger*>(make_model("tagger", model).release()));
  }

  Model& model() override { return *model_; }
  int64_t total_steps() const override { return options_.steps.value_or(1800); }
  std::unique_ptr<Optimizer> optimizer() override {
    return std::make_unique<Adam>(
        model_->named_parameters(),
        AdamOptions{.learning_rate = options_.learning_rate.value_or(3e-3)});
  }
  Schedule schedule() const override { return cosine(total_steps(), 0.02); }
  double clip_norm() const override { return 5; }

  // A word seen n times is read without its number with probability 1/4 / (1/4 + n) (Kiperwasser
  // and Goldberg 2016), so that the spelling is learnt from and unknown words are not new.
  Tensor loss(int64_t step) override {
    const uint64_t count = training_.size(), first = static_cast<uint64_t>(step) * sentences_a_step;
    Sentences batch;
    for (uint64_t i = first; i < first + sentences_a_step; ++i)
      batch.push_back(training_[KeyedPermutation(count, options_.seed, i / count)(i % count)]);
    KeyedRandom random(options_.seed, static_cast<uint64_t>(step), 1);
    const auto forget = [&](int64_t word) {
      return random.uniform() < 0.25 / (0.25 + static_cast<double>(vocabulary_.count(word)));
    };
    const TagBatch b = tag_batch(batch, vocabulary_, model_->options().letters, forget);
    return cross_entropy((*model_)(b.words.to(options_.device)), b.targets.to(options_.device));
  }

  std::vector<Score> evaluate(bool final) override {
    if (!final)
      return {{"validation accuracy", tally(validation_).accuracy(), "%", true, "", none}};
    const Sentences test = sentences(test_, [](size_t) { return true; });
    const Tally ours = tally(test);
    Tally counted;
    for (const TreebankSentence* s : test)
      for (const TreebankWord& w : s->words)
        counted.add(most_frequent_.tag(w.form) == w.upos, most_frequent_.knows(w.form));
    return {{"test accuracy", ours.accuracy(), "%", true, "most frequent tag", counted.accuracy()},
            {"test accuracy on unseen words", ours.unseen_accuracy(), "%", true, "NOUN",
             counted.unseen_accuracy()}};
  }

  // Some sentences of the test as the network tags them: word/TAG, and word/TAG!RIGHT.
  std::vector<std::string> finish(const std::filesystem::path& out) override {
    const Sentences shown = sentences(test_, [](size_t i) { return i < 20; });
    std::string text;
    const std::vector<std::vector<std::string>> tags = predicted(shown);
    for (size_t i = 0; i < shown.size(); ++i) {
      for (size_t j = 0; j < tags[i].size(); ++j) {
        const TreebankWord& w = shown[i]->words[j];
        text += fmt::format("{}{}/{}", j ? " " : "", w.form, tags[i][j]);
        if (tags[i][j] != w.upos) text += "!" + w.upos;
      }
      text += "\n";
    }
    io::write_file((out / "tagged.txt").string(), text);
    io::write_file((out / "vocabulary.json").string(), vocabulary_.to_json().dump() + "\n");
    return {"tagged.txt has sentences of the test, word/TAG or word/TAG!RIGHT; it begins:",
            text.substr(0, text.find('\n'))};
  }

 private:
  static constexpr double none = std::numeric_limits<double>::quiet_NaN();

  // The tags of each sentence's words, a few sentences at a time.
  std::vector<std::vector<std::string>> predicted(const Sentences& sentences) {
    constexpr size_t at_once = 32;
    std::vector<std::vector<std::string>> tags;
    for (size_t first = 0; first < sentences.size(); first += at_once) {
      const auto begin = sentences.begin() + static_cast<std::ptrdiff_t>(first);
      const auto count = std::min(at_once, sentences.size() - first);
      const Sentences batch(begin, begin + static_cast<std::ptrdiff_t>(count));
      const TagBatch b =
          tag_batch(batch, vocabulary_, model_->options().letters, [](int64_t) { return false; });
      const Tensor best = argmax((*model_)(b.words.to(options_.device)), -1);
      const std::vector<int64_t> numbers = best.to_vector<int64_t>();
      for (size_t i = 0; i < count; ++i) {
        tags.emplace_back();
        for (size_t j = 0; j < batch[i]->words.size(); ++j)
          tags.back().push_back(
              vocabulary_.tag_name(numbers[i * static_cast<size_t>(best.size(1)) + j]));
      }
    }
    return tags;
  }

  Tally tally(const Sentences& sentences) {
    Tally tally;
    const std::vector<std::vector<std::string>> tags = predicted(sentences);
    for (size_t i = 0; i < sentences.size(); ++i)
      for (size_t j = 0; j < tags[i].size(); ++j) {
        const TreebankWord& w = sentences[i]->words[j];
        tally.add(tags[i][j] == w.upos, most_frequent_.knows(w.form));
      }
    return tally;
  }

  TaskOptions options_;
  Treebank dev_, test_;
  Sentences training_, validation_;  // of dev_
  TagVocabulary vocabulary_;
  MostFrequentTag most_frequent_;  // of the whole of dev_, to which it is compared
  std::unique_ptr<Tagger> model_;
};

}  // namespace

std::vector<TaskEntry> tagging_tasks() {
  return {{"tagging", "LSTM that tags parts of speech, in accuracy against the most frequent tag",
           "a folder with two CoNLL-U files, *-dev.conllu to train on and *-test.conllu (treebank)",
           [](const TaskOptions& o) { return std::make_unique<Tagging>(o); }}};
}

}  // namespace strata::train

#include "tools/experiments/language_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "engine/autograd/autograd.h"
#include "engine/data/keyed_random.h"
#include "engine/nn/init.h"
#include "engine/ops.h"
#include "engine/optim/clip.h"
#include "engine/optim/optimizer.h"
#include "engine/optim/schedule.h"
#include "models/language/bert.h"
#include "models/language/gpt.h"
#include "tools/introspect/capture.h"
#include "tools/introspect/language/patterns.h"
#include "tools/train/masked_text.h"

namespace strata::experiments {
namespace {

using terrace_text::Passage;
using terrace_text::Token;
using terrace_text::WordClass;

constexpr int64_t nothing = -100;  // what losses ignore
constexpr int64_t induction_vocabulary = 24;
constexpr int64_t induction_length = 48;

TerraceText text_of_seed(uint64_t seed) { return TerraceText(seed, {.sentences = text_sentences}); }

// [length, width]: sine and cosine of the place at frequencies from 1 to 1 / length (Vaswani et al.
// 2017), so that looking one place back is a rotation.
Tensor sinusoids(const Dims& shape, double size) {
  const int64_t length = shape[0], width = shape[1];
  std::vector<float> values;
  for (int64_t place = 0; place < length; ++place)
    for (int64_t i = 0; i < width; ++i) {
      const double share = static_cast<double>(i / 2) / (static_cast<double>(width) / 2 - 1);
      const double angle =
          static_cast<double>(place) * std::pow(static_cast<double>(length) / 2, -share);
      values.push_back(static_cast<float>(size * (i % 2 ? std::cos(angle) : std::sin(angle))));
    }
  return from_vector(values, shape);
}

// Deviations of what a model starts with. The published .02 is meant for widths of hundreds; at 32
// and 48 it costs thousands of steps before heads look anywhere.
struct Start {
  double token, position, other;
};
constexpr Start gpt_start{0.5, 0.3, 0.1};
// Its norms stand after the sums, where large products would drown what they are added to.
constexpr Start bert_start{0.05, 0.03, 0.05};

void start(Model& model, const Start& deviation) {
  NoGrad off;
  for (auto& [name, tensor] : model.named_parameters()) {
    if (tensor.rank() != 2) continue;
    if (name.ends_with("token.weight"))
      init::normal_(tensor, 0, deviation.token);
    else if (name.ends_with("position") || name.ends_with("position.weight"))
      copy_(tensor, sinusoids(tensor.shape(), deviation.position));
    else
      init::normal_(tensor, 0, deviation.other);
  }
}

// Places that hold no word become `filler`.
Tensor filled(const Tensor& words, int64_t filler) {
  std::vector<int64_t> values = words.to_vector<int64_t>();
  std::replace(values.begin(), values.end(), nothing, filler);
  return from_vector(values, words.shape());
}

// Without the columns in which no passage has a word.
Tensor trimmed(const Tensor& words) {
  const int64_t longest = words.size(1);
  const std::vector<int64_t> values = words.to_vector<int64_t>();
  int64_t used = 1;
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i] != nothing) used = std::max(used, static_cast<int64_t>(i) % longest + 1);
  return words.slice(1, 0, used).contiguous();
}

std::unique_ptr<Model> make_text_model(const TextTraining& t) {
  const TerraceText data = text_of_seed(0);
  std::unique_ptr<Model> model;
  if (t.masked)  // the number after the last word fills up
    model = std::make_unique<BertMaskedLm>(BertOptions{.vocabulary = data.vocabulary() + 1,
                                                       .context = data.longest(),
                                                       .width = t.width,
                                                       .heads = t.heads,
                                                       .layers = t.layers,
                                                       .padding = data.vocabulary()});
  else
    model = std::make_unique<Gpt>(GptOptions{.vocabulary = data.vocabulary(),
                                             .context = data.longest(),
                                             .width = t.width,
                                             .heads = t.heads,
                                             .layers = t.layers});
  start(*model, t.masked ? bert_start : gpt_start);
  return model;
}

Tensor causal_loss(Model& model, const Tensor& words, Device device) {
  const int64_t time = words.size(1);
  const Tensor inputs = filled(words.slice(1, 0, time - 1).contiguous(), terrace_text::begin_word);
  return cross_entropy(model(inputs.to(device)), words.slice(1, 1, time).contiguous().to(device));
}

// Gaps in 30 % of the places: more than BERT's 15, since there are few steps (Wettig et al. 2023).
Tensor masked_loss(Model& model, const Tensor& words, int64_t filler, uint64_t seed, int64_t step,
                   Device device) {
  const std::vector<int64_t> there = words.to_vector<int64_t>();
  train::MaskedText gaps = train::mask_text(filled(words, filler), {.chosen = 0.3, .last = filler},
                                            seed, static_cast<uint64_t>(step));
  std::vector<int64_t> inputs = gaps.inputs.to_vector<int64_t>(),
                       targets = gaps.targets.to_vector<int64_t>();
  for (size_t i = 0; i < there.size(); ++i)
    if (there[i] == nothing) {
      inputs[i] = filler;
      targets[i] = nothing;
    }
  return cross_entropy(model(from_vector(inputs, words.shape()).to(device)),
                       from_vector(targets, words.shape()).to(device));
}

WordClass class_of(const Token& token) {
  return static_cast<WordClass>(token.factors[terrace_text::word_class]);
}

// Which of the eight who act in a setting a chain of the passage is.
int64_t actor_of_chain(const Passage& passage, int8_t chain) {
  for (const Token& token : passage.tokens) {
    if (token.factors[terrace_text::chain] != chain || class_of(token) != WordClass::noun) continue;
    for (int actor = 0; actor < 8; ++actor)
      for (const auto number : {terrace_text::Number::singular, terrace_text::Number::plural})
        if (terrace_text::word_of(terrace_text::actor(passage.setting, actor), number) ==
            token.word)
          return actor;
  }
  return -1;
}

}  // namespace

std::unique_ptr<Model> train_text(const TextTraining& t, uint64_t seed) {
  manual_seed(seed);
  std::unique_ptr<Model> model = make_text_model(t);
  model->to(t.device);
  const TerraceText data = text_of_seed(seed);
  AdamW optimizer(model->named_parameters(),
                  {.learning_rate = t.rate, .beta2 = 0.98, .weight_decay = 0.01});
  Scheduler scheduler(optimizer, one_cycle(std::max<int64_t>(1, t.steps), 0.1));
  for (int64_t step = 0; step < t.steps; ++step) {
    const Tensor words = trimmed(data.padded(static_cast<uint64_t>(step * t.passages), t.passages));
    optimizer.zero_grad();
    const Tensor loss = t.masked
                            ? masked_loss(*model, words, data.vocabulary(), seed, step, t.device)
                            : causal_loss(*model, words, t.device);
    loss.backward();
    clip_grad_norm(model->parameters(), 1);
    optimizer.step();
    scheduler.step();
  }
  model->to(Device::cpu);
  model->eval();
  return model;
}

const char* name_of(TextFactor factor) {
  return std::array{"word class", "phrase", "dependency", "sentence type", "coreference", "topic"}
      .at(static_cast<size_t>(factor));
}

int64_t answer_of(const Passage& passage, size_t place, TextFactor factor) {
  static const int that = terrace_text::word_number("that");
  const Token& token = passage.tokens[place];
  const WordClass kind = class_of(token);
  switch (factor) {
    case TextFactor::word_class:
      return token.word != that ? -1 : kind == WordClass::relative;
    case TextFactor::phrase:
      return kind == WordClass::verb || kind == WordClass::adjective
                 ? token.factors[terrace_text::phrase]
                 : -1;
    case TextFactor::dependency:
      return kind == WordClass::noun || kind == WordClass::verb
                 ? token.factors[terrace_text::relation]
                 : -1;
    case TextFactor::sentence_type:
      return kind == WordClass::noun ? token.factors[terrace_text::sentence_type] : -1;
    case TextFactor::coreference:
      return kind == WordClass::pronoun
                 ? actor_of_chain(passage, token.factors[terrace_text::chain])
                 : -1;
    case TextFactor::topic:
      return token.sentence == text_sentences - 1 && kind != WordClass::noun ? passage.setting : -1;
  }
  return -1;
}

ReadText read_text(Model& model, uint64_t seed, uint64_t first, int64_t count) {
  NoGrad off;
  const TerraceText data = text_of_seed(seed);
  const bool masked = dynamic_cast<BertMaskedLm*>(&model) != nullptr;
  ReadText text;
  for (int64_t i = 0; i < count; ++i)
    text.passages.push_back(data.passage(first + static_cast<uint64_t>(i)));
  const std::string prefix = masked ? "encoder." : "";
  std::vector<std::string> names = {prefix + "embedding"};
  for (const std::string& stage : model.stages())
    if (stage.starts_with(prefix + "blocks.")) names.push_back(stage);
  introspect::Capture capture(names);
  model(filled(data.padded(first, count), masked ? data.vocabulary() : terrace_text::begin_word));
  for (const std::string& name : names) text.layers.push_back(capture[name]);
  return text;
}

TextCodes words_asked(const ReadText& text, TextFactor factor, int64_t most) {
  TextCodes codes;
  const int64_t longest = text.layers.front().size(1);
  std::vector<int64_t> rows;
  for (size_t i = 0; i < text.passages.size(); ++i) {
    const Passage& passage = text.passages[i];
    for (size_t place = 1; place < passage.tokens.size(); ++place) {
      const int64_t answer = answer_of(passage, place, factor);
      if (answer < 0 || std::ssize(rows) == most) continue;
      rows.push_back(static_cast<int64_t>(i) * longest + static_cast<int64_t>(place));
      codes.answers.push_back(answer);
      codes.words.push_back(passage.tokens[place].word);
    }
  }
  const Tensor index = from_vector(rows, {std::ssize(rows)});
  for (const Tensor& layer : text.layers)
    codes.layers.push_back(index_select(layer.reshape({-1, layer.size(2)}), 0, index));
  return codes;
}

Repeats repeating_tokens(int64_t vocabulary, int64_t n, int64_t length, uint64_t seed,
                         uint64_t step) {
  Repeats repeats;
  std::vector<int64_t> tokens;
  for (int64_t i = 0; i < n; ++i) {
    KeyedRandom random(seed, step * static_cast<uint64_t>(n) + static_cast<uint64_t>(i),
                       0x72657065u);
    const int64_t period = length / 4 + random.below(static_cast<uint32_t>(length / 4 + 1));
    const size_t begin = tokens.size();
    for (int64_t t = 0; t < length; ++t)
      tokens.push_back(t < period ? random.below(static_cast<uint32_t>(vocabulary))
                                  : tokens[begin + static_cast<size_t>(t - period)]);
    repeats.periods.push_back(period);
  }
  repeats.tokens = from_vector(tokens, {n, length});
  return repeats;
}

// On sequences of many periods: on one period alone a head that looks a fixed number of places
// back, which a single layer can do, would score 1.
static double best_induction(Gpt& model, uint64_t seed) {
  const Tensor tokens =
      repeating_tokens(induction_vocabulary, 32, induction_length, seed, uint64_t{1} << 33).tokens;
  double best = 0;
  for (const auto& [path, pattern] : introspect::attention_patterns(model, tokens))
    best = std::max(best, max(introspect::induction_score(pattern, tokens)).item());
  return best;
}

InductionCurve train_induction(int64_t layers, int64_t steps, int64_t every, uint64_t seed) {
  constexpr int64_t sequences = 32;
  manual_seed(seed);
  Gpt model({.vocabulary = induction_vocabulary,
             .context = induction_length,
             .width = 32,
             .heads = 2,
             .layers = layers});
  start(model, gpt_start);
  AdamW optimizer(model.named_parameters(),
                  {.learning_rate = 3e-3, .beta2 = 0.98, .weight_decay = 0.01});
  Scheduler scheduler(optimizer, warm_up(50, constant_schedule()));
  auto copied_loss = [&](uint64_t step) {
    const Repeats data =
        repeating_tokens(induction_vocabulary, sequences, induction_length, seed, step);
    std::vector<int64_t> targets =
        data.tokens.slice(1, 1, induction_length).contiguous().to_vector<int64_t>();
    // In the first period, and at its last token, nothing tells what comes next.
    for (int64_t i = 0; i < sequences; ++i)
      for (int64_t t = 0; t < data.periods[static_cast<size_t>(i)]; ++t)
        targets[static_cast<size_t>(i * (induction_length - 1) + t)] = nothing;
    return cross_entropy(model(data.tokens.slice(1, 0, induction_length - 1).contiguous()),
                         from_vector(targets, {sequences, induction_length - 1}));
  };
  InductionCurve curve;
  curve.guessing = std::log(static_cast<double>(induction_vocabulary));
  for (int64_t step = 0; step <= steps; ++step) {
    if (step % every == 0) {
      NoGrad off;
      model.eval();
      curve.step.push_back(static_cast<double>(step));
      curve.score.push_back(best_induction(model, seed));
      curve.loss.push_back(copied_loss(uint64_t{1} << 32).item());
      model.train();
    }
    if (step == steps) break;
    optimizer.zero_grad();
    copied_loss(static_cast<uint64_t>(step)).backward();
    clip_grad_norm(model.parameters(), 1);
    optimizer.step();
    scheduler.step();
  }
  return curve;
}

double half_way(const std::vector<double>& step, const std::vector<double>& values, double start) {
  if (values.back() == start) return -1;
  const double half = (start + values.back()) / 2, sign = values.back() > start ? 1 : -1;
  size_t i = 0;
  while (sign * (values[i] - half) < 0) ++i;
  if (i == 0) return step[0];
  const double share = (half - values[i - 1]) / (values[i] - values[i - 1]);
  return step[i - 1] + share * (step[i] - step[i - 1]);
}

}  // namespace strata::experiments

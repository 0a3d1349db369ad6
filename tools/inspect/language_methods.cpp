// Views of a transformer that reads tokens: where its heads look, what the stream says at each
// layer, and which part of the network carries what.
#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "models/language/gpt.h"
#include "tools/inspect/method.h"
#include "tools/introspect/attribution/transformer.h"
#include "tools/introspect/language/circuits.h"
#include "tools/introspect/language/patching.h"
#include "tools/introspect/language/patterns.h"
#include "tools/introspect/language/stream.h"

namespace strata::inspect {
namespace {

using namespace introspect;

Gpt& gpt_of(const Request& r, bool trained = true) {
  auto gpt = dynamic_cast<Gpt*>(trained ? r.subject.model.get() : r.subject.untrained.get());
  if (!gpt) {
    fail("inspect", Caller{}, "this method reads the parts of a gpt; {} is none",
         r.subject.model_name);
  }
  return *gpt;
}

const std::vector<std::string>& tokens_of(const Request& r) { return r.inputs.tokens[0]; }

std::vector<std::string> numbered(const char* prefix, int64_t count) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i) names.push_back(fmt::format("{}{}", prefix, i));
  return names;
}

Answer patterns(const Request& r) {
  NoGrad off;
  Answer answer;
  for (auto& [layer, pattern] : attention_patterns(*r.subject.model, r.inputs.x)) {
    draw::Row row{{}, layer, draw::Range{0, 1}};
    for (int64_t h = 0; h < pattern.size(1); ++h) {
      row.panels.push_back(
          {fmt::format("head {}", h), draw::Matrix{.values = pattern.select(0, 0).select(0, h),
                                                   .row_labels = tokens_of(r),
                                                   .column_labels = tokens_of(r),
                                                   .numbers = false}});
    }
    answer.figure.rows.push_back(row);
    answer.arrays[layer] = pattern;
  }
  answer.numbers = {{"tokens", tokens_of(r)}};
  answer.figure.panel_size = 200;
  answer.figure.title = fmt::format("Attention patterns: {}", r.subject.name);
  answer.figure.caption = "Each row is a query: how much it takes of each key.";
  return answer;
}

// How much the last position draws on each token, through all layers: by attention alone, and by
// what raises the target's logit.
Answer through_layers(const Request& r) {
  Answer answer;
  draw::Row row;
  for (bool trained : {true, false}) {
    Scores model = trained ? r.subject.scores() : r.subject.untrained_scores();
    int64_t last = r.inputs.x.size(1) - 1;
    Tensor rollout = attention_rollout(model, r.inputs.x).select(1, last);
    Tensor relevance = attention_relevance(model, r.inputs.x, r.target).select(1, last);
    for (auto& [name, values] : {std::pair{"rollout", rollout}, {"relevance", relevance}}) {
      row.panels.push_back(
          {fmt::format("{}, {}", name, trained ? "trained" : "before training"),
           draw::Matrix{.values = values, .column_labels = tokens_of(r), .numbers = false}});
      answer.arrays[fmt::format("{}{}", name, trained ? "" : ".untrained")] = values;
    }
  }
  row.shared_scale = false;
  answer.figure.rows.push_back(row);
  answer.figure.title = fmt::format("What the last position draws on: {}", r.subject.name);
  answer.figure.caption =
      "Attention rollout, and attention weighed by what raises the target's logit "
      "(Chefer et al. 2021).";
  return answer;
}

Answer heads(const Request& r) {
  Answer answer;
  for (bool trained : {true, false}) {
    Model& model = trained ? *r.subject.model : *r.subject.untrained;
    int64_t context = r.subject.options["context"];
    HeadScores s = head_scores(model, r.subject.options["vocabulary"],
                               {.length = std::max<int64_t>(2, context / 4), .seed = r.seed});
    draw::Row row{{}, trained ? "trained" : "before training", draw::Range{0, 1}};
    auto columns = numbered("head ", s.previous.size(1));
    row.panels = {{"previous token", draw::Matrix{s.previous, s.layers, columns}},
                  {"duplicate token", draw::Matrix{s.duplicate, s.layers, columns}},
                  {"induction", draw::Matrix{s.induction, s.layers, columns}}};
    answer.figure.rows.push_back(row);
    std::string suffix = trained ? "" : ".untrained";
    answer.arrays["previous" + suffix] = s.previous;
    answer.arrays["duplicate" + suffix] = s.duplicate;
    answer.arrays["induction" + suffix] = s.induction;
  }
  answer.figure.title = fmt::format("What the heads look at: {}", r.subject.name);
  answer.figure.caption =
      "Share of attention that goes where such a head would look, on random tokens "
      "that are given twice; 1 is a perfect head.";
  return answer;
}

Answer lens(const Request& r) {
  NoGrad off;
  Answer answer;
  std::vector<std::string> stages;
  std::vector<double> right;
  Tensor tokens = r.inputs.x;
  int64_t t = tokens.size(1);
  for (auto& [stage, logits] : logit_lens(gpt_of(r), tokens)) {
    stages.push_back(stage);
    Tensor p = softmax(logits, -1);  // of the token that follows
    for (int64_t i = 0; i + 1 < t; ++i) {
      int64_t next = static_cast<int64_t>(tokens.select(0, 0).select(0, i + 1).item());
      right.push_back(p.select(0, 0).select(0, i).select(0, next).item());
    }
  }
  Tensor values = from_vector(right, {static_cast<int64_t>(stages.size()), t - 1});
  std::vector<std::string> columns(tokens_of(r).begin() + 1, tokens_of(r).end());
  answer.figure.rows.push_back({.panels = {{"", draw::Matrix{.values = values,
                                                             .row_labels = stages,
                                                             .column_labels = columns,
                                                             .numbers = false}}},
                                .label = {},
                                .range = draw::Range{0, 1},
                                .scale_label = "probability"});
  answer.figure.panel_size = 200;
  answer.figure.title = fmt::format("Logit lens: {}", r.subject.name);
  answer.figure.caption =
      "Probability of the token that comes next, read from the stream after each stage.";
  answer.arrays = {{"probability", values}};
  return answer;
}

Answer logit_attribution(const Request& r) {
  NoGrad off;
  auto found = direct_logit_attribution(gpt_of(r), r.inputs.x, -1, r.target);
  auto values = found.values.select(0, 0);
  Answer answer;
  answer.figure.rows.push_back({.panels = {{"", draw::Matrix{.values = values.unsqueeze(1),
                                                             .row_labels = found.names,
                                                             .column_labels = {"logit"}}}}});
  answer.figure.panel_size = std::max(168.0, 22.0 * static_cast<double>(found.names.size()));
  answer.figure.title = fmt::format("What adds to the logit of '{}': {}",
                                    r.subject.class_name(r.target[0]), r.subject.name);
  answer.figure.caption =
      "Contributions of each part of the stream at the last position; they sum to "
      "the logit.";
  answer.arrays = {{"values", found.values}};
  answer.numbers = {{"names", found.names}, {"values", values.to_vector<double>()}};
  return answer;
}

// The token whose change lowers the target's logit most (it becomes the next one of the
// vocabulary), and what the network then says instead.
struct Corruption {
  Tensor tokens;
  int64_t position = 0, rival = 0;
};
Corruption corrupted(Gpt& gpt, const Tensor& clean, int64_t target, int64_t vocabulary) {
  int64_t t = clean.size(1);
  Corruption found;
  double lowest = 0;
  for (int64_t position = 0; position + 1 < t; ++position) {
    Tensor tokens = clean.clone();
    int64_t* values = tokens.data<int64_t>();
    values[position] = (values[position] + 1) % vocabulary;
    Tensor logits = gpt(tokens).select(1, t - 1).select(0, 0).contiguous();
    double logit = logits.select(0, target).item();
    if (position > 0 && logit >= lowest) continue;
    lowest = logit;
    logits.data<float>()[target] = -1e30f;
    found = {tokens, position, argmax(logits, 0).to_vector<int64_t>()[0]};
  }
  return found;
}

// Where the difference between two texts is carried.
Answer patching(const Request& r) {
  NoGrad off;
  Gpt& gpt = gpt_of(r);
  int64_t t = r.inputs.x.size(1);
  if (t < 3) fail("inspect", Caller{}, "patching needs a text of at least 3 tokens; got {}", t);
  Corruption other = corrupted(gpt, r.inputs.x, r.target[0], r.subject.options["vocabulary"]);
  PatchingTask task{[&gpt](const Tensor& x) { return gpt(x); }, r.inputs.x, other.tokens,
                    logit_difference({r.target[0]}, {other.rival})};
  int64_t layers = r.subject.options["layers"], heads = r.subject.options["heads"];
  Answer answer;
  draw::Row row;
  for (const char* site : {"", "attention", "mlp"}) {
    PatchSweep sweep = patch_positions(task, in_every_block(layers, site));
    std::string name = *site ? site : "stream";
    row.panels.push_back({name, draw::Matrix{.values = sweep.restored,
                                             .row_labels = sweep.activations,
                                             .column_labels = tokens_of(r),
                                             .numbers = false}});
    answer.arrays[name] = sweep.restored;
  }
  PatchSweep by_head = patch_heads(task, in_every_block(layers, "attention.heads"), heads);
  row.panels.push_back(
      {"heads", draw::Matrix{by_head.restored, by_head.activations, numbered("", heads)}});
  answer.arrays["heads"] = by_head.restored;
  answer.figure.rows.push_back(row);
  answer.figure.panel_size = 200;
  answer.figure.title = fmt::format("Activation patching: {}", r.subject.name);
  answer.figure.caption = fmt::format(
      "Token {} ('{}') is changed, after which '{}' gains on '{}'; each activation in turn is put "
      "back "
      "from the clean run. Share of the logit difference ({:.2f} clean, {:.2f} corrupted) that "
      "returns.",
      other.position, tokens_of(r)[static_cast<size_t>(other.position)],
      r.subject.class_name(other.rival), r.subject.class_name(r.target[0]), by_head.clean,
      by_head.corrupted);
  return answer;
}

Answer circuits(const Request& r) {
  NoGrad off;
  Gpt& gpt = gpt_of(r);
  int64_t layers = r.subject.options["layers"], heads = r.subject.options["heads"];
  Answer answer;
  std::vector<double> copying;
  draw::LineChart chart{.curves = {}, .x_label = "direction", .y_label = "singular value of OV"};
  for (int64_t l = 0; l < layers; ++l) {
    for (int64_t h = 0; h < heads; ++h) {
      Factored ov = ov_circuit(gpt, l, h);
      copying.push_back(copying_score(full_ov_circuit(gpt, l, h)));
      auto values = svd(ov).values;
      draw::Curve curve{fmt::format("{}.{}", l, h), {}, values};
      for (size_t i = 0; i < values.size(); ++i) curve.x.push_back(static_cast<double>(i));
      if (chart.curves.size() < 8) chart.curves.push_back(curve);
    }
  }
  Tensor scores = from_vector(copying, {layers, heads});
  auto rows = numbered("layer ", layers), columns = numbered("head ", heads);
  draw::Row row{.panels = {{"copying", draw::Matrix{scores, rows, columns}}, {"OV", chart}}};
  answer.figure.rows.push_back(row);
  draw::Row composed;
  std::vector<std::string> all;
  for (auto& a : numbered("", layers)) {
    for (auto& b : numbered("", heads)) all.push_back(a + "." + b);
  }
  auto flat = static_cast<int64_t>(all.size());
  for (auto [name, kind] :
       {std::pair{"Q", Composition::query}, {"K", Composition::key}, {"V", Composition::value}}) {
    Tensor c = composition_scores(gpt, kind).reshape({flat, flat});
    composed.panels.push_back(
        {fmt::format("{}-composition", name), draw::Matrix{c, all, all, "from", "into"}});
    answer.arrays[fmt::format("composition_{}", name)] = c;
  }
  answer.figure.rows.push_back(composed);
  answer.figure.title = fmt::format("Circuits: {}", r.subject.name);
  answer.figure.caption =
      "Copying: whether a head writes what it reads, through the embedding (1) or the "
      "opposite (-1). Composition: how much of what a head writes a later one reads.";
  answer.arrays["copying"] = scores;
  return answer;
}

}  // namespace

std::vector<Method> language_methods() {
  auto tokens = Reads::tokens;
  return {
      {"attention", "language", "Where each head looks", "Vig 2019", tokens, false, patterns},
      {"rollout", "language", "What the last position draws on through all layers",
       "Abnar and Zuidema 2020", tokens, false, through_layers},
      {"heads", "language", "Previous-token, duplicate-token and induction heads",
       "Olsson et al. 2022", tokens, false, heads},
      {"logit-lens", "language", "What the stream predicts at each layer", "nostalgebraist 2020",
       tokens, false, lens},
      {"logit-attribution", "language", "What each part adds to a logit", "Elhage et al. 2021",
       tokens, false, logit_attribution},
      {"patching", "language", "Where a difference between two texts is carried",
       "Meng et al. 2022", tokens, false, patching},
      {"circuits", "language", "OV and QK circuits and their composition", "Elhage et al. 2021",
       tokens, false, circuits},
  };
}

}  // namespace strata::inspect

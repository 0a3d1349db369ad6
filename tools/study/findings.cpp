#include "tools/study/findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

namespace strata::study {
namespace {

using nlohmann::json;

// Accuracies by (control, factor, layer) at the last step each was measured.
using Accuracies = std::map<std::string, std::map<std::string, std::map<std::string, double>>>;

Accuracies accuracies_of(const json& metrics) {
  Accuracies found;
  if (!metrics.contains("probe")) return found;
  const json& p = metrics["probe"];
  for (size_t i = 0; i < p["step"].size(); ++i) {  // sorted by step: the last one stays
    if (p["accuracy"][i].is_null()) continue;
    found[p["control"][i]][p["factor"][i]][p["layer"][i]] = p["accuracy"][i];
  }
  return found;
}

FactorReading reading_of(const json& factor, const std::vector<std::string>& layers,
                         Accuracies& found) {
  FactorReading r;
  r.name = factor["name"];
  r.level = factor["level"].is_null() ? 0 : factor["level"].get<int>();
  r.is_label = factor.value("is_label", false);
  r.chance = factor["chance"];
  r.ceiling = factor.value("ceiling", 1.0);
  std::vector<double> scores;
  for (const std::string& layer : layers) {
    bool pixels = layer == "pixels";
    r.trained.push_back(found[pixels ? "pixels" : "trained"][r.name][layer]);
    r.untrained.push_back(found[pixels ? "pixels" : "untrained"][r.name][layer]);
    scores.push_back(std::max(0.0, (r.trained.back() - r.chance) / (r.ceiling - r.chance)));
  }
  r.best = static_cast<int>(std::max_element(scores.begin(), scores.end()) - scores.begin());
  r.score = scores[static_cast<size_t>(r.best)];
  double total = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    total += scores[i];
    r.gravity += static_cast<double>(i) * scores[i];
  }
  r.gravity = total > 0 ? r.gravity / total : 0;
  while (scores[static_cast<size_t>(r.onset)] < 0.9 * r.score) ++r.onset;
  return r;
}

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

void correlate(Findings& f) {
  std::vector<double> level, onset, gravity;
  for (auto& r : f.factors) {
    if (r.level == 0 || r.score < readable) continue;
    level.push_back(r.level);
    onset.push_back(r.onset);
    gravity.push_back(r.gravity);
  }
  f.verdict = "not testable";
  if (level.size() < 3) return;
  f.onset_correlation = spearman(level, onset);
  f.gravity_correlation = spearman(level, gravity);
  // A perfect order without ties of its own, against levels that tie.
  std::vector<double> ideal(level.size());
  std::vector<size_t> order(level.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return level[a] < level[b]; });
  for (size_t i = 0; i < order.size(); ++i) ideal[order[i]] = static_cast<double>(i);
  f.attainable = spearman(level, ideal);
}

const FactorReading& label_of(const Findings& f) {
  return *std::find_if(f.factors.begin(), f.factors.end(), [](auto& r) { return r.is_label; });
}

void judge(Findings& f) {
  if (f.verdict == "not testable" && f.attainable == 0) return;
  const FactorReading& label = label_of(f);
  bool ordered = f.gravity_correlation >= supported;
  bool learned = label.trained.back() - label.untrained.back() >= margin &&
                 label.trained.back() - label.trained.front() >= margin;
  f.verdict = ordered && learned   ? "supported"
              : ordered || learned ? "supported in part"
                                   : "not supported";
}

// "hue at conv1, outline at conv4, object at conv6".
std::string order_sentence(const Findings& f) {
  std::vector<const FactorReading*> read;
  for (auto& r : f.factors) {
    if (r.score >= readable) read.push_back(&r);
  }
  std::stable_sort(read.begin(), read.end(),
                   [](auto* a, auto* b) { return a->gravity < b->gravity; });
  std::string text;
  for (auto* r : read) {
    text += fmt::format("{}{} at {} ({})", text.empty() ? "" : ", ", r->name,
                        f.layers[static_cast<size_t>(r->best)],
                        percent(r->trained[static_cast<size_t>(r->best)]));
  }
  return text;
}

// The lowest, a middle and the highest rung, short enough for a headline: "hue is read best at
// conv1 (100 %), outline at conv4 (99 %), object at conv6 (99 %); untrained, object stays at 38 %."
std::string ladder_sentence(const Findings& f) {
  const FactorReading& label = label_of(f);
  std::vector<const FactorReading*> below;
  for (auto& r : f.factors) {
    if (r.score >= readable && !r.is_label) below.push_back(&r);
  }
  std::stable_sort(below.begin(), below.end(),
                   [](auto* a, auto* b) { return a->gravity < b->gravity; });
  std::vector<const FactorReading*> rungs;
  if (!below.empty()) rungs.push_back(below.front());
  if (below.size() > 2) rungs.push_back(below[below.size() / 2]);
  rungs.push_back(&label);
  std::string text;
  for (auto* r : rungs) {
    text += fmt::format("{}{} at {} ({:.0f} %)", text.empty() ? "" : ", ", r->name,
                        f.layers[static_cast<size_t>(r->best)],
                        100 * r->trained[static_cast<size_t>(r->best)]);
  }
  return fmt::format("read best are {}; untrained, {} stays at {:.0f} %.", text, label.name,
                     100 * label.untrained.back());
}

void add(json& sentences, const char* panel, const std::string& text) {
  sentences.push_back({{"panel", panel}, {"text", text}});
}

void write(Findings& f, double test_accuracy) {
  const FactorReading& label = label_of(f);
  const std::string& last = f.layers.back();
  f.sentences = json::array();
  std::string order = order_sentence(f);
  std::string control = fmt::format(
      "The class '{}' is read from {} with {} in the trained network, {} in the untrained one and "
      "{} from "
      "raw pixels (chance {}).",
      label.name, last, percent(label.trained.back()), percent(label.untrained.back()),
      percent(label.trained.front()), percent(label.chance));
  std::string correlation =
      "Fewer than three factors at known levels are read well, so the order of levels cannot be "
      "tested.";
  if (f.attainable > 0) {
    correlation = fmt::format(
        "Level against depth: rank correlation {:.2f} (centre of gravity) and {:.2f} (onset); the "
        "most that "
        "ties between levels allow is {:.2f}. The claim is {}.",
        f.gravity_correlation, f.onset_correlation, f.attainable, f.verdict);
  }
  add(f.sentences, "hierarchy", "Read best: " + order + ".");
  add(f.sentences, "hierarchy", correlation);
  add(f.sentences, "hierarchy", control);
  std::string missing;
  for (auto& r : f.factors) {
    if (r.score < readable) missing += (missing.empty() ? "" : ", ") + r.name;
  }
  if (!missing.empty()) {
    add(f.sentences, "hierarchy",
        fmt::format("Not read well anywhere (score below {:.2f} of the way from chance to "
                    "ceiling): {}. What "
                    "the class does not need is not kept.",
                    readable, missing));
  }
  add(f.sentences, "training",
      fmt::format("Test accuracy at the end: {}.", percent(test_accuracy)));
  f.summary["question"] = "Do deeper layers hold higher-level features?";
  f.summary["verdict"] = f.verdict;
  std::string answer = f.verdict == "supported"      ? "Yes: "
                       : f.verdict == "not testable" ? ""
                                                     : "In part: ";
  if (f.verdict == "not supported") answer = "Not in this run: ";
  if (f.attainable == 0) {
    f.summary["question"] = "Which layer holds what tells the classes apart?";
    answer += control;
  } else {
    answer += ladder_sentence(f);
  }
  f.summary["answer"] = answer;
  f.lines = {fmt::format("Read best: {}.", order), correlation, control};
}

}  // namespace

Findings findings_of(const json& config, const json& metrics, double test_accuracy) {
  Findings f;
  f.layers.push_back("pixels");
  for (auto& layer : config["model"]["layers"]) f.layers.push_back(layer["name"]);
  auto found = accuracies_of(metrics);
  for (auto& factor : config["factors"]) f.factors.push_back(reading_of(factor, f.layers, found));
  correlate(f);
  judge(f);
  write(f, test_accuracy);
  return f;
}

}  // namespace strata::study

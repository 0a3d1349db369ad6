#include "engine/data/terrace_sequence.h"

#include <cmath>

#include "engine/data/keyed_random.h"

namespace strata {
namespace {

double information(const std::vector<std::vector<double>>& given_class) {
  const double classes = static_cast<double>(given_class.size());
  double bits = 0;
  for (size_t value = 0; value < given_class[0].size(); ++value) {
    double total = 0;
    for (const auto& row : given_class) total += row[value] / classes;
    for (const auto& row : given_class)
      if (row[value] > 0) bits += row[value] / classes * std::log2(row[value] / total);
  }
  return bits;
}

}  // namespace

TerraceSequence::TerraceSequence(uint64_t seed, const TerraceSequenceOptions& options, Caller at)
    : seed_(seed), options_(options) {
  const auto& o = options_;
  if (o.levels < 1 || o.branching < 2 || o.vocabulary < 2 || o.synonyms < 1 || o.classes < 2)
    fail("terrace-sequence", at,
         "levels {} and synonyms {} must be at least 1, branching {}, vocabulary {} and classes {} "
         "at least 2",
         o.levels, o.synonyms, o.branching, o.vocabulary, o.classes);
  const double wanted = std::pow(o.vocabulary, o.branching);
  const int most = std::max(o.vocabulary, o.classes);
  if (wanted >= 0x1p31 || most * static_cast<double>(o.synonyms) > wanted)
    fail("terrace-sequence", at,
         "{} symbols with {} synonyms each need {} tuples; there are {}^{} = {}, and fewer than "
         "2^31 are allowed",
         most, o.synonyms, most * static_cast<int64_t>(o.synonyms), o.vocabulary, o.branching,
         wanted);
  for (int i = 0; i < o.branching; ++i) tuples_ *= o.vocabulary;
  for (int level = 0; level < o.levels; ++level) {
    length_ *= o.branching;
    const int count = (level == 0 ? o.classes : o.vocabulary) * o.synonyms;
    const KeyedPermutation order(static_cast<uint64_t>(tuples_), o.rule_seed,
                                 static_cast<uint64_t>(level));
    std::vector<int> tuple, owner(static_cast<size_t>(tuples_), -1);
    for (int i = 0; i < count; ++i) {
      tuple.push_back(static_cast<int>(order(static_cast<uint64_t>(i))));
      owner[static_cast<size_t>(tuple.back())] = i / o.synonyms;
    }
    tuple_.push_back(tuple);
    symbol_of_.push_back(owner);
  }
}

std::vector<int> TerraceSequence::tuple_of(int level, int symbol, int choice) const {
  const auto place = static_cast<size_t>(symbol * options_.synonyms + choice);
  int code = tuple_[static_cast<size_t>(level)][place];
  std::vector<int> symbols(static_cast<size_t>(options_.branching));
  for (size_t i = symbols.size(); i-- > 0; code /= options_.vocabulary)
    symbols[i] = code % options_.vocabulary;
  return symbols;
}

TerraceSequence::Derivation TerraceSequence::derive(
    int label, const std::vector<std::vector<int>>& choice) const {
  Derivation d{label, choice, {{label}}};
  for (int level = 0; level < options_.levels; ++level) {
    const std::vector<int>& above = d.symbols.back();
    std::vector<int> below;
    for (size_t node = 0; node < above.size(); ++node)
      for (int symbol : tuple_of(level, above[node], choice[static_cast<size_t>(level)][node]))
        below.push_back(symbol);
    d.symbols.push_back(std::move(below));
  }
  return d;
}

TerraceSequence::Derivation TerraceSequence::example(uint64_t index) const {
  KeyedRandom random(seed_, index, 0);
  const int label = static_cast<int>(random.below(static_cast<uint32_t>(options_.classes)));
  std::vector<std::vector<int>> choice;
  size_t nodes = 1;
  for (int level = 0; level < options_.levels; ++level) {
    choice.emplace_back();
    for (size_t node = 0; node < nodes; ++node)
      choice.back().push_back(
          static_cast<int>(random.below(static_cast<uint32_t>(options_.synonyms))));
    nodes *= static_cast<size_t>(options_.branching);
  }
  return derive(label, choice);
}

TerraceSequence::Derivation TerraceSequence::exchange(const Derivation& of, int level, int node,
                                                      uint64_t draw) const {
  std::vector<std::vector<int>> choice = of.choice;
  int& one = choice[static_cast<size_t>(level)][static_cast<size_t>(node)];
  KeyedRandom random(seed_, draw, 1 + static_cast<uint32_t>(node));
  const int others = options_.synonyms - 1;
  if (others > 0)
    one = (one + 1 + static_cast<int>(random.below(static_cast<uint32_t>(others)))) %
          options_.synonyms;
  return derive(of.label, choice);
}

TerraceSequence::Derivation TerraceSequence::exchange_level(const Derivation& of, int level,
                                                            uint64_t draw) const {
  Derivation d = of;
  const auto nodes = static_cast<int>(of.choice[static_cast<size_t>(level)].size());
  for (int node = 0; node < nodes; ++node) d = exchange(d, level, node, draw);
  return d;
}

std::optional<int> TerraceSequence::parse(std::span<const int> string) const {
  if (static_cast<int64_t>(string.size()) != length_) return std::nullopt;
  std::vector<int> below(string.begin(), string.end());
  for (int level = options_.levels - 1; level >= 0; --level) {
    std::vector<int> above;
    for (size_t i = 0; i < below.size(); i += static_cast<size_t>(options_.branching)) {
      int64_t code = 0;
      for (size_t j = 0; j < static_cast<size_t>(options_.branching); ++j) {
        if (below[i + j] < 0 || below[i + j] >= options_.vocabulary) return std::nullopt;
        code = code * options_.vocabulary + below[i + j];
      }
      above.push_back(symbol_of_[static_cast<size_t>(level)][static_cast<size_t>(code)]);
      if (above.back() < 0) return std::nullopt;
    }
    below = above;
  }
  return below[0];
}

double TerraceSequence::strings() const {
  double nodes = 0;
  for (int level = 0; level < options_.levels; ++level)
    nodes += std::pow(options_.branching, level);
  return options_.classes * std::pow(options_.synonyms, nodes);
}

double TerraceSequence::sample_complexity() const {
  return options_.classes * std::pow(options_.synonyms, options_.levels);
}

// The path from the class to the node is a chain: the place among the children, level by level.
std::vector<std::vector<double>> TerraceSequence::distribution(int level, int64_t node) const {
  std::vector<std::vector<double>> all;
  for (int label = 0; label < options_.classes; ++label) {
    std::vector<double> above(static_cast<size_t>(options_.classes));
    above[static_cast<size_t>(label)] = 1;
    int64_t divisor = 1;
    for (int i = 1; i < level; ++i) divisor *= options_.branching;
    for (int l = 0; l < level; ++l, divisor /= options_.branching) {
      const auto child = static_cast<size_t>(node / divisor % options_.branching);
      std::vector<double> below(static_cast<size_t>(options_.vocabulary));
      for (size_t symbol = 0; symbol < above.size(); ++symbol)
        for (int choice = 0; above[symbol] > 0 && choice < options_.synonyms; ++choice) {
          const int to = tuple_of(l, static_cast<int>(symbol), choice)[child];
          below[static_cast<size_t>(to)] += above[symbol] / options_.synonyms;
        }
      above = below;
    }
    all.push_back(above);
  }
  return all;
}

double TerraceSequence::information_of_symbol(int64_t place) const {
  return information(distribution(options_.levels, place));
}

// A tuple belongs to one symbol of the level above, and its choice tells nothing.
double TerraceSequence::information_of_tuple(int64_t tuple) const {
  return information(distribution(options_.levels - 1, tuple));
}

std::string TerraceSequence::describe() const {
  const auto& o = options_;
  std::string text = fmt::format(
      "terrace-sequence: {} levels, branching {}, vocabulary {}, synonyms {}, classes {}\n"
      "strings of {} symbols; {:.6g} strings have a class, of {:.6g}\n"
      "chance {:.4f}; P* = n_c m^L = {:.6g} examples\n"
      "I(class; one symbol), by its place:",
      o.levels, o.branching, o.vocabulary, o.synonyms, o.classes, length_, strings(),
      std::pow(o.vocabulary, static_cast<double>(length_)), 1.0 / o.classes, sample_complexity());
  for (int64_t i = 0; i < length_; ++i) text += fmt::format(" {:.3f}", information_of_symbol(i));
  text += "\nI(class; one tuple), by its place:";
  for (int64_t i = 0; i < length_ / o.branching; ++i)
    text += fmt::format(" {:.3f}", information_of_tuple(i));
  return text + fmt::format("\nbits, of {:.3f}\n", std::log2(o.classes));
}

TerraceSequence::Batch TerraceSequence::batch(uint64_t first, int64_t count) const {
  std::vector<int64_t> strings, labels;
  for (int64_t i = 0; i < count; ++i) {
    const Derivation d = example(first + static_cast<uint64_t>(i));
    strings.insert(strings.end(), d.symbols.back().begin(), d.symbols.back().end());
    labels.push_back(d.label);
  }
  return {from_vector(strings, {count, length_}), from_vector(labels, {count})};
}

}  // namespace strata

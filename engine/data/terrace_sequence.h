// terrace-sequence: strings of symbols made by a hierarchy of random rules, the "random hierarchy
// model" of Cagnetta, Petrini, Tomasini, Favero and Wyart 2023 ("How deep neural networks learn
// compositional data").
//
// A class is rewritten as a tuple of `branching` symbols, each of these as a tuple of symbols of
// the level below, and so on `levels` times: branching^levels symbols. Every symbol has `synonyms`
// tuples, drawn at random once, by seed; no tuple belongs to two symbols, so that a string has one
// parse and one class.
//
//   strings of a class     m^((s^L - 1) / (s - 1))       m synonyms, s branching, L levels
//   strings of all classes n_c times as many             n_c classes
//   strings of any symbols v^(s^L)                       v vocabulary
//
// A deep network learns the class from about
//   P* = n_c m^L
// examples: only then do pairs of a tuple and the class come often enough to show which tuples are
// synonyms, by what they say about the class. A network that does not share the work of levels (a
// kernel, fully connected layers) needs a fixed share of all strings, exponential in s^L.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata {

struct TerraceSequenceOptions {
  int levels = 2;      // L
  int branching = 2;   // s
  int vocabulary = 8;  // v, the same on every level
  int synonyms = 4;    // m
  int classes = 8;     // n_c
  uint64_t rule_seed = 0;
};

class TerraceSequence {
 public:
  // Symbols and classes must have synonyms * symbols <= vocabulary^branching different tuples,
  // which must be below 2^31.
  TerraceSequence(uint64_t seed, const TerraceSequenceOptions& options = {},
                  Caller at = Caller::here());

  // A string with its whole history. Nodes go from the class down, level by level from left to
  // right; node k of a level has children s k .. s k + s - 1 on the level below.
  struct Derivation {
    int label = 0;
    std::vector<std::vector<int>> choice;   // [level][node]: which of the m tuples; level 0: class
    std::vector<std::vector<int>> symbols;  // [level][node]; level L: the string
  };
  // Example `index`: class and choices uniform, a function of (seed, index).
  Derivation example(uint64_t index) const;
  // The string of these choices; `choice` as in Derivation.
  Derivation derive(int label, const std::vector<std::vector<int>>& choice) const;
  // The same class and choices, but for node `node` of `level` (0 .. L - 1), which is written as
  // another of its synonyms; what hangs below follows.
  Derivation exchange(const Derivation& of, int level, int node, uint64_t draw) const;
  // Every node of a level exchanged: what a network that has learned the level should not notice.
  Derivation exchange_level(const Derivation& of, int level, uint64_t draw) const;
  // The class that has this string, or nothing.
  std::optional<int> parse(std::span<const int> string) const;

  int64_t length() const { return length_; }
  const TerraceSequenceOptions& options() const { return options_; }
  double strings() const;            // of all classes together
  double sample_complexity() const;  // P* = n_c m^L
  // I(class; symbol at a place), in bits, exact: what one symbol alone tells.
  double information_of_symbol(int64_t place) const;
  // I(class; the s symbols of tuple `tuple` of the string), in bits, exact.
  double information_of_tuple(int64_t tuple) const;
  std::string describe() const;

  // Strings first .. first + count - 1: i64 [count, length], and their classes, i64 [count].
  struct Batch {
    Tensor strings, labels;
  };
  Batch batch(uint64_t first, int64_t count) const;

 private:
  // Tuple `choice` of a symbol of `level`: its s symbols.
  std::vector<int> tuple_of(int level, int symbol, int choice) const;
  // P(symbol of node `node` on `level` | class): [class][symbol].
  std::vector<std::vector<double>> distribution(int level, int64_t node) const;

  uint64_t seed_;
  TerraceSequenceOptions options_;
  int64_t length_ = 1, tuples_ = 1;          // s^L, v^s
  std::vector<std::vector<int>> tuple_;      // [level][symbol * m + choice]: the tuple as a number
  std::vector<std::vector<int>> symbol_of_;  // [level][tuple]: whose it is, or -1
};

}  // namespace strata

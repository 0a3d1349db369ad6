// What a terrace image is made of: factors at known levels, and the tables that make the high
// levels out of the low ones.
//
//   level 1  hue (8), orientation (6), frequency (3)          colour and gratings of the fill; the
//            orientation is the direction across the stripes
//   level 2  texture of each part (4), junction (4), background (4)   relations of edges
//   level 3  outline of each part (4)                         disc, square, triangle, cross
//   level 4  part = table(outline, texture), above and below
//   level 5  object = table(part above, part below)
//   level 6  scene = table(object, background)
//
// The nine factors of levels 1 to 3 are drawn, independently and uniformly; the four above follow
// from them. A table's rule is a switch: in a latin square one argument alone carries no bit about
// the result; in a staircase the first argument alone is right half of the time (Abbe et al. 2022,
// merged staircases), so that learning can climb; a random table is a balanced random draw (random
// hierarchy model, Cagnetta et al. 2024).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/error.h"

namespace strata::terrace {

enum Factor : int {
  hue,
  orientation,
  frequency,
  junction,
  background,
  texture_above,
  texture_below,
  outline_above,
  outline_below,
  part_above,
  part_below,
  object,
  scene,
};
inline constexpr int factor_count = 13, drawn_count = 9, kinds = 4;

// The value of every factor of an image, indexed by Factor.
using Record = std::array<int8_t, factor_count>;

struct FactorRow {
  const char* name;
  int level;
  int values;
  std::array<const char*, 8> value_names;
};
const FactorRow& row_of(int factor);
// Factor from its name ("outline" means outline_above, and so for texture and part); an error lists
// the names.
int factor_named(const std::string& name, Caller at = Caller::here());

enum class Rule { latin, staircase, random_table, first };

// 4 x 4 -> 4, every result four times.
//   latin: (a + b) mod 4        staircase: a while b < 2, (a + 1) mod 4 otherwise
//   random_table: a permutation of the sixteen balanced cells, chosen by `seed`
//   first: a (the second argument does not matter; for shorter chains)
struct Table {
  std::array<std::array<int8_t, kinds>, kinds> cell{};
  int operator()(int a, int b) const { return cell[a][b]; }
};
Table make_table(Rule rule, uint64_t seed);

struct Rules {
  Table part, object, scene;
};

// Fills the four derived factors from the nine drawn ones.
void derive(const Rules& rules, Record& record);

// Drawn factors that `factor` is computed from (itself when it is drawn), in order.
std::vector<int> sources_of(const Rules& rules, int factor);

// Mutual information I(target; given jointly) in bits, by enumeration of the tables.
double information(const Rules& rules, int target, const std::vector<int>& given);

// The best accuracy that any reader of noiseless images can reach on a factor, by enumeration: 1
// unless different values look the same. (Orientation does: a grid of 90 degrees looks the same
// after a turn of 90, one of 60/120 after a turn of 60.)
double ceiling(const Rules& rules, int factor);

// I(target; S) for every subset S of the drawn factors the target depends on, largest first, and
// for each derived factor below it: lines of text.
std::string information_table(const Rules& rules, int target);

}  // namespace strata::terrace

#include "engine/data/terrace_rules.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "engine/data/keyed_random.h"

namespace strata::terrace {
namespace {

constexpr FactorRow rows[factor_count] = {
    {"hue", 1, 8, {"red", "orange", "lime", "green", "teal", "azure", "violet", "magenta"}},
    {"orientation", 1, 6, {"0 deg", "30 deg", "60 deg", "90 deg", "120 deg", "150 deg"}},
    {"frequency", 1, 3, {"fine", "middle", "coarse"}},
    {"junction", 2, 4, {"L", "T", "X", "Y"}},
    {"background", 2, 4, {"horizon", "wall", "quarters", "spot"}},
    {"texture_above", 2, 4, {"stripes", "grid 90", "grid 45", "grid 60"}},
    {"texture_below", 2, 4, {"stripes", "grid 90", "grid 45", "grid 60"}},
    {"outline_above", 3, 4, {"disc", "square", "triangle", "cross"}},
    {"outline_below", 3, 4, {"disc", "square", "triangle", "cross"}},
    {"part_above", 4, 4, {"part 0", "part 1", "part 2", "part 3"}},
    {"part_below", 4, 4, {"part 0", "part 1", "part 2", "part 3"}},
    {"object", 5, 4, {"object 0", "object 1", "object 2", "object 3"}},
    {"scene", 6, 4, {"scene 0", "scene 1", "scene 2", "scene 3"}},
};

// Turns of the texture, in steps of 30 degrees modulo 180, that leave it as it is: a bit per step.
constexpr int symmetries[kinds] = {0b000001, 0b001001, 0b000001, 0b010101};

// The orientations that look alike under these two textures share their smallest one.
int visible_orientation(int angle, int above, int below) {
  int smallest = angle;
  for (int turn = 0; turn < 6; ++turn)
    if ((symmetries[above] & symmetries[below]) >> turn & 1)
      smallest = std::min(smallest, (angle + turn) % 6);
  return smallest;
}

bool uses_second(const Table& table) {
  for (const auto& line : table.cell)
    for (int8_t value : line)
      if (value != line[0]) return true;
  return false;
}

// Calls visit(record) for every combination of the drawn factors in `free`, the others at 0.
template <class Visit>
void enumerate(const Rules& rules, const std::vector<int>& free, Visit&& visit) {
  Record record{};
  for (;;) {
    derive(rules, record);
    visit(record);
    size_t i = 0;
    while (i < free.size() && ++record[free[i]] == rows[free[i]].values) record[free[i++]] = 0;
    if (i == free.size()) return;
  }
}

std::vector<int> sources_of_all(const Rules& rules, std::vector<int> factors) {
  std::vector<int> all;
  for (int factor : factors)
    for (int source : sources_of(rules, factor)) all.push_back(source);
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

int64_t code_of(const Record& record, const std::vector<int>& factors) {
  int64_t code = 0;
  for (int factor : factors) code = code * 8 + record[factor];
  return code;
}

}  // namespace

const FactorRow& row_of(int factor) { return rows[factor]; }

int factor_named(const std::string& name, Caller at) {
  std::string known;
  for (int factor = 0; factor < factor_count; ++factor) {
    if (name == rows[factor].name || name + "_above" == rows[factor].name) return factor;
    known += (factor ? ", " : "") + std::string(rows[factor].name);
  }
  fail("terrace", at, "no factor is called '{}'; there are: {}", name, known);
}

Table make_table(Rule rule, uint64_t seed) {
  Table table;
  for (int a = 0; a < kinds; ++a) {
    for (int b = 0; b < kinds; ++b) {
      int value = a;
      if (rule == Rule::latin) value = (a + b) % kinds;
      if (rule == Rule::staircase) value = b < kinds / 2 ? a : (a + 1) % kinds;
      if (rule == Rule::random_table)
        value =
            static_cast<int>(KeyedPermutation(kinds * kinds, seed, 0x7461626cu)(a * kinds + b)) %
            kinds;
      table.cell[a][b] = static_cast<int8_t>(value);
    }
  }
  return table;
}

void derive(const Rules& rules, Record& record) {
  auto set = [&](int result, const Table& table, int a, int b) {
    record[result] = static_cast<int8_t>(table(record[a], record[b]));
  };
  set(part_above, rules.part, outline_above, texture_above);
  set(part_below, rules.part, outline_below, texture_below);
  set(object, rules.object, part_above, part_below);
  set(scene, rules.scene, object, background);
}

std::vector<int> sources_of(const Rules& rules, int factor) {
  auto join = [&](const Table& table, int a, int b) {
    std::vector<int> both = {a};
    if (uses_second(table)) both.push_back(b);
    return sources_of_all(rules, both);
  };
  switch (factor) {
    case part_above:
      return join(rules.part, outline_above, texture_above);
    case part_below:
      return join(rules.part, outline_below, texture_below);
    case object:
      return join(rules.object, part_above, part_below);
    case scene:
      return join(rules.scene, object, background);
    default:
      return {factor};
  }
}

double information(const Rules& rules, int target, const std::vector<int>& given) {
  std::vector<int> involved = given;
  involved.push_back(target);
  std::map<int64_t, int64_t> of_given, of_target, of_both;
  int64_t total = 0;
  enumerate(rules, sources_of_all(rules, involved), [&](const Record& record) {
    ++of_given[code_of(record, given)];
    ++of_target[record[target]];
    ++of_both[code_of(record, involved)];
    ++total;
  });
  auto entropy = [total](const std::map<int64_t, int64_t>& counts) {
    double bits = 0;
    for (auto [code, count] : counts) {
      double p = static_cast<double>(count) / static_cast<double>(total);
      bits -= p * std::log2(p);
    }
    return bits;
  };
  return entropy(of_given) + entropy(of_target) - entropy(of_both);
}

double ceiling(const Rules& rules, int factor) {
  // Images are told apart by all drawn factors except that only the visible orientation counts.
  std::vector<int> free =
      sources_of_all(rules, {factor, orientation, texture_above, texture_below});
  std::map<int64_t, std::map<int, int64_t>> seen;
  int64_t total = 0, right = 0;
  enumerate(rules, free, [&](const Record& record) {
    Record look = record;
    look[orientation] = static_cast<int8_t>(
        visible_orientation(record[orientation], record[texture_above], record[texture_below]));
    ++seen[code_of(look, free)][record[factor]];
    ++total;
  });
  for (const auto& [look, counts] : seen) {
    int64_t best = 0;
    for (auto [value, count] : counts) best = std::max(best, count);
    right += best;
  }
  return static_cast<double>(right) / static_cast<double>(total);
}

std::string information_table(const Rules& rules, int target) {
  std::vector<std::pair<double, std::string>> lines;
  auto add = [&](const std::vector<int>& given) {
    std::string names;
    for (int factor : given) names += (names.empty() ? "" : " + ") + std::string(rows[factor].name);
    lines.emplace_back(information(rules, target, given), names);
  };
  std::vector<int> sources = sources_of(rules, target);
  for (unsigned subset = 1; subset < 1u << sources.size(); ++subset) {
    std::vector<int> given;
    for (size_t i = 0; i < sources.size(); ++i)
      if (subset >> i & 1) given.push_back(sources[i]);
    add(given);
  }
  for (int factor = drawn_count; factor < target; ++factor) add({factor});
  if (target == object || target == scene) add({part_above, part_below});
  if (target == scene) add({object, background});
  std::stable_sort(lines.begin(), lines.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string text = fmt::format("I({}; factors) in bits, of {:.3f}; every factor not named: 0\n",
                                 rows[target].name, std::log2(rows[target].values));
  for (const auto& [bits, names] : lines) text += fmt::format("  {:6.4f}  {}\n", bits + 0.0, names);
  return text;
}

}  // namespace strata::terrace

// The random hierarchy model by enumeration: counts, one parse, exact information.
#include "engine/data/terrace_sequence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "tests/support/expect.h"

namespace strata {
namespace {

const TerraceSequenceOptions small{
    .levels = 2, .branching = 2, .vocabulary = 4, .synonyms = 3, .classes = 3, .rule_seed = 5};

// All derivations of a model of two levels and branching 2.
void each(const TerraceSequence& data,
          const std::function<void(const TerraceSequence::Derivation&)>& visit) {
  const int m = data.options().synonyms;
  for (int label = 0; label < data.options().classes; ++label)
    for (int a = 0; a < m; ++a)
      for (int b = 0; b < m; ++b)
        for (int c = 0; c < m; ++c) visit(data.derive(label, {{a}, {b, c}}));
}

TEST(TerraceSequence, StringsAreAsManyAsTheFormulaSaysAndHaveOneParse) {
  TerraceSequence data(1, small);
  std::map<std::vector<int>, int> classes;
  each(data, [&](const auto& d) {
    ASSERT_EQ(d.symbols.back().size(), 4u);
    EXPECT_TRUE(classes.emplace(d.symbols.back(), d.label).second) << "a string twice";
  });
  EXPECT_EQ(static_cast<double>(classes.size()), data.strings());
  EXPECT_EQ(data.strings(), 3 * std::pow(3, 3));
  EXPECT_EQ(data.sample_complexity(), 3 * 9);
  // Over all v^4 strings: parse() finds these and no others.
  int found = 0;
  for (int code = 0; code < 256; ++code) {
    const std::vector<int> string = {code / 64, code / 16 % 4, code / 4 % 4, code % 4};
    const auto parsed = data.parse(string);
    const auto known = classes.find(string);
    ASSERT_EQ(parsed.has_value(), known != classes.end());
    if (parsed) {
      EXPECT_EQ(*parsed, known->second);
    }
    found += parsed.has_value();
  }
  EXPECT_EQ(found, 81);
  EXPECT_FALSE(data.parse(std::vector<int>{0, 1, 2}));
  EXPECT_FALSE(data.parse(std::vector<int>{0, 1, 2, 4}));
}

TEST(TerraceSequence, InformationIsThatOfAllStrings) {
  TerraceSequence data(1, small);
  for (int64_t place = 0; place < 4; ++place) {
    for (bool tuple : {false, true}) {
      if (tuple && place >= 2) continue;
      std::map<std::pair<int, int>, double> joint;
      std::map<int, double> values;
      double total = 0;
      each(data, [&](const auto& d) {
        const auto& s = d.symbols.back();
        const auto p = static_cast<size_t>(place);
        const int value = tuple ? s[2 * p] * 4 + s[2 * p + 1] : s[p];
        ++joint[{value, d.label}], ++values[value], ++total;
      });
      double bits = 0;
      for (auto [key, n] : joint)
        bits += n / total * std::log2(n / total / (values[key.first] / total / 3));
      EXPECT_NEAR(bits,
                  tuple ? data.information_of_tuple(place) : data.information_of_symbol(place),
                  1e-12);
      if (tuple) {
        EXPECT_GE(bits + 1e-12, data.information_of_symbol(2 * place));
      }
    }
  }
}

TEST(TerraceSequence, SynonymsKeepTheClassAndWhatIsAboveThem) {
  const TerraceSequenceOptions deep{
      .levels = 4, .branching = 2, .vocabulary = 6, .synonyms = 3, .classes = 4, .rule_seed = 2};
  TerraceSequence data(3, deep);
  for (uint64_t i = 0; i < 50; ++i) {
    const auto before = data.example(i);
    ASSERT_EQ(data.parse(before.symbols.back()), before.label);
    for (int level = 0; level < 4; ++level) {
      const auto after = data.exchange_level(before, level, i);
      ASSERT_EQ(data.parse(after.symbols.back()), before.label);
      for (size_t l = 0; l <= 4; ++l) {
        const bool above = static_cast<int>(l) <= level;
        if (above) {
          EXPECT_EQ(after.symbols[l], before.symbols[l]);
        } else {
          EXPECT_NE(after.symbols[l], before.symbols[l]);
        }
      }
      // Every node was written anew.
      for (size_t n = 0; n < before.choice[static_cast<size_t>(level)].size(); ++n)
        EXPECT_NE(after.choice[static_cast<size_t>(level)][n],
                  before.choice[static_cast<size_t>(level)][n]);
    }
  }
}

TEST(TerraceSequence, ExamplesAreUniformAndRepeatable) {
  TerraceSequence data(7, small);
  std::map<std::vector<int>, int> counts;
  constexpr int n = 20000;
  for (uint64_t i = 0; i < n; ++i) ++counts[data.example(i).symbols.back()];
  EXPECT_EQ(counts.size(), 81u);
  double chi_square = 0;
  for (auto& [string, count] : counts) chi_square += std::pow(count - n / 81.0, 2) / (n / 81.0);
  EXPECT_NEAR(chi_square, 80, 5 * std::sqrt(2 * 80.0));
  const auto a = data.batch(10, 5), b = TerraceSequence(7, small).batch(10, 5);
  EXPECT_EQ(a.strings.to_vector<int64_t>(), b.strings.to_vector<int64_t>());
  EXPECT_EQ(a.labels.to_vector<int64_t>(), b.labels.to_vector<int64_t>());
  EXPECT_NE(TerraceSequence(8, small).batch(10, 5).strings.to_vector<int64_t>(),
            a.strings.to_vector<int64_t>());
}

TEST(TerraceSequence, ImpossibleRulesAreErrors) {
  EXPECT_FAILS(TerraceSequence(1, {.vocabulary = 4, .synonyms = 5, .classes = 4}),
               "4 symbols with 5 synonyms each need 20 tuples; there are 4\\^2 = 16");
  EXPECT_FAILS(TerraceSequence(1, {.levels = 0}), "levels 0");
  const std::string text = TerraceSequence(1, small).describe();
  EXPECT_NE(text.find("81 strings have a class, of 256"), std::string::npos) << text;
  EXPECT_NE(text.find("P* = n_c m^L = 27"), std::string::npos) << text;
}

}  // namespace
}  // namespace strata

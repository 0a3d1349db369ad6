// E8: pieces and truth tables counted exactly, the thresholds one by one, and planted lies.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/ops.h"
#include "tests/support/expect.h"
#include "tools/experiments/depth_width.h"
#include "tools/experiments/list.h"

namespace strata::experiments {
namespace {

constexpr DType f64 = DType::f64;

TEST(Tents, HaveTwoToTheKPieces) {
  for (int k : {1, 3, 6, 10}) {
    const Tensor x = linspace(0, 1, (int64_t{4} << k) + 1, f64);
    EXPECT_EQ(count_pieces(tents(x, k)), int64_t{1} << k) << k;
  }
  test::expect_near(test::values(tents(test::vector_of({0, 0.125, 0.25, 0.5, 1}), 2)),
                    {0, 0.5, 1, 0, 0}, 0);
}

TEST(Pieces, AreCounted) {
  EXPECT_EQ(count_pieces(test::vector_of({0, 1, 2, 3})), 1);
  EXPECT_EQ(count_pieces(test::vector_of({0, 1, 2, 1, 0})), 2);
  // A break between grid points changes the slope at both: one break.
  EXPECT_EQ(count_pieces(test::vector_of({0, 1, 2, 2, 1, 0})), 2);
}

TEST(OneHiddenLayer, HasAPieceAUnitAndOneMore) {
  // Breaks at i / 64, exact on the grid: as many pieces as there can be.
  const int64_t m = 20;
  const Tensor bias = arange(1, m + 1).to(f64) / -64.0;
  std::vector<double> turns;
  for (int64_t i = 0; i < m; ++i) turns.push_back(i % 2 ? 2 : -2);
  const Tensor x = linspace(0, 1, 257, f64);
  EXPECT_EQ(count_pieces(one_hidden_layer(x, ones({m}, f64), bias, test::vector_of(turns))), m + 1);
  Generator generator(2);
  for (int draw = 0; draw < 10; ++draw) {
    const Tensor in = randn({m}, 0, 1, f64, &generator), at = randn({m}, 0, 1, f64, &generator),
                 out = randn({m}, 0, 1, f64, &generator), breaks = -at / in;
    const int64_t inside = static_cast<int64_t>(
        sum(logical_and(greater(breaks, zeros({m}, f64)), less(breaks, ones({m}, f64)))).item());
    EXPECT_EQ(count_pieces(one_hidden_layer(linspace(0, 1, 16385, f64), in, at, out)), inside + 1);
  }
}

TEST(Parity, TreeIsRightOnEveryRow) {
  for (int64_t n = 1; n <= 16; ++n) {
    const Tensor bits = all_bits(n), ones = sum(bits, {1});
    const Tensor parity = ones - floor(ones / 2) * 2;
    EXPECT_EQ(sum(not_equal(parity_by_tree(bits), parity)).item(), 0) << n;
  }
  EXPECT_EQ(parity_units(16), 30);
  test::expect_near(
      test::values(parity_by_tree(test::vector_of({1, 0, 1, 1, 1, 1}).reshape({2, 3}))), {0, 1}, 0);
}

// P exactly n_c m^L for the tree and a third of all strings for the other.
Json good_seed() {
  Json seed;
  seed["exact"] = {{"tent_pieces", {2, 1024}},
                   {"shallow_units", {2, 8}},
                   {"shallow_pieces", {3, 7}},
                   {"parity_wrong", {0, 0}}};
  const double levels[] = {2, 2, 2, 2, 3}, m[] = {4, 6, 8, 10, 4};
  for (int i = 0; i < 5; ++i) {
    const double needed = std::pow(m[i], levels[i] + 1);
    const double all = std::pow(m[i], levels[i] == 2 ? 4 : 8);
    Json curve{{"reached", true},     {"parameters", 9000},
               {"train_error", 0.0},  {"count", {needed / 2, needed}},
               {"error", {0.5, 0.1}}, {"sensitivity", {0.6, 0.2}}};
    seed["tree"].push_back({curve, curve});  // two draws of rules
    curve["count"] = {all / 12, all / 3};
    curve["error"] = {0.8, 0.5};
    seed["flat"].push_back({curve, curve});
  }
  return seed;
}

Result judged(const std::function<void(Json&)>& change = [](Json&) {}) {
  Json seed = good_seed();
  change(seed);
  return depth_width().judge({seed, seed, seed}, Budget::small);
}

TEST(Judge, EachThresholdCounts) {
  const Result good = judged();
  EXPECT_EQ(good.verdict, Verdict::supported) << good.why;
  EXPECT_NEAR(good.measures[6].per_seed[0], 1.0 / 3, 1e-12);
  EXPECT_NEAR(good.measures[7].per_seed[0], 1, 1e-12);
  EXPECT_NEAR(good.measures[8].per_seed[0], 1, 1e-12);
  const std::vector<std::pair<const char*, std::function<void(Json&)>>> changes = {
      {"pieces of ten tents", [](Json& s) { s["exact"]["tent_pieces"][1] = 1023; }},
      {"pieces over units + 1", [](Json& s) { s["exact"]["shallow_pieces"][0] = 4; }},
      {"wrong parities", [](Json& s) { s["exact"]["parity_wrong"][1] = 1; }},
      {"slope of the tree off 1",
       [](Json& s) {
         s["tree"][0][0]["count"] = {2000, 4000};
       }},
      {"slope of fully connected off 1",
       [](Json& s) {
         s["flat"][2][1]["count"] = {1, 2};
       }},
      {"synonyms and error", [](Json& s) {
         for (Json& draws : s["tree"])
           for (Json& c : draws) c["sensitivity"] = {0.2, 0.6};
       }}};
  for (const auto& [name, change] : changes) {
    const Result r = judged(change);
    EXPECT_EQ(r.verdict, Verdict::in_part) << name;
    EXPECT_NE(r.why.find(std::string("5 of 6 thresholds met; missed: ") + name), std::string::npos)
        << name << ": " << r.why;
  }
}

TEST(Judge, AControlThatFailsExcludesNothing) {
  const std::vector<std::function<void(Json&)>> changes = {
      [](Json& s) { s["flat"][1][1]["train_error"] = 0.2; },
      [](Json& s) { s["flat"][1][0]["parameters"] = 20000; },
      [](Json& s) {
        for (Json& c : s["tree"][0]) c["reached"] = false;
        s["tree"][1][0]["reached"] = false;
      }};
  for (size_t i = 0; i < changes.size(); ++i)
    EXPECT_EQ(judged(changes[i]).verdict, Verdict::not_supported) << i;
}

TEST(Lies, AreCaught) {
  Context context;
  context.lie = Lie::moving_layers;
  EXPECT_FAILS(depth_width().run_seed(context), "freezes no layers");
  context.lie = Lie::untrained;
  const Json seed = depth_width().run_seed(context);
  EXPECT_EQ(depth_width().judge({seed}, Budget::small).verdict, Verdict::not_supported);
}

}  // namespace
}  // namespace strata::experiments

// E4: the verdict's thresholds on invented numbers, controls that fail, a planted lie.
#include <gtest/gtest.h>

#include "tests/support/expect.h"
#include "tools/experiments/list.h"

namespace strata::experiments {
namespace {

Json good_seed() {
  return Json::parse(R"({
    "test": [0.99, 0.98, 0.99], "step": [0, 1, 4, 16, 64, 256],
    "cka": [[0.9, 0.5, 0.2], [0.5, 0.9, 0.5], [0.2, 0.5, 0.9]],
    "untrained": [[0.5, 0.6, 0.2], [0.3, 0.3, 0.2], [0.2, 0.1, 0.1]],
    "cca": [[0.5, 0.6, 0.2], [0.6, 0.5, 0.2], [0.2, 0.3, 0.5]],
    "across_tasks": [0.8, 0.5, 0.1], "null_high": [0.02, 0.02, 0.02],
    "null_biased": [0.4, 0.4, 0.4],
    "to_end": [[0.5, 0.8, 0.95, 0.96, 0.98, 1], [0.4, 0.5, 0.8, 0.95, 0.85, 1],
               [0.1, 0.2, 0.3, 0.5, 0.92, 1]]})");
}

Result judged(const std::function<void(Json&)>& change = [](Json&) {}) {
  Json seed = good_seed();
  change(seed);
  return similarity().judge({seed, seed}, Budget::small);
}

TEST(Judge, EachThresholdCounts) {
  const Result good = judged();
  EXPECT_EQ(good.verdict, Verdict::supported) << good.why;
  EXPECT_DOUBLE_EQ(good.measures[0].per_seed[0], 1);
  EXPECT_DOUBLE_EQ(good.measures[1].per_seed[0], 1 - 2 / 6.0);  // CCA finds the last layer alone
  EXPECT_DOUBLE_EQ(good.measures[2].per_seed[0], 1);  // steps 3, 12, 62: the first, not the last
  EXPECT_NEAR(good.measures[3].per_seed[0], 0.7, 1e-12);
  const std::vector<std::pair<const char*, std::function<void(Json&)>>> changes = {
      {"layers identified by CKA", [](Json& s) { s["cka"][0][1] = 0.95; }},
      {"CKA over CCA",
       [](Json& s) {
         s["cka"][0][1] = 0.95;
         s["cca"] = Json::parse("[[1, 0, 0], [0, 1, 0], [0, 0, 1]]");
       }},
      {"order of settling", [](Json& s) { std::swap(s["to_end"][0], s["to_end"][2]); }},
      {"general first, specific last", [](Json& s) { s["across_tasks"][2] = 0.7; }}};
  for (const auto& [name, change] : changes) {
    const Result r = judged(change);
    EXPECT_EQ(r.verdict, Verdict::in_part) << name;
    EXPECT_NE(r.why.find(name), std::string::npos) << name << ": " << r.why;
  }
}

TEST(Judge, AControlThatFailsExcludesNothing) {
  const std::vector<std::function<void(Json&)>> changes = {
      [](Json& s) { s["test"][1] = 0.3; },  // as of an untrained network or shuffled labels
      [](Json& s) { s["null_high"][2] = 0.4; }, [](Json& s) { s["untrained"] = s["cka"]; }};
  for (size_t i = 0; i < changes.size(); ++i)
    EXPECT_EQ(judged(changes[i]).verdict, Verdict::not_supported) << i;
}

TEST(Lies, FreezeNothing) {
  Context context;
  context.lie = Lie::moving_layers;
  EXPECT_FAILS(similarity().run_seed(context), "freezes no layers");
}

}  // namespace
}  // namespace strata::experiments

// E1: the verdict's thresholds one by one on invented numbers, controls that fail, a planted lie.
#include <gtest/gtest.h>

#include "tests/support/expect.h"
#include "tools/experiments/list.h"

namespace strata::experiments {
namespace {

// Columns of "trained": pixels, conv1 to conv6.
Json good_part() {
  return Json::parse(R"({
    "test": 0.99, "dimensions": [128, 128, 128, 128, 128, 128],
    "layers": ["pixels", "conv1", "conv2", "conv3", "conv4", "conv5", "conv6"],
    "bounds": {"hue": [0.125, 1], "orientation": [0.1667, 0.8], "texture_above": [0.25, 1],
               "outline_above": [0.25, 1], "part_above": [0.25, 1], "object": [0.25, 1]},
    "pooled_to_one": {"outline_above": [0.6], "object": [0.4]},
    "trained": {"hue": [0.8, 1, 0.9, 0.5, 0.2, 0.15, 0.14],
                "orientation": [0.2, 0.4, 0.3, 0.2, 0.17, 0.17, 0.17],
                "texture_above": [0.25, 0.3, 0.3, 0.28, 0.27, 0.25, 0.25],
                "outline_above": [0.4, 0.5, 0.7, 0.95, 0.99, 0.99, 1],
                "part_above": [0.25, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3],
                "object": [0.26, 0.3, 0.35, 0.4, 0.5, 0.97, 1],
                "shuffled": [0.25, 0.26, 0.24, 0.25, 0.26, 0.25, 0.25]},
    "untrained": {"hue": [1, 0.9, 0.9, 0.8, 0.8, 0.7],
                  "orientation": [0.4, 0.3, 0.3, 0.3, 0.2, 0.2],
                  "texture_above": [0.27, 0.27, 0.27, 0.27, 0.27, 0.27],
                  "outline_above": [0.5, 0.5, 0.5, 0.5, 0.45, 0.44],
                  "part_above": [0.27, 0.27, 0.27, 0.27, 0.27, 0.27],
                  "object": [0.3, 0.3, 0.3, 0.3, 0.3, 0.3],
                  "shuffled": [0.25, 0.25, 0.25, 0.25, 0.25, 0.25]}})");
}
Json good_seed() {
  Json seed{{"object", good_part()}, {"texture", good_part()}};
  seed["texture"]["trained"]["texture_above"] = {0.25, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99};
  return seed;
}

Result judged(const std::function<void(Json&)>& change = [](Json&) {}) {
  Json second = good_seed();
  change(second);
  return hierarchy().judge({good_seed(), second}, Budget::small);
}

TEST(Judge, EachThresholdCounts) {
  EXPECT_EQ(judged().verdict, Verdict::supported) << judged().why;
  auto trained = [](Json& s) -> Json& { return s["object"]["trained"]; };
  const std::vector<std::pair<const char*, std::function<void(Json&)>>> changes = {
      {"order of levels, object",  // colours that grow with depth: their centre passes the
                                   // outline's
       [&](Json& s) { trained(s)["orientation"] = {0.2, 0.2, 0.2, 0.2, 0.2, 0.5, 0.7}; }},
      {"onset of hue", [&](Json& s) { trained(s)["hue"] = {0.5, 0.6, 0.95, 0.3, 0.2, 0.2, 0.2}; }},
      {"onset of outline, from", [&](Json& s) { trained(s)["outline_above"][2] = 0.96; }},
      {"onset of outline, to",
       [&](Json& s) { trained(s)["outline_above"] = {0.3, 0.3, 0.4, 0.5, 0.7, 0.99, 0.7}; }},
      {"onset of object", [&](Json& s) { trained(s)["object"][4] = 0.97; }},
      {"hue at the last layer", [&](Json& s) { trained(s)["hue"][6] = 0.3; }},
      {"texture that is not needed", [&](Json& s) { trained(s)["texture_above"][1] = 0.4; }},
      {"texture that is needed",
       [](Json& s) { s["texture"]["trained"]["texture_above"] = {0, 0, 0, 0.6, 0, 0, 0.9}; }},
      {"object by training", [](Json& s) {
         for (Json& a : s["object"]["untrained"]["object"]) a = 0.55;
       }}};
  for (const auto& [name, change] : changes) {
    const Result r = judged(change);
    EXPECT_EQ(r.verdict, Verdict::in_part) << name;
    EXPECT_NE(r.why.find(std::string("8 of 9 thresholds met; missed: ") + name), std::string::npos)
        << name << ": " << r.why;
  }
}

TEST(Judge, AControlThatFailsExcludesNothing) {
  const std::vector<std::function<void(Json&)>> changes = {
      [](Json& s) { s["texture"]["test"] = 0.6; },
      [](Json& s) { s["object"]["dimensions"][0] = 64; },
      [](Json& s) { s["object"]["trained"]["object"][0] = 0.9; },
      [](Json& s) { s["object"]["trained"]["shuffled"][3] = 0.5; },
      [](Json& s) { s["object"]["pooled_to_one"]["outline_above"][0] = 1.5; },
      [](Json& s) { s["object"]["trained"]["orientation"][1] = 0.9; }};
  for (size_t i = 0; i < changes.size(); ++i)
    EXPECT_EQ(judged(changes[i]).verdict, Verdict::not_supported) << i;
}

TEST(Judge, TheFullBudgetAlsoOrdersTheChain) {
  EXPECT_EQ(judged().measures[0].name, "order of levels, object");
  Json seed = good_seed();
  auto order = [&] {
    for (const Measure& m : hierarchy().judge({seed}, Budget::full).measures)
      if (m.name == "order of levels, chain") return m;
    return Measure{};
  };
  seed["texture"]["trained"]["texture_above"] = {0.25, 0.4, 0.8, 0.6, 0.3, 0.3, 0.3};
  seed["texture"]["trained"]["part_above"] = {0.25, 0.25, 0.25, 0.3, 0.9, 1, 1};
  seed["texture"]["trained"]["object"] = {0.25, 0.25, 0.25, 0.25, 0.25, 0.3, 1};
  EXPECT_TRUE(order().passed);
  seed["texture"]["trained"]["object"] = {0.8, 1, 0.25, 0.25, 0.25, 0.25, 0.25};
  EXPECT_FALSE(order().passed);
}

TEST(Lies, FreezeNothing) {
  Context context;
  context.lie = Lie::moving_layers;
  EXPECT_FAILS(hierarchy().run_seed(context), "freezes no layers");
}

}  // namespace
}  // namespace strata::experiments

// Every rung of attention against float64, over the shapes and masks it takes.
#include "tests/kernels/attention/attention_support.h"

namespace strata::test {
namespace {

// The general rungs take all of these; D is not a multiple of anything.
std::vector<AttentionCase> general_cases() {
  return {
      {.label = "one tile", .samples = 2, .heads = 2, .key_heads = 2, .size = 20},
      {.label = "ragged", .queries = 37, .keys = 45, .size = 33},
      {.label = "one query", .queries = 1, .keys = 70, .size = 7},
      {.label = "causal", .queries = 50, .keys = 50, .causal = true},
      {.label = "causal, earlier keys", .queries = 20, .keys = 45, .causal = true},
      {.label = "causal, some see nothing", .queries = 45, .keys = 20, .causal = true},
      {.label = "grouped", .samples = 2, .heads = 4, .key_heads = 2, .size = 24, .causal = true},
      {.label = "window", .queries = 60, .keys = 70, .causal = true, .window = 9},
      {.label = "window both ways", .queries = 60, .keys = 40, .window = 5},
      {.label = "own key alone", .queries = 40, .keys = 40, .window = 0},
      {.label = "allowed keys", .samples = 2, .keys = 40, .mask = MaskShape::allowed_keys},
      {.label = "allowed pairs", .queries = 33, .heads = 2, .mask = MaskShape::allowed_pairs},
      {.label = "added pairs", .heads = 2, .causal = true, .mask = MaskShape::added_pairs},
      {.label = "added to each", .samples = 2, .heads = 2, .mask = MaskShape::added_all},
      {.label = "strided", .samples = 2, .heads = 3, .key_heads = 3, .strided = true},
      {.label = "misaligned", .size = 40, .misalign = 1},
      {.label = "packed",
       .samples = 4,
       .queries = 40,
       .keys = 50,
       .heads = 2,
       .causal = true,
       .query_offsets = {0, 13, 13, 53, 54},
       .key_offsets = {0, 13, 20, 70, 103}},
      {.label = "packed window",
       .samples = 2,
       .queries = 40,
       .keys = 40,
       .heads = 2,
       .window = 6,
       .strided = true,
       .query_offsets = {0, 40, 50},
       .key_offsets = {0, 35, 75}},
      {.label = "large scores", .scale = 3, .amplitude = 3},
      {.label = "negative scale", .scale = -0.4},
      {.label = "no keys", .keys = 0},
      {.label = "no queries", .queries = 0},
      {.label = "no samples", .samples = 0},
  };
}

TEST(AttentionLadder, NaiveInF64) {
  for (const AttentionCase& c : general_cases())
    expect_attention<double>(c, "01_naive", "01_naive");
}
TEST(AttentionLadder, NaiveInF32) {
  for (const AttentionCase& c : general_cases()) expect_attention<float>(c, "01_naive", "01_naive");
}
TEST(AttentionLadder, OnlineInF64) {
  for (const AttentionCase& c : general_cases())
    expect_attention<double>(c, "02_online", "02_online");
}
TEST(AttentionLadder, OnlineInF32) {
  for (const AttentionCase& c : general_cases())
    expect_attention<float>(c, "02_online", "02_online");
}
TEST(AttentionLadder, OnlineInBf16) {
  for (const AttentionCase& c : general_cases())
    expect_attention<bf16>(c, "02_online", "02_online");
}
TEST(AttentionLadder, OnlineInF16) {
  for (const AttentionCase& c : general_cases()) expect_attention<f16>(c, "02_online", "02_online");
}

// Head sizes are multiples of 8 and rows aligned; tiles are of 64 queries and 64 or 32 keys.
std::vector<AttentionCase> tensor_core_cases() {
  std::vector<AttentionCase> cases = {
      {.label = "several blocks", .queries = 130, .keys = 150, .heads = 2, .key_heads = 2},
      {.label = "size 64", .queries = 70, .keys = 90, .size = 64},
      {.label = "size 80", .queries = 20, .keys = 70, .size = 80},
      {.label = "size 96", .queries = 70, .keys = 70, .size = 96, .causal = true},
      {.label = "size 128", .queries = 70, .keys = 130, .size = 128},
      {.label = "size 256", .queries = 40, .keys = 70, .size = 256, .causal = true},
      {.label = "causal blocks", .queries = 150, .keys = 140, .causal = true},
      {.label = "window in blocks", .queries = 150, .keys = 200, .causal = true, .window = 30},
      {.label = "mask in blocks",
       .queries = 70,
       .keys = 140,
       .heads = 2,
       .causal = true,
       .mask = MaskShape::allowed_pairs},
  };
  for (const AttentionCase& c : general_cases())
    if (c.size % 8 == 0 && c.misalign == 0) cases.push_back(c);
  return cases;
}
TEST(AttentionLadder, Flash2InBf16) {
  for (const AttentionCase& c : tensor_core_cases())
    expect_attention<bf16>(c, "03_flash2", "04_flash2_backward");
}
TEST(AttentionLadder, Flash2InF16) {
  for (const AttentionCase& c : tensor_core_cases())
    expect_attention<f16>(c, "03_flash2", "04_flash2_backward");
}

// The copy engine does not stop at the end of a packed sample, and no map is of an empty array.
std::vector<AttentionCase> hopper_cases() {
  std::vector<AttentionCase> cases = {
      {.label = "two turns", .queries = 140, .keys = 300, .size = 64, .causal = true},
      {.label = "size 128, long", .queries = 130, .keys = 400, .size = 128},
      {.label = "many queries", .queries = 300, .keys = 140, .size = 64, .window = 100},
      {.label = "groups, long", .queries = 140, .keys = 130, .heads = 4, .key_heads = 2},
  };
  for (const AttentionCase& c : tensor_core_cases())
    if (!c.packed() && c.samples * c.queries * c.keys > 0) cases.push_back(c);
  return cases;
}
// The registers hold the sums of the backward pass up to a head size of 128.
std::string hopper_backward(const AttentionCase& c) {
  return c.size <= 128 ? "06_flash3_backward" : "none";
}
TEST(AttentionLadder, Flash3InBf16) {
  for (const AttentionCase& c : hopper_cases())
    expect_attention<bf16>(c, "05_flash3", hopper_backward(c));
}
TEST(AttentionLadder, Flash3InF16) {
  for (const AttentionCase& c : hopper_cases())
    expect_attention<f16>(c, "05_flash3", hopper_backward(c));
}

}  // namespace
}  // namespace strata::test

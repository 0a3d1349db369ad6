// Every rung under every schedule, with the same bits each time; what NaN and infinity do; results
// that are exact.
#include "tests/kernels/attention/attention_support.h"

namespace strata::test {
namespace {

struct Rungs {
  const char *forward, *backward;
};
constexpr Rungs ladder[] = {{"01_naive", "01_naive"},
                            {"02_online", "02_online"},
                            {"03_flash2", "04_flash2_backward"},
                            {"05_flash3", "06_flash3_backward"}};

template <class T>
void expect_same(const AttentionOutput<T>& a, const AttentionOutput<T>& b) {
  expect_same_bits(a.out, b.out, "out");
  expect_same_bits(a.log_sum_exp, b.log_sum_exp, "log-sum-exp");
  expect_same_bits(a.dq, b.dq, "dq");
  expect_same_bits(a.dk, b.dk, "dk");
  expect_same_bits(a.dv, b.dv, "dv");
  expect_same_bits(a.dmask, b.dmask, "dmask");
}

// Keys for five blocks of 128, and queries for six of 64, so that both stages of every ring are
// used again by whoever overtakes.
TEST(AttentionSchedules, GiveTheSameBits) {
  const AttentionCase cases[] = {
      {.label = "causal", .queries = 70, .keys = 140, .heads = 2, .causal = true},
      {.label = "masked", .queries = 20, .keys = 140, .mask = MaskShape::added_pairs},
      {.label = "long", .queries = 70, .keys = 520, .size = 64},
      {.label = "many queries", .queries = 330, .keys = 40, .size = 64}};
  for (const Rungs& rungs : ladder)
    for (const AttentionCase& c : cases) {
      SCOPED_TRACE(std::string(rungs.forward) + ", " + c.label);
      const AttentionData data = attention_data<bf16>(c);
      const AttentionOutput<bf16> first =
          run_attention<bf16>(c, data, rungs.forward, rungs.backward);
      for_each_schedule(
          [&] { expect_same(run_attention<bf16>(c, data, rungs.forward, rungs.backward), first); });
    }
}

// A NaN in one query reaches that query alone; in a key, those that see it; nothing crosses heads.
TEST(AttentionSpecialValues, SpreadAsFarAsTheyAreSeen) {
  const AttentionCase c{
      .label = "two heads", .queries = 70, .keys = 70, .heads = 2, .key_heads = 2};
  const AttentionData clean = attention_data<bf16>(c);
  for (const Rungs& rungs : ladder) {
    SCOPED_TRACE(rungs.forward);
    for (double value : {static_cast<double>(NAN), static_cast<double>(INFINITY)}) {
      AttentionData data = clean;
      data.q[(5 * 2 + 1) * 32 + 3] = value;  // query 5 of head 1
      const AttentionOutput<bf16> run = run_attention<bf16>(c, data, rungs.forward, rungs.backward);
      const AttentionOutput<bf16> usual =
          run_attention<bf16>(c, clean, rungs.forward, rungs.backward);
      for (size_t i = 0; i < run.out.size(); ++i) {
        const bool touched = i / 32 == 5 * 2 + 1;
        if (touched) {
          EXPECT_TRUE(std::isnan(static_cast<float>(run.out[i]))) << i;
        } else {
          EXPECT_EQ(run.out[i].bits, usual.out[i].bits) << i;
        }
      }
      // Its gradient reaches no key of head 0, and all of head 1; an infinity may hide keys
      // instead.
      for (size_t i = 0; i < run.dk.size(); ++i) {
        if (i / 32 % 2 == 0) {
          EXPECT_EQ(run.dk[i].bits, usual.dk[i].bits) << i;
        } else if (std::isnan(value)) {
          EXPECT_TRUE(std::isnan(static_cast<float>(run.dk[i]))) << i;
        }
      }
    }
  }
}

// With q = 0 every key of 64 has probability 1/64, and means of small integers are exact; with a
// window of 0 each query copies the value of its own key.
TEST(AttentionExact, MeansAndCopies) {
  for (const Rungs& rungs : ladder) {
    SCOPED_TRACE(rungs.forward);
    AttentionCase c{.label = "mean", .queries = 40, .keys = 64, .heads = 2, .key_heads = 1};
    AttentionData data = attention_data<bf16>(c);
    data.q.assign(data.q.size(), 0);
    const std::vector<bf16> integers = small_integers<bf16>(data.v.size(), 3, 4);
    data.v.assign(integers.begin(), integers.end());
    AttentionOutput<bf16> run = run_attention<bf16>(c, data, rungs.forward);
    for (size_t i = 0; i < run.out.size(); ++i) {
      double sum = 0;
      for (size_t j = 0; j < 64; ++j) sum += data.v[j * 32 + i % 32];
      ASSERT_EQ(static_cast<float>(run.out[i]),
                static_cast<float>(bf16(static_cast<float>(sum / 64))))
          << i;
    }
    c = {.label = "copy", .queries = 100, .keys = 150, .window = 0};
    data = attention_data<bf16>(c);
    run = run_attention<bf16>(c, data, rungs.forward);
    for (size_t i = 0; i < run.out.size(); ++i)
      ASSERT_EQ(static_cast<double>(run.out[i]), data.v[50 * 32 + i]) << i;
  }
}

}  // namespace
}  // namespace strata::test

// Row of engine/ops/attention.h.
#include <limits>

#include "tests/support/op_table.h"

namespace strata::test {
namespace {

struct AttentionCase {
  const char* label;
  int64_t samples = 1, queries = 3, keys = 3, heads = 2, key_heads = 2, size = 4;
  bool causal = false;
  double scale = 0;
};

// The shares of the keys in one query, from a vector of its scores; zeros where it sees nothing.
std::vector<double> shares_of(const Arrays& in, const AttentionCase& c, int64_t n, int64_t t,
                              int64_t head) {
  const Array &q = in[0], &k = in[1], &mask = in.back();
  constexpr double hidden = -std::numeric_limits<double>::infinity();
  double scale = c.scale != 0 ? c.scale : 1 / std::sqrt(static_cast<double>(c.size));
  int64_t key_head = head / (c.heads / c.key_heads);
  std::vector<double> scores;
  for (int64_t j = 0; j < c.keys; ++j) {
    double score = 0;
    for (int64_t d = 0; d < c.size; ++d) score += q[{n, t, head, d}] * k[{n, j, key_head, d}];
    score *= scale;
    if (!mask.undefined) {
      double value = broadcast_at(mask, {n, head, t, j});
      score = mask.fixed ? (value != 0 ? score : hidden) : score + value;
    }
    scores.push_back(c.causal && j > t + c.keys - c.queries ? hidden : score);
  }
  double largest = hidden, total = 0;
  for (double score : scores) largest = std::max(largest, score);
  if (largest == hidden) return std::vector<double>(scores.size(), 0);
  for (double& score : scores) total += score = std::exp(score - largest);
  for (double& score : scores) score /= total;
  return scores;
}

Array attention_oracle(const Arrays& in, const AttentionCase& c) {
  Array out = array(in[0].shape);
  for_each_index({c.samples, c.queries, c.heads}, [&](const Dims& at) {
    int64_t n = at[0], t = at[1], head = at[2], key_head = head / (c.heads / c.key_heads);
    auto shares = shares_of(in, c, n, t, head);
    for (int64_t j = 0; j < c.keys; ++j) {
      for (int64_t d = 0; d < c.size; ++d) {
        out[{n, t, head, d}] += shares[static_cast<size_t>(j)] * in[2][{n, j, key_head, d}];
      }
    }
  });
  return out;
}

// Inputs q, k, mask.
Array pattern_oracle(const Arrays& in, const AttentionCase& c) {
  Array out = array({c.samples, c.heads, c.queries, c.keys});
  for_each_index({c.samples, c.heads, c.queries}, [&](const Dims& at) {
    auto shares = shares_of(in, c, at[0], at[2], at[1]);
    for (int64_t j = 0; j < c.keys; ++j) {
      out[{at[0], at[1], at[2], j}] = shares[static_cast<size_t>(j)];
    }
  });
  return out;
}

Array mix_oracle(const Arrays& in) {
  const Array &pattern = in[0], &v = in[1];
  int64_t heads = pattern.shape[1], group = heads / std::max<int64_t>(1, v.shape[2]);
  Array out = array({v.shape[0], pattern.shape[2], heads, v.shape[3]});
  for_each_index(out.shape, [&](const Dims& at) {
    for (int64_t j = 0; j < v.shape[1]; ++j) {
      out[at] += pattern[{at[0], at[2], at[1], j}] * v[{at[0], j, at[2] / group, at[3]}];
    }
  });
  return out;
}

void add_pattern(Row& row, const AttentionCase& c, Array mask = none()) {
  Random random(53);
  row.add(
      c.label,
      {random.uniform({c.samples, c.queries, c.heads, c.size}),
       random.uniform({c.samples, c.keys, c.key_heads, c.size}), std::move(mask)},
      [=](const Tensors& in) {
        return attention_pattern(in[0], in[1], {c.causal, c.scale}, in[2]);
      },
      [=](const Arrays& in) { return pattern_oracle(in, c); });
}

void add(Row& row, const AttentionCase& c, Array mask = none()) {
  Random random(51);
  Dims keys{c.samples, c.keys, c.key_heads, c.size};
  row.add(
      c.label,
      {random.uniform({c.samples, c.queries, c.heads, c.size}), random.uniform(keys),
       random.uniform(keys), std::move(mask)},
      [=](const Tensors& in) {
        return scaled_dot_product_attention(in[0], in[1], in[2], {c.causal, c.scale}, in[3]);
      },
      [=](const Arrays& in) { return attention_oracle(in, c); });
}

}  // namespace

OP_ROW(scaled_dot_product_attention) {
  Random random(52);
  add(row, {.label = "typical", .samples = 2});
  add(row, {.label = "causal", .queries = 5, .keys = 5, .causal = true});
  add(row, {.label = "causal, earlier keys", .queries = 2, .keys = 5, .causal = true});
  add(row, {.label = "causal, some see nothing", .queries = 5, .keys = 2, .causal = true});
  add(row, {.label = "one query", .queries = 1, .keys = 7, .size = 3, .scale = 0.3});
  add(row, {.label = "grouped", .keys = 4, .heads = 4, .size = 2});
  add(row, {.label = "one key head", .samples = 2, .heads = 3, .key_heads = 1, .size = 2});
  add(row, {.label = "added mask", .samples = 2}, random.uniform({2, 1, 3, 3}));
  add(row, {.label = "added mask of each key", .keys = 4}, random.uniform({4}));
  add(row, {.label = "added mask, causal", .causal = true}, random.uniform({2, 1, 3}));
  Array allowed = random.booleans({2, 1, 1, 5});
  allowed.values = {1, 0, 1, 1, 0, 0, 0, 0, 0, 0};  // the second sample sees nothing
  add(row, {.label = "allowed keys", .samples = 2, .keys = 5}, allowed);
  add(row, {.label = "allowed pairs", .keys = 5}, random.booleans({2, 3, 5}));
  add(row, {.label = "no samples", .samples = 0});
  add(row, {.label = "no queries", .queries = 0});
  add(row, {.label = "no keys", .keys = 0});
  add(row, {.label = "several blocks", .queries = 130, .keys = 150, .size = 20});
  add(row,
      {.label = "several blocks, causal", .queries = 150, .keys = 140, .size = 5, .causal = true},
      random.uniform({150, 140}));
  add(row, {.label = "many heads",
            .samples = 4,
            .queries = 70,
            .keys = 70,
            .heads = 8,
            .key_heads = 4,
            .size = 9,
            .causal = true});
  row.no_scalar = "operands have rank 4";
  row.tolerance = 10;
  row.gradient_tolerance = 10;
  Tensor q = empty({1, 3, 4, 8}), k = empty({1, 5, 2, 8});
  auto attend = [](Tensor q, Tensor k, Tensor v, Tensor mask = {}) {
    return [=] { scaled_dot_product_attention(q, k, v, {}, mask); };
  };
  row.errors = {{"rank", attend(empty({3, 8}), k, k), "q f32.*rank 2", ""},
                {"undefined", attend(q, {}, k), "k is undefined", ""},
                {"integer", attend(q.to(DType::i64), k, k), "floating", ""},
                {"k and v", attend(q, k, empty({1, 4, 2, 8})), "same shape", ""},
                {"samples", attend(empty({2, 3, 4, 8}), k, k), "agree in samples", ""},
                {"heads", attend(empty({1, 3, 3, 8}), k, k), "3 heads.*2 key heads", ""},
                {"mask", attend(q, k, k, empty({3, 4})), R"(mask f32\[3,4\].*\[1,4,3,5\])", ""},
                {"mask type", attend(q, k, k, empty({3, 5}, DType::i64)), "mask .*floating", ""}};
}

OP_ROW(attention_pattern) {
  Random random(54);
  add_pattern(row, {.label = "typical", .samples = 2});
  add_pattern(row, {.label = "causal", .queries = 5, .keys = 5, .causal = true});
  add_pattern(row, {.label = "some see nothing", .queries = 5, .keys = 2, .causal = true});
  add_pattern(row, {.label = "grouped", .keys = 4, .heads = 4, .size = 2, .scale = 0.7});
  add_pattern(row, {.label = "added mask", .samples = 2}, random.uniform({2, 1, 3, 3}));
  add_pattern(row, {.label = "allowed pairs", .keys = 5}, random.booleans({2, 3, 5}));
  add_pattern(row, {.label = "no keys", .keys = 0});
  add_pattern(row, {.label = "many", .samples = 2, .queries = 40, .keys = 50, .size = 9});
  row.no_scalar = "operands have rank 4";
  row.tolerance = 10;
  row.gradient_tolerance = 10;
  Tensor q = empty({1, 3, 4, 8}), k = empty({1, 5, 2, 8});
  row.errors = {{"rank",
                 [=] {
                   attention_pattern(empty({3, 8}), k);
                 },
                 "q f32.*rank 2", "scaled_dot_product_attention"},
                {"samples",
                 [=] {
                   attention_pattern(empty({2, 3, 4, 8}), k);
                 },
                 "agree in samples", "scaled_dot_product_attention"},
                {"mask",
                 [=] {
                   attention_pattern(q, k, {}, empty({3, 4}));
                 },
                 R"(mask f32\[3,4\].*\[1,4,3,5\])", "scaled_dot_product_attention"}};
}

OP_ROW(attention_mix) {
  Random random(55);
  auto mix = [](const Tensors& in) { return attention_mix(in[0], in[1]); };
  auto add_case = [&](const char* label, const Dims& pattern, const Dims& v) {
    row.add(label, {random.uniform(pattern), random.uniform(v)}, mix, mix_oracle);
  };
  add_case("typical", {2, 2, 3, 4}, {2, 4, 2, 5});
  add_case("grouped", {1, 4, 3, 2}, {1, 2, 2, 3});
  add_case("one key head", {2, 3, 2, 4}, {2, 4, 1, 2});
  add_case("no keys", {1, 2, 3, 0}, {1, 0, 2, 4});
  add_case("no queries", {1, 2, 0, 3}, {1, 3, 2, 4});
  add_case("many", {2, 4, 40, 30}, {2, 30, 4, 9});
  row.no_scalar = "operands have rank 4";
  row.tolerance = 10;
  row.gradient_tolerance = 10;
  Tensor pattern = empty({1, 4, 3, 5});
  row.errors = {{"rank",
                 [=] {
                   attention_mix(pattern, empty({5, 8}));
                 },
                 "do not fit", ""},
                {"keys",
                 [=] {
                   attention_mix(pattern, empty({1, 4, 2, 8}));
                 },
                 "do not fit", ""},
                {"heads",
                 [=] {
                   attention_mix(pattern, empty({1, 5, 3, 8}));
                 },
                 "multiple of key heads", ""},
                {"integer",
                 [=] {
                   attention_mix(pattern.to(DType::i64), empty({1, 5, 2, 8}));
                 },
                 "floating", ""}};
}

}  // namespace strata::test

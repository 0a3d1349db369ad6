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

// One query at a time, with every score of it in a vector.
Array attention_oracle(const Arrays& in, const AttentionCase& c) {
  const Array &q = in[0], &k = in[1], &v = in[2], &mask = in[3];
  constexpr double hidden = -std::numeric_limits<double>::infinity();
  double scale = c.scale != 0 ? c.scale : 1 / std::sqrt(static_cast<double>(c.size));
  Array out = array(q.shape);
  for_each_index({c.samples, c.queries, c.heads}, [&](const Dims& at) {
    int64_t n = at[0], t = at[1], head = at[2], key_head = head / (c.heads / c.key_heads);
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
    if (largest == hidden) return;
    for (double& score : scores) total += score = std::exp(score - largest);
    for (int64_t j = 0; j < c.keys; ++j) {
      for (int64_t d = 0; d < c.size; ++d) {
        out[{n, t, head, d}] += scores[static_cast<size_t>(j)] / total * v[{n, j, key_head, d}];
      }
    }
  });
  return out;
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

}  // namespace strata::test

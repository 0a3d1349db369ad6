// Softmax, norms, attention and losses beyond the op table: hard values, equal bits for every
// thread count, fused against separate ops, memory.
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/tensor/allocator.h"
#include "kernels/common/parallel.h"
#include "tests/support/expect.h"
#include "tests/support/oracle.h"

namespace strata::test {
namespace {

constexpr float inf = std::numeric_limits<float>::infinity();

Tensor random_tensor(uint64_t seed, const Dims& shape, double low = -2, double high = 2,
                     DType dtype = DType::f32) {
  return from_vector(Random(seed).uniform(shape, low, high).values, shape).to(dtype);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  Tensor x = a.contiguous(), y = b.contiguous();
  return std::memcmp(x.raw(), y.raw(), static_cast<size_t>(x.numel()) * size_of(x.dtype())) == 0;
}

double largest_difference(const Tensor& a, const Tensor& b) {
  std::vector<double> x = values(a), y = values(b);
  EXPECT_EQ(x.size(), y.size());
  double most = 0;
  for (size_t i = 0; i < x.size(); ++i) most = std::max(most, std::abs(x[i] - y[i]));
  return most;
}

using Function = std::function<Tensor(const std::vector<Tensor>&)>;

// The result of f and the gradients of <f, fixed weights> for every input.
std::vector<Tensor> with_gradients(const Function& f, const std::vector<Tensor>& inputs) {
  std::vector<Tensor> leaves;
  for (const Tensor& x : inputs) {
    leaves.push_back(x.detach());
    if (is_float(x.dtype())) leaves.back().set_requires_grad();
  }
  Tensor out = f(leaves);
  backward(out, random_tensor(99, out.shape(), -1, 1, out.dtype()));
  std::vector<Tensor> results{out.detach()};
  for (const Tensor& leaf : leaves) {
    if (leaf.requires_grad() && leaf.grad().defined()) results.push_back(leaf.grad());
  }
  return results;
}

// f and its gradients with 1, 2 and 5 threads: the same bits.
void expect_same_for_any_threads(const char* what, const Function& f,
                                 const std::vector<Tensor>& inputs) {
  int before = thread_count();
  set_thread_count(1);
  std::vector<Tensor> want = with_gradients(f, inputs);
  for (int threads : {2, 5}) {
    set_thread_count(threads);
    std::vector<Tensor> got = with_gradients(f, inputs);
    for (size_t i = 0; i < want.size(); ++i) {
      EXPECT_TRUE(same_bits(got[i], want[i]))
          << what << ", result " << i << ", " << threads << " threads";
    }
  }
  set_thread_count(before);
}

TEST(Softmax, RowsWithoutAFiniteValueAreNaNAndLeaveOthersAlone) {
  Tensor x = from_vector(std::vector<float>{-inf, -inf, 0, 1, 0, -inf, 3, NAN, 1}, {3, 3});
  x = concatenate({x, x, x, x, x, x}, 1);  // long enough for vectors
  for (int axis : {0, 1}) {
    Tensor rows = axis == 1 ? x : x.transpose(0, 1).contiguous();
    std::vector<double> y = values(axis == 1 ? softmax(rows, 1) : softmax(rows, 0).transpose(0, 1));
    double e = std::exp(1.0), total = 6 * (e + 1);
    EXPECT_NEAR(y[2], 1.0 / 6, 1e-7);
    EXPECT_EQ(y[0], 0);
    EXPECT_NEAR(y[18], e / total, 1e-6);
    EXPECT_EQ(y[20], 0);
    for (size_t i = 36; i < 54; ++i) EXPECT_TRUE(std::isnan(y[i]));
  }
  for (double v : values(softmax(full({2, 40}, -inf), -1))) EXPECT_TRUE(std::isnan(v));
  for (double v : values(log_softmax(full({40, 2}, -inf), 0))) EXPECT_TRUE(std::isnan(v));
}

TEST(Softmax, LargeValuesKeepTheirDifferences) {
  Tensor x = from_vector(std::vector<float>{-1e30f, 1e30f, 0, 1e30f, 1e30f, 3e29f}, {6});
  for (int i = 0; i < 6; ++i) {
    double want = i == 1 || i == 3 || i == 4 ? 1.0 / 3 : 0;
    EXPECT_NEAR(softmax(x).select(0, i).item(), want, 1e-7) << "at " << i;
  }
  EXPECT_NEAR(log_softmax(from_values({10000, 10001})).to_vector<double>()[0], -1.3132616875, 1e-6);
}

TEST(BatchNorm, IsAccurateWhenTheMeanIsLarge) {
  for (int64_t channels : {3, 64, 500}) {
    Tensor x = random_tensor(1, {4000, channels}) + 1e4;
    Tensor outlier = x.clone();
    outlier.data<float>()[0] = -1e4f;
    for (const Tensor& input : {x, outlier}) {
      Tensor exact = batch_norm(input.to(DType::f64), {}, {}, {}, {});
      EXPECT_LT(largest_difference(batch_norm(input, {}, {}, {}, {}), exact),
                input.get() == x.get() ? 2e-6 : 2e-5)
          << channels << " channels";
    }
  }
}

TEST(BatchNorm, UpdatesRunningStatisticsInPlace) {
  Tensor x = from_vector(std::vector<double>{1, 10, 3, 20, 5, 60}, {3, 2}).to(DType::f32);
  Tensor mean = full({2}, 1.0), var = full({2}, 2.0);
  uint32_t version = mean.storage()->version;
  BatchNormOptions options{.momentum = 0.25};
  batch_norm(x, {}, {}, mean, var, options);
  expect_near(values(mean), {0.75 + 0.25 * 3, 0.75 + 0.25 * 30}, 1e-6);
  expect_near(values(var), {1.5 + 0.25 * 4, 1.5 + 0.25 * 700}, 1e-6);
  EXPECT_GT(mean.storage()->version, version);
  options.training = false;
  Tensor before = mean.clone();
  batch_norm(x, {}, {}, mean, var, options);
  EXPECT_TRUE(same_bits(before, mean)) << "inference must not write";
}

TEST(BatchNorm, FusedResidualAndReluEqualSeparateOps) {
  std::vector<Tensor> in{random_tensor(2, {4, 9, 9, 20}), random_tensor(3, {20}),
                         random_tensor(4, {20}), random_tensor(5, {4, 9, 9, 20})};
  auto fused = with_gradients(
      [](const std::vector<Tensor>& t) {
        return batch_norm(t[0], t[1], t[2], {}, {}, {.relu = true}, t[3]);
      },
      in);
  auto separate = with_gradients(
      [](const std::vector<Tensor>& t) {
        return relu(batch_norm(t[0], t[1], t[2], {}, {}) + t[3]);
      },
      in);
  for (size_t i = 0; i < fused.size(); ++i) {
    EXPECT_LT(largest_difference(fused[i], separate[i]), 2e-5) << "result " << i;
  }
}

TEST(BatchNorm, OutputIsKeptOnlyForReluAfterAResidual) {
  auto kept = [](bool relu, bool residual) {
    Tensor x = random_tensor(6, {64, 32}).set_requires_grad();
    Tensor added = residual ? random_tensor(7, {64, 32}) : Tensor();
    Tensor y = batch_norm(x, {}, {}, {}, {}, {.relu = relu}, added);
    size_t bytes = 0;
    for (auto& [op, size] : saved_bytes(y)) bytes += size;
    return bytes;
  };
  size_t statistics = 2 * 32 * sizeof(double), array = 64 * 32 * sizeof(float);
  EXPECT_EQ(kept(false, false), array + statistics);
  EXPECT_EQ(kept(true, false), array + statistics);
  EXPECT_EQ(kept(true, true), 2 * array + statistics);
}

TEST(Threads, DoNotChangeABit) {
  expect_same_for_any_threads("softmax", [](auto& t) { return softmax(t[0], -1); },
                              {random_tensor(1, {70, 1000})});
  expect_same_for_any_threads("softmax over columns", [](auto& t) { return log_softmax(t[0], 1); },
                              {random_tensor(2, {3, 50, 700})});
  Tensor scale = random_tensor(3, {48}), shift = random_tensor(4, {48});
  expect_same_for_any_threads("layer_norm", [](auto& t) { return layer_norm(t[0], t[1], t[2]); },
                              {random_tensor(5, {3001, 48}), scale, shift});
  expect_same_for_any_threads("group_norm", [](auto& t) { return group_norm(t[0], 6, t[1], t[2]); },
                              {random_tensor(6, {3, 1500, 48}), scale, shift});
  for (bool residual : {false, true}) {
    expect_same_for_any_threads(
        "batch_norm",
        [=](auto& t) {
          return batch_norm(t[0], t[1], t[2], {}, {}, {.relu = true}, residual ? t[3] : Tensor());
        },
        {random_tensor(7, {5000, 48}), scale, shift, random_tensor(8, {5000, 48})});
  }
  Tensor target = random_tensor(9, {300}, 0, 200).to(DType::i64);
  expect_same_for_any_threads("cross_entropy", [=](auto& t) { return cross_entropy(t[0], target); },
                              {random_tensor(10, {300, 200})});
  for (int64_t samples : {1, 9}) {  // few heads, many heads
    Dims shape{samples, 150, 2, 24};
    expect_same_for_any_threads(
        "attention",
        [](auto& t) {
          return scaled_dot_product_attention(t[0], t[1], t[2], {.causal = true}, t[3]);
        },
        {random_tensor(11, shape), random_tensor(12, shape), random_tensor(13, shape),
         random_tensor(14, {150, 150})});
  }
}

// Attention as a chain of public ops that keeps the scores.
Tensor attention_chain(const Tensor& q, const Tensor& k, const Tensor& v, bool causal,
                       const Tensor& mask) {
  int64_t T = q.size(1), S = k.size(1), group = q.size(2) / k.size(2);
  auto heads_first = [&](const Tensor& x) {
    if (x.size(2) == q.size(2)) return x.permute({0, 2, 1, 3});
    Dims grouped{x.size(0), S, x.size(2), group, x.size(3)};
    return x.unsqueeze(3)
        .expand(grouped)
        .reshape({x.size(0), S, q.size(2), x.size(3)})
        .permute({0, 2, 1, 3});
  };
  Tensor scores = matmul(heads_first(q), heads_first(k).transpose(2, 3)) *
                  (1 / std::sqrt(static_cast<double>(q.size(3))));
  Tensor hidden = scalar(-1e30, q.dtype());
  if (mask.defined() && mask.dtype() == DType::boolean) scores = where(mask, scores, hidden);
  if (mask.defined() && mask.dtype() != DType::boolean) scores = scores + mask;
  if (causal) scores = where(tril_mask(T, S, S - T), scores, hidden);
  return matmul(softmax(scores, -1), heads_first(v)).permute({0, 2, 1, 3});
}

TEST(Attention, EqualsTheChainOfOpsOverASweepOfShapes) {
  struct Shape {
    int64_t samples, queries, keys, heads, key_heads, size;
  };
  uint64_t seed = 20;
  for (const Shape& s :
       {Shape{2, 64, 128, 2, 2, 16}, Shape{1, 65, 129, 3, 1, 33}, Shape{3, 1, 200, 4, 2, 64},
        Shape{5, 130, 130, 4, 4, 7}, Shape{1, 200, 257, 2, 2, 80}, Shape{4, 63, 63, 8, 4, 48}}) {
    for (const char* mask_kind : {"none", "allowed", "added"}) {
      for (bool causal : {false, true}) {
        std::string kind = mask_kind;
        Dims keys{s.samples, s.keys, s.key_heads, s.size};
        std::vector<Tensor> in{random_tensor(++seed, {s.samples, s.queries, s.heads, s.size}),
                               random_tensor(++seed, keys), random_tensor(++seed, keys)};
        if (kind == "added") in.push_back(random_tensor(++seed, {s.heads, 1, s.keys}));
        if (kind == "allowed") {
          Tensor allowed =
              greater(random_tensor(++seed, {s.samples, 1, s.queries, s.keys}), scalar(-1));
          allowed.data<bool>()[0] = true;
          in.push_back(logical_or(allowed, eye(s.keys).slice(0, 0, 1).to(DType::boolean)));
        }
        auto run = [&](bool fused) {
          return with_gradients(
              [&](const std::vector<Tensor>& t) {
                Tensor mask = t.size() > 3 ? t[3] : Tensor();
                return fused ? scaled_dot_product_attention(t[0], t[1], t[2], {causal}, mask)
                             : attention_chain(t[0], t[1], t[2], causal, mask);
              },
              in);
        };
        std::vector<Tensor> got = run(true), want = run(false);
        ASSERT_EQ(got.size(), want.size());
        for (size_t i = 0; i < got.size(); ++i) {
          EXPECT_LT(largest_difference(got[i], want[i]), 3e-4)
              << "T " << s.queries << " S " << s.keys << " D " << s.size << " mask " << kind
              << " causal " << causal << " result " << i;
        }
      }
    }
  }
}

TEST(Attention, CausalResultsDoNotSeeLaterKeysInAnyBit) {
  int64_t T = 200, change = 90;
  Dims shape{2, T, 3, 20};
  Tensor q = random_tensor(40, shape), k = random_tensor(41, shape), v = random_tensor(42, shape);
  Tensor other_k = k.clone(), other_v = v.clone();
  NoGrad off;
  copy_(other_k.slice(1, change, T), full({1}, 1e6));
  copy_(other_v.slice(1, change, T), full({1}, -77.0));
  Tensor a = scaled_dot_product_attention(q, k, v, {.causal = true});
  Tensor b = scaled_dot_product_attention(q, other_k, other_v, {.causal = true});
  EXPECT_TRUE(same_bits(a.slice(1, 0, change), b.slice(1, 0, change)));
  EXPECT_FALSE(same_bits(a.slice(1, change, T), b.slice(1, change, T)));
}

TEST(Attention, ReadsPartsOfOneProjectionWithoutCopies) {
  Tensor joint = random_tensor(43, {2, 50, 3, 4, 16});
  auto part = [&](int64_t i) { return joint.select(2, i); };
  Tensor q = part(0), k = part(1), v = part(2);
  uint64_t before = memory::stats().allocations;
  Tensor out = scaled_dot_product_attention(q, k, v);
  EXPECT_LE(memory::stats().allocations - before, 3u) << "result, log-sum-exp and workspace";
  EXPECT_TRUE(
      same_bits(out, scaled_dot_product_attention(q.contiguous(), k.contiguous(), v.contiguous())));
}

TEST(Attention, MemoryIsLinearInTheLength) {
  int64_t T = 4096;
  Dims shape{1, T, 1, 16};
  std::vector<Tensor> in{random_tensor(44, shape), random_tensor(45, shape),
                         random_tensor(46, shape)};
  size_t active = memory::stats().active;
  memory::reset_peak();
  with_gradients(
      [](auto& t) { return scaled_dot_product_attention(t[0], t[1], t[2], {.causal = true}); }, in);
  size_t used = memory::stats().peak - active, scores = static_cast<size_t>(T * T) * sizeof(float);
  EXPECT_LT(used, scores / 10);
}

TEST(CrossEntropy, IsExactForHugeLogits) {
  Tensor logits = from_vector(std::vector<float>{1e4f, 9999, -1e4f, 3e38f, -3e38f, 0}, {2, 3});
  logits.set_requires_grad();
  Tensor loss = cross_entropy(logits, from_vector(std::vector<int64_t>{1, 0}, {2}));
  EXPECT_NEAR(loss.item(), 1.3132616875 / 2, 1e-6);
  loss.backward();
  expect_near(values(logits.grad()), {0.5 * 0.7310585786, 0.5 * (0.2689414214 - 1), 0, 0, 0, 0},
              1e-6);
  Tensor wrong = cross_entropy(from_values({0, 1e5f}), from_vector(std::vector<int64_t>{0}, {}));
  EXPECT_EQ(wrong.item(), 1e5);
}

TEST(CrossEntropy, IgnoredRowsCountForNothing) {
  Tensor logits = random_tensor(47, {4, 5}).set_requires_grad();
  auto targets = [](std::vector<int64_t> t) { return from_vector(t, {4}); };
  Tensor loss = cross_entropy(logits, targets({1, -100, 3, -100}));
  Tensor kept = cross_entropy(index_select(logits.detach(), 0, vector_of({0, 2}).to(DType::i64)),
                              from_vector(std::vector<int64_t>{1, 3}, {2}));
  EXPECT_NEAR(loss.item(), kept.item(), 1e-6);
  loss.backward();
  for (double g : values(logits.grad().select(0, 1))) EXPECT_EQ(g, 0);
  logits.zero_grad();
  Tensor nothing = cross_entropy(logits, targets({-100, -100, -100, -100}));
  EXPECT_EQ(nothing.item(), 0);
  nothing.backward();
  for (double g : values(logits.grad())) EXPECT_EQ(g, 0);
}

TEST(BinaryCrossEntropy, StaysFiniteAtTheEnds) {
  Tensor z = from_values({0, 200, -200, 200}).set_requires_grad();
  Tensor loss = bce_with_logits(z, from_values({1, 1, 1, 0}), Reduction::none);
  expect_near(values(loss), {0.6931471806, 0, 200, 200}, 1e-6);
  backward(loss, ones({4}));
  expect_near(values(z.grad()), {-0.5, 0, -1, 1}, 1e-6);
  Tensor p = from_values({0, 1, 0, 1}).set_requires_grad();
  Tensor certain = bce(p, from_values({0, 1, 1, 0}), Reduction::none);
  expect_near(values(certain), {0, 0, 100, 100}, 1e-6);
  backward(certain, ones({4}));
  for (double g : values(p.grad())) EXPECT_TRUE(std::isfinite(g));
}

}  // namespace
}  // namespace strata::test

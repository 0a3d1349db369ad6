// The table of ops: each name is one that the engine records, and both methods stand on it.
#include "tools/introspect/attribution/op_kind.h"

#include <gtest/gtest.h>

#include <set>

#include "engine/ops.h"
#include "tests/introspect/networks.h"
#include "tools/introspect/attribution/deep_lift.h"
#include "tools/introspect/attribution/relevance.h"

namespace strata::introspect {
namespace {

using namespace test;

struct Row {
  const char* op;
  std::function<Tensor(const Tensor&)> run;  // of images [N, 4, 4, 2]
};
Tensor indices(std::vector<int64_t> values) {
  int64_t count = static_cast<int64_t>(values.size());
  return from_vector(values, {count});
}
std::vector<Row> moves_and_sums() {
  using T = const Tensor&;
  return {
      {"add", [](T x) { return x + 0.5; }},
      {"sub", [](T x) { return x - tanh(x) * 0.5; }},
      {"neg", [](T x) { return neg(x); }},
      {"mean", [](T x) { return mean(x, {1}); }},
      {"sum", [](T x) { return sum(x, {2}); }},
      {"cumsum", [](T x) { return cumsum(x, 1); }},
      {"index_add",
       [](T x) {
         return index_add(x, 1, indices({0, 2}), x.slice(1, 1, 3));
       }},
      {"scatter_add",
       [](T x) {
         Tensor index = zeros({x.size(0), 1, 4, 2}, DType::i64);
         return scatter_add(x, 1, index, x.slice(1, 3, 4));
       }},
      {"avg_pool2d", [](T x) { return avg_pool2d(x); }},
      {"avg_pool1d", [](T x) { return avg_pool1d(x.select(1, 0), 2); }},
      {"adaptive_avg_pool2d", [](T x) { return adaptive_avg_pool2d(x, 3, 2); }},
      {"global_avg_pool2d", [](T x) { return global_avg_pool2d(x); }},
      {"upsample_bilinear2d", [](T x) { return upsample_bilinear2d(x, 6, 5); }},
      {"upsample_nearest2d", [](T x) { return upsample_nearest2d(x, 6, 5); }},
      {"reshape",
       [](T x) {
         return x.reshape({x.size(0), -1});
       }},
      {"permute",
       [](T x) {
         return x.permute({0, 3, 1, 2});
       }},
      {"transpose", [](T x) { return x.transpose(1, 2); }},
      {"slice", [](T x) { return x.slice(1, 0, 4, 2); }},
      {"select", [](T x) { return x.select(2, 1); }},
      {"expand",
       [](T x) {
         return x.slice(1, 0, 1).expand({x.size(0), 3, 4, 2});
       }},
      {"unsqueeze", [](T x) { return x.unsqueeze(1); }},
      {"squeeze", [](T x) { return x.slice(1, 0, 1).squeeze(1); }},
      {"flip", [](T x) { return flip(x, {1}); }},
      {"to_dtype", [](T x) { return x.to(DType::f32).to(DType::f64); }},
      {"contiguous", [](T x) { return x.transpose(1, 2).contiguous(); }},
      {"clone", [](T x) { return x.clone(); }},
      {"concatenate",
       [](T x) {
         return concatenate({x, x * 2.0}, 3);
       }},
      {"pad",
       [](T x) {
         return pad(x, {0, 1, 0, 0}, {0, 0, 2, 0});
       }},
      {"gather",
       [](T x) {
         return gather(x, 1, zeros({x.size(0), 1, 4, 2}, DType::i64));
       }},
      {"index_select",
       [](T x) {
         return index_select(x, 2, indices({3, 0, 3}));
       }},
      {"embedding",
       [](T x) {
         return embedding(x.reshape({-1, 2}), indices({0, 5, 31, 31})).reshape({2, -1});
       }},
      {"scatter",
       [](T x) {
         Tensor index = zeros({x.size(0), 1, 4, 2}, DType::i64);
         return scatter(x, 1, index, x.slice(1, 3, 4));
       }},
      {"where", [](T x) { return where(tril_mask(4, 2), x, x * 3.0); }},
      {"max_unpool2d",
       [](T x) {
         Tensor switches = zeros(x.shape(), DType::i64) + 3.0;
         return max_unpool2d(x, switches.to(DType::i64), 5, 5);
       }},
  };
}
std::vector<Row> weighted_and_nonlinear() {
  using T = const Tensor&;
  return {
      {"conv2d",
       [](T x) {
         return conv2d(x, random({3, 3, 3, 2}, 1), random({3}, 2));
       }},
      {"conv1d",
       [](T x) {
         return conv1d(x.select(1, 0), random({3, 2, 2}, 3), random({3}, 4));
       }},
      {"conv_transpose2d",
       [](T x) {
         return conv_transpose2d(x, random({2, 2, 2, 3}, 5));
       }},
      {"conv_transpose1d",
       [](T x) {
         return conv_transpose1d(x.select(1, 0), random({2, 2, 3}, 6));
       }},
      {"linear",
       [](T x) {
         return linear(x, random({3, 2}, 7), random({3}, 8));
       }},
      {"matmul",
       [](T x) {
         return matmul(x, random({2, 3}, 9));
       }},
      {"max_pool2d", [](T x) { return max_pool2d(x); }},
      {"max_pool2d_with_switches", [](T x) { return max_pool2d_with_switches(x).values; }},
      {"max_pool1d", [](T x) { return max_pool1d(x.select(1, 1), 2); }},
      {"adaptive_max_pool2d", [](T x) { return adaptive_max_pool2d(x, 3, 2); }},
      {"max", [](T x) { return max(x, {1}); }},
      {"min", [](T x) { return min(x, {2}); }},
      {"maximum", [](T x) { return maximum(x, x * 2.0); }},
      {"minimum", [](T x) { return minimum(x, x * 2.0); }},
      {"relu", [](T x) { return relu(x); }},
      {"leaky_relu", [](T x) { return leaky_relu(x); }},
      {"elu", [](T x) { return elu(x); }},
      {"softplus", [](T x) { return softplus(x); }},
      {"silu", [](T x) { return silu(x); }},
      {"gelu", [](T x) { return gelu(x); }},
      {"gelu_tanh", [](T x) { return gelu_tanh(x); }},
      {"tanh", [](T x) { return tanh(x); }},
      {"sigmoid", [](T x) { return sigmoid(x); }},
      {"hard_sigmoid", [](T x) { return hard_sigmoid(x); }},
      {"hard_swish", [](T x) { return hard_swish(x); }},
      {"erf", [](T x) { return erf(x); }},
      {"clamp", [](T x) { return clamp(x, -0.5, 0.5); }},
      {"abs", [](T x) { return abs(x); }},
      {"square", [](T x) { return square(x); }},
      {"sqrt", [](T x) { return sqrt(abs(x)); }},
      {"mul", [](T x) { return x * tanh(x); }},
      {"div", [](T x) { return x / (square(x) + 1.0); }},
      {"layer_norm", [](T x) { return layer_norm(x, random({2}, 10), random({2}, 11)); }},
      {"rms_norm", [](T x) { return rms_norm(x, random({2}, 12)); }},
      {"batch_norm",
       [](T x) {
         return batch_norm(x, random({2}, 13), random({2}, 14), random({2}, 15),
                           square(random({2}, 16)) + 0.1, {.training = false});
       }},
  };
}
// Only DeepLift covers these.
std::vector<Row> functions() {
  using T = const Tensor&;
  return {
      {"exp", [](T x) { return exp(x); }},
      {"expm1", [](T x) { return expm1(x); }},
      {"log", [](T x) { return log(square(x) + 1.0); }},
      {"log1p", [](T x) { return log1p(square(x)); }},
      {"rsqrt", [](T x) { return rsqrt(square(x) + 1.0); }},
      {"reciprocal", [](T x) { return reciprocal(square(x) + 1.0); }},
      {"sin", [](T x) { return sin(x); }},
      {"cos", [](T x) { return cos(x); }},
      {"pow", [](T x) { return pow(x, 3.0); }},
      {"softmax", [](T x) { return softmax(x, 2); }},
      {"log_softmax", [](T x) { return log_softmax(x, 1); }},
      {"logsumexp",
       [](T x) {
         return logsumexp(x, {1, 3});
       }},
  };
}

// The op between two products, as [N, 2] scores.
Scores around(const Row& row) {
  return [row](const Tensor& x) {
    Tensor y = row.run(linear(x, random({2, 2}, 17), random({2}, 18)));
    Tensor flat = y.reshape({2, -1});
    return linear(flat, random({2, flat.size(1)}, 19));
  };
}

TEST(OpKind, EveryNameIsRecordedByTheEngine) {
  std::set<std::string> seen;
  for (auto& rows : {moves_and_sums(), weighted_and_nonlinear(), functions()}) {
    for (const Row& row : rows) {
      Tensor x = random({2, 4, 4, 2}, 20).set_requires_grad();
      Tape tape([&] { around(row)(x); });
      bool found = false;
      for (auto& step : tape.steps()) found |= std::string_view(step.op) == row.op;
      EXPECT_TRUE(found) << row.op;
      EXPECT_TRUE(op_kind(row.op)) << row.op;
      seen.insert(row.op);
    }
  }
  EXPECT_GT(seen.size(), 70u);
  EXPECT_FALSE(op_kind("prod"));
}

TEST(OpKind, RelevanceIsConservedThroughEachOp) {
  Tensor x = random({2, 4, 4, 2}, 21);
  for (auto& rows : {moves_and_sums(), weighted_and_nonlinear()}) {
    for (const Row& row : rows) {
      Relevance r = relevance_propagation(around(row), x, {0, 1});
      double size = 1, tolerance = std::string(row.op) == "to_dtype" ? 1e-6 : 1e-10;
      for (auto& b : r.balance) {
        size = std::max(size, std::abs(b.received) + std::abs(b.absorbed));
        EXPECT_NEAR(b.received, b.passed + b.absorbed, tolerance * size) << row.op << " " << b.op;
      }
      EXPECT_GT(max(abs(r.input)).item(), 0) << row.op;
    }
  }
  for (const Row& row : functions()) {
    EXPECT_THROW(relevance_propagation(around(row), x, {0, 1}), Error) << row.op;
  }
}

TEST(OpKind, DeepLiftIsCompleteThroughEachOp) {
  Tensor x = random({2, 4, 4, 2}, 22), x0 = random({2, 4, 4, 2}, 23);
  for (auto& rows : {moves_and_sums(), weighted_and_nonlinear(), functions()}) {
    for (const Row& row : rows) {
      DeepLift r = deep_lift(around(row), x, x0, {0, 1});
      double tolerance = std::string(row.op) == "to_dtype" ? 1e-5 : 1e-10;
      EXPECT_LT(max(abs(r.delta)).item(), tolerance) << row.op;
      EXPECT_GT(max(abs(r.input)).item(), 0) << row.op;
    }
  }
}

TEST(OpKind, GatesAreSeenThroughViews) {
  Tensor x = random({1, 4, 4, 2}, 24).set_requires_grad(), gate, masked, plain, joined;
  Tape tape([&] {
    gate = sigmoid(x).transpose(1, 2).slice(1, 0, 2);
    masked = where(tril_mask(4, 2), softmax(x), scalar(0, DType::f64));
    plain = tanh(x).slice(1, 0, 2);
    joined = concatenate({sigmoid(x), x}, 3);
  });
  EXPECT_TRUE(is_gate(tape, gate));
  EXPECT_TRUE(is_gate(tape, masked));
  EXPECT_FALSE(is_gate(tape, plain));
  EXPECT_FALSE(is_gate(tape, joined));
  EXPECT_FALSE(is_gate(tape, x));
}

}  // namespace
}  // namespace strata::introspect

// Induction heads appear in training when there are two layers, and not with one (Olsson et al.
// 2022): small Gpts learn sequences that repeat with periods that change from batch to batch, so
// that looking back by a fixed distance does not do.
#include <gtest/gtest.h>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/optim.h"
#include "kernels/common/parallel.h"
#include "models/language/gpt.h"
#include "tools/introspect/language/patterns.h"

namespace strata::introspect {
namespace {

constexpr int64_t vocabulary = 16, context = 32;

// Trains and looks at the heads every 50 steps.
class Trained {
 public:
  explicit Trained(int64_t layers)
      : model_({.vocabulary = vocabulary,
                .context = context,
                .width = 32,
                .heads = 4,
                .layers = layers}),
        optimizer_(model_.named_parameters(), {.learning_rate = 5e-3, .weight_decay = 0.01}) {}

  // Until a head's induction score is `enough`, or for `most` steps. Returns the steps.
  int train(double enough, int most) {
    for (int step = 1; step <= most; ++step) {
      learn_a_batch();
      if (step % 50 != 0) continue;
      scores_ = head_scores(model_, vocabulary, {.length = context / 2});
      if (best() >= enough) return step;
    }
    return most;
  }
  double best() const { return max(scores_.induction).item(); }
  double best_in(int64_t layer) const { return max(scores_.induction.select(0, layer)).item(); }
  const HeadScores& scores() const { return scores_; }

 private:
  void learn_a_batch() {
    int64_t period = randint(4, 15, {1}, DType::i64, &generator_).to_vector<int64_t>()[0];
    Tensor once = randint(0, vocabulary, {32, period}, DType::i64, &generator_);
    Tensor all = repeat(once, {1, context / period + 2});
    Tensor logits = model_(all.slice(1, 0, context).contiguous());
    // Only what has been seen can be known.
    Tensor loss = cross_entropy(logits.slice(1, period - 1, context).contiguous(),
                                all.slice(1, period, context + 1).contiguous());
    optimizer_.zero_grad();
    backward(loss);
    optimizer_.step();
  }

  Gpt model_;
  AdamW optimizer_;
  Generator generator_{3};
  HeadScores scores_;
};

// One thread: more do not help a network this small.
class OneThread {
 public:
  OneThread() : before_(thread_count()) { set_thread_count(1); }
  ~OneThread() { set_thread_count(before_); }

 private:
  int before_;
};

TEST(InductionHeads, AppearInTrainingWithTwoLayersAndNotWithOne) {
  OneThread one_thread;
  manual_seed(1);
  Trained two(2);
  int steps = two.train(0.6, 900);
  EXPECT_GE(two.best_in(1), 0.6) << "after " << steps << " steps";
  EXPECT_LT(two.best_in(0), 0.3);  // in the second layer: it stands on the first
  // The layer below looks at the token before, more than a head that looks everywhere (0.1).
  EXPECT_GT(max(two.scores().previous.select(0, 0)).item(), 0.2);
  Trained one(1);
  one.train(0.6, steps);
  EXPECT_LT(one.best(), 0.3);
  RecordProperty("steps", steps);
}

}  // namespace
}  // namespace strata::introspect

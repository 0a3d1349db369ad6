#include "tools/introspect/language/patterns.h"

#include "engine/autograd/autograd.h"
#include "engine/nn/attention.h"
#include "engine/ops.h"
#include "tools/introspect/capture.h"
#include "tools/introspect/language/parts.h"

namespace strata::introspect {
namespace {

// bool [N, T, T]: the key is earlier than the query.
Tensor earlier(int64_t n, int64_t t) { return tril_mask(t, t, -1).expand({n, t, t}); }

// bool [N, T, T]: the key's token, of `keys` [N, T], is the query's, of `queries` [N, T].
Tensor same_token(const Tensor& queries, const Tensor& keys) {
  return equal(queries.unsqueeze(2), keys.unsqueeze(1));
}

void check_tokens(const char* op, const Tensor& pattern, const Tensor& tokens) {
  if (pattern.rank() != 4 || tokens.rank() != 2 || pattern.size(0) != tokens.size(0) ||
      pattern.size(2) != tokens.size(1) || pattern.size(3) != tokens.size(1)) {
    fail(op, Caller{}, "pattern {} does not fit tokens {}: expected [N, heads, T, T] and [N, T]",
         describe(pattern), describe(tokens));
  }
}

}  // namespace

std::vector<NamedTensor> attention_patterns(Layer& model, const Tensor& x) {
  NoGrad off;
  Evaluation evaluation(model);
  std::vector<std::string> paths, names;
  for (auto& [path, module] : model.named_modules()) {
    if (!dynamic_cast<MultiheadAttention*>(module)) continue;
    paths.push_back(module->path());
    names.push_back(module->path().empty() ? "pattern" : module->path() + ".pattern");
  }
  if (names.empty()) {
    fail("attention_patterns", Caller{}, "{} has no attention layers", model.kind());
  }
  Capture capture(names);
  model(x);
  std::vector<NamedTensor> patterns;
  for (size_t i = 0; i < names.size(); ++i) patterns.push_back({paths[i], capture[names[i]]});
  return patterns;
}

Tensor attention_to(const Tensor& pattern, const Tensor& marked) {
  NoGrad off;
  if (pattern.rank() != 4 || marked.rank() != 3 || marked.dtype() != DType::boolean ||
      pattern.size(0) != marked.size(0) || pattern.size(2) != marked.size(1) ||
      pattern.size(3) != marked.size(2)) {
    fail("attention_to", Caller{},
         "pattern {} does not fit marks {}: expected [N, heads, T, S] and bool [N, T, S]",
         describe(pattern), describe(marked));
  }
  Tensor marks = marked.to(DType::f64);
  double queries = sum(any(marked, {2})).item();
  if (queries == 0) fail("attention_to", Caller{}, "no query has a marked key");
  return sum(pattern.detach().to(DType::f64) * marks.unsqueeze(1), {0, 2, 3}) / queries;
}

Tensor previous_token_score(const Tensor& pattern) {
  if (pattern.rank() != 4) {
    fail("previous_token_score", Caller{}, "pattern {} must be [N, heads, T, T]",
         describe(pattern));
  }
  int64_t t = pattern.size(2);
  Tensor before = logical_and(tril_mask(t, t, -1), logical_not(tril_mask(t, t, -2)));
  return attention_to(pattern, before.expand({pattern.size(0), t, t}));
}

Tensor duplicate_token_score(const Tensor& pattern, const Tensor& tokens) {
  check_tokens("duplicate_token_score", pattern, tokens);
  Tensor same = same_token(tokens, tokens);
  return attention_to(pattern, logical_and(same, earlier(tokens.size(0), tokens.size(1))));
}

Tensor induction_score(const Tensor& pattern, const Tensor& tokens) {
  check_tokens("induction_score", pattern, tokens);
  int64_t n = tokens.size(0), t = tokens.size(1);
  // Key s stands for the token before it; key 0 has none.
  Tensor before = pad(tokens.slice(1, 0, t - 1), {0, 1}, {0, 0}, -1);
  Tensor seen = logical_and(same_token(tokens, before), tril_mask(t, t).expand({n, t, t}));
  return attention_to(pattern, seen);
}

Tensor repeated_random_tokens(int64_t vocabulary, const HeadScoreOptions& options) {
  Generator generator(options.seed);
  Tensor once = randint(0, vocabulary, {options.sequences, options.length}, DType::i64, &generator);
  return concatenate({once, once}, 1);
}

HeadScores head_scores(Layer& model, int64_t vocabulary, const HeadScoreOptions& options) {
  Tensor tokens = repeated_random_tokens(vocabulary, options);
  HeadScores scores;
  std::vector<Tensor> previous, duplicate, induction;
  for (auto& [path, pattern] : attention_patterns(model, tokens)) {
    scores.layers.push_back(path);
    previous.push_back(previous_token_score(pattern));
    duplicate.push_back(duplicate_token_score(pattern, tokens));
    induction.push_back(induction_score(pattern, tokens));
  }
  scores.previous = stack(previous);
  scores.duplicate = stack(duplicate);
  scores.induction = stack(induction);
  return scores;
}

}  // namespace strata::introspect

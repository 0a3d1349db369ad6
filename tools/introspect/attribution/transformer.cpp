#include "tools/introspect/attribution/transformer.h"

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/attribution/target.h"
#include "tools/introspect/capture.h"
#include "tools/introspect/tape.h"

namespace strata::introspect {
namespace {

void check_patterns(const char* method, const std::vector<Tensor>& patterns) {
  if (patterns.empty()) fail(method, Caller{}, "no attention patterns were given");
  const Tensor& first = patterns[0];
  for (const Tensor& pattern : patterns) {
    bool square = pattern.rank() == 4 && pattern.size(2) == pattern.size(3);
    if (square && pattern.size(0) == first.size(0) && pattern.size(2) == first.size(2)) continue;
    fail(method, Caller{},
         "a pattern is {}; expected [N, heads, T, T] with the same N and T in every block (the "
         "first is {}). Attention to another sequence has no rollout",
         describe(pattern), describe(first));
  }
}

Tensor identity_like(const Tensor& pattern) {
  return eye(pattern.size(2), pattern.dtype()).to(pattern.device());
}

std::vector<Tensor> detached(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> out;
  for (const Tensor& tensor : tensors) out.push_back(tensor.detach());
  return out;
}

}  // namespace

Tensor attention_rollout(const std::vector<Tensor>& patterns, double residual) {
  check_patterns("attention_rollout", patterns);
  if (!(residual >= 0 && residual <= 1)) {
    fail("attention_rollout", Caller{}, "residual is a share from 0 to 1; got {}", residual);
  }
  NoGrad off;
  Tensor identity = identity_like(patterns[0]), rollout;
  for (const Tensor& pattern : patterns) {
    Tensor mixed = identity * residual + mean(pattern, {1}) * (1 - residual);
    rollout = rollout.defined() ? matmul(mixed, rollout) : mixed;
  }
  return rollout;
}

Tensor attention_relevance(const std::vector<Tensor>& patterns,
                           const std::vector<Tensor>& gradients) {
  check_patterns("attention_relevance", patterns);
  if (gradients.size() != patterns.size()) {
    fail("attention_relevance", Caller{}, "{} gradients for {} patterns", gradients.size(),
         patterns.size());
  }
  NoGrad off;
  const Tensor& first = patterns[0];
  Tensor relevance =
      identity_like(first).expand({first.size(0), first.size(2), first.size(3)}).contiguous();
  for (size_t i = 0; i < patterns.size(); ++i) {
    if (gradients[i].shape() != patterns[i].shape()) {
      fail("attention_relevance", Caller{},
           "the gradient {} does not have the shape of its pattern {}", describe(gradients[i]),
           describe(patterns[i]));
    }
    Tensor wanted = mean(relu(patterns[i] * gradients[i]), {1});
    relevance = relevance + matmul(wanted, relevance);
  }
  return relevance;
}

std::vector<std::string> attention_patterns(const Scores& model, const Tensor& x) {
  NoGrad off;
  Capture all;
  model(x);
  // A pattern is computed only for those who ask for it by name; the queries beside it are always
  // there.
  std::vector<std::string> names;
  for (const std::string& name : all.names()) {
    constexpr std::string_view queries = "queries";
    if (name == "pattern" || name.ends_with(".pattern")) names.push_back(name);
    if (!name.ends_with(".queries")) continue;
    names.push_back(name.substr(0, name.size() - queries.size()) + "pattern");
  }
  if (names.empty()) {
    fail("attention_patterns", Caller{},
         "the model shows no attention ('*.pattern' or '*.queries'); it shows: {}",
         fmt::join(all.names(), ", "));
  }
  return names;
}

Tensor attention_rollout(const Scores& model, const Tensor& x, std::vector<std::string> names,
                         double residual) {
  if (names.empty()) names = attention_patterns(model, x);
  NoGrad off;
  Capture capture(names);
  model(x);
  std::vector<Tensor> patterns;
  for (auto& name : names) {
    patterns.insert(patterns.end(), capture.every(name).begin(), capture.every(name).end());
  }
  return attention_rollout(patterns, residual);
}

Tensor attention_relevance(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                           std::vector<std::string> names) {
  if (names.empty()) names = attention_patterns(model, x);
  EnableGrad on;
  Watch watch(names);
  Tensor score = sum(target_scores(model(x.detach()), target));
  std::vector<Tensor> patterns;
  for (auto& name : names) {
    patterns.insert(patterns.end(), watch[name].begin(), watch[name].end());
  }
  std::vector<Tensor> gradients = grad({score}, patterns, {}, {.allow_unused = true});
  for (size_t i = 0; i < patterns.size(); ++i) {
    if (!gradients[i].defined()) gradients[i] = zeros_like(patterns[i].detach());
  }
  return attention_relevance(detached(patterns), gradients);
}

}  // namespace strata::introspect

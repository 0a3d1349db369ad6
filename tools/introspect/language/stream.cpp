#include "tools/introspect/language/stream.h"

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/capture.h"

namespace strata::introspect {
namespace {

std::string block(int64_t layer) { return fmt::format("blocks.{}", layer); }

// The names of the stream after 0, 1, ..., `layers` blocks.
std::vector<std::string> stages(int64_t layers) {
  std::vector<std::string> names = {"embedding"};
  for (int64_t i = 0; i < layers; ++i) names.push_back(block(i));
  return names;
}

// What each head of a layer adds to the stream, of their results side by side [N, T, C].
void append_heads(const GptParts& gpt, int64_t layer, const Tensor& results, StreamParts& out,
                  std::vector<Tensor>& parts) {
  for (int64_t head = 0; head < gpt.heads; ++head) {
    Tensor own = results.slice(2, head * gpt.head_size, (head + 1) * gpt.head_size);
    out.names.push_back(fmt::format("{}.attention.head.{}", block(layer), head));
    parts.push_back(matmul(own, gpt.output(layer, head)));
  }
}

// Rows of the unembedding [N, C].
Tensor unembedding(const GptParts& gpt, const std::vector<int64_t>& tokens, int64_t n) {
  if (static_cast<int64_t>(tokens.size()) != n) {
    fail("direct_logit_attribution", Caller{}, "{} tokens for {} sequences", tokens.size(), n);
  }
  return embedding(gpt.token, from_vector(tokens, {n}));
}

}  // namespace

StreamParts stream_parts(Gpt& model, const Tensor& tokens, int64_t layers) {
  NoGrad off;
  Evaluation evaluation(model);
  GptParts gpt(model);
  if (layers == -1) layers = gpt.layers;
  if (layers < 0 || layers > gpt.layers) {
    fail("stream_parts", Caller{}, "{} layers of a model with {}", layers, gpt.layers);
  }
  std::vector<std::string> wanted = {stages(layers).back()};
  for (int64_t i = 0; i < layers; ++i) {
    wanted.push_back(block(i) + ".attention.heads");
    wanted.push_back(block(i) + ".mlp");
  }
  Capture capture(wanted);
  model(tokens);
  StreamParts out;
  out.stream = capture[wanted[0]];
  out.names = {"token", "position"};
  Dims shape = out.stream.shape();
  std::vector<Tensor> parts = {embedding(gpt.token, tokens),
                               gpt.position.slice(0, 0, tokens.size(1)).expand(shape)};
  for (int64_t i = 0; i < layers; ++i) {
    append_heads(gpt, i, capture[block(i) + ".attention.heads"], out, parts);
    Tensor bias = gpt.attention(i).projection.bias;
    if (bias.defined()) {
      out.names.push_back(block(i) + ".attention.bias");
      parts.push_back(bias.detach().expand(shape));
    }
    out.names.push_back(block(i) + ".mlp");
    parts.push_back(capture[block(i) + ".mlp"]);
  }
  out.parts = stack(parts);
  return out;
}

std::vector<NamedTensor> logit_lens(Gpt& model, const Tensor& tokens) {
  NoGrad off;
  Evaluation evaluation(model);
  GptParts gpt(model);
  auto names = stages(gpt.layers);
  Capture capture(names);
  model(tokens);
  std::vector<NamedTensor> logits;
  for (const std::string& name : names) {
    Tensor read = layer_norm(capture[name], gpt.norm.weight, gpt.norm.bias, gpt.norm.epsilon);
    logits.push_back({name, linear(read, gpt.token)});
  }
  return logits;
}

LogitAttribution direct_logit_attribution(Gpt& model, const Tensor& tokens, int64_t position,
                                          const std::vector<int64_t>& answers,
                                          const std::vector<int64_t>& others) {
  NoGrad off;
  GptParts gpt(model);
  StreamParts stream = stream_parts(model, tokens);
  int64_t n = tokens.size(0);
  Tensor direction = unembedding(gpt, answers, n);
  if (!others.empty()) direction = direction - unembedding(gpt, others, n);
  Tensor parts = stream.parts.select(2, position);  // [parts, N, C]
  Tensor final = stream.stream.select(1, position);
  Tensor scale = rsqrt(var(final, {1}, true, 0) + gpt.norm.epsilon);
  Tensor centred = (parts - mean(parts, {2}, true)) * scale;
  LogitAttribution out{stream.names, {}};
  Tensor values = sum(centred * (gpt.norm.weight.detach() * direction), {2});  // [parts, N]
  Tensor constant = sum(gpt.norm.bias.detach() * direction, {1});
  out.names.push_back("norm.bias");
  out.values = concatenate({values, constant.unsqueeze(0)}).transpose(0, 1).contiguous();
  return out;
}

}  // namespace strata::introspect

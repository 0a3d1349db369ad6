#include "tools/introspect/language/circuits.h"

#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::introspect {
namespace {

Tensor wide(const Tensor& x) { return x.detach().to(DType::f64); }

// A matrix [C, D] that reads the normalised stream, as one that reads what the norm reads: x -> (x
// - mean(x)) * weight first.
Tensor folded(const LayerNorm& norm, const Tensor& read) {
  Tensor scaled = wide(norm.weight).unsqueeze(1) * read;
  return scaled - mean(scaled, {0}, true);
}

double inner(const Tensor& a, const Tensor& b) { return sum(a * b).item(); }

}  // namespace

Tensor product(const Factored& matrix) { return matmul(matrix.left, matrix.right); }

Factored transposed(const Factored& matrix) {
  return {matrix.right.transpose(0, 1), matrix.left.transpose(0, 1)};
}

Factored chained(const Factored& a, const Factored& b) {
  return {a.left, matmul(matmul(a.right, b.left), b.right)};
}

double frobenius_norm(const Factored& matrix) {
  // |L R|^2 = <L'L, R R'>.
  Tensor left = matmul(matrix.left.transpose(0, 1), matrix.left);
  Tensor right = matmul(matrix.right, matrix.right.transpose(0, 1));
  return std::sqrt(std::max(0.0, inner(left, right)));
}

ThinSvd svd(const Factored& matrix) {
  ThinSvd l = thin_svd(matrix.left), r = thin_svd(matrix.right);
  auto rows = [](const std::vector<double>& values) {
    return from_vector(values, {static_cast<int64_t>(values.size()), 1});
  };
  // L R = l.left (s_l l.right' r.left s_r) r.right', and the middle is small.
  Tensor middle =
      rows(l.values) * matmul(l.right.transpose(0, 1), r.left) * rows(r.values).transpose(0, 1);
  ThinSvd m = thin_svd(middle);
  return {matmul(l.left, m.left), m.values, matmul(r.right, m.right)};
}

double copying_score(const Factored& matrix) {
  if (matrix.left.size(0) != matrix.right.size(1)) {
    fail("copying_score", Caller{}, "{} times {} is not square", describe(matrix.left),
         describe(matrix.right));
  }
  // The eigenvalues of L R that are not 0 are those of R L.
  double total = 0, magnitudes = 0;
  for (auto value : eigenvalues(matmul(matrix.right, matrix.left))) {
    total += value.real();
    magnitudes += std::abs(value);
  }
  return magnitudes > 0 ? total / magnitudes : 0;
}

Factored qk_circuit(Gpt& model, int64_t layer, int64_t head) {
  NoGrad off;
  GptParts gpt(model);
  const LayerNorm& norm = gpt.norm_before_attention(layer);
  double scale = 1 / std::sqrt(static_cast<double>(gpt.head_size));
  return {folded(norm, wide(gpt.query(layer, head))) * scale,
          folded(norm, wide(gpt.key(layer, head))).transpose(0, 1)};
}

Factored ov_circuit(Gpt& model, int64_t layer, int64_t head) {
  NoGrad off;
  GptParts gpt(model);
  return {folded(gpt.norm_before_attention(layer), wide(gpt.value(layer, head))),
          wide(gpt.output(layer, head))};
}

Factored full_qk_circuit(Gpt& model, int64_t layer, int64_t head) {
  NoGrad off;
  Tensor token = wide(GptParts(model).token);
  Factored qk = qk_circuit(model, layer, head);
  return {matmul(token, qk.left), matmul(qk.right, token.transpose(0, 1))};
}

Factored full_ov_circuit(Gpt& model, int64_t layer, int64_t head) {
  NoGrad off;
  GptParts gpt(model);
  Tensor token = wide(gpt.token);
  Factored ov = ov_circuit(model, layer, head);
  return {matmul(token, ov.left), matmul(ov.right, folded(gpt.norm, token.transpose(0, 1)))};
}

Tensor composition_scores(Gpt& model, Composition kind) {
  NoGrad off;
  GptParts gpt(model);
  int64_t count = gpt.layers * gpt.heads;
  std::vector<Factored> writes, reads;
  for (int64_t i = 0; i < count; ++i) {
    writes.push_back(ov_circuit(model, i / gpt.heads, i % gpt.heads));
    Factored qk = qk_circuit(model, i / gpt.heads, i % gpt.heads);
    reads.push_back(kind == Composition::value   ? writes.back()
                    : kind == Composition::query ? qk
                                                 : transposed(qk));
  }
  std::vector<double> scores(static_cast<size_t>(count * count), 0);
  for (int64_t a = 0; a < count; ++a) {
    for (int64_t b = (a / gpt.heads + 1) * gpt.heads; b < count; ++b) {
      auto &write = writes[static_cast<size_t>(a)], &read = reads[static_cast<size_t>(b)];
      double norms = frobenius_norm(write) * frobenius_norm(read);
      if (norms == 0) continue;
      scores[static_cast<size_t>(a * count + b)] = frobenius_norm(chained(write, read)) / norms;
    }
  }
  return from_vector(scores, {gpt.layers, gpt.heads, gpt.layers, gpt.heads});
}

}  // namespace strata::introspect

#include "tools/inspect/compare.h"

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/inspect/sample.h"
#include "tools/introspect/representation/cca.h"
#include "tools/introspect/representation/features.h"
#include "tools/introspect/representation/shape.h"
#include "tools/introspect/representation/similarity.h"

namespace strata::inspect {
namespace {

using namespace introspect;

struct Layers {
  std::vector<std::string> names;
  std::vector<Tensor> codes, grams;
};

Layers layers_of(const Subject& subject, const Tensor& x) {
  Layers layers;
  layers.names = subject.model->stages();
  for (auto& name : layers.names) {
    layers.codes.push_back(pooled_features(activations(subject.scores(), name, x)));
    layers.grams.push_back(gram(layers.codes.back()));
  }
  return layers;
}

void check_same_input(const Subject& a, const Subject& b) {
  for (const Subject* s : {&a, &b}) {
    if (!s->reads_images()) fail("compare", Caller{}, "{} reads no images", s->name);
  }
  const Dataset &p = *a.test, &q = *b.test;
  if (p.height != q.height || p.width != q.width || p.channels != q.channels) {
    fail("compare", Caller{},
         "{} reads images of {}x{}x{} and {} of {}x{}x{}: there is no input that both "
         "could be given",
         a.name, p.height, p.width, p.channels, b.name, q.height, q.width, q.channels);
  }
}

// One line for each pair of layers that stand at the same place.
Json in_step(const Layers& a, const Layers& b, const CompareOptions& options,
             std::vector<std::string>* lines) {
  Json entries = Json::array();
  lines->push_back(fmt::format("{:<12} {:<12} {:>7} {:>15} {:>7} {:>7} {:>10} {:>6} {:>10}",
                               "layer of A", "layer of B", "CKA", "by chance", "SVCCA", "PWCCA",
                               "Procrustes", "RSA", "neighbours"));
  for (size_t i = 0; i < a.names.size() && a.names.size() == b.names.size(); ++i) {
    double cka = cka_of_grams(a.grams[i], b.grams[i]);
    NullBand null = cka_null_band(a.grams[i], b.grams[i], 100, true, options.seed);
    Canonical reduced = svcca(a.codes[i], b.codes[i]);
    double procrustes = procrustes_distance(a.codes[i], b.codes[i]);
    double dissimilarity = rsa(a.codes[i], b.codes[i]),
           mutual = mutual_neighbours(a.codes[i], b.codes[i]);
    lines->push_back(
        fmt::format("{:<12} {:<12} {:>7.3f} {:>6.3f} to {:>5.3f} {:>7.3f} {:>7.3f} {:>10.3f} "
                    "{:>6.3f} {:>10.3f}",
                    a.names[i], b.names[i], cka, null.low, null.high, reduced.mean,
                    reduced.weighted, procrustes, dissimilarity, mutual));
    entries.push_back({{"a", a.names[i]},
                       {"b", b.names[i]},
                       {"cka", cka},
                       {"null", {{"mean", null.mean}, {"low", null.low}, {"high", null.high}}},
                       {"svcca", reduced.mean},
                       {"pwcca", reduced.weighted},
                       {"cca_warning", reduced.warning},
                       {"procrustes", procrustes},
                       {"rsa", dissimilarity},
                       {"mutual_neighbours", mutual}});
  }
  return entries;
}

}  // namespace

Answer compare(const Subject& a, const Subject& b, const CompareOptions& options) {
  check_same_input(a, b);
  NoGrad off;
  Tensor x = sample_of(a, options.images).x;
  Layers left = layers_of(a, x), right = layers_of(b, x);
  std::vector<double> values;
  for (auto& k : left.grams) {
    for (auto& l : right.grams) values.push_back(cka_of_grams(k, l));
  }
  Tensor cka = from_vector(
      values, {static_cast<int64_t>(left.names.size()), static_cast<int64_t>(right.names.size())});
  Answer answer;
  answer.figure.rows.push_back(
      {.panels = {{"", draw::Matrix{cka, left.names, right.names, a.name, b.name}}},
       .label = {},
       .range = {},
       .scale_label = "debiased CKA"});
  answer.figure.panel_size = std::max(200.0, 28.0 * static_cast<double>(left.names.size()));
  answer.figure.title = "How alike the layers of two networks are";
  answer.figure.caption = fmt::format("Debiased linear CKA on {} test images.", x.size(0));
  answer.arrays = {{"cka", cka}};
  answer.numbers = {{"images", x.size(0)},
                    {"layers_a", left.names},
                    {"layers_b", right.names},
                    {"in_step", in_step(left, right, options, &answer.lines)}};
  return answer;
}

}  // namespace strata::inspect

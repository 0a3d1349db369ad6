#include "tools/inspect/layers.h"

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/representation/features.h"

namespace strata::inspect {

using namespace introspect;

std::vector<std::string> layers_of(const Request& r) {
  std::vector<std::string> layers = {"pixels"};
  for (auto& stage : r.subject.model->stages()) layers.push_back(stage);
  layers.pop_back();  // the logits are the answer
  return layers;
}

Tensor codes(const Scores& model, const std::string& layer, const Sample& sample) {
  Tensor a = layer == "pixels" ? sample.x : activations(model, layer, sample.x);
  return pooled_features(a);
}

std::pair<Tensor, Tensor> split_codes(const Tensor& all, int64_t train) {
  auto components = principal_components(all.slice(0, 0, train), code_size);
  Tensor projected = project(all, components, true);
  return {projected.slice(0, 0, train).contiguous(),
          projected.slice(0, train, all.size(0)).contiguous()};
}

std::vector<int64_t> part(const std::vector<int64_t>& all, int64_t first, int64_t last) {
  return {all.begin() + first, all.begin() + last};
}

std::vector<ProbeTask> tasks_of(const Subject& subject, const Sample& sample, int64_t train) {
  int64_t n = sample.size();
  std::vector<ProbeTask> tasks = {{subject.test->label_name, subject.test->classes(),
                                   part(sample.labels, 0, train), part(sample.labels, train, n)}};
  for (size_t f = 0; f < subject.test->factors.size(); ++f) {
    if (static_cast<int>(f) == subject.test->label_factor) continue;
    auto values = sample.factors.select(1, static_cast<int64_t>(f)).to_vector<int64_t>();
    const FactorInfo& info = subject.test->factors[f];
    tasks.push_back(
        {info.name, info.values, part(values, 0, train), part(values, train, n), info.ceiling});
  }
  return tasks;
}

std::vector<std::string> names_of(const std::vector<ProbeTask>& tasks) {
  std::vector<std::string> names;
  for (auto& task : tasks) names.push_back(task.name);
  return names;
}

Tensor matrix_of(const std::vector<std::vector<double>>& rows) {
  std::vector<double> flat;
  for (auto& row : rows) flat.insert(flat.end(), row.begin(), row.end());
  return from_vector(flat,
                     {static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows[0].size())});
}

Answer two_matrices(const Tensor& trained, const Tensor& untrained,
                    const std::vector<std::string>& rows, const std::vector<std::string>& columns,
                    const std::string& scale, bool coloured) {
  Answer answer;
  answer.figure.rows.push_back(
      {.panels = {{"trained", draw::Matrix{.values = trained,
                                           .row_labels = rows,
                                           .column_labels = columns,
                                           .coloured = coloured}},
                  {"before training", draw::Matrix{.values = untrained,
                                                   .row_labels = rows,
                                                   .column_labels = columns,
                                                   .coloured = coloured}}},
       .label = {},
       .range = {},
       .scale_label = scale});
  answer.arrays = {{"trained", trained}, {"untrained", untrained}};
  answer.figure.panel_size = std::max(168.0, 26.0 * static_cast<double>(rows.size()));
  return answer;
}

const Terrace& terrace_of(const Request& r, const char* method) {
  auto terrace = dynamic_cast<const Terrace*>(r.subject.test.get());
  if (!terrace) {
    fail("inspect", Caller{},
         "{} needs images whose concepts have known places: the generated data set, terrace",
         method);
  }
  return *terrace;
}

}  // namespace strata::inspect

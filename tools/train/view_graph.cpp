#include "tools/train/view_graph.h"

#include "engine/ops.h"
#include "tools/introspect/maps/pca.h"
#include "tools/report/packed.h"

namespace strata::train {
namespace {

using nlohmann::json;

// [N] f32; the variance that it keeps of all, in percent, goes to *kept.
std::vector<float> first_component(const Tensor& x, double* kept) {
  const introspect::Pca pca = introspect::fit_pca(x.to(Device::cpu).to(DType::f32), 1);
  *kept = pca.total_variance > 0 ? 100 * pca.variances[0] / pca.total_variance : 0;
  return pca.transform(x.to(Device::cpu).to(DType::f32)).to(DType::f32).to_vector<float>();
}

}  // namespace

json data_column(const std::string& name, const std::vector<std::string>& values,
                 const std::vector<int64_t>& data) {
  return {{"name", name}, {"values", values}, {"data", report::pack(data)}};
}

json predicted_column(const std::string& name, const std::string& truth,
                      const std::vector<std::string>& values, const std::vector<int64_t>& trained,
                      const std::vector<int64_t>& untrained) {
  json column = data_column(name, values, trained);
  column["truth"] = truth;
  column["untrained"] = report::pack(untrained);
  return column;
}

json embedding_column(const std::string& layer, const Tensor& trained, const Tensor& untrained) {
  double kept = 0, kept_before = 0;
  const auto after = first_component(trained, &kept);
  const auto before = first_component(untrained, &kept_before);
  return {{"name", "embedding at " + layer},
          {"about", fmt::format("Coloured by the first principal component of {}, which keeps "
                                "{:.0f}% of its variance (untrained {:.0f}%).",
                                layer, kept, kept_before)},
          {"data", report::pack(after)},
          {"untrained", report::pack(before)}};
}

json graph_panels(const std::vector<GraphView>& graphs) {
  json list = json::array();
  for (const GraphView& graph : graphs) {
    std::vector<int64_t> ends;
    for (auto [from, to] : graph.edges) ends.insert(ends.end(), {from, to});
    json entry = {{"title", graph.title},
                  {"nodes", graph.nodes},
                  {"edges", report::pack(ends)},
                  {"columns", graph.columns}};
    if (!graph.label.empty()) {
      entry["label"] = graph.label;
      entry["predicted"] = graph.predicted;
      entry["untrained_predicted"] = graph.untrained_predicted;
    }
    list.push_back(entry);
  }
  return {{"graphs", list},
          {"definitions",
           {{"principal component",
             "The direction along which the activations of a layer vary most; a node's colour is "
             "its place along it."}}}};
}

}  // namespace strata::train

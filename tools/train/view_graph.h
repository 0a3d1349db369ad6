// What a report shows of a network of graphs: graphs whose nodes have columns, of the data and of
// the network (the panel "graphs" of tools/report/CONTRACT.md).
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/ops/graph.h"

namespace strata::train {

struct GraphView {
  std::string title;
  int64_t nodes = 0;
  Edges edges;  // undirected, each once
  std::vector<nlohmann::json> columns = {};
  // Of the whole graph, where that is what the network tells; else empty.
  std::string label = {}, predicted = {}, untrained_predicted = {};
};

// A column of the data: values[data[i]] is what node i is.
nlohmann::json data_column(const std::string& name, const std::vector<std::string>& values,
                           const std::vector<int64_t>& data);
// What the network says of each node, trained and untrained; `truth` names the column that it
// should say.
nlohmann::json predicted_column(const std::string& name, const std::string& truth,
                                const std::vector<std::string>& values,
                                const std::vector<int64_t>& trained,
                                const std::vector<int64_t>& untrained);
// Activations [nodes, D] of a layer, by their first principal component, each network's own.
nlohmann::json embedding_column(const std::string& layer, const Tensor& trained,
                                const Tensor& untrained);

// {"graphs": [...]}.
nlohmann::json graph_panels(const std::vector<GraphView>& graphs);

}  // namespace strata::train

// Citation graphs (Cora and its family, Sen et al. 2008) as text files:
//   NAME.content  a node a line: id, zeros and ones, class name, between tabs
//   NAME.cites    an edge a line: two node ids
//   NAME.classes  index and class name (optional; otherwise classes in the order of their names)
//   NAME.split    lines "train", "val" and "test", each with node ids (optional)
// Plain or gzipped.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata {

struct CitationGraph {
  int64_t nodes = 0, features = 0;
  // Row n has ones at feature_columns[feature_rows[n]] .. feature_columns[feature_rows[n + 1] - 1].
  std::vector<int64_t> feature_rows, feature_columns;
  std::vector<int64_t> labels;  // [nodes]
  std::vector<std::string> class_names;
  // Undirected, without loops or repeats, smaller node first, sorted.
  std::vector<std::pair<int64_t, int64_t>> edges;
  std::vector<int64_t> train, validation, test;  // empty without a split file

  Tensor feature_matrix() const;  // f32 [nodes, features], zeros and ones
};

// Nodes are numbered in the order of the lines of the content file. Lines of the wrong shape, ids
// that are unknown or repeated, a node in two splits: errors that name the file and the line.
CitationGraph read_citation_graph(const std::string& folder, const std::string& name,
                                  Caller at = Caller::here());

// The same for the files' bytes; `classes` and `split` may be empty.
struct CitationFiles {
  std::span<const uint8_t> content, cites, classes, split;
};
CitationGraph parse_citation_graph(const CitationFiles& files, const std::string& name,
                                   Caller at = Caller::here());

}  // namespace strata

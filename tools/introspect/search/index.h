// An index of embeddings: vectors with an id and metadata each, of which the nearest to a query are
// found. Flat: every vector is measured, N D operations a query. Graph: HNSW (hnsw_graph.h)
// proposes and the index measures, so distances and their order are exact, and what can be missed
// is a neighbour (recall above .99 at the default width on clustered data; the tests assert it).
//
//   distance   Euclidean |q - x|;   cosine 1 - q.x / |q||x|;   inner product -q.x:
//              smaller is nearer, equal distances in the order of ids; worked out in f64.
//
// The answers are the same for any thread count, and the same graph comes of the same vectors in
// the same order. Removed vectors are never returned; when half of the graph is removed ones, it is
// built again. Not safe to change and search at the same time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/tensor/tensor.h"
#include "tools/introspect/search/hnsw_graph.h"

namespace strata::introspect {

enum class Metric { euclidean, cosine, inner_product };

struct IndexOptions {
  Metric metric = Metric::euclidean;
  bool graph = false;     // HNSW; else flat
  int links = 16;         // of the graph: M
  int build_width = 200;  // ef_construction
  int search_width = 64;  // ef, kept with the index
  uint64_t seed = 0;
};

struct Match {
  int64_t id = 0;
  double distance = 0;
  bool operator==(const Match&) const = default;
};

class VectorIndex {
 public:
  using Json = nlohmann::json;
  // Whether an item may be returned.
  using Filter = std::function<bool(int64_t id, const Json& metadata)>;

  explicit VectorIndex(int64_t dimensions, const IndexOptions& options = {});
  VectorIndex(VectorIndex&&) = default;
  VectorIndex& operator=(VectorIndex&&) = default;

  int64_t size() const { return static_cast<int64_t>(slot_of_.size()); }
  int64_t dimensions() const { return dimensions_; }
  const IndexOptions& options() const { return options_; }
  // In ascending order.
  std::vector<int64_t> ids() const;
  bool contains(int64_t id) const { return slot_of_.contains(id); }
  const Json& metadata(int64_t id) const;
  Tensor vector(int64_t id) const;  // [D], f32, as it was added

  // vectors [N, D], one id a row, and one JSON value a row or none at all. An id that is there
  // already or comes twice, values that are not finite, and for cosine a vector of length 0 are
  // errors, and then nothing is added.
  void add(const std::vector<int64_t>& ids, const Tensor& vectors,
           const std::vector<Json>& metadata = {}, Caller at = Caller::here());
  // Unknown ids are an error, and then nothing is removed. An id may be added again later.
  void remove(const std::vector<int64_t>& ids, Caller at = Caller::here());

  // For each row of queries [Q, D], or for the one query [D], the k nearest items that the filter
  // lets through, fewer only if there are fewer. `width`: of the search in the graph, 0 for the
  // index's own. The filter is asked once an item, so an answer costs N calls of it.
  std::vector<std::vector<Match>> search(const Tensor& queries, int64_t k,
                                         const Filter& filter = {}, int64_t width = 0,
                                         Caller at = Caller::here()) const;

  // One file (safetensors) with vectors, ids, metadata, options and graph, written aside and
  // renamed. A file that is truncated, altered (checksum) or something else is refused.
  void save(const std::string& path, Caller at = Caller::here()) const;
  static VectorIndex load(const std::string& path, Caller at = Caller::here());

 private:
  const float* row(int64_t slot) const {
    return &vectors_[static_cast<size_t>(slot * dimensions_)];
  }
  int64_t slots() const { return static_cast<int64_t>(id_.size()); }
  HnswOptions graph_options() const;
  int64_t slot_of(const char* op, int64_t id, Caller at) const;
  double length(const float* vector) const;
  void link(int64_t slot);
  void rebuild();
  double distance(const float* query, double query_length, int64_t slot) const;
  std::vector<Match> nearest(const float* query, double query_length,
                             const std::vector<int64_t>& slots, int64_t k) const;
  std::vector<Match> walk(const float* query, double query_length, int64_t k, int64_t width,
                          const std::vector<int64_t>& allowed,
                          const std::vector<char>& is_allowed) const;

  int64_t dimensions_;
  IndexOptions options_;
  // By slot, removed ones included until they are half of all.
  std::vector<float> vectors_;
  std::vector<double> lengths_;
  std::vector<int64_t> id_;
  std::vector<Json> metadata_;
  std::vector<uint8_t> removed_;
  std::unordered_map<int64_t, int64_t> slot_of_;  // of what is not removed
  std::unique_ptr<HnswGraph> graph_;
};

// The filter of conditions on metadata objects: each key must be there with the value given, or
// with one of the values given as an array: {"label": 3, "split": ["train", "test"]}.
VectorIndex::Filter where(const VectorIndex::Json& conditions, Caller at = Caller::here());

}  // namespace strata::introspect

// Hierarchical navigable small worlds (Malkov and Yashunin 2016): a graph on vectors whose greedy
// search finds near neighbours in about log N steps. A thin cover over hnswlib, whose header is
// included in one file only, and which is held to three things that it leaves open: the level of a
// slot is a function of (seed, slot) and slots are added one after the other, so that the same
// vectors give the same graph (also when it was saved and loaded between); deletions and
// distances are the index's business (index.h); and a graph is bytes, not a file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace strata::introspect {

struct HnswOptions {
  bool inner_product = false;  // else Euclidean
  int64_t dimensions = 0;
  int links = 16;         // M: links of a slot above the lowest level; twice that on it
  int build_width = 200;  // ef_construction: candidates looked at when a slot is linked
  uint64_t seed = 0;
};

class HnswGraph {
 public:
  explicit HnswGraph(const HnswOptions& options);
  // From bytes() of a graph with the same options. They must be intact: the library trusts them.
  HnswGraph(const HnswOptions& options, const std::string& bytes);
  ~HnswGraph();

  // Slots are numbered 0, 1, 2, ... in the order of adding.
  void add(const float* vector);
  // A removed slot still leads searches on, but is never returned.
  void remove(int64_t slot);
  // The nearest slots found by a search of `width` (ef, at least 1) candidates, at most `width` of
  // them, in no order. Thread-safe among searches.
  std::vector<int64_t> search(const float* query, int64_t width) const;
  std::string bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace strata::introspect

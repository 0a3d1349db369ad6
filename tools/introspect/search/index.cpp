#include "tools/introspect/search/index.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "kernels/common/parallel.h"

namespace strata::introspect {
namespace {

// Of this many items or fewer, measuring all is faster than walking a graph among them.
constexpr int64_t few = 500;

double dot(const float* a, const float* b, int64_t d) {
  double total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t j = 0; j < d; ++j) total += static_cast<double>(a[j]) * static_cast<double>(b[j]);
  return total;
}

std::vector<float> scaled(const float* vector, double length, int64_t d) {
  std::vector<float> result(vector, vector + d);
  for (float& v : result) v = static_cast<float>(static_cast<double>(v) / length);
  return result;
}

// Rows as f32, checked.
Tensor checked(const char* op, const Tensor& rows, int64_t dimensions, bool cosine, Caller at) {
  if (rows.rank() != 2 || rows.size(1) != dimensions) {
    fail(op, at, "{} must be [N, {}], as the index is", describe(rows), dimensions);
  }
  Tensor result = rows.detach().to(DType::f32).contiguous();
  for (int64_t i = 0; i < result.size(0); ++i) {
    const float* row = result.data<float>() + i * dimensions;
    double square = dot(row, row, dimensions);
    if (!std::isfinite(square)) fail(op, at, "row {} of {} is not finite", i, describe(rows));
    if (cosine && square == 0) {
      fail(op, at, "row {} of {} is zero, which has no cosine with anything", i, describe(rows));
    }
  }
  return result;
}

}  // namespace

VectorIndex::VectorIndex(int64_t dimensions, const IndexOptions& options)
    : dimensions_(dimensions), options_(options) {
  if (dimensions < 1 || options.links < 2 || options.build_width < 1 || options.search_width < 1) {
    fail("search", Caller{},
         "an index of {} dimensions, {} links, widths {} and {}: needs 1 or more (links 2)",
         dimensions, options.links, options.build_width, options.search_width);
  }
  if (options_.graph) graph_ = std::make_unique<HnswGraph>(graph_options());
}

HnswOptions VectorIndex::graph_options() const {
  return {options_.metric != Metric::euclidean, dimensions_, options_.links, options_.build_width,
          options_.seed};
}

std::vector<int64_t> VectorIndex::ids() const {
  std::vector<int64_t> ids;
  for (auto& [id, slot] : slot_of_) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

int64_t VectorIndex::slot_of(const char* op, int64_t id, Caller at) const {
  auto found = slot_of_.find(id);
  if (found == slot_of_.end()) fail(op, at, "id {} is not in the index of {} items", id, size());
  return found->second;
}

const VectorIndex::Json& VectorIndex::metadata(int64_t id) const {
  return metadata_[static_cast<size_t>(slot_of("metadata", id, Caller{}))];
}

Tensor VectorIndex::vector(int64_t id) const {
  const float* values = row(slot_of("vector", id, Caller{}));
  return from_vector(std::vector<float>(values, values + dimensions_), {dimensions_});
}

double VectorIndex::length(const float* vector) const {
  return std::sqrt(dot(vector, vector, dimensions_));
}

void VectorIndex::link(int64_t slot) {
  if (!graph_) return;
  if (options_.metric != Metric::cosine) return graph_->add(row(slot));
  graph_->add(scaled(row(slot), lengths_[static_cast<size_t>(slot)], dimensions_).data());
}

void VectorIndex::add(const std::vector<int64_t>& ids, const Tensor& vectors,
                      const std::vector<Json>& metadata, Caller at) {
  Tensor rows = checked("add", vectors, dimensions_, options_.metric == Metric::cosine, at);
  int64_t n = rows.size(0);
  if (static_cast<int64_t>(ids.size()) != n ||
      (!metadata.empty() && metadata.size() != ids.size())) {
    fail("add", at, "{} ids and {} metadata for {}: needs one a row (metadata may be left out)",
         ids.size(), metadata.size(), describe(vectors));
  }
  std::unordered_set<int64_t> fresh;
  for (int64_t id : ids) {
    if (contains(id)) fail("add", at, "id {} is in the index already: remove it first", id);
    if (!fresh.insert(id).second) fail("add", at, "id {} is given twice", id);
  }
  const float* values = rows.data<float>();
  vectors_.insert(vectors_.end(), values, values + n * dimensions_);
  for (int64_t i = 0; i < n; ++i) {
    int64_t slot = slots();
    lengths_.push_back(length(values + i * dimensions_));
    id_.push_back(ids[static_cast<size_t>(i)]);
    metadata_.push_back(metadata.empty() ? Json() : metadata[static_cast<size_t>(i)]);
    removed_.push_back(0);
    slot_of_[id_.back()] = slot;
    link(slot);
  }
}

void VectorIndex::remove(const std::vector<int64_t>& ids, Caller at) {
  std::unordered_set<int64_t> once;
  for (int64_t id : ids) {
    slot_of("remove", id, at);
    if (!once.insert(id).second) fail("remove", at, "id {} is given twice", id);
  }
  for (int64_t id : ids) {
    int64_t slot = slot_of_[id];
    removed_[static_cast<size_t>(slot)] = 1;
    slot_of_.erase(id);
    if (graph_) graph_->remove(slot);
  }
  if (2 * size() < slots()) rebuild();
}

void VectorIndex::rebuild() {
  if (graph_) graph_ = std::make_unique<HnswGraph>(graph_options());
  int64_t kept = 0;
  for (int64_t slot = 0; slot < slots(); ++slot) {
    auto from = static_cast<size_t>(slot), to = static_cast<size_t>(kept);
    if (removed_[from]) continue;
    std::copy_n(row(slot), dimensions_, vectors_.begin() + kept * dimensions_);
    lengths_[to] = lengths_[from];
    id_[to] = id_[from];
    if (to != from) metadata_[to] = std::move(metadata_[from]);
    slot_of_[id_[to]] = kept;
    link(kept++);
  }
  auto count = static_cast<size_t>(kept);
  vectors_.resize(static_cast<size_t>(kept * dimensions_));
  lengths_.resize(count), id_.resize(count), metadata_.resize(count);
  removed_.assign(count, 0);
}

double VectorIndex::distance(const float* query, double query_length, int64_t slot) const {
  const float* x = row(slot);
  if (options_.metric == Metric::inner_product) return -dot(query, x, dimensions_);
  if (options_.metric == Metric::cosine) {
    return 1 - dot(query, x, dimensions_) / (query_length * lengths_[static_cast<size_t>(slot)]);
  }
  double total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t j = 0; j < dimensions_; ++j) {
    double difference = static_cast<double>(query[j]) - static_cast<double>(x[j]);
    total += difference * difference;
  }
  return std::sqrt(total);
}

std::vector<Match> VectorIndex::nearest(const float* query, double query_length,
                                        const std::vector<int64_t>& slots, int64_t k) const {
  std::vector<Match> matches(slots.size());
  parallel_for(static_cast<int64_t>(slots.size()), 4096, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      matches[i] = {id_[static_cast<size_t>(slots[i])], distance(query, query_length, slots[i])};
    }
  });
  auto last = matches.begin() + std::min<int64_t>(k, static_cast<int64_t>(matches.size()));
  std::partial_sort(matches.begin(), last, matches.end(), [](const Match& a, const Match& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.id < b.id;
  });
  return {matches.begin(), last};  // of their own: not the room of all that were measured
}

// Searches the graph wider and wider until k of what it finds are allowed.
std::vector<Match> VectorIndex::walk(const float* query, double query_length, int64_t k,
                                     int64_t width, const std::vector<int64_t>& allowed,
                                     const std::vector<char>& is_allowed) const {
  auto count = static_cast<int64_t>(allowed.size());
  // Of `reach` near items k or more are allowed if the filter does not mind where they lie.
  int64_t reach = std::max(width, k) * size() / std::max<int64_t>(1, count);
  std::vector<float> direction(query, query + dimensions_);
  if (options_.metric == Metric::cosine) direction = scaled(query, query_length, dimensions_);
  for (; reach < 2 * size(); reach *= 2) {
    std::vector<int64_t> found = graph_->search(direction.data(), std::min(reach, size()));
    std::erase_if(found, [&](int64_t slot) { return !is_allowed[static_cast<size_t>(slot)]; });
    if (static_cast<int64_t>(found.size()) >= std::min(k, count)) {
      return nearest(query, query_length, found, k);
    }
  }
  return nearest(query, query_length, allowed, k);
}

std::vector<std::vector<Match>> VectorIndex::search(const Tensor& queries, int64_t k,
                                                    const Filter& filter, int64_t width,
                                                    Caller at) const {
  if (k < 1 || width < 0) fail("search", at, "k = {} and width {}: needs k >= 1", k, width);
  Tensor rows = checked("search", queries.rank() == 1 ? queries.unsqueeze(0) : queries, dimensions_,
                        options_.metric == Metric::cosine, at);
  std::vector<int64_t> allowed;
  std::vector<char> is_allowed(id_.size());
  for (int64_t slot = 0; slot < slots(); ++slot) {
    auto i = static_cast<size_t>(slot);
    is_allowed[i] = !removed_[i] && (!filter || filter(id_[i], metadata_[i]));
    if (is_allowed[i]) allowed.push_back(slot);
  }
  bool flat = !graph_ || static_cast<int64_t>(allowed.size()) <= few;
  if (width == 0) width = options_.search_width;
  std::vector<std::vector<Match>> result(static_cast<size_t>(rows.size(0)));
  parallel_for(rows.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* query = rows.data<float>() + i * dimensions_;
      auto& matches = result[static_cast<size_t>(i)];
      matches = flat ? nearest(query, length(query), allowed, k)
                     : walk(query, length(query), k, width, allowed, is_allowed);
    }
  });
  return result;
}

VectorIndex::Filter where(const VectorIndex::Json& conditions, Caller at) {
  if (!conditions.is_object()) {
    fail("where", at, R"({} is no object of conditions, as {{"label": 3}})", conditions.dump());
  }
  return [conditions](int64_t, const VectorIndex::Json& metadata) {
    for (auto& [key, want] : conditions.items()) {
      if (!metadata.is_object() || !metadata.contains(key)) return false;
      const VectorIndex::Json& have = metadata.at(key);
      bool met =
          want.is_array() ? std::find(want.begin(), want.end(), have) != want.end() : have == want;
      if (!met) return false;
    }
    return true;
  };
}

}  // namespace strata::introspect

#include "tools/introspect/search/hnsw_graph.h"

// Without the library's own vector code, whose prefetches read beyond the ends of lists of links.
#define NO_MANUAL_VECTORIZATION
#include <hnswlib/hnswlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "engine/error.h"
#include "kernels/random/philox.h"

namespace strata::introspect {
namespace {

constexpr int64_t least_capacity = 64;

// How far vectors of `dimensions` are apart, as the library asks for it.
class Space : public hnswlib::SpaceInterface<float> {
 public:
  Space(size_t dimensions, bool inner_product)
      : dimensions_(dimensions), distance_(inner_product ? inner : euclidean) {}
  size_t get_data_size() override { return dimensions_ * sizeof(float); }
  hnswlib::DISTFUNC<float> get_dist_func() override { return distance_; }
  void* get_dist_func_param() override { return &dimensions_; }

 private:
  static float euclidean(const void* a, const void* b, const void* dimensions) {
    const auto *x = static_cast<const float*>(a), *y = static_cast<const float*>(b);
    size_t count = *static_cast<const size_t*>(dimensions);
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (size_t i = 0; i < count; ++i) total += (x[i] - y[i]) * (x[i] - y[i]);
    return total;
  }
  static float inner(const void* a, const void* b, const void* dimensions) {
    const auto *x = static_cast<const float*>(a), *y = static_cast<const float*>(b);
    size_t count = *static_cast<const size_t*>(dimensions);
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (size_t i = 0; i < count; ++i) total += x[i] * y[i];
    return -total;
  }

  size_t dimensions_;
  hnswlib::DISTFUNC<float> distance_;
};

// The library writes and reads files by name; this one has a name and lies in memory.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(memfd_create("hnsw", MFD_CLOEXEC)) {
    if (descriptor_ < 0) fail("search", Caller{}, "no file in memory for the graph of an index");
  }
  ~MemoryFile() { close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::string name() const { return fmt::format("/proc/self/fd/{}", descriptor_); }

 private:
  int descriptor_;
};

}  // namespace

struct HnswGraph::State {
  using Graph = hnswlib::HierarchicalNSW<float>;
  HnswOptions options;
  Space space;
  std::unique_ptr<Graph> graph;
  int64_t slots = 0, capacity = least_capacity;

  explicit State(const HnswOptions& given)
      : options(given), space(static_cast<size_t>(given.dimensions), given.inner_product) {}
};

HnswGraph::HnswGraph(const HnswOptions& options) : state_(std::make_unique<State>(options)) {
  state_->graph = std::make_unique<State::Graph>(
      &state_->space, static_cast<size_t>(state_->capacity), static_cast<size_t>(options.links),
      static_cast<size_t>(options.build_width));
}

HnswGraph::HnswGraph(const HnswOptions& options, const std::string& bytes)
    : state_(std::make_unique<State>(options)) {
  MemoryFile file;
  std::ofstream(file.name(), std::ios::binary) << bytes;
  try {
    state_->graph = std::make_unique<State::Graph>(&state_->space, file.name());
  } catch (const std::exception& e) {
    fail("search", Caller{}, "the graph of the index cannot be read: {}", e.what());
  }
  State::Graph& graph = *state_->graph;
  state_->slots = static_cast<int64_t>(graph.cur_element_count);
  state_->capacity = static_cast<int64_t>(graph.max_elements_);
  // Versions before 0.7 leave this count unset when they read a file.
  size_t removed = 0;
  for (int64_t slot = 0; slot < state_->slots; ++slot) {
    removed += graph.isMarkedDeleted(static_cast<hnswlib::tableint>(slot));
  }
  graph.num_deleted_ = removed;
}

HnswGraph::~HnswGraph() = default;

void HnswGraph::add(const float* vector) {
  State& s = *state_;
  if (s.slots == s.capacity) {
    s.capacity = std::max(least_capacity, 2 * s.capacity);  // 0 after an empty graph was read
    s.graph->resizeIndex(static_cast<size_t>(s.capacity));
  }
  auto words = Philox(s.options.seed).block(static_cast<uint64_t>(s.slots));
  s.graph->level_generator_.seed(words[0]);
  s.graph->addPoint(vector, static_cast<hnswlib::labeltype>(s.slots));
  ++s.slots;
}

void HnswGraph::remove(int64_t slot) {
  state_->graph->markDelete(static_cast<hnswlib::labeltype>(slot));
}

std::vector<int64_t> HnswGraph::search(const float* query, int64_t width) const {
  auto found = state_->graph->searchKnn(query, static_cast<size_t>(width));
  std::vector<int64_t> slots;
  for (; !found.empty(); found.pop()) slots.push_back(static_cast<int64_t>(found.top().second));
  return slots;
}

std::string HnswGraph::bytes() const {
  MemoryFile file;
  state_->graph->saveIndex(file.name());
  std::ifstream in(file.name(), std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace strata::introspect

// One tool a process, for comparison with what Debian has of it (peers.py makes the data, does the
// same work and runs the two in turns):
//
//   peers_bench pca FEATURES.npy          all principal components
//   peers_bench gradient                  input gradients of 64 images by ResNet-20
//   peers_bench integrated                integrated gradients of them, 50 nodes
//   peers_bench index VECTORS.npy         an HNSW graph of all rows but the last 1,000
//   peers_bench search VECTORS.npy        the 10 nearest of those 1,000 by the graph
//   peers_bench flat VECTORS.npy          and by measuring every row
//
// Prints one line of JSON: milliseconds by the clock and of the processor (all threads), one each
// repetition, peak memory of the process, and what the answer is judged by.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "bench/step.h"
#include "engine/io/npy.h"
#include "engine/ops.h"
#include "models/vision/cifar_resnet.h"
#include "tools/introspect/attribution/gradient.h"
#include "tools/introspect/attribution/path.h"
#include "tools/introspect/maps/pca.h"
#include "tools/introspect/search/index.h"

namespace strata {
namespace {

using namespace introspect;

constexpr int64_t queries = 1000, nearest = 10;

// What is repeated, and by what its answer is judged.
struct Work {
  std::function<void()> run;
  std::function<double()> quality;
};

Work pca(const std::string& file) {
  auto fit = std::make_shared<Pca>();
  return {[x = io::load_npy(file), fit] { *fit = fit_pca(x, x.size(1)); },
          [fit] { return fit->variances[0]; }};
}

Work attribution(bool integrated) {
  manual_seed(1);
  auto model = std::make_shared<CifarResNet>();
  model->eval();
  Tensor x = randn({64, 32, 32, 3});
  std::vector<int64_t> target;
  for (int64_t n = 0; n < 64; ++n) target.push_back(n % 10);
  Scores scores = [model](const Tensor& in) { return (*model)(in); };
  return {[=] {
            if (integrated)
              integrated_gradients(scores, x, target);
            else
              gradient_saliency(scores, x, target);
          },
          [] { return 0.0; }};
}

VectorIndex index_of(const Tensor& rows, bool graph) {
  VectorIndex index(rows.size(1), {.graph = graph});
  std::vector<int64_t> ids(static_cast<size_t>(rows.size(0)));
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int64_t>(i);
  index.add(ids, rows);
  return index;
}

// Judged by recall: the share of the true nearest that are found.
Work search(const std::string& file, bool graph, bool build) {
  Tensor all = io::load_npy(file);
  int64_t n = all.size(0) - queries;
  Tensor rows = all.slice(0, 0, n), asked = all.slice(0, n, n + queries);
  auto index = std::make_shared<VectorIndex>(index_of(rows, graph));
  auto truth = index_of(rows, false).search(asked, nearest);
  auto found = std::make_shared<std::vector<std::vector<Match>>>();
  return {[=] {
            if (build) *index = index_of(rows, graph);
            if (!build) *found = index->search(asked, nearest);
          },
          [=] {
            if (build) *found = index->search(asked, nearest);
            double hits = 0;
            for (size_t q = 0; q < truth.size(); ++q)
              for (auto& match : truth[q])
                for (auto& other : (*found)[q]) hits += other.id == match.id;
            return hits / static_cast<double>(queries * nearest);
          }};
}

Work work_of(const std::string& name, const std::string& file) {
  if (name == "pca") return pca(file);
  if (name == "gradient") return attribution(false);
  if (name == "integrated") return attribution(true);
  if (name == "index") return search(file, true, true);
  if (name == "search") return search(file, true, false);
  if (name == "flat") return search(file, false, false);
  std::fprintf(stderr, "peers_bench pca|gradient|integrated|index|search|flat [FILE.npy]\n");
  std::exit(2);
}

void run(const std::string& name, const std::string& file, int repetitions) {
  Work work = work_of(name, file);
  work.run();
  std::string clock, processor;
  for (int i = 0; i < repetitions; ++i) {
    auto start = std::chrono::steady_clock::now();
    std::clock_t used = std::clock();
    work.run();
    std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - start;
    double busy = 1e3 * static_cast<double>(std::clock() - used) / CLOCKS_PER_SEC;
    clock += fmt::format("{}{:.2f}", i ? ", " : "", spent.count());
    processor += fmt::format("{}{:.2f}", i ? ", " : "", busy);
  }
  double peak = process_peak();
  fmt::print(R"({{"times_ms": [{}], "cpu_ms": [{}], "peak_mib": {:.0f}, "quality": {:.6g}}})"
             "\n",
             clock, processor, peak, work.quality());
}

}  // namespace
}  // namespace strata

int main(int argc, char** argv) {
  strata::run(argc > 1 ? argv[1] : "", argc > 2 ? argv[2] : "", argc > 3 ? std::atoi(argv[3]) : 3);
  return 0;
}

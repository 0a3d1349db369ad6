// The linear probe on a file of features, for comparison with scikit-learn (probe_sklearn.py makes
// the file and does the same work):
//
//   probe_sklearn.py make features.npy labels.npy
//   probe_bench features.npy labels.npy [--l2 1e-2] [--tolerance 1e-6] [--repetitions 3]
//
// Prints one line of JSON: milliseconds of each fit by the clock and of the processor (all
// threads), objective and gradient norm at the end, iterations, and the peak of memory (VmHWM of
// the process).
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "bench/step.h"
#include "engine/io/npy.h"
#include "tools/introspect/representation/logistic.h"

namespace strata {
namespace {

double number(int argc, char** argv, const char* name, double otherwise) {
  for (int i = 3; i + 1 < argc; ++i) {
    if (!std::strcmp(argv[i], name)) return std::atof(argv[i + 1]);
  }
  return otherwise;
}

int run(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr,
                 "probe_bench FEATURES.npy LABELS.npy [--l2 L] [--tolerance T] "
                 "[--repetitions R]\n");
    return 2;
  }
  Tensor x = io::load_npy(argv[1]);
  introspect::LabelSet set;
  set.labels = io::load_npy(argv[2]).to_vector<int64_t>();
  for (int64_t label : set.labels) set.classes = std::max(set.classes, label + 1);
  introspect::LogisticOptions options;
  options.l2 = number(argc, argv, "--l2", 1e-2);
  options.tolerance = number(argc, argv, "--tolerance", 1e-6);
  options.max_iterations = 10000;
  introspect::LogisticFit fit;
  std::string times, processor;
  for (int i = 0; i < static_cast<int>(number(argc, argv, "--repetitions", 3)); ++i) {
    auto start = std::chrono::steady_clock::now();
    std::clock_t cpu = std::clock();
    fit = introspect::fit_logistic(x, {set}, options)[0];
    std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - start;
    double busy = 1e3 * static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC;
    times += fmt::format("{}{:.1f}", i ? ", " : "", spent.count());
    processor += fmt::format("{}{:.1f}", i ? ", " : "", busy);
  }
  fmt::print(R"({{"times_ms": [{}], "cpu_ms": [{}], "objective": {:.12f}, "gradient": {:.3g}, )"
             R"("iterations": {}, "peak_mib": {:.0f}}})"
             "\n",
             times, processor, fit.objective, fit.gradient, fit.iterations, process_peak());
  return 0;
}

}  // namespace
}  // namespace strata

int main(int argc, char** argv) { return strata::run(argc, argv); }

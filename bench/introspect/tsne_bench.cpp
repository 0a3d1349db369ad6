// t-SNE against scikit-learn's on the same points, both maps scored by the same function.
//
//   tsne_bench make DATA.npy [N D]        a mixture of ten Gaussians in D dimensions
//   tsne_bench run DATA.npy MAP.npy [exact|barnes_hut|fft]   writes the map, prints seconds of the
//                                         clock and of the processors
//   tsne_bench score DATA.npy MAP.npy...  exact KL over 90 neighbours, trustworthiness, accuracy
//
// tsne_sklearn.py is the rival, with the same perplexity, iterations, exaggeration, learning rate
// and start, and tsne.sh runs them in turn: times depend on what else the machine does, so what is
// quoted is their ratio.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

#include "engine/io/npy.h"
#include "engine/ops.h"
#include "tools/introspect/maps/tsne.h"

namespace {

using namespace strata;

constexpr int64_t components = 10;

// Point i belongs to component i mod 10; centres and points have unit variance along each axis.
void make(const std::string& path, int64_t n, int64_t d) {
  Generator generator(1);
  Tensor centres = randn({components, d}, 0, 1, DType::f32, &generator);
  Tensor x = randn({n, d}, 0, 1, DType::f32, &generator);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < d; ++j) {
      x.data<float>()[i * d + j] += centres.data<float>()[i % components * d + j];
    }
  }
  io::save_npy(path, x);
}

void run(const std::string& data, const std::string& path, const std::string& method) {
  Tensor x = io::load_npy(data);
  introspect::TsneOptions options{.perplexity = 30, .iterations = 1000, .exaggerated = 250};
  if (method == "exact") options.method = introspect::TsneMethod::exact;
  if (method == "barnes_hut") options.method = introspect::TsneMethod::barnes_hut;
  if (method == "fft") options.method = introspect::TsneMethod::fft;
  auto start = std::chrono::steady_clock::now();
  std::clock_t processor = std::clock();
  auto result = introspect::tsne(x, options);
  std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::printf("strata %s %.2f s, processors %.2f s\n", method.c_str(), seconds.count(),
              static_cast<double>(std::clock() - processor) / CLOCKS_PER_SEC);
  io::save_npy(path, result.map);
}

void score(const std::string& data, int count, char** paths) {
  Tensor x = io::load_npy(data);
  auto p = introspect::tsne_affinities(introspect::nearest_neighbours(x, 90), 30);
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < x.size(0); ++i) labels.push_back(i % components);
  for (int i = 0; i < count; ++i) {
    Tensor map = io::load_npy(paths[i]).to(DType::f64);
    std::printf("%s: KL %.4f, trustworthiness %.4f, accuracy of 10 neighbours %.4f\n", paths[i],
                introspect::tsne_divergence(p, map), introspect::trustworthiness(x, map),
                introspect::neighbour_accuracy(map, labels));
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string command = argc > 2 ? argv[1] : "";
  if (command == "make") {
    make(argv[2], argc > 3 ? std::atoll(argv[3]) : 10000, argc > 4 ? std::atoll(argv[4]) : 50);
  } else if (command == "run" && argc > 3) {
    run(argv[2], argv[3], argc > 4 ? argv[4] : "automatic");
  } else if (command == "score" && argc > 3) {
    score(argv[2], argc - 3, argv + 3);
  } else {
    std::fprintf(stderr,
                 "usage: tsne_bench make|run|score DATA.npy ...; see the head of the file\n");
    return 2;
  }
}

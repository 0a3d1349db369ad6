// What attribution of 64 images of 32x32x3 by ResNet-20 costs, in units of a forward and backward
// pass of the same images (gradients of all weights, as in training; the network in inference mode,
// as it is explained). The unit is timed right before and after every run of a method, and the
// median over the runs of the ratio is shown: a machine that is busy with other work slows both.
//
//   attribution_bench [runs]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/tensor/allocator.h"
#include "models/vision/cifar_resnet.h"
#include "tools/introspect/attribution/cam.h"
#include "tools/introspect/attribution/gradient.h"
#include "tools/introspect/attribution/path.h"
#include "tools/introspect/attribution/perturbation.h"

namespace strata {
namespace {

using namespace introspect;

struct Times {
  double clock = 0, processor = 0;  // seconds
};
Times timed(const std::function<void()>& work) {
  auto start = std::chrono::steady_clock::now();
  std::clock_t used = std::clock();
  work();
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
          static_cast<double>(std::clock() - used) / CLOCKS_PER_SEC};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : 0.5 * (values[half - 1] + values[half]);
}

struct Case {
  std::string name;
  std::function<void()> work;
};

void run(int runs, const std::string& chosen) {
  manual_seed(1);
  CifarResNet model;
  model.eval();
  Tensor x = randn({64, 32, 32, 3});
  std::vector<int64_t> target;
  for (int64_t n = 0; n < 64; ++n) target.push_back(n % 10);
  Scores scores = [&](const Tensor& in) { return model(in); };
  auto unit = [&] {
    backward(sum(target_scores(model(x), target)));
    model.zero_grad();
  };
  PathOptions half{.limit = {.examples = 32}};
  std::vector<Case> cases{
      {"forward", [&] { scores_of(scores, x, target); }},
      {"gradient", [&] { gradient_saliency(scores, x, target); }},
      {"Grad-CAM at layer3", [&] { grad_cam(scores, x, target, "layer3"); }},
      {"SmoothGrad-20", [&] { smooth_grad(scores, x, target, {.samples = 20}); }},
      {"occlusion 4x4", [&] { occlusion(scores, x, target, {.window = 4}); }},
      {"integrated gradients, 50 nodes", [&] { integrated_gradients(scores, x, target); }},
      {"integrated gradients, passes of 32",
       [&] { integrated_gradients(scores, x, target, half); }},
  };
  for (int i = 0; i < 3; ++i) unit();
  std::printf("%-32s %10s %10s %10s %10s\n", "", "seconds", "in units", "processor", "peak MiB");
  std::vector<double> units;
  for (auto& c : cases) {
    if (c.name.find(chosen) == std::string::npos) continue;
    std::vector<double> seconds, ratios, processor;
    memory::reset_peak();
    c.work();
    double peak = static_cast<double>(memory::stats().peak) / 1048576;
    for (int i = 0; i < runs; ++i) {
      Times before = timed(unit), own = timed(c.work), after = timed(unit);
      seconds.push_back(own.clock);
      ratios.push_back(own.clock / (0.5 * (before.clock + after.clock)));
      processor.push_back(own.processor / (0.5 * (before.processor + after.processor)));
      units.push_back(before.clock);
      units.push_back(after.clock);
    }
    std::printf("%-32s %10.4f %10.2f %10.2f %10.1f\n", c.name.c_str(), median(seconds),
                median(ratios), median(processor), peak);
    std::fflush(stdout);
  }
  std::printf("%-32s %10.4f\n", "unit: forward and backward", median(units));
}

}  // namespace
}  // namespace strata

int main(int argc, char** argv) {
  strata::run(argc > 1 ? std::max(1, std::atoi(argv[1])) : 7, argc > 2 ? argv[2] : "");
  return 0;
}

// What it costs to keep every named activation of ResNet-20 (128 images of 32x32x3, no gradients):
// a forward pass with and without Capture, in turns. Prints the medians and the median of the
// ratios of neighbouring passes.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "models/vision/cifar_resnet.h"
#include "tools/introspect/capture.h"

namespace strata {
namespace {

double seconds(const std::function<void()>& f) {
  auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int measure(int rounds) {
  manual_seed(1);
  CifarResNet model;
  model.eval();
  Tensor x = randn({128, 32, 32, 3});
  NoGrad off;
  size_t kept = 0;
  auto plain = [&] { model(x); };
  auto captured = [&] {
    introspect::Capture capture;
    model(x);
    kept = capture.names().size();
  };
  for (int i = 0; i < 5; ++i) plain(), captured();
  std::vector<double> without, with, ratios;
  for (int i = 0; i < rounds; ++i) {
    bool first = i % 2 == 0;
    double a = seconds(first ? std::function<void()>(plain) : captured);
    double b = seconds(first ? std::function<void()>(captured) : plain);
    if (!first) std::swap(a, b);
    without.push_back(a);
    with.push_back(b);
    ratios.push_back(b / a);
  }
  fmt::print("forward {:.1f} ms, with {} activations kept {:.1f} ms, ratio {:.3f}\n",
             1e3 * median(without), kept, 1e3 * median(with), median(ratios));
  return 0;
}

}  // namespace
}  // namespace strata

int main(int, char**) { return strata::measure(61); }

// Every method on the gpu (simulated where there is none) gives what it gives on the cpu.
#include <gtest/gtest.h>

#include "tests/introspect/attribution/models.h"
#include "tools/introspect/attribution/baseline.h"
#include "tools/introspect/attribution/cam.h"
#include "tools/introspect/attribution/full_gradient.h"
#include "tools/introspect/attribution/gradient.h"
#include "tools/introspect/attribution/group_values.h"
#include "tools/introspect/attribution/path.h"
#include "tools/introspect/attribution/perturbation.h"

namespace strata::introspect {
namespace {

using namespace test;

ConvNetwork network_on(Device device) {
  ConvNetwork network;
  for (Tensor* t : {&network.kernel1, &network.bias1, &network.kernel2, &network.bias2,
                    &network.head, &network.head_bias}) {
    *t = t->to(DType::f32).to(device);
  }
  return network;
}

using Method = std::function<Tensor(const Scores& model, const Tensor& x)>;

TEST(Attribution, OnTheGpuIsThatOnTheCpu) {
  std::vector<int64_t> target{0, 1};
  std::vector<std::pair<const char*, Method>> runs{
      {"gradient", [&](auto& model, auto& x) { return gradient_saliency(model, x, target); }},
      {"SmoothGrad", [&](auto& m, auto& x) { return smooth_grad(m, x, target, {.samples = 2}); }},
      {"Gauss-Legendre",
       [&](auto& model, auto& x) {
         return integrated_gradients(model, x, target, {.steps = 5}).attribution;
       }},
      {"exact",
       [&](auto& model, auto& x) {
         return integrated_gradients(model, x, target, {.quadrature = Quadrature::exact})
             .attribution;
       }},
      {"conductance",
       [&](auto& model, auto& x) {
         return conductance(model, x, "conv2", target, {.steps = 3}).attribution;
       }},
      {"layer",
       [&](auto& model, auto& x) {
         return layer_integrated_gradients(model, x, "conv1", target, {.steps = 3}).attribution;
       }},
      {"occlusion", [&](auto& model, auto& x) { return occlusion(model, x, target); }},
      {"Shapley",
       [&](auto& model, auto& x) {
         return shapley_values(model, x, target, {.groups = arange(0, 2)}).values;
       }},
      {"sampled Shapley",
       [&](auto& model, auto& x) {
         return sampled_shapley_values(model, x, target, {.groups = arange(0, 2)},
                                       {.permutations = 4})
             .values;
       }},
      {"Grad-CAM", [&](auto& m, auto& x) { return grad_cam(m, x, target, "conv2", false); }},
      {"Grad-CAM++",
       [&](auto& m, auto& x) { return grad_cam_plus_plus(m, x, target, "conv2", false); }},
      {"HiResCAM", [&](auto& m, auto& x) { return hires_cam(m, x, target, "conv2", false); }},
      {"LayerCAM", [&](auto& m, auto& x) { return layer_cam(m, x, target, "conv2", false); }},
      {"EigenCAM", [&](auto& m, auto& x) { return eigen_cam(m, x, "conv2"); }},
      {"Score-CAM",
       [&](auto& m, auto& x) { return score_cam(m, x, target, "conv2", {.rectify = false}); }},
      {"Ablation-CAM",
       [&](auto& m, auto& x) { return ablation_cam(m, x, target, "conv2", {.rectify = false}); }},
      {"FullGrad",
       [&](auto& m, auto& x) { return full_gradient_map(full_gradient(m, x, target)); }},
      {"blur", [&](auto&, auto& x) { return blurred_baseline(x, 1); }},
      {"noise", [&](auto&, auto& x) { return noise_baseline(x); }},
  };
  Scores here = network_on(Device::cpu), there = network_on(Device::gpu);
  Tensor x = random({2, 8, 8, 2}, 1).to(DType::f32), moved = x.to(Device::gpu);
  for (auto& [name, run] : runs) {
    Tensor expected = run(here, x), found = run(there, moved).to(Device::cpu);
    double scale = max(abs(expected)).item();
    EXPECT_GT(scale, 1e-4) << name;
    EXPECT_LT(largest_difference(found, expected), 1e-4 * scale) << name;
  }
}

}  // namespace
}  // namespace strata::introspect

// Elementwise ops as layers, so that they have names and can stand in a Sequential.
#pragma once

#include "engine/nn/layer.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/random.h"
#include "engine/ops/softmax.h"

namespace strata {

struct ReLU : Layer {
  std::string kind() const override { return "ReLU"; }
  Tensor forward(const Tensor& x) override { return relu(x); }
};

struct LeakyReLU : Layer {
  double slope;
  explicit LeakyReLU(double slope = 0.01) : slope(slope) {}
  std::string kind() const override { return fmt::format("LeakyReLU({})", slope); }
  Tensor forward(const Tensor& x) override { return leaky_relu(x, slope); }
};

struct ELU : Layer {
  double alpha;
  explicit ELU(double alpha = 1) : alpha(alpha) {}
  std::string kind() const override { return fmt::format("ELU({})", alpha); }
  Tensor forward(const Tensor& x) override { return elu(x, alpha); }
};

// x Phi(x); or the tanh approximation that GPT-2 uses (Hendrycks and Gimpel 2016).
struct GELU : Layer {
  bool approximate;
  explicit GELU(bool tanh_approximation = false) : approximate(tanh_approximation) {}
  std::string kind() const override { return approximate ? "GELU(tanh)" : "GELU"; }
  Tensor forward(const Tensor& x) override { return approximate ? gelu_tanh(x) : gelu(x); }
};

struct SiLU : Layer {
  std::string kind() const override { return "SiLU"; }
  Tensor forward(const Tensor& x) override { return silu(x); }
};

struct Tanh : Layer {
  std::string kind() const override { return "Tanh"; }
  Tensor forward(const Tensor& x) override { return tanh(x); }
};

struct Sigmoid : Layer {
  std::string kind() const override { return "Sigmoid"; }
  Tensor forward(const Tensor& x) override { return sigmoid(x); }
};

struct Softplus : Layer {
  std::string kind() const override { return "Softplus"; }
  Tensor forward(const Tensor& x) override { return softplus(x); }
};

struct HardSwish : Layer {
  std::string kind() const override { return "HardSwish"; }
  Tensor forward(const Tensor& x) override { return hard_swish(x); }
};

struct Softmax : Layer {
  int axis;
  explicit Softmax(int axis = -1) : axis(axis) {}
  std::string kind() const override { return fmt::format("Softmax(axis {})", axis); }
  Tensor forward(const Tensor& x) override { return softmax(x, axis); }
};

struct Identity : Layer {
  std::string kind() const override { return "Identity"; }
  Tensor forward(const Tensor& x) override { return x; }
};

// In training, zeroes elements with probability p and scales the rest by 1 / (1 - p) (Srivastava et
// al. 2014); draws from the default generator.
struct Dropout : Layer {
  double p;
  explicit Dropout(double p = 0.5) : p(p) {
    if (!(p >= 0 && p < 1)) fail("Dropout", Caller{}, "p must be in [0, 1); got {}", p);
  }
  std::string kind() const override { return fmt::format("Dropout({})", p); }
  Tensor forward(const Tensor& x) override { return dropout(x, p, training()); }
};

}  // namespace strata

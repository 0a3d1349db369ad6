// The four families of networks.h as losses of their parameters, and a small linear regression
// whose curvature is known in closed form.
#pragma once

#include <string>

#include "tests/introspect/networks.h"
#include "tools/introspect/curvature/objective.h"

namespace strata::introspect::test {

struct FamilyObjective {
  std::string name;
  std::function<Tensor(int64_t)> example;  // loss of one of the 4 examples
  Objective objective;                     // their mean
};

template <class Network>
FamilyObjective family(const char* name, Network network, std::vector<Tensor> parameters,
                       const Tensor& x, int64_t classes) {
  for (Tensor& parameter : parameters) parameter.set_requires_grad();
  Generator generator(77);
  Tensor labels = randint(0, classes, {x.size(0)}, DType::i64, &generator);
  return {name,
          [=](int64_t i) {
            return cross_entropy(network(x.slice(0, i, i + 1)), labels.slice(0, i, i + 1));
          },
          {[=] { return cross_entropy(network(x), labels); }, parameters}};
}

inline std::vector<FamilyObjective> family_objectives() {
  ConvNetwork c;
  RecurrentNetwork r;
  GraphNetwork g;
  AttentionNetwork a;
  return {family("convolution", c, {c.kernel1, c.bias1, c.kernel2, c.bias2, c.head, c.head_bias},
                 random({4, 8, 8, 2}, 1), 3),
          family("recurrent", r, {r.input, r.recurrent, r.bias, r.head}, random({4, 5, 3}, 2), 2),
          family("graph", g, {g.weight1, g.weight2, g.head}, random({4, 5, 3}, 3), 2),
          family("attention", a, {a.qkv, a.projection, a.expand, a.contract, a.head},
                 random({4, 6, 8}, 4), 3)};
}

// x [N, D], y [N]; loss of example i: (x_i . w - y_i)^2 / 2; the objective is their mean plus
// ridge |w|^2 / 2, with Hessian x'x / N + ridge.
struct Regression {
  Tensor x, y, w;
  double ridge = 0;
  Regression(int64_t n, int64_t d, double ridge)
      : x(random({n, d}, 51)), y(random({n}, 52)), w(zeros({d}, DType::f64)), ridge(ridge) {
    w.set_requires_grad();
  }
  Tensor example(int64_t i) const {
    Tensor error = dot(x.select(0, i), w) - y.select(0, i);
    return square(error) / 2.0;
  }
  Objective objective() const {
    return {[*this] {
              Tensor fit = mean(square(matmul(x, w) - y)) / 2.0;
              return fit + sum(w * w) * (ridge / 2);
            },
            {w}};
  }
  Tensor hessian_matrix() const {
    NoGrad off;
    return matmul(x.transpose(0, 1), x) / static_cast<double>(x.size(0)) +
           ridge * eye(x.size(1), DType::f64);
  }
};

}  // namespace strata::introspect::test

// A two-layer Gpt with weights set by hand, f64, that does induction: after "... a b ... a" it says
// "b". Everything about it is known, so that views of it can be asserted.
//
// The stream has three slots of n = 12: [token | position | token before]. Head 0.0 looks at the
// position before (query: position shifted by one, key: position) and copies the token there into
// the third slot; head 1.0 looks where the token before is the query's token and copies the token
// there into the first slot, tripled. Heads 0.1 and 1.1 look everywhere and write nothing, and so
// do the mlps. Norms see as many ones in every position, so they only scale and shift.
#pragma once

#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "models/language/gpt.h"

namespace strata::introspect::test {

class InductionNetwork : public Gpt {
 public:
  static constexpr int64_t n = 12;  // tokens and positions
  InductionNetwork()
      : Gpt({.vocabulary = n, .context = n, .width = 3 * n, .heads = 2, .layers = 2}) {
    to(DType::f64);
    NoGrad off;
    for (auto& [name, tensor] : named_parameters()) {
      if (!name.ends_with("norm.weight") && !name.ends_with("norm1.weight") &&
          !name.ends_with("norm2.weight")) {
        fill_(tensor, 0);
      }
      if (name == "token.weight") copy_(tensor.slice(1, 0, n), eye(n, DType::f64));
      if (name == "position") copy_(tensor.slice(1, n, 2 * n), eye(n, DType::f64));
    }
    // Query i of head 0.0 reads position i + 1, key i position i.
    for (int64_t i = 0; i + 1 < n; ++i) set_qkv(0, i, n + i + 1, sharp);
    for (int64_t i = 0; i < n; ++i) {
      set_qkv(0, width + i, n + i, sharp);
      copy(0, i, 2 * n + i, 2, 1);
      // Query i of head 1.0 reads token i, key i the token before.
      set_qkv(1, i, i, sharp);
      set_qkv(1, width + i, 2 * n + i, sharp);
      copy(1, i, i, 3, 3);
    }
  }
  // [1, length]: token 0, then `once` over and over.
  static Tensor tokens(const std::vector<int64_t>& once, int64_t length) {
    std::vector<int64_t> all = {0};
    for (int64_t t = 1; t < length; ++t) {
      all.push_back(once[static_cast<size_t>(t - 1) % once.size()]);
    }
    return from_vector(all, {1, length});
  }

 private:
  static constexpr int64_t width = 3 * n;
  static constexpr double sharp = 4;

  void set_qkv(int64_t layer, int64_t row, int64_t column, double value) {
    fill_(find_parameter(layer, "attention.qkv.weight").select(0, row).select(0, column), value);
  }
  // Head 0's value i reads token i of a normalised stream with `ones` ones, as 1 or 0, and `gain`
  // times it is written to `place`.
  void copy(int64_t layer, int64_t i, int64_t place, double ones, double gain) {
    double mean = ones / width, deviation = std::sqrt(mean - mean * mean + 1e-5);
    set_qkv(layer, 2 * width + i, i, deviation);
    fill_(find_parameter(layer, "attention.qkv.bias").select(0, 2 * width + i), mean);
    fill_(find_parameter(layer, "attention.projection.weight").select(0, place).select(0, i), gain);
  }
  Tensor find_parameter(int64_t layer, const std::string& name) {
    std::string path = fmt::format("blocks.{}.{}", layer, name);
    for (auto& parameter : named_parameters()) {
      if (parameter.name == path) return parameter.tensor.detach();
    }
    fail("InductionNetwork", Caller{}, "no parameter '{}'", path);
  }
};

}  // namespace strata::introspect::test

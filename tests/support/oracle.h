// Float64 oracles as plain loops: Array is a shape and its values in row-major order, with the few
// helpers that make a loop over it short. Nothing here uses the engine's arithmetic.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <stdexcept>
#include <vector>

#include "engine/tensor/dims.h"
#include "engine/tensor/tensor.h"

namespace strata::test {

struct Array {
  Dims shape;
  std::vector<double> values;
  // Set for inputs whose type does not follow the type under test: indices, masks.
  std::optional<DType> fixed;
  bool constant = false;   // a float input that the op gives no gradient
  bool undefined = false;  // stands for Tensor() (an absent bias, say)

  int64_t numel() const { return static_cast<int64_t>(values.size()); }
  int rank() const { return shape.rank(); }
  int64_t offset(const Dims& index) const {
    if (index.rank() != rank()) throw std::logic_error("oracle: index of another rank");
    int64_t at = 0;
    for (int i = 0; i < rank(); ++i) {
      if (index[i] < 0 || index[i] >= shape[i]) throw std::logic_error("oracle: out of bounds");
      at = at * shape[i] + index[i];
    }
    return at;
  }
  double operator[](const Dims& index) const { return values[static_cast<size_t>(offset(index))]; }
  double& operator[](const Dims& index) { return values[static_cast<size_t>(offset(index))]; }
};
using Arrays = std::vector<Array>;

inline Array array(const Dims& shape, double value = 0) {
  return {
      shape, std::vector<double>(static_cast<size_t>(shape.product()), value), {}, false, false};
}
inline Array array(const Dims& shape, std::vector<double> values) {
  if (static_cast<int64_t>(values.size()) != shape.product()) {
    throw std::logic_error("oracle: values do not fill the shape");
  }
  return {shape, std::move(values), {}, false, false};
}
inline Array number(double value) { return array({}, value); }
// An absent optional operand.
inline Array none() {
  Array a;
  a.undefined = true;
  return a;
}
// The same values as an input of a given type (i64 indices, bool masks).
inline Array as(Array a, DType dtype) {
  a.fixed = dtype;
  return a;
}
// The same values as an input that gets no gradient.
inline Array constant(Array a) {
  a.constant = true;
  return a;
}

// f(index) for each index of the shape, row-major.
template <class F>
void for_each_index(const Dims& shape, F&& f) {
  if (shape.product() == 0) return;
  Dims index = Dims::filled(shape.rank(), 0);
  while (true) {
    f(static_cast<const Dims&>(index));
    int axis = shape.rank() - 1;
    for (; axis >= 0; --axis) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}

// The element that broadcasting puts at `index` of a larger shape.
inline double broadcast_at(const Array& a, const Dims& index) {
  Dims own = Dims::filled(a.rank(), 0);
  int shift = index.rank() - a.rank();
  for (int i = 0; i < a.rank(); ++i) own[i] = a.shape[i] == 1 ? 0 : index[i + shift];
  return a[own];
}

template <class F>
Array map(const Array& x, F&& f) {
  Array out = array(x.shape);
  for (size_t i = 0; i < x.values.size(); ++i) out.values[i] = f(x.values[i]);
  return out;
}

// f(a, b) with broadcasting.
template <class F>
Array zip(const Array& a, const Array& b, F&& f) {
  Dims shape;
  if (!broadcast(a.shape, b.shape, &shape)) throw std::logic_error("oracle: no broadcast");
  Array out = array(shape);
  for_each_index(shape, [&](const Dims& i) { out[i] = f(broadcast_at(a, i), broadcast_at(b, i)); });
  return out;
}

// f(values) over the elements that share the other axes; no axes means all.
template <class F>
Array reduce(const Array& x, const Dims& axes, bool keep, F&& f) {
  std::vector<bool> reduced(static_cast<size_t>(x.rank()), axes.empty());
  for (int64_t axis : axes) reduced[static_cast<size_t>(axis < 0 ? axis + x.rank() : axis)] = true;
  Dims kept, shape;
  for (int i = 0; i < x.rank(); ++i) {
    bool gone = reduced[static_cast<size_t>(i)];
    kept.push_back(gone ? 1 : x.shape[i]);
    if (!gone || keep) shape.push_back(gone ? 1 : x.shape[i]);
  }
  std::vector<std::vector<double>> groups(static_cast<size_t>(kept.product()));
  Array places = array(kept);
  for_each_index(x.shape, [&](const Dims& index) {
    Dims place = index;
    for (int i = 0; i < x.rank(); ++i) {
      if (reduced[static_cast<size_t>(i)]) place[i] = 0;
    }
    groups[static_cast<size_t>(places.offset(place))].push_back(x[index]);
  });
  Array out = array(shape);
  for (size_t i = 0; i < groups.size(); ++i) out.values[i] = f(groups[i]);
  return out;
}

// Example inputs from a seed. The same seed gives the same values on every machine.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  double real(double low, double high) {
    return low + (high - low) * static_cast<double>(engine_() >> 11) * 0x1p-53;
  }
  int64_t integer(int64_t low, int64_t high) {  // in [low, high)
    return low + static_cast<int64_t>(engine_() % static_cast<uint64_t>(high - low));
  }
  Array uniform(const Dims& shape, double low = -2, double high = 2) {
    Array a = array(shape);
    for (double& v : a.values) v = real(low, high);
    return a;
  }
  // No value within `distance` of a kink: finite differences need a smooth neighbourhood.
  Array uniform_away(const Dims& shape, double low, double high, const std::vector<double>& kinks,
                     double distance = 0.05) {
    Array a = array(shape);
    for (double& v : a.values) {
      auto close = [&](double k) { return std::abs(v - k) < distance; };
      do v = real(low, high);
      while (std::any_of(kinks.begin(), kinks.end(), close));
    }
    return a;
  }
  // Values at least `gap` apart (for max, sort): a shuffled, centred arithmetic progression.
  Array distinct(const Dims& shape, double gap = 0.25) {
    Array a = array(shape);
    size_t n = a.values.size();
    for (size_t i = 0; i < n; ++i) {
      a.values[i] = gap * (static_cast<double>(i) - static_cast<double>(n) / 2);
    }
    for (size_t i = n; i > 1; --i) std::swap(a.values[i - 1], a.values[engine_() % i]);
    return a;
  }
  // Integers in [low, high), as i64.
  Array integers(const Dims& shape, int64_t low, int64_t high, DType dtype = DType::i64) {
    Array a = as(array(shape), dtype);
    for (double& v : a.values) v = static_cast<double>(integer(low, high));
    return a;
  }
  Array booleans(const Dims& shape) { return integers(shape, 0, 2, DType::boolean); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace strata::test

// Dims: up to eight sizes or strides, kept inline so that shapes cost no allocation.
// The functions below are the arithmetic of shapes: broadcasting, row-major strides, axes.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "engine/error.h"

namespace strata {

inline constexpr int max_rank = 8;

class Dims {
 public:
  Dims() = default;
  Dims(std::initializer_list<int64_t> values) { assign(values.begin(), values.size()); }
  Dims(std::span<const int64_t> values) { assign(values.data(), values.size()); }
  Dims(const std::vector<int64_t>& values) { assign(values.data(), values.size()); }
  static Dims filled(int rank, int64_t value) {
    Dims dims;
    dims.resize(rank, value);
    return dims;
  }

  int rank() const { return rank_; }
  bool empty() const { return rank_ == 0; }
  int64_t operator[](int i) const { return values_[i < 0 ? i + rank_ : i]; }
  int64_t& operator[](int i) { return values_[i < 0 ? i + rank_ : i]; }
  const int64_t* begin() const { return values_.data(); }
  const int64_t* end() const { return values_.data() + rank_; }
  int64_t* begin() { return values_.data(); }
  int64_t* end() { return values_.data() + rank_; }
  int64_t back() const { return values_[rank_ - 1]; }
  // Product of all sizes: 1 for a scalar.
  int64_t product() const {
    int64_t n = 1;
    for (int i = 0; i < rank_; ++i) n *= values_[i];
    return n;
  }
  void push_back(int64_t value);
  void insert(int position, int64_t value);
  void erase(int position);
  void resize(int rank, int64_t value = 1);
  bool operator==(const Dims& other) const {
    if (rank_ != other.rank_) return false;
    for (int i = 0; i < rank_; ++i)
      if (values_[i] != other.values_[i]) return false;
    return true;
  }

 private:
  void assign(const int64_t* values, size_t count);
  std::array<int64_t, max_rank> values_;
  int rank_ = 0;
};

// "[32,784]", "[]" for a scalar.
std::string to_string(const Dims& dims);

// Row-major strides in elements.
Dims contiguous_strides(const Dims& shape);
bool is_contiguous(const Dims& shape, const Dims& strides);

// Axis -rank..rank-1 made 0..rank-1; out of range is an error of `op`.
int normalize_axis(const char* op, int axis, int rank, Caller at);
// Axes without repeats, in ascending order; no axes means all of them.
Dims normalize_axes(const char* op, const Dims& axes, int rank, Caller at);

// NumPy's rule: align at the right; a size 1 stretches; anything else must be equal.
// Returns false when the shapes do not fit.
bool broadcast(const Dims& a, const Dims& b, Dims* out);
Dims broadcast_shapes(const char* op, const Dims& a, const Dims& b, Caller at);
// Strides of `shape` seen as `target`: 0 along the stretched axes.
Dims broadcast_strides(const Dims& shape, const Dims& strides, const Dims& target);

// Strides that show the same elements as `shape` after a reshape, or false when a copy is needed.
bool reshape_strides(const Dims& shape, const Dims& strides, const Dims& target, Dims* out);

}  // namespace strata

#include "engine/tensor/dims.h"

#include <algorithm>

namespace strata {

void Dims::assign(const int64_t* values, size_t count) {
  if (count > max_rank) {
    throw Error(fmt::format("a tensor has at most {} axes; {} were given", max_rank, count));
  }
  rank_ = static_cast<int>(count);
  std::copy_n(values, count, values_.begin());
}

void Dims::push_back(int64_t value) { insert(rank_, value); }

void Dims::insert(int position, int64_t value) {
  if (rank_ == max_rank) throw Error(fmt::format("a tensor has at most {} axes", max_rank));
  std::copy_backward(begin() + position, end(), end() + 1);
  values_[position] = value;
  ++rank_;
}

void Dims::erase(int position) {
  std::copy(begin() + position + 1, end(), begin() + position);
  --rank_;
}

void Dims::resize(int rank, int64_t value) {
  while (rank_ < rank) push_back(value);
  rank_ = rank;
}

std::string to_string(const Dims& dims) {
  return fmt::format("[{}]", fmt::join(dims.begin(), dims.end(), ","));
}

Dims contiguous_strides(const Dims& shape) {
  Dims strides = shape;
  int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    strides[i] = step;
    step *= std::max<int64_t>(shape[i], 1);
  }
  return strides;
}

bool is_contiguous(const Dims& shape, const Dims& strides) {
  int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    if (shape[i] != 1 && strides[i] != step) return shape.product() == 0;
    step *= shape[i];
  }
  return true;
}

int normalize_axis(const char* op, int axis, int rank, Caller at) {
  if (axis < -rank || axis >= rank) {
    fail(op, at, "axis {} is outside a tensor of rank {} (allowed: {} to {})", axis, rank, -rank,
         rank - 1);
  }
  return axis < 0 ? axis + rank : axis;
}

Dims normalize_axes(const char* op, const Dims& axes, int rank, Caller at) {
  Dims result;
  if (axes.empty()) {
    for (int i = 0; i < rank; ++i) result.push_back(i);
    return result;
  }
  for (int64_t axis : axes) result.push_back(normalize_axis(op, static_cast<int>(axis), rank, at));
  std::sort(result.begin(), result.end());
  if (std::adjacent_find(result.begin(), result.end()) != result.end()) {
    fail(op, at, "axes {} name an axis twice", to_string(axes));
  }
  return result;
}

bool broadcast(const Dims& a, const Dims& b, Dims* out) {
  const Dims &longer = a.rank() >= b.rank() ? a : b, &shorter = a.rank() >= b.rank() ? b : a;
  *out = longer;
  int shift = longer.rank() - shorter.rank();
  for (int i = 0; i < shorter.rank(); ++i) {
    int64_t x = longer[i + shift], y = shorter[i];
    if (x != y && x != 1 && y != 1) return false;
    (*out)[i + shift] = x == 1 ? y : x;
  }
  return true;
}

Dims broadcast_shapes(const char* op, const Dims& a, const Dims& b, Caller at) {
  Dims out;
  if (!broadcast(a, b, &out)) {
    fail(op, at,
         "shapes {} and {} do not broadcast: counted from the right, sizes must be equal or one of "
         "them 1",
         to_string(a), to_string(b));
  }
  return out;
}

Dims broadcast_strides(const Dims& shape, const Dims& strides, const Dims& target) {
  Dims result = Dims::filled(target.rank(), 0);
  int shift = target.rank() - shape.rank();
  for (int i = 0; i < shape.rank(); ++i) {
    result[i + shift] = shape[i] == 1 && target[i + shift] != 1 ? 0 : strides[i];
  }
  return result;
}

bool reshape_strides(const Dims& shape, const Dims& strides, const Dims& target, Dims* out) {
  *out = contiguous_strides(target);
  if (shape.product() == 0 || is_contiguous(shape, strides)) return true;
  // Walk from the right: each run of source axes that is contiguous in memory may be cut afresh.
  int source = shape.rank() - 1, goal = target.rank() - 1;
  while (source >= 0 || goal >= 0) {
    while (source >= 0 && shape[source] == 1) --source;
    if (source < 0) {
      while (goal >= 0 && target[goal] == 1) --goal;
      return goal < 0;
    }
    int64_t step = strides[source], run = shape[source];
    int next = source - 1;
    while (next >= 0 && (shape[next] == 1 || strides[next] == step * run)) run *= shape[next--];
    int64_t filled = 1;
    while (goal >= 0 && (filled < run || target[goal] == 1)) {
      (*out)[goal] = step * filled;
      filled *= target[goal--];
    }
    if (filled != run) return false;
    source = next;
  }
  return true;
}

}  // namespace strata

// A thin wrapper of oneDNN: the engine, the stream, and a cache of primitives.
//
// Making a primitive (oneDNN's word for a kernel compiled for one set of shapes) costs about 200
// us; running one costs a few hundred ns more than its arithmetic. A training step repeats its
// shapes, so each primitive is made once and kept with the memory objects of its arguments; a call
// looks it up, sets the pointers and runs it. The cache belongs to a thread (memory objects hold
// pointers and must not be shared), holds the most recent few thousand entries, and is keyed by
// everything the primitive was made from: sizes, strides, epilogue and the number of threads.
//
// The constructors of oneDNN 2 and 3 differ; the difference ends here, in the functions
// describe_*().
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <list>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernels/common/parallel.h"

namespace strata::onednn {

using Memory = dnnl::memory;
using Layout = dnnl::memory::desc;
using Sizes = dnnl::memory::dims;

const dnnl::engine& engine();
dnnl::stream& stream();  // one a thread

// Primitives made since the start, by all threads: a second call with the same shapes makes none.
uint64_t primitives_made();

inline Layout layout(const Sizes& sizes, const Sizes& strides) {
  return Layout(sizes, Memory::data_type::f32, strides);
}
inline Layout row_major(const Sizes& sizes) {
  Sizes strides(sizes.size(), 1);
  for (size_t i = sizes.size() - 1; i-- > 0;) strides[i] = strides[i + 1] * sizes[i + 1];
  return layout(sizes, strides);
}
// The layout that oneDNN likes best for this argument; the caller reorders.
inline Layout any_layout(const Sizes& sizes) {
  return Layout(sizes, Memory::data_type::f32, Memory::format_tag::any);
}

// What a primitive was made from. The thread count is always part of it: oneDNN divides the work
// when the primitive is made.
class Key {
 public:
  explicit Key(int family) { *this << family << thread_count(); }
  Key& operator<<(int64_t value) {
    words_.at(count_++) = value;
    return *this;
  }
  bool operator==(const Key& other) const {
    return count_ == other.count_ &&
           std::memcmp(words_.data(), other.words_.data(), count_ * sizeof(int64_t)) == 0;
  }
  size_t hash() const {
    uint64_t h = 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < count_; ++i) {
      h = (h ^ static_cast<uint64_t>(words_[i])) * 0xff51afd7ed558ccdu;
      h ^= h >> 32;
    }
    return h;
  }

 private:
  std::array<int64_t, 48> words_;
  size_t count_ = 0;
};

// The `capacity` most recently used values. find_or_make() calls make() on a miss.
template <class Value>
class Cache {
 public:
  template <class Make>
  Value& find_or_make(const Key& key, Make&& make) {
    auto found = index_.find(key);
    if (found != index_.end()) {
      if (found->second != entries_.begin()) {
        entries_.splice(entries_.begin(), entries_, found->second);
      }
      return entries_.front().second;
    }
    entries_.emplace_front(key, make());
    index_.emplace(key, entries_.begin());
    if (entries_.size() > capacity) {
      index_.erase(entries_.back().first);
      entries_.pop_back();
    }
    return entries_.front().second;
  }
  size_t size() const { return entries_.size(); }

 private:
  static constexpr size_t capacity = 2048;
  struct Hash {
    size_t operator()(const Key& key) const { return key.hash(); }
  };
  using Entries = std::list<std::pair<Key, Value>>;
  Entries entries_;
  std::unordered_map<Key, typename Entries::iterator, Hash> index_;
};

// A primitive and the memory objects of its arguments, ready to run on any pointers.
class Prepared {
 public:
  struct Argument {
    int slot;  // DNNL_ARG_SRC, ...
    Layout layout;
  };
  Prepared() = default;
  Prepared(const dnnl::primitive& primitive, const std::vector<Argument>& arguments);
  // Pointers in the order of the arguments.
  void run(std::initializer_list<const void*> pointers);
  explicit operator bool() const { return !memories_.empty(); }

 private:
  dnnl::primitive primitive_;
  std::vector<Memory> memories_;
  std::vector<const void*> pointers_;
  std::vector<dnnl_exec_arg_t> arguments_;
};
Prepared prepare_reorder(const Layout& from, const Layout& to);

// What follows the product or convolution in the same pass: adding what `out` holds already, then
// max(0, .). (oneDNN 2.6 can also add another tensor, "binary", but gives wrong numbers in one of
// its implementations and loses its fastest one.)
struct Epilogue {
  bool add_to_out = false;
  bool relu = false;
};

// Multiply-adds (or bytes moved) below which waking other threads costs more than it saves: about
// 5 us of work of one core.
inline constexpr int64_t worth_threads = 1 << 18;

// While one lives, work of this thread stays on it.
class OneThread {
 public:
  explicit OneThread(bool wanted) : before_(wanted ? omp_get_max_threads() : 0) {
    if (before_) omp_set_num_threads(1);
  }
  ~OneThread() {
    if (before_) omp_set_num_threads(before_);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

struct ConvolutionLayouts {
  Layout x, weight, bias, out;  // bias: an empty layout when there is none
  Sizes stride, dilation /* 0 means dense */, padding_begin, padding_end;
};

dnnl::matmul::primitive_desc describe_matmul(const Layout& a, const Layout& b, const Layout* bias,
                                             const Layout& out, const Epilogue& epilogue);
dnnl::convolution_forward::primitive_desc describe_convolution(const ConvolutionLayouts& layouts,
                                                               const Epilogue& epilogue);
dnnl::convolution_backward_data::primitive_desc describe_convolution_input_gradient(
    const ConvolutionLayouts& layouts);
dnnl::convolution_backward_weights::primitive_desc describe_convolution_weight_gradient(
    const ConvolutionLayouts& layouts);

// Whether oneDNN fell back to its reference code, which is slower than our own loops.
template <class Description>
bool is_reference(const Description& description) {
  return std::strncmp(description.impl_info_str(), "ref", 3) == 0;
}

}  // namespace strata::onednn

#include "kernels/index/sort.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/common/parallel.h"
#include "kernels/reduce/plan.h"

namespace strata::cpu {
namespace {

template <class T>
using Key = std::conditional_t<sizeof(Compute<T>) == 8, uint64_t, uint32_t>;

// Unsigned numbers in the order of the elements.
template <class T>
Key<T> key_of(T element) {
  using K = Key<T>;
  using Value = Compute<T>;
  constexpr K top = K{1} << (8 * sizeof(K) - 1);
  Value value = static_cast<Value>(element);
  if constexpr (std::is_floating_point_v<Value>) {
    if (value != value) return std::numeric_limits<K>::max();
    K bits = std::bit_cast<K>(value == 0 ? Value{0} : value);
    return bits & top ? ~bits : bits | top;
  } else if constexpr (std::is_signed_v<Value>) {
    return static_cast<K>(value) ^ top;
  } else {
    return static_cast<K>(value);
  }
}

// 32-bit keys and their indices share one word, which sorts several times faster than a pair.
struct Packed {
  uint64_t word;
  Packed() = default;
  Packed(uint32_t key, int64_t index)
      : word(static_cast<uint64_t>(key) << 32 | static_cast<uint64_t>(index)) {}
  int64_t index() const { return static_cast<int64_t>(word & 0xffffffffu); }
  bool operator<(const Packed& other) const { return word < other.word; }
};
struct Paired {
  uint64_t key;
  int64_t at;
  Paired() = default;
  Paired(uint64_t key, int64_t index) : key(key), at(index) {}
  int64_t index() const { return at; }
  bool operator<(const Paired& other) const {
    return key != other.key ? key < other.key : at < other.at;
  }
};

template <class T, class Entry>
void sort_lines(const SortArgs& args, const Lines& lines) {
  const T* x = static_cast<const T*>(args.x);
  T* values = static_cast<T*>(args.values);
  int64_t n = lines.size, k = args.k;
  int64_t grain = std::max<int64_t>(1, 4096 / std::max<int64_t>(n, 1));
  parallel_for(lines.count, grain, [&](int64_t begin, int64_t end) {
    std::vector<Entry> entries(static_cast<size_t>(n));
    for (int64_t line = begin; line < end; ++line) {
      Offsets at = offsets_at(lines.loops, lines.loop_count, line);
      const T* from = x + at.x;
      for (int64_t i = 0; i < n; ++i) {
        Key<T> key = key_of(from[i * lines.stride]);
        entries[i] = Entry(args.descending ? static_cast<Key<T>>(~key) : key, i);
      }
      if (k < n) std::nth_element(entries.begin(), entries.begin() + k, entries.end());
      std::sort(entries.begin(), entries.begin() + k);
      for (int64_t i = 0; i < k; ++i) {
        int64_t place = at.out + i * lines.out_stride, index = entries[i].index();
        if (values) values[place] = from[index * lines.stride];
        args.indices[place] = index;
      }
    }
  });
}

}  // namespace

void sort(const SortArgs& args) {
  int64_t out_strides[max_reduce_rank] = {};
  for (int64_t i = args.rank - 1, step = 1; i >= 0; --i) {
    out_strides[i] = step;
    step *= i == args.axis ? args.k : args.shape[i];
  }
  Lines lines = make_lines(args.rank, args.shape, args.strides, out_strides, args.axis);
  if (lines.count == 0 || args.k == 0) return;
  visit(args.dtype, [&]<class T>(Type<T>) {
    if constexpr (sizeof(Key<T>) == 4) {
      if (lines.size <= (int64_t{1} << 32)) return sort_lines<T, Packed>(args, lines);
    }
    sort_lines<T, Paired>(args, lines);
  });
}

}  // namespace strata::cpu

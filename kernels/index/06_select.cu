// Top-k of lines much longer than k: a bound, then what is within it, instead of a sort.
//
// A group of threads (a warp or a block) shares a line. (key, index) is a total order, so there are
// no ties. First each thread finds the first of its own elements. The k-th of those firsts is a
// bound: at least k elements come no later, and where elements lie in no relation to the threads
// there are few others. A second pass, from cache where the line fits, collects the elements within
// the bound, of which there are about E ln(E / (E - k)) with E threads; they are sorted, one a
// thread, and the first k are the result. Should more elements lie within the bound than the group
// has threads (the first k belong to a few threads), the group instead finds the successor of the
// last element found, k times: k passes, slow and right.
//
// Against rungs 4 and 5: two reads of a line and a sort of 32 or 256 entries, where they sort it
// all. A line on its own is one block's work. Bytes: x once from device memory while lines fit in
// cache (twice if not), values and indices of k places.
#include "kernels/index/order.h"
#include "kernels/reduce/block_reduce.h"
#include "kernels/reduce/columns.h"

namespace strata::gpu::order {
namespace {

constexpr int resident_threads = 896;  // of a multiprocessor: 72 registers each

template <class K>
struct Entry {
  K key;
  uint32_t index;
};
// Without a branch, which would be one an element.
template <class K>
DEVICE bool before(const Entry<K>& a, const Entry<K>& b) {
  if constexpr (sizeof(K) == 4)
    return (uint64_t{a.key} << 32 | a.index) < (uint64_t{b.key} << 32 | b.index);
  else
    return (a.key < b.key) | ((a.key == b.key) & (a.index < b.index));
}
struct First {
  template <class K>
  DEVICE Entry<K> operator()(const Entry<K>& a, const Entry<K>& b) const {
    return before(b, a) ? b : a;
  }
};
template <class K>
DEVICE Entry<K> behind_all() {
  return {static_cast<K>(~K{0}), ~0u};
}
template <class T>
using Key = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

// Calls f(entry) for the elements of a line that are this thread's, in the order of their indices.
template <class Group, class T, class F>
DEVICE void for_each_entry(const T* x, int n, int64_t stride, bool descending, F f) {
  using K = Key<T>;
  constexpr int W = vector_width<T>;
  const int rank = Group::rank(), threads = Group::threads();
  const auto take = [&](T element, int i) {
    const K key = static_cast<K>(key_of(element));
    f(Entry<K>{descending ? static_cast<K>(~key) : key, static_cast<uint32_t>(i)});
  };
  if (stride != 1) {
    for (int i = rank; i < n; i += threads) take(x[i * stride], i);
    return;
  }
  const int lead = (W - phase_of(x)) % W, head = lead < n ? lead : n;
  const int chunks = (n - head) / W, tail = head + chunks * W;
  if (rank < head) take(x[rank], rank);
  for_each_row<W, T>(
      rank, chunks, threads, [&](int c) { return x + head + c * W; },
      [&](int c, const T(&elements)[W]) {
#pragma unroll
        for (int j = 0; j < W; ++j) take(elements[j], head + c * W + j);
      });
  if (tail + rank < n) take(x[tail + rank], tail + rank);
}

// What the groups of a block have in shared memory: an entry a thread, a count a group.
template <class K, int Threads>
struct Candidates {
  Entry<K> entry[Threads];
  uint32_t count[Threads / 32];
};
template <class Group>
DEVICE void group_sync() {
  if constexpr (Group::groups_per_block > 1)
    __syncwarp();
  else
    __syncthreads();
}

// The entries of a group in order, one a thread: the network of rung 7, by shuffles within a warp
// and through `shared`, the group's own, between warps. A warp's 15 steps are unrolled.
template <class Group, class K>
DEVICE Entry<K> sort_entries(Entry<K> mine, Entry<K>* shared) {
  constexpr int entries = Group::block_threads / Group::groups_per_block;
  [[maybe_unused]] constexpr int unrolled = entries == 32 ? 5 : 1;
  const int rank = Group::rank();
#pragma unroll unrolled
  for (int size = 2; size <= entries; size *= 2) {
#pragma unroll unrolled
    for (int bit = size / 2, mask = size - 1; bit > 0; bit /= 2, mask = bit) {
      Entry<K> other;
      if (mask < 32) {
        other = shuffle_xor(mine, mask);
      } else {
        shared[rank] = mine;
        group_sync<Group>();
        other = shared[rank ^ mask];
        group_sync<Group>();
      }
      const bool lower = (rank & bit) == 0;
      if (before(other, mine) == lower) mine = other;
    }
  }
  return mine;
}

template <class Group, class T>
__global__ void __launch_bounds__(Group::block_threads, resident_threads / Group::block_threads)
    select_kernel(Lines lines) {
  using K = Key<T>;
  constexpr int entries = Group::block_threads / Group::groups_per_block;
  auto& shared = block_shared<Candidates<K, Group::block_threads>>();
  const int rank = Group::rank(), group = static_cast<int>(threadIdx.x) / entries;
  Entry<K>* candidates = shared.entry + group * entries;
  uint32_t& count = shared.count[group];
  const int n = static_cast<int>(lines.size), k = static_cast<int>(lines.k);
  for (int64_t index = Group::index(); index < lines.count; index += Group::count()) {
    const uint32_t line = static_cast<uint32_t>(index);
    const T* x = static_cast<const T*>(lines.x) + lines.start(line);
    const auto visit_entries = [&](auto f) {
      for_each_entry<Group>(x, n, lines.stride, lines.descending, f);
    };
    Entry<K> first = behind_all<K>();
    visit_entries([&](const Entry<K>& entry) { first = First{}(first, entry); });
    first = sort_entries<Group>(first, candidates);
    if (rank == k - 1) candidates[0] = first;
    if (rank == 0) count = 0;
    group_sync<Group>();
    const Entry<K> bound = candidates[0];
    group_sync<Group>();
    visit_entries([&](const Entry<K>& entry) {
      if (before(bound, entry)) return;
      const uint32_t at = atomicAdd(&count, 1u);
      if (at < entries) candidates[at] = entry;
    });
    group_sync<Group>();
    const int found = static_cast<int>(count);
    Entry<K> mine = rank < found && rank < entries ? candidates[rank] : behind_all<K>();
    group_sync<Group>();  // the places are used again
    if (found <= entries) {
      mine = sort_entries<Group>(mine, candidates);
      if (rank < k) lines.put(line, static_cast<uint32_t>(rank), mine.index);
      continue;
    }
    Entry<K> last{};
    for (int j = 0; j < k; ++j) {
      Entry<K> next = behind_all<K>();
      visit_entries([&](const Entry<K>& entry) {
        if (j == 0 || before(last, entry)) next = First{}(next, entry);
      });
      last = Group::combine(next, First{});
      if (rank == 0) lines.put(line, static_cast<uint32_t>(j), last.index);
    }
  }
}

template <class Group>
void select_by(const Lines& lines) {
  visit(lines.dtype, [&]<class T>(Type<T>) {
    launch<select_kernel<Group, T>>(
        {.grid = line_blocks(lines.count, Group::groups_per_block, Group::block_threads),
         .block = Group::block_threads},
        lines);
  });
}

// A bound is of use where the line reaches twice as many threads as there are elements wanted.
int64_t threads_reached(const Lines& lines) { return int64_t{lines.size} * lines.bytes / 16; }

}  // namespace

bool selects(const Lines& lines) {
  return lines.k <= largest_selected && threads_reached(lines) >= 2 * int64_t{lines.k} &&
         lines.size <= 1u << 30;
}

void select(const Lines& lines) {
  // A warp a line where k leaves most of its threads over, and lines are short or enough for all.
  const bool warp =
      lines.k <= 16 && (lines.size <= 4096 || lines.count >= device().multiprocessors * 64u);
  if (warp)
    select_by<WarpGroup>(lines);
  else
    select_by<BlockGroup<256>>(lines);
}

}  // namespace strata::gpu::order

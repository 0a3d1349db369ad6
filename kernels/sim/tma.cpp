// The copy engine. An operation is checked and its map is read where it is issued; it moves its
// bytes when it lands (enqueue_async): at once, later, or when nothing else can run. A store has
// two parts that land one after the other: it reads shared memory, as late as bulk_wait_read, then
// it writes global memory, as late as bulk_wait or the end of the block.
#include "kernels/sim/tma.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/gpu/tensor_map.h"
#include "kernels/sim/block.h"
#include "kernels/sim/device_memory.h"
#include "kernels/sim/mbarrier.h"
#include "kernels/sim/tracer.h"

namespace strata::gpu {

TensorMap encode(const TensorLayout& layout) {
  TensorMap map{};
  map.magic = TensorMap::right_magic;
  map.rank = static_cast<uint8_t>(layout.rank);
  map.dtype = layout.dtype;
  map.swizzle = layout.swizzle;
  map.im2col = layout.im2col;
  map.base = static_cast<unsigned char*>(const_cast<void*>(layout.base));
  for (size_t axis = 0; axis < 5; ++axis) {
    map.sizes[axis] = static_cast<uint64_t>(layout.sizes[axis]);
    map.strides[axis] = static_cast<uint64_t>(layout.strides[axis]);
    map.box[axis] = static_cast<uint16_t>(layout.box[axis]);
  }
  for (size_t i = 0; i < 2; ++i) {
    map.lower[i] = static_cast<int8_t>(layout.lower[i]);
    map.upper[i] = static_cast<int8_t>(layout.upper[i]);
    map.steps[i] = static_cast<uint8_t>(layout.steps[i]);
  }
  return map;
}

}  // namespace strata::gpu

namespace strata::sim {

namespace {

using gpu::TensorMap;

// ---- what a box covers ----

// A box of a tensor: rows of box[0] elements along axis 0.
struct Box {
  TensorMap map;
  int64_t at[5] = {};      // coordinates of the first element
  int64_t offset[2] = {};  // im2col: added to w and h

  int64_t element() const { return static_cast<int64_t>(size_of(map.dtype)); }
  int64_t row_bytes() const { return map.box[0] * element(); }
  int64_t rows() const {
    int64_t rows = 1;
    for (int axis = 1; axis < (map.im2col ? 2 : map.rank); ++axis) rows *= map.box[axis];
    return rows;
  }
  int64_t bytes() const { return rows() * row_bytes(); }
};

// Where index {at[1], at[2], ...} begins in memory; null: outside the tensor.
unsigned char* row_start(const TensorMap& map, const int64_t* at) {
  unsigned char* start = map.base;
  for (int axis = 1; axis < map.rank; ++axis) {
    if (at[axis] < 0 || at[axis] >= static_cast<int64_t>(map.sizes[axis])) return nullptr;
    start += static_cast<uint64_t>(at[axis]) * map.strides[axis];
  }
  return start;
}

// Calls f(start) for each row of the box in order.
template <class F>
void for_each_row(const Box& box, F&& f) {
  const TensorMap& map = box.map;
  const int64_t rows = box.rows();
  int64_t at[5];
  if (!map.im2col) {
    for (int64_t row = 0; row < rows; ++row) {
      int64_t rest = row;
      for (int axis = 1; axis < map.rank; ++axis) {
        at[axis] = box.at[axis] + rest % map.box[axis];
        rest /= map.box[axis];
      }
      f(row_start(map, at));
    }
    return;
  }
  int64_t base[4] = {0, box.at[1], box.at[2], box.at[3]};  // the base pixel {-, w, h, n}
  for (int64_t row = 0; row < rows; ++row) {
    at[1] = base[1] + box.offset[0];
    at[2] = base[2] + box.offset[1];
    at[3] = base[3];
    f(row_start(map, at));
    for (int i = 0; i < 2; ++i) {
      base[i + 1] += map.steps[i];
      if (base[i + 1] <= static_cast<int64_t>(map.sizes[i + 1]) - 1 + map.upper[i]) break;
      base[i + 1] = map.lower[i];
      if (i == 1) ++base[3];
    }
  }
}

// The elements of a row that lie inside the tensor: [begin, end), counted from the row's first.
struct Inside {
  int64_t begin, end;
};
Inside inside_of(const Box& box) {
  const int64_t size = static_cast<int64_t>(box.map.sizes[0]), count = box.map.box[0];
  return {std::clamp<int64_t>(-box.at[0], 0, count),
          std::clamp<int64_t>(size - box.at[0], 0, count)};
}

// ---- the tracer's view of an operation ----

struct Ticket {
  Tracer* tracer = config().tracer;
  uint64_t number = 0;

  explicit Ticket(Site site) {
    if (tracer) number = tracer->async_issued(*current, Agent::copy_engine, site);
  }
  void access(Block* block, const void* p, int64_t bytes, bool write) const {
    if (tracer && bytes > 0)
      tracer->async_access(number, block, p, static_cast<size_t>(bytes), write, every_warp);
  }
  void landed(const void* object) const {
    if (tracer) tracer->async_landed(number, object);
  }
};

// ---- checks where an operation is issued ----

void check_global(const void* p, const char* what, Site site) {
  if (!is_device_memory(p))
    fail(fmt::format("{}: {} is not device memory (gpu::allocate)", what, p), site);
}

// The tile's offset in shared memory.
uint32_t check_tile(const Box& box, const void* shared, const char* what, Site site) {
  const uint32_t offset = shared_offset(shared, site),
                 pattern = gpu::swizzle_pattern(box.map.swizzle);
  if (offset % pattern)
    fail(fmt::format(
             "{}: the tile begins at byte {} of shared memory; it must be a multiple of {}{}", what,
             offset, pattern, pattern == 128 ? "" : ", where the pattern of the swizzle begins"),
         site);
  const size_t used = current->block->arena.used;
  if (offset + static_cast<size_t>(box.bytes()) > used)
    fail(fmt::format(
             "{}: the box of {} bytes at byte {} runs past the end of shared memory ({} bytes)",
             what, box.bytes(), offset, used),
         site);
  check_global(box.map.base, what, site);
  return offset;
}

Box make_box(int rank, const TensorMap* map, const int* coordinates, bool im2col, const char* what,
             Site site) {
  require_arch(90, what, site);
  check_tensor_map(map, site);
  if (map->im2col != im2col)
    fail(fmt::format(
             "{}: the map is {}", what,
             map->im2col ? "an im2col map: use tma_load_im2col" : "a tiled one: use tma_load"),
         site);
  if (map->rank != rank)
    fail(fmt::format("{}: {} coordinates for a map of {} axes", what, rank, map->rank), site);
  Box box{.map = *map};
  std::copy_n(coordinates, rank, box.at);
  // An H100 calls anything else an illegal instruction.
  if (box.at[0] * box.element() % 16)
    fail(fmt::format("{}: the box begins at element {} of axis 0, {} bytes from the tensor's edge; "
                     "it must be a multiple of 16",
                     what, box.at[0], box.at[0] * box.element()),
         site);
  return box;
}

// ---- loads ----

// The blocks a load goes to, and the place of its tile and its barrier in each.
struct Target {
  Block* block;
  unsigned char* tile;
  uint64_t* barrier;
};

std::vector<Target> targets_of(const void* shared, const uint64_t* barrier, int blocks,
                               const char* what, Site site) {
  Block& self = *current->block;
  Gang& gang = *self.gang;
  const uint32_t tile = shared_offset(shared, site), object = shared_offset(barrier, site);
  if (object % 8) fail(fmt::format("{}: the mbarrier is not aligned to 8 bytes", what), site);
  const uint32_t mask = blocks == own_block ? 1u << self.rank : static_cast<uint32_t>(blocks);
  if (mask == 0 || mask >> gang.block_count)
    fail(fmt::format("{}: mask 0x{:x} of blocks, of a cluster of {}", what, mask, gang.block_count),
         site);
  std::vector<Target> targets;
  for (uint32_t rank = 0; rank < gang.block_count; ++rank) {
    if (!(mask >> rank & 1)) continue;
    unsigned char* base = gang.blocks[rank]->arena.base;
    targets.push_back(
        {gang.blocks[rank].get(), base + tile, reinterpret_cast<uint64_t*>(base + object)});
  }
  return targets;
}

void arrive(const Target& target, int64_t bytes, const Ticket& ticket, const char* what,
            Site site) {
  if (!is_initialised(mbarrier_bits(target.barrier)))
    fail(fmt::format(
             "{}: the mbarrier of block {} of the cluster was not initialised when the copy landed",
             what, target.block->rank),
         site);
  ticket.landed(target.barrier);
  complete_transaction(target.barrier, bytes, *target.block);
}

// Writes the box's rows to a tile: dense, zeros outside the tensor, permuted by the swizzle.
void load_box(const Box& box, const Target& target, const Ticket& ticket) {
  const int64_t bytes = box.row_bytes(), element = box.element();
  const Inside inside = inside_of(box);
  alignas(16) unsigned char row[256 * 8];
  uint32_t to = 0;
  for_each_row(box, [&](const unsigned char* start) {
    std::memset(row, 0, static_cast<size_t>(bytes));
    if (start && inside.end > inside.begin) {
      const unsigned char* from = start + (box.at[0] + inside.begin) * element;
      const int64_t present = (inside.end - inside.begin) * element;
      std::memcpy(row + inside.begin * element, from, static_cast<size_t>(present));
      ticket.access(nullptr, from, present, false);
    }
    for (int64_t chunk = 0; chunk < bytes; chunk += 16, to += 16)
      std::memcpy(target.tile + gpu::swizzled(to, box.map.swizzle), row + chunk, 16);
  });
  ticket.access(target.block, target.tile, box.bytes(), true);
}

void issue_load(const Box& box, void* shared, uint64_t* barrier, int blocks, const char* what,
                Site site) {
  check_tile(box, shared, what, site);
  auto operation = std::make_shared<AsyncOperation>();
  operation->land = [box, targets = targets_of(shared, barrier, blocks, what, site),
                     ticket = Ticket(site), what, site] {
    for (const Target& target : targets) {
      load_box(box, target, ticket);
      arrive(target, box.bytes(), ticket, what, site);
    }
  };
  enqueue_async(std::move(operation));
}

// ---- stores ----

template <class T>
void atomic_add(unsigned char* address, const unsigned char* value) {
  using Bits = std::conditional_t<sizeof(T) == 2, uint16_t,
                                  std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>;
  auto* place = reinterpret_cast<Bits*>(address);
  T added;
  std::memcpy(&added, value, sizeof added);
  Bits seen = __atomic_load_n(place, __ATOMIC_RELAXED), next;
  do {
    T old;
    std::memcpy(&old, &seen, sizeof old);
    if constexpr (std::is_integral_v<T>) {
      next = seen + static_cast<Bits>(added);  // modulo 2^bits
    } else {
      const T sum = static_cast<T>(static_cast<Compute<T>>(old) + static_cast<Compute<T>>(added));
      std::memcpy(&next, &sum, sizeof next);
    }
  } while (
      !__atomic_compare_exchange_n(place, &seen, next, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
}

void add_elements(DType dtype, unsigned char* to, const unsigned char* from, int64_t bytes) {
  visit(dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    if constexpr (sizeof(T) > 1)
      for (int64_t i = 0; i < bytes; i += static_cast<int64_t>(sizeof(T)))
        atomic_add<T>(to + i, from + i);
  });
}

// Issues the two parts of a store as an operation of the thread's next group.
void issue_store(Site site, std::function<void(unsigned char*)> read,
                 std::function<void(const unsigned char*)> write, int64_t bytes) {
  auto tile = std::make_shared<std::vector<unsigned char>>(static_cast<size_t>(bytes));
  auto writing = std::make_shared<AsyncOperation>();
  writing->land = [tile, write = std::move(write)] { write(tile->data()); };
  auto reading = std::make_shared<AsyncOperation>();
  reading->land = [tile, writing, read = std::move(read)] {
    read(tile->data());
    enqueue_async(writing);
  };
  reading->after = writing;
  reading->site = site;
  current->bulk.push_back(reading);
  enqueue_async(std::move(reading));
}

void store_box(const Box& box, const unsigned char* tile, bool add, const Ticket& ticket) {
  const int64_t element = box.element();
  Inside inside = inside_of(box);
  // The engine writes chunks of 16 bytes: the one that holds the end of a row is written whole.
  const int64_t chunk = 16 / element;
  inside.end = std::min<int64_t>((inside.end + chunk - 1) / chunk * chunk, box.map.box[0]);
  const int64_t present = (inside.end - inside.begin) * element;
  for_each_row(box, [&](unsigned char* start) {
    const unsigned char* from = tile + inside.begin * element;
    tile += box.row_bytes();
    if (!start || present <= 0) return;
    unsigned char* to = start + (box.at[0] + inside.begin) * element;
    if (add)
      add_elements(box.map.dtype, to, from, present);
    else
      std::memcpy(to, from, static_cast<size_t>(present));
    ticket.access(nullptr, to, present, true);
  });
  ticket.landed(nullptr);
}

void check_bulk(const void* shared, const void* global, unsigned bytes, const char* what,
                Site site) {
  require_arch(90, what, site);
  const uint32_t offset = shared_offset(shared, site);
  if (offset % 16 || reinterpret_cast<uintptr_t>(global) % 16 || bytes % 16 || bytes == 0)
    fail(fmt::format("{} of {} bytes between byte {} of shared memory and {}: all three must be "
                     "multiples of 16, and bytes not 0",
                     what, bytes, offset, global),
         site);
  const size_t used = current->block->arena.used;
  if (offset + size_t{bytes} > used)
    fail(fmt::format("{}: {} bytes at byte {} run past the end of shared memory ({} bytes)", what,
                     bytes, offset, used),
         site);
  check_global(global, what, site);
}

}  // namespace

void check_tensor_map(const TensorMap* map, Site site) {
  if (reinterpret_cast<uintptr_t>(map) % 64 || map->magic != TensorMap::right_magic)
    fail(fmt::format("{} is not a tensor map: pass it to the kernel as `const __grid_constant__ "
                     "TensorMap`, made by tensor_map()",
                     static_cast<const void*>(map)),
         site);
}

void tma_load(int rank, void* shared, const TensorMap* map, const int* coordinates,
              uint64_t* barrier, int blocks, Site site) {
  const char* what = blocks == own_block ? "tma_load" : "tma_load_multicast";
  issue_load(make_box(rank, map, coordinates, false, what, site), shared, barrier, blocks, what,
             site);
}

void tma_load_im2col(void* shared, const TensorMap* map, const int* coordinates,
                     const uint16_t* offsets, uint64_t* barrier, int blocks, Site site) {
  const char* what = blocks == own_block ? "tma_load_im2col" : "tma_load_im2col_multicast";
  Box box = make_box(4, map, coordinates, true, what, site);
  for (int i = 0; i < 2; ++i) {
    const int64_t at = box.at[i + 1],
                  last = static_cast<int64_t>(map->sizes[i + 1]) - 1 + map->upper[i];
    if (at < map->lower[i] || at > last)
      fail(fmt::format("{}: the first base pixel has {} = {}, outside the map's {} to {}", what,
                       i ? "h" : "w", at, static_cast<int>(map->lower[i]), last),
           site);
    if (offsets[i] > 255)
      fail(fmt::format("{}: offset {} of {}; it must be at most 255", what, offsets[i],
                       i ? "h" : "w"),
           site);
    box.offset[i] = offsets[i];
  }
  issue_load(box, shared, barrier, blocks, what, site);
}

void tma_store(int rank, const TensorMap* map, const int* coordinates, const void* shared, bool add,
               Site site) {
  const char* what = add ? "tma_reduce_add" : "tma_store";
  const Box box = make_box(rank, map, coordinates, false, what, site);
  // Loads take them; an H200 called such a store an illegal instruction.
  for (int axis = 0; axis < rank; ++axis)
    if (coordinates[axis] < 0)
      fail(
          fmt::format("{}: the box begins at {} of axis {}; stores begin inside the tensor or past "
                      "its end",
                      what, coordinates[axis], axis),
          site);
  if (add && (size_of(map->dtype) == 1 || map->dtype == DType::i64))
    fail(fmt::format("tma_reduce_add: the copy engine does not add {}", name_of(map->dtype)), site);
  check_tile(box, shared, what, site);
  const Ticket ticket(site);
  const auto* tile = static_cast<const unsigned char*>(shared);
  Block* block = current->block;
  issue_store(
      site,
      [=](unsigned char* to) {
        for (uint32_t chunk = 0; chunk < box.bytes(); chunk += 16)
          std::memcpy(to + chunk, tile + gpu::swizzled(chunk, box.map.swizzle), 16);
        ticket.access(block, tile, box.bytes(), false);
        ticket.landed(nullptr);  // for bulk_wait_read: the tile may be written again
      },
      [=](const unsigned char* from) { store_box(box, from, add, ticket); }, box.bytes());
}

void bulk_load(void* shared, const void* global, unsigned bytes, uint64_t* barrier, Site site) {
  check_bulk(shared, global, bytes, "bulk_load", site);
  auto operation = std::make_shared<AsyncOperation>();
  operation->land = [=, target = targets_of(shared, barrier, own_block, "bulk_load", site)[0],
                     ticket = Ticket(site)] {
    std::memcpy(target.tile, global, bytes);
    ticket.access(nullptr, global, bytes, false);
    ticket.access(target.block, target.tile, bytes, true);
    arrive(target, bytes, ticket, "bulk_load", site);
  };
  enqueue_async(std::move(operation));
}

void store_async(void* shared, const void* value, unsigned bytes, uint64_t* barrier, unsigned rank,
                 Site site) {
  require_arch(90, "store_async", site);
  if (reinterpret_cast<uintptr_t>(shared) % bytes)
    fail(fmt::format("store_async: the place is not aligned to {} bytes", bytes), site);
  const std::string stored(static_cast<const char*>(value), bytes);
  auto operation = std::make_shared<AsyncOperation>();
  operation->land = [=, target = targets_of(shared, barrier, 1 << rank, "store_async", site)[0],
                     ticket = Ticket(site)] {
    std::memcpy(target.tile, stored.data(), bytes);
    ticket.access(target.block, target.tile, bytes, true);
    arrive(target, bytes, ticket, "store_async", site);
  };
  enqueue_async(std::move(operation));
}

void bulk_store(void* global, const void* shared, unsigned bytes, bool add_f32, Site site) {
  check_bulk(shared, global, bytes, add_f32 ? "bulk_reduce_add_f32" : "bulk_store", site);
  const Ticket ticket(site);
  Block* block = current->block;
  issue_store(
      site,
      [=](unsigned char* to) {
        std::memcpy(to, shared, bytes);
        ticket.access(block, shared, bytes, false);
        ticket.landed(nullptr);
      },
      [=](const unsigned char* from) {
        if (add_f32)
          add_elements(DType::f32, static_cast<unsigned char*>(global), from, bytes);
        else
          std::memcpy(global, from, bytes);
        ticket.access(nullptr, global, bytes, true);
        ticket.landed(nullptr);
      },
      bytes);
}

void bulk_commit(Site site) {
  require_arch(90, "bulk_commit", site);
  current->bulk_groups.push_back(std::move(current->bulk));
  current->bulk.clear();
}

void bulk_wait(int groups, bool read_only, Site site) {
  Thread& self = *current;
  const auto complete = static_cast<std::ptrdiff_t>(self.bulk_groups.size()) - groups;
  for (std::ptrdiff_t i = 0; i < complete; ++i)
    for (AsyncPointer& reading : self.bulk_groups[static_cast<size_t>(i)]) {
      land(*reading);
      if (!read_only) land(*reading->after);
    }
  if (complete > 0 && !read_only)
    self.bulk_groups.erase(self.bulk_groups.begin(), self.bulk_groups.begin() + complete);
  if (Tracer* tracer = config().tracer) tracer->async_waited(self, Agent::copy_engine, site);
}

void check_bulk_stores(const Thread& thread) {
  if (!thread.bulk.empty())
    fail(
        "the thread ended without committing its bulk store (bulk_commit) and waiting for it "
        "(bulk_wait_read<0>)",
        thread.bulk[0]->site);
  for (const auto& group : thread.bulk_groups)
    for (const AsyncPointer& reading : group)
      if (!reading->landed)
        fail(
            "the thread ended while its bulk store may still read shared memory; wait for it "
            "(bulk_wait_read<0>)",
            reading->site);
}

}  // namespace strata::sim

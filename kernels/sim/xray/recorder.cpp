#include "kernels/sim/xray/recorder.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "kernels/sim/block.h"
#include "kernels/sim/device_memory.h"
#include "kernels/sim/xray/races.h"

namespace strata::sim {

struct Recorder::Access {
  PlaceKey place;
  uintptr_t address;
  uint32_t bytes;
  uint16_t lane;
  bool write, shared;
};
struct Recorder::Lane {
  std::vector<Access> log;
};
struct Recorder::BlockTrace {
  std::vector<Lane> lanes;
  std::unique_ptr<RaceDetector> races;
};
struct Recorder::Ticket {
  Agent agent;
  PlaceKey place;
  Block* block;
  int thread;
  // What the issuers knew: of a copy its thread (the first), of a product the lanes of each of the
  // four warps together, and what all four warps knew, once the product runs.
  std::array<RaceDetector::Clock, RaceDetector::warps_of_group> known;
  RaceDetector::Clock known_by_all;
};

// Counts of one kernel, by place.
struct Recorder::Kernel {
  struct Key {
    PlaceKey place;
    Space space;
    bool write;
    uint32_t size;
    auto operator<=>(const Key&) const = default;
  };
  struct Extra {
    uint64_t barriers = 0, barrier_threads = 0, multiply_adds = 0, copied_in = 0, copied_out = 0;
  };
  KernelReport report;
  std::map<Key, Traffic> traffic;
  std::map<PlaceKey, Extra> extras;
  std::map<std::tuple<std::string, PlaceKey, PlaceKey>, Race> races;
  std::unordered_set<uintptr_t> sectors_read, sectors_written;  // of device memory
};

namespace {

constexpr uintptr_t sector = 32;

// Distinct sectors that the addresses fall into.
template <class Request>
uint64_t count_sectors(const Request& request, std::unordered_set<uintptr_t>& seen) {
  std::vector<uintptr_t> sectors;
  for (const auto& access : request)
    for (uintptr_t s = access.address / sector; s <= (access.address + access.bytes - 1) / sector;
         ++s)
      sectors.push_back(s);
  std::sort(sectors.begin(), sectors.end());
  sectors.erase(std::unique(sectors.begin(), sectors.end()), sectors.end());
  seen.insert(sectors.begin(), sectors.end());
  return sectors.size();
}

// The fewest sectors that hold the distinct bytes of the request.
template <class Request>
uint64_t fewest_sectors(const Request& request) {
  std::vector<uintptr_t> addresses;
  for (const auto& access : request) addresses.push_back(access.address);
  std::sort(addresses.begin(), addresses.end());
  const auto distinct =
      static_cast<uint64_t>(std::unique(addresses.begin(), addresses.end()) - addresses.begin());
  return (distinct * request.front().bytes + sector - 1) / sector;
}

// Wavefronts of a request to shared memory, and the passes, which are the fewest.
template <class Request>
std::pair<uint64_t, uint64_t> count_wavefronts(const Request& request) {
  const uint32_t size = request.front().bytes;
  const uint16_t lanes = size >= 16 ? 8 : size == 8 ? 16 : 32;
  uint64_t wavefronts = 0, passes = 0;
  for (uint16_t first = 0; first < 32; first = static_cast<uint16_t>(first + lanes)) {
    std::vector<uintptr_t> banks[32];
    size_t most = 0;
    for (const auto& access : request) {
      if (access.lane < first || access.lane >= first + lanes) continue;
      for (uintptr_t word = access.address / 4; word < (access.address + access.bytes + 3) / 4;
           ++word) {
        auto& bank = banks[word % 32];
        if (std::find(bank.begin(), bank.end(), word) == bank.end()) bank.push_back(word);
        most = std::max(most, bank.size());
      }
    }
    if (most == 0) continue;
    wavefronts += most;
    ++passes;
  }
  return {wavefronts, passes};
}

// The block of the gang in whose shared memory p lies, and where.
Block* shared_owner(Block& block, const void* p, size_t* offset) {
  Gang& gang = *block.gang;
  for (uint32_t rank = 0; rank < gang.block_count; ++rank) {
    const Arena& arena = gang.blocks[rank]->arena;
    if (p < arena.base || p >= arena.base + 256 * 1024) continue;
    *offset = static_cast<size_t>(static_cast<const unsigned char*>(p) - arena.base);
    return gang.blocks[rank].get();
  }
  return nullptr;
}

}  // namespace

Recorder::Recorder(RecorderOptions options) : options_(options) {}
Recorder::~Recorder() = default;

Recorder::Kernel& Recorder::kernel() { return *running_; }

void Recorder::launch_began(const Launch& launch) {
  auto& entry = kernels_[launch.name];
  if (!entry) entry = std::make_unique<Kernel>();
  running_ = entry.get();
  KernelReport& report = running_->report;
  report.name = launch.name;
  ++report.launches;
  report.blocks += static_cast<uint64_t>(launch.grid.x) * launch.grid.y * launch.grid.z;
  report.threads_a_block = static_cast<uint64_t>(launch.block.x) * launch.block.y * launch.block.z;
  report.dynamic_shared = launch.dynamic_shared;
}

void Recorder::block_began(Block& block) {
  auto trace = std::make_unique<BlockTrace>();
  trace->lanes.resize(static_cast<size_t>(block.thread_count));
  if (options_.races) {
    trace->races = std::make_unique<RaceDetector>(
        block.thread_count, size_t{256} * 1024,
        [this](const char* kind, PlaceKey first, PlaceKey second, const std::string& detail) {
          Race& race = kernel().races[{kind, first, second}];
          if (race.count++ == 0) {
            race.kind = kind;
            race.detail = detail;
          }
        });
  }
  block.trace = trace.release();
}

void Recorder::block_ended(Block& block) {
  for (int warp = 0; warp < block.warps; ++warp) flush(block, warp);
  delete static_cast<BlockTrace*>(block.trace);
  block.trace = nullptr;
}

void Recorder::thread_ended(Thread& thread) {
  if (live_lanes(thread) == 0) flush(*thread.block, thread.warp);
}

void Recorder::record(Thread& thread, const void* p, uint32_t bytes, bool write, PlaceKey place) {
  if (!running_ || bytes == 0) return;
  size_t offset = 0;
  Block& block = *thread.block;
  Block* owner = shared_owner(block, p, &offset);
  if (!owner && !is_device_memory(p)) return;  // a register that the compiler put on the stack
  auto& trace = *static_cast<BlockTrace*>(block.trace);
  trace.lanes[thread.linear].log.push_back(
      {place, reinterpret_cast<uintptr_t>(p), bytes, thread.lane, write, owner != nullptr});
  if (owner == &block && trace.races)
    trace.races->access(thread.linear, offset, bytes, write, place);
}

void Recorder::instruction(Thread& thread, const void* address, uint32_t bytes, bool write,
                           const void* pc) {
  record(thread, address, bytes, write, key_of(pc));
}
void Recorder::access(Thread& thread, const void* p, size_t bytes, bool write, Site site) {
  record(thread, p, static_cast<uint32_t>(bytes), write, key_of(site));
}

// Pairs the k-th execution of an instruction across the lanes of a warp, now that all have met.
void Recorder::flush(Block& block, int warp) {
  auto& trace = *static_cast<BlockTrace*>(block.trace);
  const auto first = static_cast<size_t>(warp) * 32;
  const size_t last = std::min(first + 32, trace.lanes.size());
  std::map<std::tuple<PlaceKey, bool, uint32_t>, std::vector<Access>> requests;
  std::vector<std::tuple<PlaceKey, bool, uint32_t>> order;
  for (size_t i = first; i < last; ++i) {
    std::map<std::pair<PlaceKey, bool>, uint32_t> times;
    for (const Access& access : trace.lanes[i].log) {
      const auto key =
          std::make_tuple(access.place, access.write, times[{access.place, access.write}]++);
      requests[key].push_back(access);
    }
    trace.lanes[i].log.clear();
  }
  for (auto& [key, request] : requests) account(request);
}

void Recorder::account(const std::vector<Access>& request) {
  const Access& any = request.front();
  Kernel& k = kernel();
  const Space space = any.shared ? Space::shared : Space::global;
  Traffic& traffic = k.traffic[{any.place, space, any.write, any.bytes}];
  traffic.space = space;
  traffic.write = any.write;
  traffic.size = any.bytes;
  ++traffic.requests;
  traffic.lanes += request.size();
  if (space == Space::global) {
    const uint64_t sectors = count_sectors(request, any.write ? k.sectors_written : k.sectors_read);
    const uint64_t fewest = fewest_sectors(request);
    traffic.units += sectors;
    traffic.ideal += fewest;
    (any.write ? k.report.sectors_written : k.report.sectors_read) += sectors;
    k.report.ideal_sectors += fewest;
  } else {
    const auto [wavefronts, passes] = count_wavefronts(request);
    traffic.units += wavefronts;
    traffic.ideal += passes;
    k.report.wavefronts += wavefronts;
    k.report.ideal_wavefronts += passes;
  }
}

void Recorder::warp_met(Block& block, int warp, uint32_t lanes, bool orders, const char*, Site) {
  if (lanes == 0xffffffffu) flush(block, warp);
  auto& trace = *static_cast<BlockTrace*>(block.trace);
  if (!orders || !trace.races) return;
  std::vector<uint16_t> threads;
  for (int lane = 0; lane < 32; ++lane)
    if (lanes >> lane & 1) threads.push_back(static_cast<uint16_t>(warp * 32 + lane));
  trace.races->barrier(threads.data(), threads.size(), RaceDetector::of_warp);
}

void Recorder::barrier_arrived(Thread& thread, int id, Site site) {
  auto& trace = *static_cast<BlockTrace*>(thread.block->trace);
  if (trace.races) trace.races->arrive(id, thread.linear);
  ++kernel().extras[key_of(site)].barrier_threads;
}

void Recorder::barrier_met(Block& block, int id, const uint16_t* threads, size_t count, Site site) {
  auto& trace = *static_cast<BlockTrace*>(block.trace);
  if (id == 0)
    for (int warp = 0; warp < block.warps; ++warp) flush(block, warp);
  if (trace.races) trace.races->barrier(threads, count, id);
  auto& extra = kernel().extras[key_of(site)];
  ++extra.barriers;
  extra.barrier_threads += count;
}

// Each block's threads learn from each other; what blocks do in each other's memory is not checked.
void Recorder::cluster_met(Block* const* blocks, size_t count, Site site) {
  for (size_t i = 0; i < count; ++i) {
    std::vector<uint16_t> threads;
    for (const Thread& thread : blocks[i]->threads)
      if (thread.linear < blocks[i]->thread_count) threads.push_back(thread.linear);
    barrier_met(*blocks[i], 0, threads.data(), threads.size(), site);
  }
}

namespace {

// The detector of the block in whose shared memory the object lies, when that is the thread's own.
RaceDetector* detector_for(Thread& thread, const void* object, RaceDetector* own) {
  size_t offset;
  return shared_owner(*thread.block, object, &offset) == thread.block ? own : nullptr;
}

}  // namespace

void Recorder::release(Thread& thread, const void* object, Site) {
  auto& trace = *static_cast<BlockTrace*>(thread.block->trace);
  if (RaceDetector* races = detector_for(thread, object, trace.races.get()))
    races->release(thread.linear, object);
}
void Recorder::acquire(Thread& thread, const void* object, Site) {
  auto& trace = *static_cast<BlockTrace*>(thread.block->trace);
  if (trace.races) trace.races->acquire(thread.linear, object);
}
void Recorder::proxy_fence(Thread& thread, Site) {
  auto& trace = *static_cast<BlockTrace*>(thread.block->trace);
  if (trace.races) trace.races->proxy_fence(thread.linear);
}

// Who accesses memory for the operation: a copy's slot, a product's warp or all four.
int Recorder::slot_of(const RaceDetector& races, const Ticket& ticket, uint64_t number, int warp) {
  if (ticket.agent == Agent::copy_engine) return races.copy_slot(number);
  const int group = ticket.thread / 128;
  return warp == every_warp ? races.group_agent(group)
                            : races.tensor_slot(group * RaceDetector::warps_of_group + warp);
}

// What that one may count on.
const std::vector<uint32_t>& Recorder::known_to(Ticket& ticket, int warp) {
  if (ticket.agent == Agent::copy_engine) return ticket.known[0];
  if (warp != every_warp) return ticket.known[static_cast<size_t>(warp)];
  if (ticket.known_by_all.empty()) {
    ticket.known_by_all = ticket.known[0];
    for (const auto& known : ticket.known) RaceDetector::meet(ticket.known_by_all, known);
  }
  return ticket.known_by_all;
}

uint64_t Recorder::async_issued(Thread& issuer, Agent agent, Site site) {
  auto& trace = *static_cast<BlockTrace*>(issuer.block->trace);
  Ticket ticket{agent, key_of(site), issuer.block, issuer.linear, {}, {}};
  const auto part = agent == Agent::tensor_core ? issuer.warp % ticket.known.size() : 0;
  if (trace.races) ticket.known[part] = trace.races->clock_of(issuer.linear);
  tickets_.emplace(next_ticket_, std::move(ticket));
  return next_ticket_++;
}

void Recorder::async_joined(uint64_t number, Thread& issuer) {
  auto& trace = *static_cast<BlockTrace*>(issuer.block->trace);
  auto found = tickets_.find(number);
  if (!trace.races || found == tickets_.end()) return;
  Ticket& ticket = found->second;
  RaceDetector::Clock& known = ticket.known[issuer.warp % ticket.known.size()];
  const RaceDetector::Clock& clock = trace.races->clock_of(issuer.linear);
  if (known.empty())
    known = clock;
  else
    RaceDetector::join(known, clock);
}

void Recorder::async_access(uint64_t number, Block* block, const void* p, size_t bytes, bool write,
                            int warp) {
  auto found = tickets_.find(number);
  if (found == tickets_.end()) return;
  Ticket& ticket = found->second;
  Kernel& k = kernel();
  size_t offset = 0;
  Block* owner = shared_owner(block ? *block : *ticket.block, p, &offset);
  auto& extra = k.extras[ticket.place];
  if (!owner) {
    // The copy engine asks for whole sectors, once for each run of bytes.
    const std::vector<Access> run{{ticket.place, reinterpret_cast<uintptr_t>(p),
                                   static_cast<uint32_t>(bytes), 0, write, false}};
    const uint64_t sectors = count_sectors(run, write ? k.sectors_written : k.sectors_read);
    (write ? k.report.sectors_written : k.report.sectors_read) += sectors;
    k.report.ideal_sectors += (bytes + sector - 1) / sector;
    return;
  }
  if (ticket.agent == Agent::copy_engine) (write ? extra.copied_in : extra.copied_out) += bytes;
  auto& trace = *static_cast<BlockTrace*>(owner->trace);
  if (!trace.races) return;
  const int slot = slot_of(*trace.races, ticket, number, warp);
  const RaceDetector::Clock* known = owner == ticket.block ? &known_to(ticket, warp) : nullptr;
  trace.races->engine_access(slot, known, offset, bytes, write, ticket.place);
}

void Recorder::async_landed(uint64_t number, const void* object) {
  auto found = tickets_.find(number);
  if (found == tickets_.end()) return;
  const Ticket& ticket = found->second;
  size_t offset = 0;
  Block* owner = object ? shared_owner(*ticket.block, object, &offset) : ticket.block;
  auto& trace = *static_cast<BlockTrace*>((owner ? owner : ticket.block)->trace);
  if (trace.races)
    trace.races->engine_landed(slot_of(*trace.races, ticket, number, every_warp), object);
  // A multicast lands in several blocks; the ticket goes with the launch.
  if (ticket.agent == Agent::tensor_core) tickets_.erase(found);
}

void Recorder::async_waited(Thread& thread, Agent agent, Site) {
  auto& trace = *static_cast<BlockTrace*>(thread.block->trace);
  if (!trace.races) return;
  RaceDetector& races = *trace.races;
  if (agent == Agent::tensor_core)
    races.engine_waited(thread.linear, races.tensor_slot(thread.warp));
  if (agent == Agent::copy_engine)
    for (int i = 0; i < RaceDetector::copy_slots; ++i)
      races.engine_waited(thread.linear, races.copy_slot(static_cast<uint64_t>(i)));
}

void Recorder::warpgroup_waited(Thread& thread, Site) {
  auto& trace = *static_cast<BlockTrace*>(thread.block->trace);
  if (trace.races) trace.races->warpgroup_waited(thread.linear);
}

void Recorder::tensor_operations(Thread&, const char* type, uint64_t multiply_adds, Site site) {
  kernel().extras[key_of(site)].multiply_adds += multiply_adds;
  kernel().report.multiply_adds[type] += multiply_adds;
}

std::vector<KernelReport> Recorder::reports() const {
  std::vector<PlaceKey> keys;
  for (const auto& [name, kernel] : kernels_) {
    for (const auto& [key, traffic] : kernel->traffic) keys.push_back(key.place);
    for (const auto& [key, extra] : kernel->extras) keys.push_back(key);
    for (const auto& [key, race] : kernel->races)
      keys.insert(keys.end(), {std::get<1>(key), std::get<2>(key)});
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  const auto lines = resolve(keys);
  std::vector<KernelReport> reports;
  for (const auto& [name, kernel] : kernels_) {
    KernelReport report = kernel->report;
    report.bytes_read = kernel->sectors_read.size() * sector;
    report.bytes_written = kernel->sectors_written.size() * sector;
    std::map<Place, PlaceReport> places;
    for (const auto& [key, traffic] : kernel->traffic) {
      auto& at = places[lines.at(key.place)].traffic;
      // Several instructions of one line that ask for the same are one row.
      auto same = std::find_if(at.begin(), at.end(), [&](const Traffic& t) {
        return t.space == traffic.space && t.write == traffic.write && t.size == traffic.size;
      });
      if (same == at.end()) {
        at.push_back(traffic);
        continue;
      }
      same->requests += traffic.requests;
      same->lanes += traffic.lanes;
      same->units += traffic.units;
      same->ideal += traffic.ideal;
    }
    for (const auto& [key, extra] : kernel->extras) {
      PlaceReport& place = places[lines.at(key)];
      place.barriers += extra.barriers;
      place.barrier_threads += extra.barrier_threads;
      place.multiply_adds += extra.multiply_adds;
      place.copied_in += extra.copied_in;
      place.copied_out += extra.copied_out;
    }
    for (auto& [line, place] : places) {
      place.place = line;
      report.places.push_back(std::move(place));
    }
    for (const auto& [key, race] : kernel->races) {
      Race named = race;
      named.first = lines.at(std::get<1>(key));
      named.second = lines.at(std::get<2>(key));
      report.races.push_back(std::move(named));
    }
    reports.push_back(std::move(report));
  }
  return reports;
}

}  // namespace strata::sim

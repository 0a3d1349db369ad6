#include "kernels/sim/xray/races.h"

#include <fmt/format.h>

#include <algorithm>

namespace strata::sim {

void RaceDetector::join(Clock& into, const Clock& from) {
  for (size_t i = 0; i < into.size(); ++i) into[i] = std::max(into[i], from[i]);
}
void RaceDetector::meet(Clock& into, const Clock& from) {
  for (size_t i = 0; i < into.size(); ++i) into[i] = std::min(into[i], from[i]);
}

RaceDetector::RaceDetector(int threads, size_t bytes, Report report)
    : threads_(threads),
      clocks_(static_cast<size_t>(threads), Clock(static_cast<size_t>(slots()), 0)),
      fences_(static_cast<size_t>(threads)),
      engine_clock_(copy_slots + warpgroups, 0),
      cells_((bytes + 1) / 2),
      report_(std::move(report)) {
  for (size_t i = 0; i < clocks_.size(); ++i) clocks_[i][i] = 1;
}

// ---- agents ----

int RaceDetector::warpgroup_of(int agent) const {
  if (agent >= slots()) return agent - slots();
  return agent >= tensor_slot(0) ? (agent - tensor_slot(0)) / warps_of_group : -1;
}

uint32_t& RaceDetector::engine_clock(int agent) {
  const int group = warpgroup_of(agent);
  return engine_clock_[static_cast<size_t>(group < 0 ? agent - threads_ : copy_slots + group)];
}

std::string RaceDetector::agent_name(int agent) const {
  if (agent < threads_) return fmt::format("thread {}", agent);
  const int group = warpgroup_of(agent);
  return group < 0 ? "the copy engine" : fmt::format("the tensor core of warpgroup {}", group);
}

bool RaceDetector::knows(const Clock& known, int agent, uint32_t clock) const {
  if (agent < slots()) return known[static_cast<size_t>(agent)] >= clock;
  const auto first = known.begin() + tensor_slot(warpgroup_of(agent) * warps_of_group);
  return *std::min_element(first, first + warps_of_group) >= clock;
}

// ---- accesses ----

void RaceDetector::check(const Cell& cell, const Clock& known, int agent, bool write,
                         PlaceKey place, size_t offset) {
  const auto unordered = [&](int other, uint32_t clock) {
    return other >= 0 && other != agent && !knows(known, other, clock);
  };
  const auto tell = [&](const char* kind, int other, PlaceKey other_place, const char* hint = "") {
    report_(kind, other_place, place,
            fmt::format("{} and {}, at byte {} of shared memory{}", agent_name(other),
                        agent_name(agent), offset, hint));
  };
  if (unordered(cell.writer, cell.write_clock))
    tell(write ? "write after write" : "read after write", cell.writer, cell.write_place);
  if (!write) {
    if (cell.writer < 0)
      report_("read of what nobody wrote", place, place,
              fmt::format("{}, at byte {} of shared memory", agent_name(agent), offset));
    return;
  }
  for (const Reader& reader : cell.readers)
    if (unordered(reader.agent, reader.clock))
      return tell("write after read", reader.agent, reader.place,
                  warpgroup_of(reader.agent) < 0
                      ? ""
                      : "; wgmma_wait must come first, and as it speaks for the part of its own "
                        "warp, a barrier");
}

// The engine reads what a thread wrote. A write that is not ordered with the read at all is a race
// and has been reported as that, unless no fence followed it anyway.
void RaceDetector::check_fence(const Cell& cell, const Clock& known, int agent, PlaceKey place,
                               size_t offset) {
  if (cell.writer < 0 || cell.writer >= threads_) return;
  const auto& fences = fences_[static_cast<size_t>(cell.writer)];
  const bool fenced = fences.size() >= cell.write_fence;
  if (fenced && (knows(known, cell.writer, fences[cell.write_fence - 1]) ||
                 !knows(known, cell.writer, cell.write_clock)))
    return;
  report_("read without a proxy fence after a thread's write", cell.write_place, place,
          fmt::format("{} and {}, at byte {} of shared memory; fence_async_shared() by the writer "
                      "is missing between its store and the barrier",
                      agent_name(cell.writer), agent_name(agent), offset));
}

void RaceDetector::note(Cell& cell, int agent, uint32_t clock, bool write, PlaceKey place,
                        uint32_t fence) {
  if (write) {
    cell = {};
    cell.writer = agent;
    cell.write_clock = clock;
    cell.write_place = place;
    cell.write_fence = fence;
    return;
  }
  if (cell.readers[0].agent != agent) cell.readers[1] = cell.readers[0];
  cell.readers[0] = {clock, agent, place};
}

void RaceDetector::access(int thread, size_t offset, size_t bytes, bool write, PlaceKey place) {
  const auto self = static_cast<size_t>(thread);
  const auto next_fence = static_cast<uint32_t>(fences_[self].size()) + 1;
  const size_t end = std::min((offset + bytes + 1) / 2, cells_.size());
  for (size_t i = offset / 2; i < end; ++i) {
    check(cells_[i], clocks_[self], thread, write, place, 2 * i);
    note(cells_[i], thread, clocks_[self][self], write, place, next_fence);
  }
}

void RaceDetector::engine_access(int agent, const Clock* issued, size_t offset, size_t bytes,
                                 bool write, PlaceKey place) {
  const uint32_t clock = engine_clock(agent) + 1;
  const size_t end = std::min((offset + bytes + 1) / 2, cells_.size());
  for (size_t i = offset / 2; i < end; ++i) {
    Cell& cell = cells_[i];
    if (issued) check(cell, *issued, agent, write, place, 2 * i);
    if (issued && !write) check_fence(cell, *issued, agent, place, 2 * i);
    note(cell, agent, clock, write, place, 0);
  }
}

// ---- what orders them ----

void RaceDetector::arrive(int id, int thread) {
  Clock& known = arrived_[static_cast<size_t>(id)];
  known.resize(clocks_[0].size(), 0);
  join(known, clocks_[static_cast<size_t>(thread)]);
  ++clocks_[static_cast<size_t>(thread)][static_cast<size_t>(thread)];
}

void RaceDetector::barrier(const uint16_t* threads, size_t count, int id) {
  Clock joined;
  if (id != of_warp) joined.swap(arrived_[static_cast<size_t>(id)]);
  joined.resize(clocks_[0].size(), 0);
  for (size_t i = 0; i < count; ++i) join(joined, clocks_[threads[i]]);
  for (size_t i = 0; i < count; ++i) {
    clocks_[threads[i]] = joined;
    ++clocks_[threads[i]][threads[i]];
  }
}

void RaceDetector::release(int thread, const void* object) {
  const auto self = static_cast<size_t>(thread);
  Clock& clock = objects_.try_emplace(object, clocks_[0].size(), 0).first->second;
  join(clock, clocks_[self]);
  ++clocks_[self][self];
}

void RaceDetector::acquire(int thread, const void* object) {
  if (auto found = objects_.find(object); found != objects_.end())
    join(clocks_[static_cast<size_t>(thread)], found->second);
}

void RaceDetector::proxy_fence(int thread) {
  const auto self = static_cast<size_t>(thread);
  fences_[self].push_back(++clocks_[self][self]);
}

void RaceDetector::engine_landed(int agent, const void* object) {
  const uint32_t clock = ++engine_clock(agent);
  if (!object) return;
  Clock& known = objects_.try_emplace(object, clocks_[0].size(), 0).first->second;
  known[static_cast<size_t>(agent)] = std::max(known[static_cast<size_t>(agent)], clock);
}

void RaceDetector::engine_waited(int thread, int agent) {
  clocks_[static_cast<size_t>(thread)][static_cast<size_t>(agent)] = engine_clock(agent);
}

void RaceDetector::warpgroup_waited(int thread) {
  Clock& known = clocks_[static_cast<size_t>(thread)];
  const int warp = thread / 32, first = warp / warps_of_group * warps_of_group;
  const uint32_t complete = known[static_cast<size_t>(tensor_slot(warp))];
  for (int other = first; other < first + warps_of_group; ++other) {
    uint32_t& of_other = known[static_cast<size_t>(tensor_slot(other))];
    of_other = std::max(of_other, complete);
  }
}

}  // namespace strata::sim

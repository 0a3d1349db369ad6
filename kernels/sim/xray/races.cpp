#include "kernels/sim/xray/races.h"

#include <fmt/format.h>

#include <algorithm>

namespace strata::sim {

namespace {

void join(RaceDetector::Clock& into, const RaceDetector::Clock& from) {
  for (size_t i = 0; i < into.size(); ++i) into[i] = std::max(into[i], from[i]);
}

}  // namespace

RaceDetector::RaceDetector(int threads, size_t bytes, Report report)
    : threads_(threads),
      clocks_(static_cast<size_t>(threads),
              Clock(static_cast<size_t>(threads + copy_slots + tensor_slots), 0)),
      fences_(static_cast<size_t>(threads), 0),
      engine_clock_(copy_slots + tensor_slots, 0),
      cells_((bytes + 1) / 2),
      report_(std::move(report)) {
  for (size_t i = 0; i < clocks_.size(); ++i) clocks_[i][i] = 1;
}

std::string RaceDetector::agent_name(int agent) const {
  if (agent < threads_) return fmt::format("thread {}", agent);
  if (agent < threads_ + copy_slots) return "the copy engine";
  return fmt::format("the tensor core of warpgroup {}", agent - threads_ - copy_slots);
}

void RaceDetector::check(const Cell& cell, const Clock& known, int agent, bool write,
                         PlaceKey place, size_t offset) {
  const auto unordered = [&](int other, uint32_t clock) {
    return other >= 0 && other != agent && known[static_cast<size_t>(other)] < clock;
  };
  const auto tell = [&](const char* kind, int other, PlaceKey other_place) {
    report_(kind, other_place, place,
            fmt::format("{} and {}, at byte {} of shared memory", agent_name(other),
                        agent_name(agent), offset));
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
      return tell("write after read", reader.agent, reader.place);
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
  const size_t end = std::min((offset + bytes + 1) / 2, cells_.size());
  for (size_t i = offset / 2; i < end; ++i) {
    check(cells_[i], clocks_[self], thread, write, place, 2 * i);
    note(cells_[i], thread, clocks_[self][self], write, place, fences_[self] + 1);
  }
}

void RaceDetector::barrier(const uint16_t* threads, size_t count) {
  Clock joined(clocks_[0].size(), 0);
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

void RaceDetector::engine_access(int slot, const Clock* issued, size_t offset, size_t bytes,
                                 bool write, PlaceKey place) {
  const uint32_t clock = engine_clock_[static_cast<size_t>(slot - threads_)] + 1;
  const size_t end = std::min((offset + bytes + 1) / 2, cells_.size());
  for (size_t i = offset / 2; i < end; ++i) {
    Cell& cell = cells_[i];
    if (issued) check(cell, *issued, slot, write, place, 2 * i);
    const bool by_thread = cell.writer >= 0 && cell.writer < threads_;
    if (!write && by_thread && fences_[static_cast<size_t>(cell.writer)] < cell.write_fence)
      report_("read without a proxy fence after a thread's write", cell.write_place, place,
              fmt::format(
                  "{} and {}, at byte {} of shared memory; the writer needs fence_async_shared()",
                  agent_name(cell.writer), agent_name(slot), 2 * i));
    note(cell, slot, clock, write, place, 0);
  }
}

void RaceDetector::engine_landed(int slot, const void* object) {
  const uint32_t clock = ++engine_clock_[static_cast<size_t>(slot - threads_)];
  if (!object) return;
  Clock& known = objects_.try_emplace(object, clocks_[0].size(), 0).first->second;
  known[static_cast<size_t>(slot)] = std::max(known[static_cast<size_t>(slot)], clock);
}

void RaceDetector::engine_waited(int thread, int slot) {
  clocks_[static_cast<size_t>(thread)][static_cast<size_t>(slot)] =
      engine_clock_[static_cast<size_t>(slot - threads_)];
}

}  // namespace strata::sim

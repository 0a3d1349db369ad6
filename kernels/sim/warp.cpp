// Warp collectives: the lanes of a mask meet, the last one computes for all.
#include <fmt/format.h>

#include "kernels/sim/block.h"
#include "kernels/sim/tracer.h"

namespace strata::sim {

namespace {

void check_meeting(const Rendezvous& met, const char* name, uint32_t mask, Combine combine,
                   Site site) {
  if (met.arrived == 0) return;
  if (met.mask == mask && met.combine == combine && met.site == site) return;
  fail(fmt::format("warp divergence: some lanes of the warp are in {} at {} (mask 0x{:08x}), this "
                   "one is in {} (mask 0x{:08x})",
                   met.name, place(met.site), met.mask, name, mask),
       site);
}

}  // namespace

void warp_collective(const char* name, uint32_t mask, Combine combine, void* operand,
                     bool orders_memory, Site site) {
  Thread& self = *current;
  Block& block = *self.block;
  if (!(mask >> self.lane & 1))
    fail(fmt::format("{}: the calling lane {} is not in its own mask 0x{:08x}", name, self.lane,
                     mask),
         site);
  Rendezvous& met =
      block.rendezvous[self.warp * 32u + static_cast<unsigned>(std::countr_zero(mask))];
  check_meeting(met, name, mask, combine, site);
  uint32_t lanes = mask;
  const int existing = block.thread_count - self.warp * 32;
  if (existing < 32) {
    lanes &= (1u << existing) - 1;
    if (mask != 0xffffffffu && lanes != mask)
      fail(fmt::format("{}: the mask 0x{:08x} names lanes that do not exist: the warp has {}", name,
                       mask, existing),
           site);
  }
  if (met.arrived == 0) {
    met.mask = mask;
    met.name = name;
    met.site = site;
    met.combine = combine;
  }
  met.operands[self.lane] = operand;
  met.arrived |= 1u << self.lane;
  if (met.arrived != lanes) return suspend(Wait::warp, name, site, mask);

  ++block.gang->collectives;
  met.arrived = 0;
  if (combine) combine(met.operands, lanes);
  if (Tracer* tracer = config().tracer)
    tracer->warp_met(block, self.warp, lanes, orders_memory, name, site);
  for (uint32_t others = lanes & ~(1u << self.lane); others; others &= others - 1)
    make_ready(block.threads[self.warp * 32u + static_cast<unsigned>(std::countr_zero(others))]);
  if (block.gang->seeded) yield();
}

uint32_t live_lanes(const Thread& thread) {
  uint32_t lanes = 0;
  for (int lane = 0; lane < 32; ++lane) {
    const int linear = thread.warp * 32 + lane;
    if (linear < thread.block->thread_count &&
        thread.block->threads[static_cast<size_t>(linear)].wait != Wait::done)
      lanes |= 1u << lane;
  }
  return lanes;
}

void shuffle_combine(void* const* operands, uint32_t mask) {
  for (int lane = 0; lane < 32; ++lane) {
    if (!(mask >> lane & 1)) continue;
    auto* self = static_cast<Operand*>(operands[lane]);
    // A lane outside the mask is undefined on the hardware: make it show.
    const bool named = mask >> (self->source & 31) & 1;
    self->out =
        named ? static_cast<Operand*>(operands[self->source & 31])->in : 0xdeadbeefdeadbeefull;
  }
}

void ballot_combine(void* const* operands, uint32_t mask) {
  uint32_t ballot = 0;
  for (int lane = 0; lane < 32; ++lane)
    if (mask >> lane & 1)
      ballot |= static_cast<uint32_t>(static_cast<Operand*>(operands[lane])->in) << lane;
  for (int lane = 0; lane < 32; ++lane)
    if (mask >> lane & 1) static_cast<Operand*>(operands[lane])->out = ballot;
}

void match_combine(void* const* operands, uint32_t mask) {
  for (int lane = 0; lane < 32; ++lane) {
    if (!(mask >> lane & 1)) continue;
    auto* self = static_cast<Operand*>(operands[lane]);
    self->out = 0;
    for (int other = 0; other < 32; ++other)
      if ((mask >> other & 1) && static_cast<Operand*>(operands[other])->in == self->in)
        self->out |= 1u << other;
  }
}

}  // namespace strata::sim

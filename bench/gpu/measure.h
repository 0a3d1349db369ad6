// Timing on a GPU. Launches are captured into a graph that goes round all copies of the operands,
// so that nothing of them is left in L2 and the processor's launch overhead is not measured; the
// graph is replayed between events. Warm-up goes on until the median stands still, because a GPU's
// clock falls for seconds after work begins. The simulator has no time: measuring there is an
// error.
#pragma once

#include <functional>

#include "bench/gpu/telemetry.h"

namespace strata::bench {

struct MeasureOptions {
  double warm_up = 0.5;  // seconds, at least; ten times that at most
  double seconds = 1;    // of measuring
  double settled =
      0.01;  // medians of two queues of work that differ by less: the clock has settled
};

struct Measurement {
  double p20 = 0, median = 0, p80 = 0;  // microseconds of one run
  int samples = 0;                      // replays
  int runs_a_sample = 0;
  bool settled = false;
  State state;  // of the device, while it worked
};

// The q-quantile of the samples, between neighbours in proportion. Throws for no samples.
double quantile(std::vector<double> samples, double q);

// How many sets of operands of `bytes` go past three times the L2 cache.
int copies_past_cache(double bytes, double l2_bytes);

Measurement measure(const std::function<void(int copy)>& run, int copies,
                    const MeasureOptions& options, const Telemetry& telemetry);

}  // namespace strata::bench

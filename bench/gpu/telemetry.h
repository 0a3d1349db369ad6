// Clock, power and temperature of the GPU, asked of the driver's NVML library, which is loaded when
// there is one.
#pragma once

#include <memory>
#include <string>

namespace strata::bench {

// Zeros where the driver does not say.
struct State {
  unsigned clock_mhz = 0;  // of the multiprocessors
  double watts = 0;
  unsigned celsius = 0;
};

class Telemetry {
 public:
  Telemetry();
  ~Telemetry();
  State read() const;
  std::string driver() const;  // version, or "unknown"

 private:
  struct Nvml;
  std::unique_ptr<Nvml> nvml_;
};

}  // namespace strata::bench

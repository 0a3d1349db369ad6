#include "bench/gpu/telemetry.h"

#ifdef STRATA_CUDA
#include <cuda_runtime.h>
#endif

#include "bench/gpu/library.h"

namespace strata::bench {

// The part of nvml.h that is used; NVML keeps its interface stable. 0 is success.
struct Telemetry::Nvml {
  using Device = struct nvmlDevice_st*;
  Library library{"libnvidia-ml.so.1"};
  Device device = nullptr;

  bool open() {
    if (!library) return false;
    if (library.function<int()>("nvmlInit_v2")() != 0) return false;
#ifdef STRATA_CUDA
    // By its place on the bus: NVML counts devices that CUDA_VISIBLE_DEVICES hides.
    char place[32] = "";
    if (cudaDeviceGetPCIBusId(place, sizeof place, 0) != cudaSuccess) return false;
    return library.function<int(const char*, Device*)>("nvmlDeviceGetHandleByPciBusId_v2")(
               place, &device) == 0;
#else
    return false;
#endif
  }
};

Telemetry::Telemetry() : nvml_(std::make_unique<Nvml>()) {
  if (!nvml_->open()) nvml_.reset();
}
Telemetry::~Telemetry() = default;

State Telemetry::read() const {
  State state;
  if (!nvml_) return state;
  const Library& library = nvml_->library;
  constexpr int multiprocessor_clock = 1, core_sensor = 0;
  unsigned milliwatts = 0;
  library.function<int(Nvml::Device, int, unsigned*)>("nvmlDeviceGetClockInfo")(
      nvml_->device, multiprocessor_clock, &state.clock_mhz);
  library.function<int(Nvml::Device, unsigned*)>("nvmlDeviceGetPowerUsage")(nvml_->device,
                                                                            &milliwatts);
  library.function<int(Nvml::Device, int, unsigned*)>("nvmlDeviceGetTemperature")(
      nvml_->device, core_sensor, &state.celsius);
  state.watts = milliwatts / 1000.0;
  return state;
}

std::string Telemetry::driver() const {
  char version[96] = "unknown";
  if (nvml_)
    nvml_->library.function<int(char*, unsigned)>("nvmlSystemGetDriverVersion")(version,
                                                                                sizeof version);
  return version;
}

}  // namespace strata::bench

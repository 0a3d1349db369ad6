// The runtime under Device::gpu: memory, streams, events, graphs. Two implementations:
// runtime_cuda.cu on the CUDA runtime, kernels/sim/runtime.cpp on the simulator. In both, launches
// and copies only take a place in their stream; nothing need have happened before synchronize().
// The simulator really does nothing before, so a missing synchronisation shows on a laptop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "kernels/gpu/device.h"

namespace strata::gpu {

// What went wrong on the device or in a call to it; names the kernel, or the call, and its
// arguments.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

bool simulated();
// Whether there is a device: always, when simulated.
bool available();
// The device's figures. Launchers choose by them.
const DeviceInfo& device();

using Stream = struct StreamState*;  // null: the default stream
using Event = struct EventState*;
using Graph = struct GraphState*;

Stream create_stream();
void destroy_stream(Stream stream);
// Waits until everything in the stream has happened; throws what went wrong.
void synchronize(Stream stream);
void synchronize_all();
// The stream that launches use when none is named; one a host thread.
Stream current_stream();
void set_current_stream(Stream stream);

Event create_event();
void destroy_event(Event event);
void record(Event event, Stream stream);
void wait(Stream stream, Event event);  // what comes after in `stream` waits for the event
void synchronize_event(Event event);
// Milliseconds between two recorded events. The simulator has no time: an error.
double elapsed_ms(Event begin, Event end);

// Device memory, aligned to 256 bytes. Throws std::bad_alloc when there is none.
void* allocate(size_t bytes);
void release(void* memory) noexcept;
// Page-locked host memory, which copies reach without staging.
void* allocate_pinned(size_t bytes);
void release_pinned(void* memory) noexcept;
size_t free_memory();

// In stream order; host memory must stay until the stream is synchronised.
void copy_to_device(void* to, const void* from, size_t bytes, Stream stream);
void copy_to_host(void* to, const void* from, size_t bytes, Stream stream);
void copy_on_device(void* to, const void* from, size_t bytes, Stream stream);
void fill_bytes(void* memory, int byte, size_t bytes, Stream stream);

// Records what `work` puts into `stream` instead of doing it; replay() does it, with the same
// addresses.
Graph capture(Stream stream, const std::function<void()>& work);
// Whether the stream is inside capture(): then nothing may wait for it.
bool is_capturing(Stream stream);
void replay(Graph graph, Stream stream);
void destroy_graph(Graph graph);

// Called at each launch with the kernel's name, for tools; null: nobody.
using LaunchObserver = void (*)(std::string_view kernel, const struct LaunchConfig& config);
void observe_launches(LaunchObserver observer);

}  // namespace strata::gpu

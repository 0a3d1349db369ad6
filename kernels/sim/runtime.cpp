// Streams, events, copies and graphs on the simulator. A stream is a queue of work; nothing in it
// happens until somebody synchronises, so reading a result too early gives stale bytes here as it
// may on a GPU.
#include "kernels/gpu/runtime.h"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "kernels/gpu/launch.h"
#include "kernels/sim/block.h"
#include "kernels/sim/device_memory.h"
#include "kernels/sim/launch.h"

namespace strata::gpu {

using Work = std::function<void()>;

struct GraphState {
  std::vector<Work> work;
};
struct StreamState {
  std::deque<Work> queue;
  GraphState* capturing = nullptr;
};
struct EventState {
  std::shared_ptr<bool> reached;  // null: never recorded
  Stream stream = nullptr;
};

namespace {

// One lock for the whole runtime; work runs under it, and may itself synchronise (an event's wait).
std::recursive_mutex mutex;
thread_local Stream current = nullptr;
LaunchObserver observer = nullptr;

StreamState& default_stream() {
  static StreamState* instance = new StreamState;
  return *instance;
}
std::vector<Stream>& streams() {
  static auto* instance = new std::vector<Stream>{&default_stream()};
  return *instance;
}
StreamState& state(Stream stream) { return stream ? *stream : default_stream(); }

void enqueue(Stream stream, Work work) {
  std::lock_guard lock(mutex);
  StreamState& queue = state(stream);
  if (queue.capturing)
    queue.capturing->work.push_back(std::move(work));
  else
    queue.queue.push_back(std::move(work));
}

void run_next(StreamState& stream) {
  Work work = std::move(stream.queue.front());
  stream.queue.pop_front();
  work();
}

void drain(StreamState& stream, const char* call) {
  std::lock_guard lock(mutex);
  if (stream.capturing)
    throw Error(
        fmt::format("{} inside capture(): what is captured must not wait for the device", call));
  if (stream.queue.empty()) return;
  sim::DeviceAccess access;
  try {
    while (!stream.queue.empty()) run_next(stream);
  } catch (...) {
    stream.queue.clear();  // what would have come after the failure
    throw;
  }
}

}  // namespace

bool simulated() { return true; }
bool available() { return true; }
const DeviceInfo& device() { return sim::config().device; }

Stream create_stream() {
  std::lock_guard lock(mutex);
  return streams().emplace_back(new StreamState);
}
void destroy_stream(Stream stream) {
  synchronize(stream);
  std::lock_guard lock(mutex);
  std::erase(streams(), stream);
  if (current == stream) current = nullptr;
  delete stream;
}
void synchronize(Stream stream) { drain(state(stream), "synchronize"); }
void synchronize_all() {
  std::lock_guard lock(mutex);
  for (Stream stream : streams()) drain(*stream, "synchronize_all");
}
Stream current_stream() { return current; }
void set_current_stream(Stream stream) { current = stream; }

Event create_event() { return new EventState; }
void destroy_event(Event event) { delete event; }
void record(Event event, Stream stream) {
  event->reached = std::make_shared<bool>(false);
  event->stream = stream;
  enqueue(stream, [reached = event->reached] { *reached = true; });
}
void wait(Stream stream, Event event) {
  if (!event->reached) return;
  enqueue(stream, [reached = event->reached, other = event->stream] {
    while (!*reached && !state(other).queue.empty()) run_next(state(other));
  });
}
void synchronize_event(Event event) {
  std::lock_guard lock(mutex);
  if (!event->reached) return;
  sim::DeviceAccess access;
  StreamState& stream = state(event->stream);
  while (!*event->reached && !stream.queue.empty()) run_next(stream);
}
double elapsed_ms(Event, Event) {
  throw Error("elapsed_ms: the simulator has no time; speed is measured on a GPU only");
}

void* allocate(size_t bytes) { return sim::allocate_device(bytes); }
void release(void* memory) noexcept {
  if (!memory) return;
  try {
    synchronize_all();  // as cudaFree does; what fails there has been reported, or will be, to who
                        // waits for it
  } catch (...) {
  }
  sim::release_device(memory);
}
void* allocate_pinned(size_t bytes) {
  void* memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  if (!memory) throw std::bad_alloc();
  return memory;
}
void release_pinned(void* memory) noexcept { std::free(memory); }
size_t free_memory() { return sim::device_bytes_free(); }

namespace {

void check_device(const void* p, size_t bytes, const char* call, const char* which) {
  if (bytes && !sim::is_device_memory(p))
    throw Error(fmt::format("{}: {} ({}) is not device memory; it must come from gpu::allocate",
                            call, which, p));
}

void enqueue_copy(void* to, const void* from, size_t bytes, Stream stream) {
  if (bytes) enqueue(stream, [=] { std::memcpy(to, from, bytes); });
}

}  // namespace

void copy_to_device(void* to, const void* from, size_t bytes, Stream stream) {
  check_device(to, bytes, "copy_to_device", "the target");
  enqueue_copy(to, from, bytes, stream);
}
void copy_to_host(void* to, const void* from, size_t bytes, Stream stream) {
  check_device(from, bytes, "copy_to_host", "the source");
  enqueue_copy(to, from, bytes, stream);
}
void copy_on_device(void* to, const void* from, size_t bytes, Stream stream) {
  check_device(to, bytes, "copy_on_device", "the target");
  check_device(from, bytes, "copy_on_device", "the source");
  enqueue_copy(to, from, bytes, stream);
}
void fill_bytes(void* memory, int byte, size_t bytes, Stream stream) {
  check_device(memory, bytes, "fill_bytes", "the target");
  if (bytes) enqueue(stream, [=] { std::memset(memory, byte, bytes); });
}

Graph capture(Stream stream, const std::function<void()>& work) {
  auto graph = std::make_unique<GraphState>();
  StreamState& captured = state(stream);
  if (captured.capturing)
    throw Error("capture() inside capture(): the stream is being captured already");
  captured.capturing = graph.get();
  try {
    work();
  } catch (...) {
    captured.capturing = nullptr;
    throw;
  }
  captured.capturing = nullptr;
  return graph.release();
}
bool is_capturing(Stream stream) { return state(stream).capturing != nullptr; }
void replay(Graph graph, Stream stream) {
  for (const Work& work : graph->work) enqueue(stream, work);
}
void destroy_graph(Graph graph) { delete graph; }

void observe_launches(LaunchObserver new_observer) { observer = new_observer; }

namespace detail {

void launching(std::string_view name, const LaunchConfig& config) {
  if (observer) observer(name, config);
}

void enqueue_launch(std::string_view name, const LaunchConfig& config, Work entry) {
  enqueue(config.stream,
          [launch = sim::Launch{std::string(name), std::move(entry), config.grid, config.block,
                                config.cluster, config.shared}] { sim::run(launch); });
}

}  // namespace detail

}  // namespace strata::gpu

// The runtime on CUDA. Streams, events and graphs are CUDA's own, behind the names of runtime.h.
#include <cuda_runtime.h>

#include <atomic>
#include <new>
#include <string>

#include "kernels/gpu/launch.h"
#include "kernels/gpu/runtime.h"

namespace strata::gpu {

namespace {

thread_local Stream current = nullptr;
std::atomic<LaunchObserver> observer = nullptr;

cudaStream_t cuda(Stream stream) { return reinterpret_cast<cudaStream_t>(stream); }
cudaEvent_t cuda(Event event) { return reinterpret_cast<cudaEvent_t>(event); }
cudaGraphExec_t cuda(Graph graph) { return reinterpret_cast<cudaGraphExec_t>(graph); }

void check(cudaError_t status, const char* call) {
  if (status == cudaSuccess) return;
  throw Error(std::string(call) + ": CUDA says " + cudaGetErrorName(status) + " (" +
              cudaGetErrorString(status) + ")");
}

std::string text(dim3 size) {
  return "(" + std::to_string(size.x) + "," + std::to_string(size.y) + "," +
         std::to_string(size.z) + ")";
}

// Peaks that the driver does not tell are those of the data sheet of the nearest known device.
DeviceInfo describe_device() {
  int id = 0;
  check(cudaGetDevice(&id), "cudaGetDevice");
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, id), "cudaGetDeviceProperties");
  const std::string name = properties.name;
  DeviceInfo info = properties.major < 9                     ? a100()
                    : name.find("H200") != std::string::npos ? h200()
                                                             : h100();
  if (properties.major == 8 && properties.minor == 9) info = rtx4090();
  info.name = name;
  info.arch = properties.major * 10 + properties.minor;
  info.multiprocessors = properties.multiProcessorCount;
  info.shared_per_block = properties.sharedMemPerBlockOptin;
  info.l2 = static_cast<size_t>(properties.l2CacheSize);
  return info;
}

}  // namespace

bool simulated() { return false; }
bool available() {
  static const bool found = [] {
    int count = 0;
    return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
  }();
  return found;
}
const DeviceInfo& device() {
  static const DeviceInfo info = describe_device();
  return info;
}

Stream create_stream() {
  cudaStream_t stream;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "create_stream");
  return reinterpret_cast<Stream>(stream);
}
void destroy_stream(Stream stream) {
  synchronize(stream);
  if (current == stream) current = nullptr;
  check(cudaStreamDestroy(cuda(stream)), "destroy_stream");
}
void synchronize(Stream stream) { check(cudaStreamSynchronize(cuda(stream)), "synchronize"); }
void synchronize_all() { check(cudaDeviceSynchronize(), "synchronize_all"); }
Stream current_stream() { return current; }
void set_current_stream(Stream stream) { current = stream; }

Event create_event() {
  cudaEvent_t event;
  check(cudaEventCreate(&event), "create_event");
  return reinterpret_cast<Event>(event);
}
void destroy_event(Event event) { check(cudaEventDestroy(cuda(event)), "destroy_event"); }
void record(Event event, Stream stream) {
  check(cudaEventRecord(cuda(event), cuda(stream)), "record");
}
void wait(Stream stream, Event event) {
  check(cudaStreamWaitEvent(cuda(stream), cuda(event)), "wait");
}
void synchronize_event(Event event) {
  check(cudaEventSynchronize(cuda(event)), "synchronize_event");
}
double elapsed_ms(Event begin, Event end) {
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, cuda(begin), cuda(end)), "elapsed_ms");
  return milliseconds;
}

void* allocate(size_t bytes) {
  void* memory = nullptr;
  const cudaError_t status = cudaMalloc(&memory, bytes ? bytes : 1);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // it is not sticky, and the caller may free something and try again
    throw std::bad_alloc();
  }
  check(status, "allocate");
  return memory;
}
void release(void* memory) noexcept {
  if (memory) cudaFree(memory);
}
void* allocate_pinned(size_t bytes) {
  void* memory = nullptr;
  if (cudaMallocHost(&memory, bytes ? bytes : 1) != cudaSuccess) throw std::bad_alloc();
  return memory;
}
void release_pinned(void* memory) noexcept {
  if (memory) cudaFreeHost(memory);
}
size_t free_memory() {
  size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "free_memory");
  return free;
}

void copy_to_device(void* to, const void* from, size_t bytes, Stream stream) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, cuda(stream)), "copy_to_device");
}
void copy_to_host(void* to, const void* from, size_t bytes, Stream stream) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, cuda(stream)), "copy_to_host");
}
void copy_on_device(void* to, const void* from, size_t bytes, Stream stream) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, cuda(stream)), "copy_on_device");
}
void fill_bytes(void* memory, int byte, size_t bytes, Stream stream) {
  check(cudaMemsetAsync(memory, byte, bytes, cuda(stream)), "fill_bytes");
}

Graph capture(Stream stream, const std::function<void()>& work) {
  if (!stream)
    throw Error("capture: CUDA captures streams of create_stream(), not the default one");
  check(cudaStreamBeginCapture(cuda(stream), cudaStreamCaptureModeThreadLocal), "capture");
  cudaGraph_t graph = nullptr;
  try {
    work();
  } catch (...) {
    cudaStreamEndCapture(cuda(stream), &graph);
    if (graph) cudaGraphDestroy(graph);
    throw;
  }
  check(cudaStreamEndCapture(cuda(stream), &graph), "capture");
  cudaGraphExec_t executable = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  check(status, "capture");
  return reinterpret_cast<Graph>(executable);
}
bool is_capturing(Stream stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  return cudaStreamIsCapturing(cuda(stream), &status) == cudaSuccess &&
         status == cudaStreamCaptureStatusActive;
}
void replay(Graph graph, Stream stream) {
  check(cudaGraphLaunch(cuda(graph), cuda(stream)), "replay");
}
void destroy_graph(Graph graph) { check(cudaGraphExecDestroy(cuda(graph)), "destroy_graph"); }

void observe_launches(LaunchObserver new_observer) { observer = new_observer; }

namespace detail {

void launching(std::string_view name, const LaunchConfig& config) {
  if (LaunchObserver seen = observer) seen(name, config);
}

void check_launch(cudaError_t status, std::string_view name, const LaunchConfig& config) {
  if (status == cudaSuccess) return;
  throw Error("launch of " + std::string(name) + " with grid " + text(config.grid) + ", block " +
              text(config.block) + ", " + std::to_string(config.shared) +
              " bytes of dynamic shared memory: CUDA says " + cudaGetErrorName(status) + " (" +
              cudaGetErrorString(status) + ")");
}

}  // namespace detail

}  // namespace strata::gpu

#include "bench/gpu/measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "kernels/gpu/runtime.h"

namespace strata::bench {

namespace {

using gpu::Event;

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// `runs` launches going round the copies: a graph, or where the work cannot be captured, calls.
class Batch {
 public:
  Batch(const std::function<void(int)>& run, int copies, int runs)
      : launch_([&run, copies, runs] {
          for (int i = 0; i < runs; ++i) run(i % copies);
        }),
        stream_(gpu::current_stream()) {
    try {
      graph_ = gpu::capture(stream_, launch_);
    } catch (const std::runtime_error&) {  // gpu::Error, or a rival's own
      graph_ = nullptr;
    }
  }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;
  ~Batch() {
    if (graph_) gpu::destroy_graph(graph_);
  }
  void operator()() const {
    if (graph_)
      gpu::replay(graph_, stream_);
    else
      launch_();
  }

 private:
  std::function<void()> launch_;
  gpu::Stream stream_;
  gpu::Graph graph_ = nullptr;
};

// Events between batches that are queued together, so that the device never waits for the host.
class Queue {
 public:
  explicit Queue(size_t length) : events_(length + 1) {
    for (Event& event : events_) event = gpu::create_event();
  }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  ~Queue() {
    for (Event event : events_) gpu::destroy_event(event);
  }
  // Appends the microseconds of each batch; reads the device's state while it works.
  void run(const Batch& batch, const Telemetry& telemetry, std::vector<double>& samples,
           State& state) {
    const gpu::Stream stream = gpu::current_stream();
    gpu::record(events_[0], stream);
    for (size_t i = 1; i < events_.size(); ++i) {
      batch();
      gpu::record(events_[i], stream);
    }
    gpu::synchronize_event(events_[events_.size() / 2]);
    state = telemetry.read();
    gpu::synchronize_event(events_.back());
    for (size_t i = 1; i < events_.size(); ++i)
      samples.push_back(1000 * gpu::elapsed_ms(events_[i - 1], events_[i]));
  }

 private:
  std::vector<Event> events_;
};

// Microseconds of one run, roughly: after a first round, whose kernels are still to be loaded.
double estimate(const std::function<void(int)>& run, int copies) {
  for (int i = 0; i < copies; ++i) run(i);
  gpu::synchronize(gpu::current_stream());
  const double begin = seconds_now();
  for (int i = 0; i < copies; ++i) run(i);
  gpu::synchronize(gpu::current_stream());
  return std::max((seconds_now() - begin) * 1e6 / copies, 0.5);
}

}  // namespace

double quantile(std::vector<double> samples, double q) {
  if (samples.empty()) throw std::invalid_argument("quantile of no samples");
  std::sort(samples.begin(), samples.end());
  const double place = q * static_cast<double>(samples.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, samples.size() - 1);
  return samples[below] + (place - std::floor(place)) * (samples[above] - samples[below]);
}

int copies_past_cache(double bytes, double l2_bytes) {
  constexpr int most = 256;
  const double needed = std::ceil(3 * l2_bytes / std::max(bytes, 1.0));
  return static_cast<int>(std::clamp(needed + 1, 2.0, double{most}));
}

Measurement measure(const std::function<void(int)>& run, int copies, const MeasureOptions& options,
                    const Telemetry& telemetry) {
  if (gpu::simulated()) throw gpu::Error("measure: the simulator has no time");
  constexpr double shortest_batch = 500;  // microseconds, against the resolution of events
  const double once = estimate(run, copies);
  const int runs =
      copies * static_cast<int>(std::max(1.0, std::ceil(shortest_batch / once / copies)));
  const Batch batch(run, copies, runs);
  Queue queue(static_cast<size_t>(std::clamp(1e5 / (once * runs), 4.0, 64.0)));  // 0.1 s

  Measurement result;
  result.runs_a_sample = runs;
  double before = 0;
  for (const double begin = seconds_now();;) {
    std::vector<double> samples;
    queue.run(batch, telemetry, samples, result.state);
    const double now = quantile(samples, 0.5), passed = seconds_now() - begin;
    result.settled = std::abs(now - before) < options.settled * now;
    before = now;
    if ((passed > options.warm_up && result.settled) || passed > 10 * options.warm_up) break;
  }
  std::vector<double> samples;
  for (const double begin = seconds_now();
       seconds_now() - begin < options.seconds || samples.size() < 20;)
    queue.run(batch, telemetry, samples, result.state);
  for (double& sample : samples) sample /= runs;
  result.samples = static_cast<int>(samples.size());
  result.p20 = quantile(samples, 0.2);
  result.median = quantile(samples, 0.5);
  result.p80 = quantile(samples, 0.8);
  return result;
}

}  // namespace strata::bench

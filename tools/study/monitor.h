// Monitor: looks at a network while it trains, without touching it.
//
// At each chosen step it runs a fixed set of held-out images through the network in evaluation mode
// and writes, for each studied layer: the validation accuracy of a linear probe for the class and
// for every known factor; sparsity, effective rank and weight norm; and it keeps the Gram matrix of
// the layer, from which CKA with the finished network is computed at the end. Everything random in
// it has generators of its own: weights with and without monitor are equal to the bit.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "engine/data/dataset.h"
#include "engine/nn/layer.h"
#include "tools/introspect/representation/probe.h"
#include "tools/study/metrics_log.h"

namespace strata::study {

struct MonitorOptions {
  int64_t probe_train = 2000, probe_validation = 1000;  // images, neither seen in training
  int64_t gram_examples = 400;
  int64_t code_size = 128;  // dimensions a probe sees of each layer
  int64_t grid = 4;         // cells a side that activations are averaged over
  introspect::ProbeOptions probe;
  std::vector<int64_t> film;  // monitored steps whose weights are kept
};

// 0, 1, 2, 3, 4, 6, 8, 12, ... and the last step: log-spaced, so that the beginning is seen.
std::vector<int64_t> monitored_steps(int64_t last);
// At most `frames` of these, evenly spread and with both ends: the frames of the film of panels
// that need a pass through the network at each.
std::vector<int64_t> film_steps(int64_t last, int64_t frames = 12);

class Monitor {
 public:
  // `folder`: where the Gram matrices of each step, and weights, are kept (so that a resumed run
  // has them).
  Monitor(const Dataset& images, std::vector<std::string> layers, const MonitorOptions& options,
          std::filesystem::path folder);

  // At step 0 the probes are written as "trained" and as "untrained": they are both.
  void observe(Layer& model, int64_t step, MetricsLog& log);
  // The probes of the raw pixels, and of the layers with shuffled labels.
  void observe_pixels(MetricsLog& log);
  void observe_shuffled(Layer& model, int64_t step, MetricsLog& log);
  // After training: CKA of each layer at each step in `steps` with itself at the last one.
  void write_cka(const std::vector<int64_t>& steps, MetricsLog& log) const;
  // Debiased CKA between the layers at a step, row by row.
  std::vector<std::vector<double>> layer_similarity(int64_t step) const;

  // Weights of the first layer at a step as images [filters, H, W, C] (C 1 or 3), or undefined when
  // it is not one that sees pixels.
  Tensor filters(int64_t step) const;

  // The weights and running statistics of a step of the film, into a model of the same
  // architecture.
  void restore(Module& model, int64_t step) const;

  const std::vector<std::string>& layers() const { return layers_; }
  int64_t gram_examples() const { return options_.gram_examples; }
  // The pooled features of all monitored images, probe_train + probe_validation rows, by layer.
  std::map<std::string, Tensor> features(Layer& model,
                                         std::map<std::string, double>* sparsity = nullptr) const;

 private:
  void write_probes(const std::string& layer, const Tensor& features, int64_t step,
                    const std::string& control, MetricsLog& log) const;
  // Loss and accuracy on the monitor's images, which training never sees.
  void write_validation(Layer& model, int64_t step, MetricsLog& log) const;
  StateDict load(int64_t step) const;

  std::vector<std::string> layers_;
  MonitorOptions options_;
  std::filesystem::path folder_;
  Batch images_;
  std::vector<introspect::ProbeTask> tasks_, shuffled_;
};

}  // namespace strata::study

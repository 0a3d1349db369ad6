#include "tools/introspect/language/patching.h"

#include <algorithm>
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/capture.h"

namespace strata::introspect {
namespace {

// `value` [runs N, T, ...], where run r takes from `clean` [N, T, ...] what mask [runs, 1, ...] (of
// rank one more than `shape`, the activation's as the sweep sees it) marks.
Tensor mixed(const Tensor& value, const Tensor& clean, const Dims& shape, const Tensor& mask) {
  Dims split = {mask.size(0)};
  for (int64_t size : shape) split.push_back(size);
  Tensor out = where(mask, clean.reshape(shape).unsqueeze(0), value.reshape(split));
  return out.reshape(value.shape());
}

// One row of a sweep: the metric with each of `places` patched, places being indices of axis `axis`
// of the activation seen as `shape`.
std::vector<double> patched_metrics(const PatchingTask& task, const std::string& name,
                                    const Tensor& clean, const Dims& shape, int axis) {
  int64_t places = shape[axis], n = clean.size(0);
  std::vector<double> metrics;
  for (int64_t begin = 0; begin < places; begin += task.runs) {
    int64_t runs = std::min(task.runs, places - begin);
    Dims mask_shape = {runs};
    for (int i = 0; i < shape.rank(); ++i) mask_shape.push_back(i == axis ? places : 1);
    // Row r marks place begin + r.
    Tensor marks = eye(places, DType::u8).slice(0, begin, begin + runs).to(DType::boolean);
    Tensor mask = marks.reshape(mask_shape);
    Dims times = {runs};
    for (int i = 1; i < task.corrupted.rank(); ++i) times.push_back(1);
    Edit edit(name, [&](const Tensor& value) { return mixed(value, clean, shape, mask); });
    Tensor output = task.model(repeat(task.corrupted, times));
    for (int64_t r = 0; r < runs; ++r) {
      metrics.push_back(task.metric(output.slice(0, r * n, (r + 1) * n)));
    }
  }
  return metrics;
}

// The named activations of the clean run, whose metric goes to `out`.
std::vector<Tensor> clean_values(const PatchingTask& task, const std::vector<std::string>& names,
                                 PatchSweep& out) {
  Capture capture(names);
  out.clean = task.metric(task.model(task.clean));
  std::vector<Tensor> values;
  for (const std::string& name : names) {
    values.push_back(capture[name]);
    if (capture.every(name).size() > 1) {
      fail("patching", Caller{}, "the model shows '{}' {} times in a pass; patch it use by use",
           name, capture.every(name).size());
    }
  }
  return values;
}

// `seen_as`: an activation's shape to the shape that the sweep's axis `axis` is of.
template <class F>
PatchSweep sweep(const PatchingTask& task, const std::vector<std::string>& activations, int axis,
                 F&& seen_as) {
  NoGrad off;
  if (task.clean.shape() != task.corrupted.shape()) {
    fail("patching", Caller{}, "the clean input {} and the corrupted {} differ in shape",
         describe(task.clean), describe(task.corrupted));
  }
  if (activations.empty()) fail("patching", Caller{}, "no activations were named");
  if (task.runs < 1) fail("patching", Caller{}, "{} runs at a time", task.runs);
  PatchSweep out{activations, {}};
  std::vector<Tensor> clean = clean_values(task, activations, out);
  out.corrupted = task.metric(task.model(task.corrupted));
  double range = out.clean - out.corrupted;
  if (!(std::abs(range) > 0)) {
    fail("patching", Caller{},
         "the metric is {:.6g} for the clean input and {:.6g} for the corrupted: there is nothing "
         "to restore",
         out.clean, out.corrupted);
  }
  std::vector<Tensor> rows;
  for (size_t i = 0; i < activations.size(); ++i) {
    auto metrics = patched_metrics(task, activations[i], clean[i], seen_as(clean[i]), axis);
    for (double& metric : metrics) metric = (metric - out.corrupted) / range;
    rows.push_back(from_vector(metrics, {static_cast<int64_t>(metrics.size())}));
  }
  out.restored = stack(rows);
  return out;
}

}  // namespace

PatchMetric logit_difference(std::vector<int64_t> answers, std::vector<int64_t> others,
                             int64_t position) {
  return [=](const Tensor& logits) {
    int64_t n = logits.size(0);
    if (logits.rank() != 3 || n != static_cast<int64_t>(answers.size()) ||
        answers.size() != others.size()) {
      fail("logit_difference", Caller{}, "logits {} do not fit {} answers and {} others",
           describe(logits), answers.size(), others.size());
    }
    Tensor at = logits.select(1, position);
    auto chosen = [&](const std::vector<int64_t>& tokens) {
      return gather(at, 1, from_vector(tokens, {n, 1}));
    };
    return mean(chosen(answers) - chosen(others)).item();
  };
}

PatchSweep patch_positions(const PatchingTask& task, const std::vector<std::string>& activations) {
  return sweep(task, activations, 1, [](const Tensor& activation) {
    if (activation.rank() < 2) {
      fail("patch_positions", Caller{}, "the activation {} has no positions", describe(activation));
    }
    return activation.shape();
  });
}

PatchSweep patch_heads(const PatchingTask& task, const std::vector<std::string>& activations,
                       int64_t heads) {
  return sweep(task, activations, 2, [=](const Tensor& activation) {
    bool apart = activation.rank() == 4 && activation.size(2) == heads;
    if (!apart && (activation.rank() != 3 || heads < 1 || activation.size(2) % heads != 0)) {
      fail("patch_heads", Caller{}, "{} is not [N, T, C] or [N, T, {}, D], so it has no {} heads",
           describe(activation), heads, heads);
    }
    return Dims{activation.size(0), activation.size(1), heads,
                activation.numel() / (activation.size(0) * activation.size(1) * heads)};
  });
}

std::vector<std::string> in_every_block(int64_t layers, const std::string& site) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < layers; ++i) {
    names.push_back(site.empty() ? fmt::format("blocks.{}", i)
                                 : fmt::format("blocks.{}.{}", i, site));
  }
  return names;
}

}  // namespace strata::introspect

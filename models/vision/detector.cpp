#include "models/vision/detector.h"

#include <algorithm>
#include <cmath>

#include "engine/nn/init.h"
#include "engine/ops/create.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/pool.h"
#include "engine/ops/reduce.h"
#include "engine/ops/view.h"

namespace strata {
namespace {

struct Row {
  int64_t inputs, outputs, stride;
};
std::vector<Row> rows_of(const DetectorOptions& o) {
  const int64_t w = o.width;
  return {{o.channels, w, 1}, {w, 2 * w, 2},     {2 * w, 2 * w, 1}, {2 * w, 4 * w, 2},
          {4 * w, 4 * w, 1},  {4 * w, 4 * w, 1}, {4 * w, 4 * w, 1}};
}

constexpr double prior = 0.1;       // probability of a centre at the start
constexpr double deviation = 0.09;  // of the Gaussians, as a part of the box
constexpr double size_weight = 0.1;

}  // namespace

int64_t detector_parameter_count(const DetectorOptions& o) {
  int64_t count = (4 * o.width + 1) * (o.classes + 4);
  for (const Row& row : rows_of(o)) count += 9 * row.inputs * row.outputs + 2 * row.outputs;
  return count;
}

Detector::Detector(const DetectorOptions& options) : options_(options) {
  for (const Row& row : rows_of(options)) {
    ConvNormOptions conv;
    conv.conv.stride = row.stride;
    conv.conv.padding = 1;
    convs_.push_back(
        &add<ConvNorm>(fmt::format("conv{}", convs_.size() + 1), row.inputs, row.outputs, 3, conv));
    init::kaiming_normal_(convs_.back()->conv.weight);
  }
  head_ = &add<Conv2d>("head", 4 * options.width, options.classes + 4, 1);
  init::zeros_(head_->bias);
  init::constant_(head_->bias.slice(0, 0, options.classes), std::log(prior / (1 - prior)));
}

Tensor Detector::forward(const Tensor& x) {
  if (x.rank() != 4 || x.size(1) % stride != 0 || x.size(2) % stride != 0) {
    fail("Detector", Caller{}, "takes images [N, H, W, C] whose sides divide by {}; got {}", stride,
         describe(x));
  }
  Tensor value = x;
  for (ConvNorm* conv : convs_) value = (*conv)(value);
  return (*head_)(value);
}

std::vector<std::string> Detector::stages() const {
  std::vector<std::string> names;
  for (size_t i = 0; i < convs_.size(); ++i) names.push_back(fmt::format("conv{}", i + 1));
  names.push_back("head");
  return names;
}

DetectorTargets Detector::targets(const std::vector<std::vector<LabelledBox>>& boxes,
                                  int64_t height, int64_t width, Caller at) const {
  const auto n = static_cast<int64_t>(boxes.size()), h = height / stride, w = width / stride;
  const int64_t classes = options_.classes;
  DetectorTargets t{zeros({n, h, w, classes}), zeros({n, h, w, 4}), zeros({n, h, w, 1})};
  float *heat = t.heat.data<float>(), *box = t.boxes.data<float>(),
        *centre = t.centre.data<float>();
  for (int64_t image = 0; image < n; ++image) {
    for (const auto& [b, label] : boxes[static_cast<size_t>(image)]) {
      const double x = (b.x0 + b.x1) / 2 / stride, y = (b.y0 + b.y1) / 2 / stride;
      const double wide = (b.x1 - b.x0) / stride, high = (b.y1 - b.y0) / stride;
      const auto column = static_cast<int64_t>(std::floor(x)),
                 row = static_cast<int64_t>(std::floor(y));
      if (label < 0 || label >= classes || column < 0 || column >= w || row < 0 || row >= h ||
          wide <= 0 || high <= 0)
        fail("Detector", at,
             "image {} has a box ({}, {}, {}, {}) of class {}; boxes have an area, their centres "
             "lie in the image of {} x {} pixels, and there are {} classes",
             image, b.x0, b.y0, b.x1, b.y1, label, height, width, classes);
      for (int64_t r = 0; r < h; ++r) {
        for (int64_t c = 0; c < w; ++c) {
          const double dx = static_cast<double>(c - column) / (deviation * wide),
                       dy = static_cast<double>(r - row) / (deviation * high);
          float& value = heat[((image * h + r) * w + c) * classes + label];
          value = std::max(value, static_cast<float>(std::exp(-(dx * dx + dy * dy) / 2)));
        }
      }
      const int64_t cell = (image * h + row) * w + column;
      const double numbers[] = {wide, high, x - static_cast<double>(column),
                                y - static_cast<double>(row)};
      for (int i = 0; i < 4; ++i) box[cell * 4 + i] = static_cast<float>(numbers[i]);
      centre[cell] = 1;
    }
  }
  return t;
}

Tensor Detector::loss(const Tensor& out, const DetectorTargets& t) const {
  const int64_t classes = options_.classes;
  const Tensor logits = out.slice(3, 0, classes), boxes = out.slice(3, classes, classes + 4);
  const Tensor heat = t.heat.to(out.dtype()).to(out.device());
  const Tensor centre = t.centre.to(out.dtype()).to(out.device());
  const Tensor truth = t.boxes.to(out.dtype()).to(out.device());
  const Tensor p = sigmoid(logits), is_centre = equal(heat, ones_like(heat));
  const Tensor focal = where(is_centre, square(1 - p) * softplus(-logits),
                             square(square(1 - heat)) * square(p) * softplus(logits));
  const Tensor far = abs(boxes - truth) * centre;
  const Tensor total = sum(focal) + sum(far.slice(3, 0, 2)) * size_weight + sum(far.slice(3, 2, 4));
  return total / clamp(sum(centre), 1, INFINITY);
}

std::vector<std::vector<Detection>> Detector::decode(const Tensor& out, int64_t most,
                                                     double threshold) const {
  const int64_t n = out.size(0), h = out.size(1), w = out.size(2), classes = options_.classes;
  const Tensor p = sigmoid(out.slice(3, 0, classes).contiguous());
  const Tensor highest = max_pool2d(p, {.window = 3, .stride = 1, .padding = 1});
  const auto chance = p.to_vector<float>(), top = highest.to_vector<float>();
  const auto numbers = out.slice(3, classes, classes + 4).to_vector<float>();
  std::vector<std::vector<Detection>> all(static_cast<size_t>(n));
  for (int64_t i = 0; i < n * h * w * classes; ++i) {
    const auto at = static_cast<size_t>(i);
    if (chance[at] < top[at] || chance[at] < threshold) continue;
    const int64_t cell = i / classes, column = cell % w, row = cell / w % h;
    const float* box = &numbers[static_cast<size_t>(cell * 4)];
    const double x = (static_cast<double>(column) + box[2]) * stride,
                 y = (static_cast<double>(row) + box[3]) * stride, wide = box[0] * stride / 2.0,
                 high = box[1] * stride / 2.0;
    all[static_cast<size_t>(cell / (h * w))].push_back(
        {{x - wide, y - high, x + wide, y + high}, i % classes, chance[at]});
  }
  for (auto& image : all) {
    image = suppress_overlaps(std::move(image));
    if (static_cast<int64_t>(image.size()) > most) image.resize(static_cast<size_t>(most));
  }
  return all;
}

}  // namespace strata

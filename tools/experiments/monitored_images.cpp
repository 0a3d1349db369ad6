#include "tools/experiments/monitored_images.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/data/keyed_random.h"
#include "engine/ops.h"
#include "tools/introspect/representation/logistic.h"

namespace strata::experiments {

HalvedTerrace::HalvedTerrace(Terrace data, const std::vector<std::string>& factors)
    : data_(std::move(data)), kept_(factors) {
  name = data_.name + ", halved";
  height = data_.height / 2;
  width = data_.width / 2;
  channels = data_.channels;
  class_names = data_.class_names;
  label_name = data_.label_name;
  mean = data_.mean;
  deviation = data_.deviation;
  for (const std::string& wanted : kept_) {
    const auto column = static_cast<size_t>(terrace::factor_named(wanted));
    if (static_cast<int>(column) == data_.label_factor)
      label_factor = static_cast<int>(columns_.size());
    columns_.push_back(column);
    this->factors.push_back(data_.factors.at(column));
  }
  if (label_factor < 0)
    fail("experiment", Caller{}, "the class {} is not among the factors kept", label_name);
}

void HalvedTerrace::read(int64_t index, uint8_t* pixels, int64_t* label, int64_t* values) const {
  std::array<uint8_t, terrace::image_bytes> whole;
  std::array<int64_t, terrace::factor_count> record;
  data_.read(index, whole.data(), label, record.data());
  const int64_t row = 3 * terrace::side;
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int64_t c = 0; c < channels; ++c) {
        const uint8_t* block = whole.data() + 2 * y * row + 6 * x + c;
        *pixels++ =
            static_cast<uint8_t>((block[0] + block[3] + block[row] + block[row + 3] + 2) / 4);
      }
  for (size_t i = 0; i < columns_.size(); ++i) values[i] = record[columns_[i]];
}

HalvedTerrace HalvedTerrace::shifted(terrace::Shift shift, int severity) const {
  return {data_.shifted(shift, severity), kept_};
}

Images with_noisy_labels(const Images& images, double share, uint64_t seed) {
  Images out = images;
  std::vector<int64_t> labels = images.batch.labels.to_vector<int64_t>();
  const auto replaced =
      static_cast<size_t>(std::lround(share * static_cast<double>(labels.size())));
  for (size_t i = 0; i < replaced; ++i) {
    KeyedRandom random(seed, i, 0x6e6f6973u);
    labels[i] = random.below(static_cast<uint32_t>(images.classes));
  }
  out.batch.labels = from_vector(labels, {images.count()});
  return out;
}

HeadLoss head_loss(const Tensor& features, const std::vector<int64_t>& labels, const Tensor& weight,
                   const Tensor& bias, double penalty) {
  const Tensor x = features.detach().to(DType::f64), w = weight.detach().to(DType::f64),
               b = bias.detach().to(DType::f64);
  HeadLoss loss;
  loss.own = introspect::log_loss(matmul(x, w.transpose(0, 1)) + b, labels) +
             penalty / 2 * sum(w * w).item();
  loss.best = introspect::fit_logistic(x, {{weight.size(0), labels}},
                                       {.l2 = penalty, .max_iterations = 500, .tolerance = 1e-6})
                  .front()
                  .objective;
  return loss;
}

double roc_area(const std::vector<double>& clean, const std::vector<double>& shifted) {
  if (clean.empty() || shifted.empty())
    fail("experiment", Caller{}, "roc_area of {} clean and {} shifted scores", clean.size(),
         shifted.size());
  double above = 0;
  for (double c : clean)
    for (double s : shifted) above += s > c ? 1 : s == c ? 0.5 : 0;
  return above / static_cast<double>(clean.size() * shifted.size());
}

}  // namespace strata::experiments

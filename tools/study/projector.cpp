// The last layer's embedding of test images, for TensorBoard's projector.
#include "tools/events/projector.h"

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/events/run_events.h"
#include "tools/introspect/capture.h"
#include "tools/introspect/representation/features.h"
#include "tools/study/panels.h"

namespace strata::study {
namespace {

constexpr int64_t points = 800, batch = 200, dimensions = 64;

Tensor features_of(Study& study, const std::string& layer, const Tensor& images) {
  std::vector<Tensor> parts;
  for (int64_t first = 0; first < images.size(0); first += batch) {
    introspect::Capture capture({layer});
    (*study.model)(images.slice(0, first, std::min(images.size(0), first + batch)));
    parts.push_back(introspect::pooled_features(capture[layer], 4));
  }
  Tensor features = concatenate(parts);
  return introspect::project(features, introspect::principal_components(features, dimensions),
                             false);
}

void label(events::Embedding& embedding, const std::string& column, const Tensor& values,
           const std::vector<std::string>& names) {
  embedding.columns.push_back(column);
  const auto list = values.to_vector<int64_t>();
  for (size_t row = 0; row < list.size(); ++row) {
    const auto value = static_cast<size_t>(list[row]);
    embedding.labels[row].push_back(value < names.size() ? names[value] : std::to_string(value));
  }
}

}  // namespace

void write_embedding(Study& study) {
  NoGrad off;
  study.model->eval();
  const Dataset& test = *study.test;
  const Batch images = test.head(points);
  events::Embedding embedding;
  embedding.name = study.layers.back();
  embedding.points = features_of(study, embedding.name, images.images);
  embedding.thumbnails = pixels_of(images.images, test);
  embedding.labels.resize(static_cast<size_t>(images.images.size(0)));
  for (size_t f = 0; f < test.factors.size(); ++f)
    label(embedding, test.factors[f].name, images.factors.select(1, static_cast<int64_t>(f)),
          test.factors[f].value_names);
  if (test.label_factor < 0) label(embedding, test.label_name, images.labels, test.class_names);
  events::write_projector(events::events_folder(study.options.out), embedding);
}

}  // namespace strata::study

#include "tools/inspect/sample.h"

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/attribution/target.h"

namespace strata::inspect {

Sample sample_of(const Subject& subject, int64_t count) {
  NoGrad off;
  const Dataset& data = *subject.test;
  Batch batch = data.head(count);
  Tensor mean = from_vector(data.mean, {data.channels});
  Tensor deviation = from_vector(data.deviation, {data.channels});
  return {batch.images, batch.images * deviation + mean, batch.labels.to_vector<int64_t>(),
          batch.factors};
}

Tensor activations(const introspect::Scores& model, const std::string& layer, const Tensor& x,
                   int64_t batch) {
  std::vector<Tensor> parts;
  for (int64_t first = 0; first < x.size(0); first += batch) {
    Tensor part = x.slice(0, first, std::min(x.size(0), first + batch));
    parts.push_back(introspect::activation_of(model, part, layer));
  }
  return concatenate(parts, 0);
}

introspect::StimulusSpace space_of(const Subject& subject, const Tensor& pixels) {
  const Dataset& data = *subject.test;
  return introspect::stimulus_space(pixels, from_vector(data.mean, {data.channels}),
                                    from_vector(data.deviation, {data.channels}));
}

std::vector<int64_t> units_of(const Request& request, const introspect::TopExcitations& top,
                              int64_t count) {
  for (int64_t unit : request.units) {
    if (unit < 0 || unit >= top.units()) {
      fail("inspect", Caller{}, "there is no unit {}; the layer has {}", unit, top.units());
    }
  }
  if (!request.units.empty()) return request.units;
  std::vector<int64_t> alive, chosen;
  for (int64_t u = 0; u < top.units(); ++u) {
    if (top.of(u).front().activation > 0) alive.push_back(u);
  }
  auto found = static_cast<int64_t>(alive.size());
  count = std::min(count, found);
  for (int64_t i = 0; i < count; ++i)
    chosen.push_back(alive[static_cast<size_t>(i * found / count)]);
  return chosen;
}

draw::Image picture_of(const Tensor& images, int64_t n) {
  return {draw::to_picture(images.select(0, n))};
}

}  // namespace strata::inspect

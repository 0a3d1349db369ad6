#include "tools/introspect/scores/explanation.h"

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::introspect {

Tensor relevance_map(const Tensor& attribution, int64_t height, int64_t width) {
  bool image = attribution.rank() == 4;
  if (!image && attribution.rank() != 3) {
    fail("relevance_map", Caller{}, "{} is neither an attribution [N, H, W, C] nor a map [N, H, W]",
         describe(attribution));
  }
  NoGrad off;
  Tensor map = attribution.detach().to(Device::cpu).to(DType::f64);
  if (image) map = sum(map, {3});
  if (map.size(1) == height && map.size(2) == width) return map;
  return upsample_bilinear2d(map.unsqueeze(3), height, width).squeeze(3);
}

Tensor relevance_of_places(const Tensor& attribution, const Tensor& x) {
  NoGrad off;
  Dims places = x.shape();
  places.erase(places.rank() - 1);
  Tensor map;
  if (attribution.shape() == x.shape()) {
    map = sum(attribution.detach().to(Device::cpu).to(DType::f64), {x.rank() - 1});
  } else if (attribution.shape() == places) {
    map = attribution.detach().to(Device::cpu).to(DType::f64);
  } else if (x.rank() == 4 && attribution.rank() == 3 && attribution.size(0) == x.size(0)) {
    map = relevance_map(attribution, x.size(1), x.size(2));
  } else {
    fail("relevance_of_places", Caller{},
         "the attribution {} does not fit the input {}: expected its shape, its shape without "
         "channels, or a map [N, h, w] of images",
         describe(attribution), describe(x));
  }
  return map.rank() == 1 ? map.unsqueeze(1) : map.flatten(1);
}

Scores probabilities_of(Scores model) {
  return [model = std::move(model)](const Tensor& x) { return softmax(model(x), 1); };
}

const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::passes:
      return "passes";
    case Verdict::unclear:
      return "unclear";
    default:
      return "fails";
  }
}

}  // namespace strata::introspect

// Attributions of chosen test images, each beside the same map of the untrained network.
#include <algorithm>

#include "engine/autograd/autograd.h"
#include "engine/data/terrace.h"
#include "engine/ops.h"
#include "tools/introspect/attribution/gradient.h"
#include "tools/introspect/capture.h"
#include "tools/study/panels.h"

namespace strata::study {
namespace {

// The first `count` images of the test set that cover the classes evenly.
std::vector<int64_t> chosen_images(const Dataset& data, int64_t count) {
  Batch head = data.head(std::min<int64_t>(data.size(), 50 * count));
  auto labels = head.labels.to_vector<int64_t>();
  int64_t each = (count + data.classes() - 1) / data.classes();
  std::vector<int64_t> taken(static_cast<size_t>(data.classes()), 0), chosen;
  for (size_t i = 0; i < labels.size() && static_cast<int64_t>(chosen.size()) < count; ++i) {
    if (taken[static_cast<size_t>(labels[i])]++ < each) chosen.push_back(static_cast<int64_t>(i));
  }
  return chosen;
}

// One method's maps [N, h, w] of the trained and the untrained network.
struct Maps {
  std::string method;
  Json layer;  // null for maps of pixels
  Tensor trained, untrained;
};

std::vector<Maps> all_maps(Study& study, Layer& untrained, const Tensor& images,
                           const std::vector<int64_t>& target) {
  auto scores = [](Layer& model) {
    return introspect::Scores([&model](const Tensor& x) { return model(x); });
  };
  auto trained_scores = scores(*study.model), untrained_scores = scores(untrained);
  auto both = [&](auto&& method) {
    return std::pair{method(trained_scores), method(untrained_scores)};
  };
  std::vector<Maps> maps;
  auto saliency = both([&](auto& f) {
    return introspect::saliency_map(introspect::gradient_saliency(f, images, target));
  });
  maps.push_back({"Saliency", nullptr, saliency.first, saliency.second});
  auto smooth = both([&](auto& f) {
    return introspect::saliency_map(introspect::smooth_grad(f, images, target));
  });
  maps.push_back({"SmoothGrad", nullptr, smooth.first, smooth.second});
  for (const std::string& layer : study.layers) {
    NoGrad off;
    introspect::Capture capture({layer});
    (*study.model)(images.slice(0, 0, 1));
    if (capture[layer].rank() != 4) continue;  // Grad-CAM needs a map
    auto cam = both([&](auto& f) {
      Tensor map = introspect::grad_cam(f, images, target, layer).unsqueeze(3);
      return upsample_bilinear2d(map, images.size(1), images.size(2)).squeeze(3);
    });
    maps.push_back({"Grad-CAM", layer, cam.first, cam.second});
  }
  return maps;
}

// Where the object is, [H * W] of 0 or 1, when the data set knows; else empty.
std::vector<float> object_mask(const Dataset& data, int64_t index) {
  auto terrace = dynamic_cast<const Terrace*>(&data);
  if (!terrace) return {};
  std::vector<uint8_t> pixels(terrace::image_bytes);
  terrace::Masks masks;
  terrace::render(terrace->scene(index), pixels.data(), &masks);
  std::vector<float> inside;
  for (size_t p = 0; p < terrace::pixel_count; ++p) {
    inside.push_back(std::max(masks.part_above[p], masks.part_below[p]) > 127 ? 1.0f : 0.0f);
  }
  return inside;
}

Json map_entry(const Maps& maps, int64_t row, const std::vector<float>& mask,
               report::SpriteSheet& sheet) {
  auto values = maps.trained.select(0, row).to_vector<float>();
  auto control = maps.untrained.select(0, row).to_vector<float>();
  float high = std::max(*std::max_element(values.begin(), values.end()), 1e-12f);
  float control_high = std::max(*std::max_element(control.begin(), control.end()), 1e-12f);
  Json entry{{"method", maps.method},
             {"layer", maps.layer},
             {"sprite", "attribution maps"},
             {"tile", sheet.add(values, 0, high)},
             {"low", 0},
             {"high", high},
             {"untrained", sheet.add(control, 0, control_high)},
             {"untrained_low", 0},
             {"untrained_high", control_high}};
  if (!mask.empty()) {
    double total = 0, inside = 0, area = 0;
    for (size_t p = 0; p < values.size(); ++p) {
      total += values[p];
      inside += values[p] * mask[p];
      area += mask[p];
    }
    if (total > 0) entry["inside"] = inside / total;
    entry["area"] = area / static_cast<double>(mask.size());
  }
  return entry;
}

}  // namespace

Json attribution_panel(Study& study, Json& sprites) {
  study.model->eval();
  auto untrained = study.untrained();
  untrained->eval();
  auto chosen = chosen_images(*study.test, 8);
  Batch batch = study.test->fill(chosen);
  auto labels = batch.labels.to_vector<int64_t>();
  Tensor probabilities, pixels = pixels_of(batch.images, *study.test);
  {
    NoGrad off;
    probabilities = softmax((*study.model)(batch.images));
  }
  auto predicted = argmax(probabilities, 1).to_vector<int64_t>();
  auto maps = all_maps(study, *untrained, batch.images, predicted);
  auto height = static_cast<size_t>(study.test->height),
       width = static_cast<size_t>(study.test->width);
  report::SpriteSheet images(height, width, static_cast<size_t>(study.test->channels));
  report::SpriteSheet tiles(height, width, 1, "map");
  Json panel = Json::array();
  for (size_t i = 0; i < chosen.size(); ++i) {
    auto row = static_cast<int64_t>(i);
    Tensor image = pixels.select(0, row).contiguous();
    auto mask = object_mask(*study.test, chosen[i]);
    Json entries = Json::array();
    for (auto& m : maps) entries.push_back(map_entry(m, row, mask, tiles));
    size_t tile = images.add({image.data<float>(), static_cast<size_t>(image.numel())});
    panel.push_back({{"sprite", "attributed images"},
                     {"tile", tile},
                     {"label", labels[i]},
                     {"predicted", predicted[i]},
                     {"confidence", probabilities.select(0, row).select(0, predicted[i]).item()},
                     {"factors", factors_of(batch, *study.test, row)},
                     {"maps", entries}});
  }
  sprites["attributed images"] = images.to_json();
  sprites["attribution maps"] = tiles.to_json();
  return panel;
}

}  // namespace strata::study

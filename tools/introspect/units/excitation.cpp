#include "tools/introspect/units/excitation.h"

#include <algorithm>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "kernels/common/parallel.h"

namespace strata::introspect {

void TopExcitations::add(const Tensor& activation, int64_t first) {
  Tensor x = activation.detach().to(DType::f32).contiguous();
  if (x.rank() < 2 || x.rank() > 4) {
    fail("top_excitations", Caller{}, "{} is not [N, H, W, C], [N, T, C] or [N, C]",
         describe(activation));
  }
  int64_t n = x.size(0), channels = x.size(-1), columns = x.rank() == 4 ? x.size(2) : 1;
  int64_t places = x.rank() == 2 ? 1 : x.size(1) * columns;
  best_.resize(static_cast<size_t>(channels));
  responses_.resize(static_cast<size_t>(channels));
  const float* data = x.data<float>();
  parallel_for(channels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      auto& best = best_[static_cast<size_t>(c)];
      for (int64_t i = 0; i < n; ++i) {
        const float* image = data + i * places * channels + c;
        int64_t place = 0;
        for (int64_t p = 1; p < places; ++p) {
          if (image[p * channels] > image[place * channels]) place = p;
        }
        float value = image[place * channels];
        responses_[static_cast<size_t>(c)].push_back(value);
        best.push_back({first + i, place / columns, place % columns, value});
      }
      std::stable_sort(best.begin(), best.end(), [](const Excitation& a, const Excitation& b) {
        return a.activation > b.activation;
      });
      if (static_cast<int>(best.size()) > count_) best.resize(static_cast<size_t>(count_));
    }
  });
}

double TopExcitations::percentile(int64_t unit, double activation) const {
  const auto& seen = responses(unit);
  auto below = std::count_if(seen.begin(), seen.end(), [&](float r) { return r < activation; });
  return seen.empty() ? 0 : static_cast<double>(below) / static_cast<double>(seen.size());
}

ReceptiveField::Window ReceptiveField::window(int64_t row, int64_t column) const {
  // Places are spread evenly, centred on the image.
  auto span = [](int64_t place, double stride, int64_t size, int64_t image) {
    double centre = (static_cast<double>(place) + 0.5) * stride;
    int64_t begin = static_cast<int64_t>(centre - static_cast<double>(size) / 2 + 0.5);
    begin = std::clamp<int64_t>(begin, 0, std::max<int64_t>(0, image - size));
    return std::pair{begin, std::min(image, begin + size)};
  };
  auto [top, bottom] = span(row, stride_y, height, image_height);
  auto [left, right] = span(column, stride_x, width, image_width);
  return {top, left, bottom, right};
}

ReceptiveField receptive_field(const std::function<Tensor(const Tensor&)>& layer_of,
                               const Tensor& images) {
  EnableGrad on;
  Tensor input = images.detach();
  input.set_requires_grad();
  Tensor activation = layer_of(input);
  int64_t height = images.size(1), width = images.size(2);
  ReceptiveField field;
  field.image_height = field.height = height;
  field.image_width = field.width = width;
  if (activation.rank() != 4) return field;  // a flat layer sees everything
  field.stride_y = static_cast<double>(height) / static_cast<double>(activation.size(1));
  field.stride_x = static_cast<double>(width) / static_cast<double>(activation.size(2));
  Tensor centre = activation.select(1, activation.size(1) / 2).select(1, activation.size(2) / 2);
  Tensor gradient = grad(std::vector<Tensor>{sum(centre)}, std::vector<Tensor>{input}, {},
                         {.allow_unused = true})[0];
  if (!gradient.defined()) return field;
  NoGrad off;
  auto seen = sum(abs(gradient), {0, 3}).to_vector<float>();
  int64_t top = height, bottom = -1, left = width, right = -1;
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      if (seen[static_cast<size_t>(y * width + x)] == 0) continue;
      top = std::min(top, y), bottom = std::max(bottom, y);
      left = std::min(left, x), right = std::max(right, x);
    }
  }
  if (bottom < 0) return field;
  field.height = bottom - top + 1;
  field.width = right - left + 1;
  return field;
}

}  // namespace strata::introspect

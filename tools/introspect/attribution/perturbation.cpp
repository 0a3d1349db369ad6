#include "tools/introspect/attribution/perturbation.h"

#include <algorithm>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/attribution/masking.h"

namespace strata::introspect {
namespace {

// The windows' extents along an axis: [begin, end), cut at the far edge.
std::vector<std::pair<int64_t, int64_t>> windows(int64_t size, int64_t window, int64_t stride) {
  std::vector<std::pair<int64_t, int64_t>> all;
  for (int64_t begin = 0; begin < size; begin += stride) {
    all.emplace_back(begin, std::min(begin + window, size));
    if (begin + window >= size) break;
  }
  return all;
}

}  // namespace

Tensor occlusion(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                 const OcclusionOptions& options) {
  const char* op = "occlusion";
  int64_t stride = options.stride == 0 ? options.window : options.stride;
  if ((x.rank() != 3 && x.rank() != 4) || options.window < 1 || stride < 1 ||
      stride > options.window) {
    fail(op, Caller{},
         "x {} with windows of {} at a stride of {}: expected [N, H, W, C] or [N, T, C], and a "
         "stride of 1 to the window",
         describe(x), options.window, stride);
  }
  int64_t height = x.rank() == 4 ? x.size(1) : 1, width = x.size(-2);
  auto rows = windows(height, options.window, stride),
       columns = windows(width, options.window, stride);
  auto inside = [&](int64_t window, auto&& visit) {
    auto [top, bottom] = rows[static_cast<size_t>(window) / columns.size()];
    auto [left, right] = columns[static_cast<size_t>(window) % columns.size()];
    for (int64_t i = top; i < bottom; ++i) {
      for (int64_t j = left; j < right; ++j) visit(static_cast<size_t>(i * width + j));
    }
  };
  Dims grid = x.rank() == 4 ? Dims{height, width, 1} : Dims{width, 1};
  Masking masking(op, model, x, options.baseline, target, options.limit, grid);
  auto places = static_cast<size_t>(height * width);
  auto count = static_cast<int64_t>(rows.size() * columns.size());
  std::vector<double> whole(static_cast<size_t>(x.size(0))), cover(places, 0);
  std::vector<double> drops(whole.size() * places, 0);
  for (int64_t w = 0; w < count; ++w) inside(w, [&](size_t place) { ++cover[place]; });
  masking.scores(
      count + 1,  // the first hides nothing
      [&](int64_t mask) {
        Hidden hidden(places, 0);
        if (mask > 0) inside(mask - 1, [&](size_t place) { hidden[place] = 1; });
        return hidden;
      },
      [&](int64_t mask, int64_t example, double score) {
        auto n = static_cast<size_t>(example);
        if (mask == 0) whole[n] = score;
        if (mask == 0) return;
        inside(mask - 1, [&](size_t place) {
          drops[n * places + place] += (whole[n] - score) / cover[place];
        });
      });
  Dims shape = x.rank() == 4 ? Dims{x.size(0), height, width} : Dims{x.size(0), width};
  return from_vector(drops, shape).to(x.dtype());
}

}  // namespace strata::introspect

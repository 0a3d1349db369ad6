#include "tools/introspect/units/atlas.h"

#include <algorithm>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::introspect {

Stimulus direction_stimuli(const Scores& model, const std::string& layer, const Tensor& directions,
                           const StimulusSpace& space, const DirectionOptions& options) {
  if (directions.rank() != 2 || directions.size(0) == 0) {
    fail("direction_stimuli", Caller{}, "directions {} must be [K, C] with K at least 1",
         describe(directions));
  }
  Stimulus all;
  std::vector<Tensor> images;
  for (int64_t first = 0; first < directions.size(0); first += options.batch) {
    Tensor part = directions.slice(0, first, first + options.batch);
    StimulusObjective objective = direction(layer, part, options.power, options.place);
    Stimulus found =
        optimal_stimuli(response_of(model, objective), space, part.size(0), options.stimulus);
    images.push_back(found.images);
    all.activation.insert(all.activation.end(), found.activation.begin(), found.activation.end());
  }
  all.images = concatenate(images, 0);
  return all;
}

Tensor grid_directions(const Tensor& activation, int64_t rows, int64_t columns) {
  NoGrad off;
  if (activation.rank() != 4 || activation.size(0) != 1 || rows < 1 || columns < 1 ||
      rows > activation.size(1) || columns > activation.size(2)) {
    fail("grid_directions", Caller{},
         "{} x {} cells of {}: expected the activation of one image [1, H, W, C] and at most H x W "
         "cells",
         rows, columns, describe(activation));
  }
  return adaptive_avg_pool2d(activation.detach(), rows, columns)
      .reshape({rows * columns, activation.size(3)});
}

Tensor random_places(const Tensor& activation, Generator& generator) {
  NoGrad off;
  int64_t n = activation.size(0), channels = activation.size(-1);
  if (activation.rank() < 3) return activation.detach();
  Tensor places = activation.detach().reshape({n, -1, channels});
  Tensor chosen = randint(0, places.size(1), {n, 1, 1}, DType::i64, &generator);
  return gather(places, 1, chosen.expand({n, 1, channels}).contiguous()).squeeze(1);
}

Atlas activation_atlas(const Tensor& activations, const Tensor& layout, int64_t cells,
                       int64_t least) {
  NoGrad off;
  if (activations.rank() != 2 || layout.rank() != 2 || layout.size(1) != 2 ||
      layout.size(0) != activations.size(0) || layout.size(0) == 0 || cells < 1) {
    fail("activation_atlas", Caller{},
         "activations {} on the layout {} in {} cells: expected [M, C], [M, 2] and at least 1 cell",
         describe(activations), describe(layout), cells);
  }
  auto points = layout.to_vector<double>();
  double low[2], span = 0;
  for (size_t axis = 0; axis < 2; ++axis) {
    double high = low[axis] = points[axis];
    for (size_t i = axis; i < points.size(); i += 2) {
      low[axis] = std::min(low[axis], points[i]);
      high = std::max(high, points[i]);
    }
    span = std::max(span, high - low[axis]);
  }
  auto cell = [&](double value, double from) {
    double share = span > 0 ? (value - from) / span : 0;
    return std::min(cells - 1, static_cast<int64_t>(share * static_cast<double>(cells)));
  };
  std::vector<int64_t> where, count(static_cast<size_t>(cells * cells), 0);
  for (size_t i = 0; i < points.size(); i += 2) {
    int64_t row = cells - 1 - cell(points[i + 1], low[1]), column = cell(points[i], low[0]);
    where.push_back(row * cells + column);
    ++count[static_cast<size_t>(where.back())];
  }
  Tensor index = from_vector(where, {static_cast<int64_t>(where.size())});
  Tensor sums = index_add(zeros({cells * cells, activations.size(1)}, activations.dtype()), 0,
                          index, activations.detach());
  Atlas atlas;
  atlas.cells = cells;
  std::vector<Tensor> directions;
  for (int64_t c = 0; c < cells * cells; ++c) {
    int64_t points_here = count[static_cast<size_t>(c)];
    if (points_here < std::max<int64_t>(least, 1)) continue;
    atlas.row.push_back(c / cells);
    atlas.column.push_back(c % cells);
    atlas.count.push_back(points_here);
    directions.push_back(sums.select(0, c) / static_cast<double>(points_here));
  }
  if (directions.empty()) {
    fail("activation_atlas", Caller{},
         "none of the {} x {} cells holds {} of the {} points; use "
         "fewer cells",
         cells, cells, least, layout.size(0));
  }
  atlas.directions = stack(directions);
  return atlas;
}

Tensor contact_sheet(const Tensor& images, const std::vector<int64_t>& row,
                     const std::vector<int64_t>& column, int64_t rows, int64_t columns,
                     double background) {
  NoGrad off;
  if (images.rank() != 4 || static_cast<int64_t>(row.size()) != images.size(0) ||
      row.size() != column.size()) {
    fail("contact_sheet", Caller{}, "images {} and {} rows and {} columns must be as many",
         describe(images), row.size(), column.size());
  }
  int64_t h = images.size(1), w = images.size(2);
  Tensor sheet = full({rows * h, columns * w, images.size(3)}, background, images.dtype());
  for (size_t k = 0; k < row.size(); ++k) {
    if (row[k] < 0 || row[k] >= rows || column[k] < 0 || column[k] >= columns) {
      fail("contact_sheet", Caller{}, "cell ({}, {}) is outside the sheet of {} x {}", row[k],
           column[k], rows, columns);
    }
    Tensor place =
        sheet.slice(0, row[k] * h, (row[k] + 1) * h).slice(1, column[k] * w, (column[k] + 1) * w);
    copy_(place, images.select(0, static_cast<int64_t>(k)));
  }
  return sheet;
}

}  // namespace strata::introspect

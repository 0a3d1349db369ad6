// Many directions of a layer shown as pictures: activation grids (Olah et al. 2018, "The building
// blocks of interpretability"), factors, and the activation atlas (Carter et al. 2019).
//
//   grid     the activation at each place of one image -> what that place stands for
//   factors  the directions of factors.h
//   atlas    activations of many images laid out in two dimensions (maps/), averaged over the cells
//            of a grid -> what each region of the layer's space stands for
#pragma once

#include <cstdint>
#include <vector>

#include "tools/introspect/units/stimulus.h"

namespace strata::introspect {

struct DirectionOptions {
  double power = 2;                   // of the cosine, see direction()
  Place place = Place::everywhere();  // so that the picture is filled
  int64_t batch = 32;                 // stimuli climbed at once
  StimulusOptions stimulus = {};
};
// The stimulus of every direction [K, C] of a layer: [K, H, W, channels] in [0, 1].
Stimulus direction_stimuli(const Scores& model, const std::string& layer, const Tensor& directions,
                           const StimulusSpace& space, const DirectionOptions& options = {});

// The directions of a grid: an activation [1, H, W, C] averaged over rows x columns cells (at most
// H x W) -> [rows columns, C], row by row.
Tensor grid_directions(const Tensor& activation, int64_t rows, int64_t columns);

// One random place of every image: activation [N, H, W, C] or [N, T, C] -> [N, C]. An atlas takes
// one place an image, or images with much of one thing would fill it.
Tensor random_places(const Tensor& activation, Generator& generator);

struct Atlas {
  int64_t cells = 0;                        // a side
  std::vector<int64_t> row, column, count;  // of each cell that holds enough points
  Tensor directions;                        // [K, C]: mean activation of each of those cells
};
// activations [M, C], layout [M, 2] (x, y): the layout's bounding square in cells x cells cells;
// those with fewer than `least` points are left out. x runs to the right and y upwards, so the cell
// of the largest y is in row 0.
Atlas activation_atlas(const Tensor& activations, const Tensor& layout, int64_t cells,
                       int64_t least = 1);

// Pictures [K, H, W, C] side by side at (row[k], column[k]) of a sheet of rows x columns with
// `background` where there are none: [rows H, columns W, C].
Tensor contact_sheet(const Tensor& images, const std::vector<int64_t>& row,
                     const std::vector<int64_t>& column, int64_t rows, int64_t columns,
                     double background = 1);

}  // namespace strata::introspect

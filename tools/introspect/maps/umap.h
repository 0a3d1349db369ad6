// UMAP (McInnes, Healy and Melville 2018): a map that keeps a fuzzy graph of nearest neighbours.
//
//   graph    v_j|i = exp(-max(0, d_ij - rho_i) / sigma_i): rho is the distance of the nearest, and
//            sigma such that the row sums to log2(k); either of two directions: v = p + q - p q;
//   map      w_ij = 1 / (1 + a |y_i - y_j|^2b), a and b fitted to min_distance and spread;
//   descent  of the cross entropy by samples: an edge is drawn with a rate in proportion to its
//            weight, attracts its ends, and pushes each from `negatives` random points.
//
// The reference's descent races its threads against each other, or gives them up for a seed. Here
// the points are divided once into eight groups at random; a group's points move at once, each from
// where the others stood before, and the groups move in turn. Random numbers are a function of
// (seed, edge, epoch). So the same seed gives the same bits for any thread count.
//
// Neighbours cost N^2 D (neighbours.h), an epoch N k negatives.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "tools/introspect/maps/affinities.h"

namespace strata::introspect {

struct UmapOptions {
  int neighbours = 15;  // k, the point itself counted
  double min_distance = 0.1, spread = 1;
  int dimensions = 2;
  int epochs = 0;  // 0: 500 up to 10,000 points, then 200
  double learning_rate = 1;
  int negatives = 5;
  double repulsion = 1;
  uint64_t seed = 0;
  // Supervised: a label for each point, -1 where unknown; edges between labels are weakened, by
  // exp(-2.5 / (1 - label_weight)), and those to unknown ones by exp(-1).
  std::vector<int64_t> labels = {};
  double label_weight = 0.5;
  // Called with the map so far each `every` epochs, and after the last.
  int every = 0;
  std::function<void(int epoch, const Tensor& map)> on_frame = {};
};

// x [N, D], f32 or f64 -> map [N, dimensions], f32. `neighbours`: known ones (k - 1 others a point
// or more, as by another metric); else by Euclidean distance. `start` [N, dimensions]: instead of
// the spectral layout, as to go on from an earlier map.
Tensor umap(const Tensor& x, const UmapOptions& options = {}, const Neighbours& neighbours = {},
            const Tensor& start = {});
// New points [Q, D] into the map of x, which stays: from the weighted mean of their neighbours,
// then down by themselves. A point's place does not depend on the other new ones.
// -> [Q, dimensions], f32.
Tensor umap_transform(const Tensor& x, const Tensor& map, const Tensor& fresh,
                      const UmapOptions& options = {});

// The pieces, for tests.
struct UmapCurve {
  double a, b;
};
// Least squares (Levenberg and Marquardt) of 1 / (1 + a x^2b) to 1 below min_distance and
// exp(-(x - min_distance) / spread) beyond, at 300 points up to 3 spread.
UmapCurve fit_umap_curve(double spread, double min_distance);
// Memberships of one row of ascending distances, with sum `total`; `connected`: the nearest (that
// is not a duplicate) has weight 1. Where duplicates alone exceed the sum, the rest gets what a
// small sigma gives.
void fill_memberships(const double* distance, int64_t count, double total, bool connected,
                      double* weight);
SparseMatrix fuzzy_graph(const Neighbours& neighbours, const UmapOptions& options);

}  // namespace strata::introspect

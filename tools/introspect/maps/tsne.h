// t-SNE (van der Maaten and Hinton 2008): a map in two dimensions in which neighbours stay
// neighbours.
//
//   P: Gaussian affinities of perplexity k, symmetric, sum 1 (affinities.h);
//   Q: q_ij = w_ij / z, w_ij = 1 / (1 + |y_i - y_j|^2);
//   KL(P || Q) falls along 4 sum_j (p_ij - q_ij) w_ij (y_i - y_j) with momentum and gains (Jacobs
//   1988), early exaggeration, and a start from the first two principal components (Kobak and
//   Linderman 2021).
//
// Repulsion is exact, by Barnes and Hut's tree, or on a grid by FFT (repulsion.h). Exact costs N^2
// time and memory, the others N log N time and about 130 N numbers at perplexity 30; by tiles
// (which is what a GPU does: kernels/embedding) N^2 time at 14 operations a pair. There is no
// random number in it: the same input gives the same bits, for any thread count.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "tools/introspect/maps/affinities.h"
#include "tools/introspect/maps/quality.h"

namespace strata::introspect {

// tiles: repulsion of all pairs in f32, with sparse P, on the device that x is on.
enum class TsneMethod { automatic, exact, barnes_hut, fft, tiles };

struct TsneOptions {
  double perplexity = 30;
  int iterations = 400;
  int exaggerated = 100;     // iterations with P multiplied by 12
  double learning_rate = 0;  // 0: max(50, N / 12 / 4)
  // automatic: exact up to 1,000 points, Barnes-Hut up to 5,000, then FFT; tiles on the gpu.
  TsneMethod method = TsneMethod::automatic;
  double theta = 0.5;    // Barnes-Hut
  int nodes = 4;         // FFT
  double spacing = 0.5;  // FFT
  // Adds anchor / 2N sum |y - start|^2 to what descends, so that frames of a film stay comparable
  // (dynamic t-SNE, Rauber et al. 2016); 1 is about as strong as the attraction.
  double anchor = 0;
  // Called with the map so far each `every` iterations, and after the last.
  int every = 0;
  std::function<void(int iteration, const Tensor& map)> on_frame = {};
};
struct TsneResult {
  Tensor map;             // [N, 2], f32, mean 0
  double divergence = 0;  // KL(P || Q), over the affinities and the repulsion that were used
  TsneMethod method = TsneMethod::exact;
};
// x [N, D], f32 or f64. `start` [N, 2]: where to start instead, in the units of the map; to go on
// from an earlier map, also set `exaggerated` to 0, or the exaggeration draws it together again.
TsneResult tsne(const Tensor& x, const TsneOptions& options = {}, const Tensor& start = {});

// Gradient of KL at y [N, 2], P dense, and the divergence itself. With `exaggeration`, of P times
// it.
std::vector<double> tsne_gradient(const std::vector<double>& affinities,
                                  const std::vector<double>& y, double* divergence,
                                  double exaggeration = 1);
// KL at the map y [N, 2], P sparse, z exact (N^2): to compare maps whoever made them.
double tsne_divergence(const SparseMatrix& affinities, const Tensor& map);

}  // namespace strata::introspect

// Similarity of two representations of the same examples by their shape: Procrustes distance, RSA,
// and shared neighbours.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata::introspect {

// What is left of the distance between centred X and Y, each scaled to Frobenius norm 1, after the
// best rotation of one onto the other (Schonemann 1966; Williams et al. 2021, "Generalized shape
// metrics on neural representations"):
//   d^2 = min over orthogonal Q |X Q - Y|^2 = |X|^2 + |Y|^2 - 2 |X'Y|_nuclear.
// A metric: 0 for rotated, shifted and scaled copies only, symmetric, with the triangle inequality;
// at most sqrt(2). The narrower side is padded with zeros. `scaled` false leaves the norms as they
// are. x [n, p], y [n, q]; cost 2 n p q FLOPs and an SVD of p x q.
double procrustes_distance(const Tensor& x, const Tensor& y, bool scaled = true);

// How unlike examples are: |a - b|; 1 - cosine of rows after centring the columns; 1 - Pearson
// correlation of rows over the features (the usual one in neuroscience; not invariant to
// rotations).
enum class Dissimilarity { euclidean, cosine, correlation };
// Spearman's correlation between the dissimilarities of all pairs of examples in x and in y
// (Kriegeskorte, Mur and Bandettini 2008, "Representational similarity analysis"). n at least 3.
// n^2 numbers.
double rsa(const Tensor& x, const Tensor& y,
           Dissimilarity dissimilarity = Dissimilarity::euclidean);

// Mean over examples of the share of their k nearest neighbours (by cosine, or Euclidean) in x that
// are also among the k nearest in y (Huh et al. 2024, "The platonic representation hypothesis"). 1
// for a rotated copy, k / (n - 1) by chance.
double mutual_neighbours(const Tensor& x, const Tensor& y, int64_t k = 10, bool cosine = true);

// Spearman's rank correlation of two lists of equal length, equal values sharing their mean rank; 0
// if one is constant.
double spearman(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace strata::introspect

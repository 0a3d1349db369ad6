#include "tools/introspect/maps/spectral.h"

#include <algorithm>
#include <cmath>

#include "engine/ops.h"
#include "kernels/common/parallel.h"
#include "tools/introspect/linear_algebra.h"
#include "tools/introspect/maps/pca.h"

namespace strata::introspect {
namespace {

constexpr int filter_degree = 24, most_filters = 60;
constexpr double tolerance = 1e-6;
constexpr int64_t oversampling = 6;

// A block of vectors, [N, width] row-major.
struct Block {
  int64_t width;
  std::vector<double> data;
  double* row(int64_t i) { return &data[static_cast<size_t>(i * width)]; }
  const double* row(int64_t i) const { return &data[static_cast<size_t>(i * width)]; }
};

// S = D^-1/2 W D^-1/2, whose largest eigenvalues are the smallest of L.
class Operator {
 public:
  explicit Operator(const SparseMatrix& graph) : graph_(graph), scaled_(graph.value) {
    auto n = static_cast<size_t>(graph.rows());
    std::vector<double> root(n);
    for (size_t i = 0; i < n; ++i) {
      for (int64_t e = graph.start[i]; e < graph.start[i + 1]; ++e) {
        root[i] += graph.value[static_cast<size_t>(e)];
      }
      root[i] = root[i] > 0 ? 1 / std::sqrt(root[i]) : 0;
    }
    for (size_t i = 0; i < n; ++i) {
      for (auto e = static_cast<size_t>(graph.start[i]);
           e < static_cast<size_t>(graph.start[i + 1]); ++e) {
        scaled_[e] *= root[i] * root[static_cast<size_t>(graph.column[e])];
      }
    }
  }

  // out = alpha (S - centre) in - beta out.
  void apply(double alpha, double centre, const Block& in, double beta, Block& out) const {
    parallel_for(graph_.rows(), 64, [&](int64_t begin, int64_t end) {
      std::vector<double> total(static_cast<size_t>(in.width));
      for (int64_t i = begin; i < end; ++i) {
        std::fill(total.begin(), total.end(), 0.0);
        auto last = static_cast<size_t>(graph_.start[static_cast<size_t>(i) + 1]);
        for (auto e = static_cast<size_t>(graph_.start[static_cast<size_t>(i)]); e < last; ++e) {
          const double* other = in.row(graph_.column[e]);
          for (size_t j = 0; j < total.size(); ++j) total[j] += scaled_[e] * other[j];
        }
        const double* self = in.row(i);
        double* result = out.row(i);
        for (size_t j = 0; j < total.size(); ++j) {
          result[j] = alpha * (total[j] - centre * self[j]) - beta * result[j];
        }
      }
    });
  }

 private:
  const SparseMatrix& graph_;
  std::vector<double> scaled_;
};

// Gram and Schmidt, each column twice against the ones before it.
void orthonormalise(Block& block) {
  auto n = static_cast<int64_t>(block.data.size()) / block.width;
  auto dot = [&](int64_t a, int64_t b) {
    double total = 0;
    for (int64_t i = 0; i < n; ++i) total += block.row(i)[a] * block.row(i)[b];
    return total;
  };
  for (int64_t j = 0; j < block.width; ++j) {
    for (int pass = 0; pass < 2; ++pass) {
      for (int64_t k = 0; k < j; ++k) {
        double share = dot(j, k);
        for (int64_t i = 0; i < n; ++i) block.row(i)[j] -= share * block.row(i)[k];
      }
      double length = std::sqrt(dot(j, j));
      for (int64_t i = 0; i < n; ++i) block.row(i)[j] /= std::max(length, 1e-300);
    }
  }
}

// block = block rotation, rotation [width, width].
void rotate(Block& block, const Tensor& rotation) {
  const double* r = rotation.data<double>();
  auto n = static_cast<int64_t>(block.data.size()) / block.width;
  std::vector<double> old(static_cast<size_t>(block.width));
  for (int64_t i = 0; i < n; ++i) {
    double* row = block.row(i);
    std::copy_n(row, block.width, old.begin());
    for (int64_t j = 0; j < block.width; ++j) {
      row[j] = 0;
      for (int64_t k = 0; k < block.width; ++k) {
        row[j] += old[static_cast<size_t>(k)] * r[k * block.width + j];
      }
    }
  }
}

// Turns an orthonormal block to the eigenvectors within its span (Rayleigh and Ritz); `image`
// becomes S times it. Eigenvalues of S, descending.
std::vector<double> turn_to_eigenvectors(const Operator& s, Block& block, Block& image) {
  s.apply(1, 0, block, 0, image);
  int64_t m = block.width, n = static_cast<int64_t>(block.data.size()) / m;
  std::vector<double> products(static_cast<size_t>(m * m));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t a = 0; a < m; ++a) {
      for (int64_t b = 0; b <= a; ++b) {
        products[static_cast<size_t>(a * m + b)] += block.row(i)[a] * image.row(i)[b];
      }
    }
  }
  for (int64_t a = 0; a < m; ++a) {
    for (int64_t b = 0; b < a; ++b) {
      products[static_cast<size_t>(b * m + a)] = products[static_cast<size_t>(a * m + b)];
    }
  }
  EigenPairs pairs = symmetric_eigen(from_vector(products, {m, m}));
  Tensor rotation = pairs.vectors.contiguous();
  rotate(block, rotation);
  rotate(image, rotation);
  return pairs.values;
}

double largest_residual(const Block& block, const Block& image, const std::vector<double>& values,
                        int64_t count) {
  double largest = 0;
  auto n = static_cast<int64_t>(block.data.size()) / block.width;
  for (int64_t j = 0; j < count; ++j) {
    double total = 0;
    for (int64_t i = 0; i < n; ++i) {
      total += std::pow(image.row(i)[j] - values[static_cast<size_t>(j)] * block.row(i)[j], 2);
    }
    largest = std::max(largest, std::sqrt(total));
  }
  return largest;
}

// T_degree of S with [-1, edge] mapped to [-1, 1]: what lies above `edge` grows, the rest does not.
Block filtered(const Operator& s, Block block, double edge) {
  double centre = (edge - 1) / 2, half = (edge + 1) / 2;
  Block next{block.width, std::vector<double>(block.data.size())};
  s.apply(1 / half, centre, block, 0, next);
  for (int degree = 2; degree <= filter_degree; ++degree) {
    s.apply(2 / half, centre, next, 1, block);
    std::swap(block.data, next.data);
  }
  return next;
}

}  // namespace

LaplacianVectors laplacian_vectors(const SparseMatrix& graph, int64_t count, uint64_t seed) {
  int64_t n = graph.rows(), width = std::min(n, count + oversampling);
  if (count < 1 || count > n) {
    fail("laplacian_vectors", Caller{}, "{} eigenvectors of a graph of {}: needs 1 to {}", count, n,
         n);
  }
  Operator s(graph);
  Generator generator(seed);
  Block block{width, randn({n, width}, 0, 1, DType::f64, &generator).to_vector<double>()};
  Block image = block;
  std::vector<double> values;
  for (int filter = 0; filter <= most_filters; ++filter) {
    orthonormalise(block);
    values = turn_to_eigenvectors(s, block, image);
    if (width == n || largest_residual(block, image, values, count) < tolerance) break;
    block = filtered(s, std::move(block), std::min(values.back(), 1 - 1e-9));
  }
  LaplacianVectors result;
  std::vector<double> columns;
  for (int64_t j = 0; j < count; ++j) {
    result.values.push_back(std::max(0.0, 1 - values[static_cast<size_t>(j)]));
  }
  for (int64_t i = 0; i < n; ++i) {
    columns.insert(columns.end(), block.row(i), block.row(i) + count);
  }
  result.vectors = from_vector(columns, {n, count});
  return result;
}

std::vector<int64_t> connected_pieces(const SparseMatrix& graph) {
  std::vector<int64_t> piece(static_cast<size_t>(graph.rows()), -1), open;
  int64_t pieces = 0;
  for (int64_t first = 0; first < graph.rows(); ++first) {
    if (piece[static_cast<size_t>(first)] >= 0) continue;
    piece[static_cast<size_t>(first)] = pieces;
    open.push_back(first);
    while (!open.empty()) {
      auto i = static_cast<size_t>(open.back());
      open.pop_back();
      for (auto e = static_cast<size_t>(graph.start[i]);
           e < static_cast<size_t>(graph.start[i + 1]); ++e) {
        int64_t& other = piece[static_cast<size_t>(graph.column[e])];
        if (graph.value[e] <= 0 || other >= 0) continue;
        other = pieces;
        open.push_back(graph.column[e]);
      }
    }
    ++pieces;
  }
  return piece;
}

namespace {

// The rows and columns of `members` alone.
SparseMatrix restricted(const SparseMatrix& graph, const std::vector<int64_t>& members) {
  std::vector<int32_t> place(static_cast<size_t>(graph.rows()), -1);
  for (size_t i = 0; i < members.size(); ++i) {
    place[static_cast<size_t>(members[i])] = static_cast<int32_t>(i);
  }
  SparseMatrix part;
  part.start.push_back(0);
  for (int64_t member : members) {
    auto i = static_cast<size_t>(member);
    for (auto e = static_cast<size_t>(graph.start[i]); e < static_cast<size_t>(graph.start[i + 1]);
         ++e) {
      int32_t column = place[static_cast<size_t>(graph.column[e])];
      if (column < 0) continue;
      part.column.push_back(column);
      part.value.push_back(graph.value[e]);
    }
    part.start.push_back(static_cast<int64_t>(part.column.size()));
  }
  return part;
}

// One connected piece, [n, dimensions], within [-1, 1].
std::vector<double> piece_layout(const SparseMatrix& graph, int64_t dimensions, uint64_t seed) {
  int64_t n = graph.rows();
  Generator generator(seed);
  if (n <= dimensions + 1) {  // too small to have enough eigenvectors
    return rand({n, dimensions}, -1, 1, DType::f64, &generator).to_vector<double>();
  }
  Tensor vectors =
      laplacian_vectors(graph, dimensions + 1, seed).vectors.slice(1, 1, dimensions + 1);
  double reach = std::max(1e-300, max(abs(vectors)).item());
  return (vectors / reach).to_vector<double>();
}

// Where pieces go, [pieces, dimensions].
std::vector<double> anchors(const Tensor& x, const std::vector<int64_t>& piece, int64_t pieces,
                            int64_t dimensions, uint64_t seed) {
  Tensor values = x.to(DType::f64).contiguous();
  int64_t d = x.size(1);
  std::vector<double> means(static_cast<size_t>(pieces * d)), count(static_cast<size_t>(pieces));
  for (size_t i = 0; i < piece.size(); ++i) {
    auto p = static_cast<size_t>(piece[i]);
    count[p] += 1;
    for (int64_t j = 0; j < d; ++j) {
      means[p * static_cast<size_t>(d) + static_cast<size_t>(j)] +=
          values.data<double>()[static_cast<int64_t>(i) * d + j];
    }
  }
  for (size_t i = 0; i < means.size(); ++i) means[i] /= count[i / static_cast<size_t>(d)];
  Tensor centres = from_vector(means, {pieces, d});
  int64_t directions = std::min({dimensions, pieces - 1, d});
  Tensor scores = fit_pca(centres, directions).transform(centres);
  // Fewer directions than dimensions, or means that coincide: a little noise sets them apart.
  Generator generator(seed);
  double reach = std::max(1e-6, max(abs(scores)).item());
  Tensor noise = randn({pieces, dimensions}, 0, 0.05 * reach, DType::f64, &generator);
  Tensor padded =
      directions == dimensions
          ? scores
          : concatenate({scores, zeros({pieces, dimensions - directions}, DType::f64)}, 1);
  return (padded + noise).to_vector<double>();
}

}  // namespace

Tensor spectral_layout(const SparseMatrix& graph, const Tensor& x, int64_t dimensions,
                       uint64_t seed) {
  std::vector<int64_t> piece = connected_pieces(graph);
  int64_t n = graph.rows(), pieces = *std::max_element(piece.begin(), piece.end()) + 1;
  if (pieces == 1) {
    return from_vector(piece_layout(graph, dimensions, seed), {n, dimensions});
  }
  std::vector<std::vector<int64_t>> members(static_cast<size_t>(pieces));
  for (int64_t i = 0; i < n; ++i) {
    members[static_cast<size_t>(piece[static_cast<size_t>(i)])].push_back(i);
  }
  std::vector<double> centre = anchors(x, piece, pieces, dimensions, seed);
  auto d = static_cast<size_t>(dimensions);
  std::vector<double> layout(static_cast<size_t>(n) * d);
  for (size_t p = 0; p < members.size(); ++p) {
    // Pieces reach a quarter of the way to the nearest other along an axis: corners do not touch.
    double room = INFINITY;
    for (size_t q = 0; q < members.size(); ++q) {
      double square = 0;
      for (size_t j = 0; j < d; ++j) square += std::pow(centre[p * d + j] - centre[q * d + j], 2);
      if (q != p) room = std::min(room, std::sqrt(square) / 4);
    }
    auto local = piece_layout(restricted(graph, members[p]), dimensions, seed + p);
    for (size_t i = 0; i < local.size(); ++i) {
      layout[static_cast<size_t>(members[p][i / d]) * d + i % d] =
          centre[p * d + i % d] + room * local[i];
    }
  }
  double reach = 0;
  for (double v : layout) reach = std::max(reach, std::abs(v));
  for (double& v : layout) v /= std::max(reach, 1e-300);
  return from_vector(layout, {n, dimensions});
}

}  // namespace strata::introspect

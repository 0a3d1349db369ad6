#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/error.h"
#include "kernels/common/parallel.h"
#include "tools/introspect/maps/fft2.h"
#include "tools/introspect/maps/repulsion.h"

namespace strata::introspect {
namespace {

constexpr double least_cells = 64;
constexpr int most_nodes = 8;
constexpr int64_t margin = 16;  // the sharpened kernels ring where they wrap around

struct Box {
  double x = INFINITY, y = INFINITY, side = 0;
};
Box bounds(const std::vector<double>& y) {
  Box box;
  double right = -INFINITY, top = -INFINITY;
  for (size_t i = 0; i < y.size(); i += 2) {
    box.x = std::min(box.x, y[i]), right = std::max(right, y[i]);
    box.y = std::min(box.y, y[i + 1]), top = std::max(top, y[i + 1]);
  }
  box.side = std::max(right - box.x, top - box.y);
  return box;
}

// Where a coordinate lies on the grid: its first node, and the weights of the B-spline of `order`
// nodes (degree order - 1) there, by the recurrence of Cox (1972) and de Boor (1972). Splines of an
// odd order are centred on nodes, those of an even one between two.
struct Place {
  int64_t first;
  double weight[most_nodes] = {1};

  Place(double position, int order) {
    if (order % 2) position += 0.5;
    double whole = std::floor(position), t = position - whole;
    first = static_cast<int64_t>(whole) - (order - 1);
    for (int degree = 1; degree < order; ++degree) {
      // weight[a] belongs to node `first` + a once `degree` is the last.
      double carried = 0;
      for (int a = 0; a < degree; ++a) {
        double share = weight[a] / degree;
        weight[a] = carried + (a + 1 - t) * share;
        carried = (t + degree - 1 - a) * share;
      }
      weight[degree] = carried;
    }
  }
};

// 1 / |b(k)|^2, b the transform of the spline at the nodes: it undoes the smoothing of both ends.
std::vector<double> sharpening(int order, int64_t size) {
  Place middle(order, order);
  std::vector<double> factors(static_cast<size_t>(size));
  for (int64_t k = 0; k < size; ++k) {
    std::complex<double> b = 0;
    for (int a = 0; a < order; ++a) {
      b += std::polar(middle.weight[a], 2 * std::numbers::pi * static_cast<double>(k * a) /
                                            static_cast<double>(size));
    }
    factors[static_cast<size_t>(k)] = 1 / std::norm(b);
  }
  return factors;
}

}  // namespace

GridRepulsion::GridRepulsion(int nodes, double spacing) : nodes_(nodes), largest_spacing_(spacing) {
  if (nodes < 2 || nodes > most_nodes || !(spacing > 0)) {
    fail("tsne", Caller{}, "the grid has {} nodes and spacing {}: needs 2 to {} nodes, spacing > 0",
         nodes, spacing, most_nodes);
  }
}

void GridRepulsion::prepare(double spacing, int64_t size) {
  if (spacing == spacing_ && size == size_) return;
  spacing_ = spacing, size_ = size;
  auto area = static_cast<size_t>(size * size);
  grid_.assign(area, 0);
  std::vector<Complex> weights(area);
  for (int64_t r = 0; r < size; ++r) {
    for (int64_t c = 0; c < size; ++c) {
      auto at = static_cast<size_t>(r * size + c);
      double dx = spacing * static_cast<double>(r < size / 2 ? r : r - size);
      double dy = spacing * static_cast<double>(c < size / 2 ? c : c - size);
      double w = 1 / (1 + dx * dx + dy * dy);
      weights[at] = w;
      grid_[at] = Complex(dx, dy) * (w * w);
    }
  }
  Fft2 fft(size);
  force_kernel_.resize(area), spectrum_.resize(area), weight_kernel_.resize(area);
  fft.forward(grid_.data(), size, force_kernel_.data());
  fft.forward(weights.data(), size, spectrum_.data());
  auto sharpen = sharpening(nodes_, size);
  for (size_t i = 0; i < area; ++i) {
    double factor = sharpen[i / static_cast<size_t>(size)] * sharpen[i % static_cast<size_t>(size)];
    force_kernel_[i] *= factor;
    weight_kernel_[i] = spectrum_[i].real() * factor;
  }
}

Repulsion GridRepulsion::operator()(const std::vector<double>& y) {
  auto n = static_cast<int64_t>(y.size() / 2);
  Box box = bounds(y);
  double cells = std::max(box.side, 1e-30) / largest_spacing_;
  double halvings = std::max(0.0, std::ceil(std::log2(least_cells / cells)));
  double spacing = largest_spacing_ * std::exp2(-halvings);
  int64_t used = static_cast<int64_t>(box.side / spacing) + nodes_ + 2;
  prepare(spacing, fast_fft_size(2 * used + margin));
  auto place = [&](double value, double low) {
    return Place((value - low) / spacing + nodes_ - 1, nodes_);
  };
  std::fill_n(grid_.begin(), used * size_, Complex(0));
  for (size_t i = 0; i < y.size(); i += 2) {
    Place x = place(y[i], box.x), up = place(y[i + 1], box.y);
    for (int a = 0; a < nodes_; ++a) {
      Complex* row = &grid_[static_cast<size_t>((x.first + a) * size_ + up.first)];
      for (int b = 0; b < nodes_; ++b) row[b] += x.weight[a] * up.weight[b];
    }
  }
  Fft2 fft(size_);
  fft.forward(grid_.data(), used, spectrum_.data());
  std::vector<double> parts(static_cast<size_t>(size_));
  parallel_for(size_, 8, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      double total = 0;
      for (auto i = static_cast<size_t>(r * size_); i < static_cast<size_t>((r + 1) * size_); ++i) {
        total += weight_kernel_[i] * std::norm(spectrum_[i]);
        double re = spectrum_[i].real(), im = spectrum_[i].imag();
        double kr = force_kernel_[i].real(), ki = force_kernel_[i].imag();
        spectrum_[i] = {re * kr - im * ki, re * ki + im * kr};
      }
      parts[static_cast<size_t>(r)] = total;
    }
  });
  double scale = 1 / static_cast<double>(size_ * size_);
  Repulsion result;
  for (double part : parts) result.z += part * scale;
  result.z -= static_cast<double>(n);  // each point with itself, at weight 1
  fft.inverse(spectrum_.data(), used, grid_.data());
  result.force.resize(y.size());
  parallel_for(n, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      auto at = static_cast<size_t>(2 * i);
      Place x = place(y[at], box.x), up = place(y[at + 1], box.y);
      double fx = 0, fy = 0;
      for (int a = 0; a < nodes_; ++a) {
        const Complex* row = &grid_[static_cast<size_t>((x.first + a) * size_ + up.first)];
        for (int b = 0; b < nodes_; ++b) {
          double weight = x.weight[a] * up.weight[b];
          fx += weight * row[b].real();
          fy += weight * row[b].imag();
        }
      }
      result.force[at] = fx * scale;
      result.force[at + 1] = fy * scale;
    }
  });
  return result;
}

}  // namespace strata::introspect

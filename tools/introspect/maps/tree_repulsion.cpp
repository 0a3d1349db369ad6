#include <algorithm>
#include <cmath>

#include "engine/error.h"
#include "kernels/common/parallel.h"
#include "tools/introspect/maps/repulsion.h"

namespace strata::introspect {
namespace {

constexpr int levels = 31;            // bits of a coordinate: cells are never split further
constexpr int64_t leaf_capacity = 8;  // points that are cheaper to meet one by one

// Bits of v moved to the even places.
uint64_t spread(uint64_t v) {
  v = (v | v << 16) & 0x0000ffff0000ffff;
  v = (v | v << 8) & 0x00ff00ff00ff00ff;
  v = (v | v << 4) & 0x0f0f0f0f0f0f0f0f;
  v = (v | v << 2) & 0x3333333333333333;
  return (v | v << 1) & 0x5555555555555555;
}

struct Cell {
  double x, y;         // mean of its points
  double count, side;  // side of the square
  int64_t begin, end;  // its points
  int64_t next;        // where to go on when its children are skipped
  bool leaf;
};

// A quadtree whose points are sorted along a Z-curve (Morton 1966): a cell is a run of them, and
// its children follow it in `cells`, so a walk needs no stack.
struct Tree {
  std::vector<std::pair<uint64_t, int64_t>> order;  // key, point
  std::vector<double> x, y;                         // in that order
  std::vector<Cell> cells;

  explicit Tree(const std::vector<double>& points) {
    size_t n = points.size() / 2;
    double left = INFINITY, low = INFINITY, right = -INFINITY, high = -INFINITY;
    for (size_t i = 0; i < n; ++i) {
      left = std::min(left, points[2 * i]), right = std::max(right, points[2 * i]);
      low = std::min(low, points[2 * i + 1]), high = std::max(high, points[2 * i + 1]);
    }
    double side = std::max({right - left, high - low, 1e-300});
    auto key = [&](double value, double from) {
      double scaled = (value - from) / side * (uint64_t{1} << levels);
      return spread(std::min(static_cast<uint64_t>(scaled), (uint64_t{1} << levels) - 1));
    };
    order.resize(n), x.resize(n), y.resize(n);
    for (size_t i = 0; i < n; ++i) {
      order[i] = {key(points[2 * i], left) << 1 | key(points[2 * i + 1], low),
                  static_cast<int64_t>(i)};
    }
    std::sort(order.begin(), order.end());
    for (size_t i = 0; i < n; ++i) {
      x[i] = points[2 * static_cast<size_t>(order[i].second)];
      y[i] = points[2 * static_cast<size_t>(order[i].second) + 1];
    }
    cells.reserve(n);
    add(0, static_cast<int64_t>(n), levels, side);
  }

  // The points [begin, end) share all bits above `level` pairs.
  void add(int64_t begin, int64_t end, int level, double side) {
    auto at = cells.size();
    cells.push_back({0, 0, static_cast<double>(end - begin), side, begin, end, 0,
                     end - begin <= leaf_capacity || level == 0});
    double sx = 0, sy = 0;
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      sx += x[i], sy += y[i];
    }
    cells[at].x = sx / cells[at].count, cells[at].y = sy / cells[at].count;
    for (int64_t first = begin; !cells[at].leaf && first < end;) {
      int shift = 2 * (level - 1);
      uint64_t quarter = order[static_cast<size_t>(first)].first >> shift;
      auto last =
          std::partition_point(order.begin() + first, order.begin() + end,
                               [&](const auto& entry) { return entry.first >> shift == quarter; });
      add(first, last - order.begin(), level - 1, side / 2);
      first = last - order.begin();
    }
    cells[at].next = static_cast<int64_t>(cells.size());
  }
};

// What one leaf's points interact with: means of far cells and single near points, by coordinates
// and count, in arrays that vectorise. One walk serves all points of the leaf, by the distance of a
// cell's mean from the box around them, which is never more than a point's own.
struct Interactions {
  std::vector<double> x, y, count;

  void collect(const Tree& tree, const Cell& leaf, double theta) {
    x.clear(), y.clear(), count.clear();
    auto [left, right] =
        std::minmax_element(tree.x.begin() + leaf.begin, tree.x.begin() + leaf.end);
    auto [low, high] = std::minmax_element(tree.y.begin() + leaf.begin, tree.y.begin() + leaf.end);
    for (size_t c = 0; c < tree.cells.size();) {
      const Cell& cell = tree.cells[c];
      double dx = std::max({0.0, *left - cell.x, cell.x - *right});
      double dy = std::max({0.0, *low - cell.y, cell.y - *high});
      if (cell.side * cell.side < theta * theta * (dx * dx + dy * dy)) {
        x.push_back(cell.x), y.push_back(cell.y), count.push_back(cell.count);
      } else if (cell.leaf) {
        x.insert(x.end(), tree.x.begin() + cell.begin, tree.x.begin() + cell.end);
        y.insert(y.end(), tree.y.begin() + cell.begin, tree.y.begin() + cell.end);
        count.resize(x.size(), 1);
      } else {
        ++c;
        continue;
      }
      c = static_cast<size_t>(cell.next);
    }
  }
};

}  // namespace

Repulsion tree_repulsion(const std::vector<double>& points, double theta) {
  if (!(theta >= 0 && theta <= 0.7)) {
    fail("tsne", Caller{}, "theta = {}: needs 0 (exact) to 0.7", theta);
  }
  Tree tree(points);
  std::vector<Cell> leaves;
  for (const Cell& cell : tree.cells) {
    if (cell.leaf) leaves.push_back(cell);
  }
  Repulsion result{std::vector<double>(points.size()), 0};
  std::vector<double> weights(points.size() / 2);
  parallel_for(static_cast<int64_t>(leaves.size()), 4, [&](int64_t first, int64_t last) {
    Interactions others;
    for (int64_t l = first; l < last; ++l) {
      const Cell& leaf = leaves[static_cast<size_t>(l)];
      others.collect(tree, leaf, theta);
      const double *xs = others.x.data(), *ys = others.y.data(), *counts = others.count.data();
      auto size = static_cast<int64_t>(others.x.size());
      for (auto i = static_cast<size_t>(leaf.begin); i < static_cast<size_t>(leaf.end); ++i) {
        double x = tree.x[i], y = tree.y[i], fx = 0, fy = 0, z = 0;
#pragma omp simd reduction(+ : fx, fy, z)
        for (int64_t j = 0; j < size; ++j) {
          double dx = x - xs[j], dy = y - ys[j], w = 1 / (1 + dx * dx + dy * dy);
          double many = counts[j] * w;
          z += many;
          fx += many * w * dx;
          fy += many * w * dy;
        }
        auto self = static_cast<size_t>(tree.order[i].second);
        result.force[2 * self] = fx;
        result.force[2 * self + 1] = fy;
        weights[self] = z - 1;  // without itself, met in its leaf
      }
    }
  });
  for (double w : weights) result.z += w;
  return result;
}

}  // namespace strata::introspect

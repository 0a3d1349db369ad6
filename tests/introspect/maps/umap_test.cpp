// UMAP: the curve, the graph, the start, and maps that show what is there, bit for bit again.
#include "tools/introspect/maps/umap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>

#include "engine/ops.h"
#include "kernels/common/parallel.h"
#include "tests/support/expect.h"
#include "tools/introspect/maps/quality.h"
#include "tools/introspect/maps/spectral.h"

namespace strata::introspect {
namespace {

// `count` clouds of `size` points, centres `distance` along an axis each, in 8 dimensions.
Tensor blobs(int64_t count, int64_t size, double distance, uint64_t seed = 1) {
  Generator generator(seed);
  Tensor x = randn({count * size, 8}, 0, 1, DType::f32, &generator);
  for (int64_t i = 0; i < count * size; ++i) {
    x.data<float>()[i * 8 + i / size] += static_cast<float>(distance);
  }
  return x;
}

std::vector<int64_t> blob_labels(int64_t count, int64_t size) {
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < count * size; ++i) labels.push_back(i / size);
  return labels;
}

// Lloyd's algorithm from k-means++'s farthest points, which is deterministic.
std::vector<int64_t> k_means(const Tensor& map, int64_t k) {
  auto y = map.to_vector<double>();
  size_t n = y.size() / 2;
  std::vector<double> centre(y.begin(), y.begin() + 2);
  auto nearest = [&](size_t i) {
    std::pair<double, int64_t> best{INFINITY, 0};
    for (size_t c = 0; c < centre.size() / 2; ++c) {
      double d = std::hypot(y[2 * i] - centre[2 * c], y[2 * i + 1] - centre[2 * c + 1]);
      best = std::min(best, {d, static_cast<int64_t>(c)});
    }
    return best;
  };
  while (static_cast<int64_t>(centre.size()) < 2 * k) {
    size_t far = 0;
    for (size_t i = 1; i < n; ++i) far = nearest(i).first > nearest(far).first ? i : far;
    centre.push_back(y[2 * far]), centre.push_back(y[2 * far + 1]);
  }
  std::vector<int64_t> of(n);
  for (int round = 0; round < 50; ++round) {
    for (size_t i = 0; i < n; ++i) of[i] = nearest(i).second;
    std::vector<double> sum(centre.size()), count(static_cast<size_t>(k));
    for (size_t i = 0; i < n; ++i) {
      auto c = static_cast<size_t>(of[i]);
      sum[2 * c] += y[2 * i], sum[2 * c + 1] += y[2 * i + 1], ++count[c];
    }
    for (size_t c = 0; c < centre.size(); ++c) centre[c] = sum[c] / std::max(1.0, count[c / 2]);
  }
  return of;
}

// Adjusted Rand index (Hubert and Arabie 1985).
double rand_index(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  std::map<std::pair<int64_t, int64_t>, double> both;
  std::map<int64_t, double> rows, columns;
  for (size_t i = 0; i < a.size(); ++i) ++both[{a[i], b[i]}], ++rows[a[i]], ++columns[b[i]];
  auto pairs = [](const auto& counts) {
    double total = 0;
    for (auto& [key, count] : counts) total += count * (count - 1) / 2;
    return total;
  };
  double n = static_cast<double>(a.size()), all = n * (n - 1) / 2;
  double expected = pairs(rows) * pairs(columns) / all;
  return (pairs(both) - expected) / ((pairs(rows) + pairs(columns)) / 2 - expected);
}

TEST(Umap, CurveIsThePublishedOne) {
  struct Row {
    double spread, min_distance, a, b;
  };
  for (Row row :
       {Row{1, .1, 1.57694, .89506}, Row{1, .05, 1.75022, .84206}, Row{1, .01, 1.89561, .80064},
        Row{2, .1, .54466, .84206}, Row{1, .5, .58303, 1.33417}, Row{1, 0, 1.93281, .79049}}) {
    UmapCurve curve = fit_umap_curve(row.spread, row.min_distance);
    EXPECT_NEAR(curve.a, row.a, 1e-4) << row.spread << " " << row.min_distance;
    EXPECT_NEAR(curve.b, row.b, 1e-4) << row.spread << " " << row.min_distance;
  }
  EXPECT_FAILS(fit_umap_curve(1, 2), "min_distance 2 and spread 1");
}

TEST(Umap, MembershipsStartAtOneFallAndSumToLog2OfK) {
  Neighbours near = nearest_neighbours(blobs(1, 200, 0), 14);
  std::vector<double> weight(14);
  for (size_t i = 0; i < 200; ++i) {
    fill_memberships(&near.distance[i * 14], 14, std::log2(15), true, weight.data());
    EXPECT_EQ(weight[0], 1);
    for (size_t j = 1; j < 14; ++j) EXPECT_LE(weight[j], weight[j - 1]);
    EXPECT_NEAR(std::accumulate(weight.begin(), weight.end(), 0.0), std::log2(15), 1e-5);
  }
  const double duplicates[] = {0, 0, 0, 0, 0, 0, 3, 4};  // six alone weigh more than log2 8
  fill_memberships(duplicates, 8, 3, true, weight.data());
  for (size_t j = 0; j < 7; ++j) EXPECT_EQ(weight[j], 1);  // the first at a distance is the nearest
  EXPECT_LT(weight[7], 1e-6);
  for (size_t j = 0; j < 8; ++j) EXPECT_TRUE(std::isfinite(weight[j]));
}

TEST(Umap, GraphIsTheFuzzyUnionOfBothDirections) {
  Tensor x = blobs(2, 30, 3);
  Neighbours near = nearest_neighbours(x, 9);
  SparseMatrix graph = fuzzy_graph(near, {.neighbours = 10});
  std::vector<double> one_way(60 * 60, 0.0), both(60 * 60, 0.0), weight(9);
  for (size_t i = 0; i < 60; ++i) {
    fill_memberships(&near.distance[i * 9], 9, std::log2(10), true, weight.data());
    for (size_t j = 0; j < 9; ++j) {
      one_way[i * 60 + static_cast<size_t>(near.index[i * 9 + j])] = weight[j];
    }
    for (auto e = static_cast<size_t>(graph.start[i]); e < static_cast<size_t>(graph.start[i + 1]);
         ++e) {
      both[i * 60 + static_cast<size_t>(graph.column[e])] = graph.value[e];
    }
  }
  for (size_t i = 0; i < 60; ++i) {
    for (size_t j = 0; j < 60; ++j) {
      double p = one_way[i * 60 + j], q = one_way[j * 60 + i];
      EXPECT_NEAR(both[i * 60 + j], p + q - p * q, 1e-12);
      EXPECT_EQ(both[i * 60 + j], both[j * 60 + i]);
    }
  }
  EXPECT_FAILS(fuzzy_graph(near, {.neighbours = 11}), "11 neighbours.*of 9 known: needs 2 to 10");
}

TEST(Spectral, VectorsAreEigenvectorsOfTheLaplacian) {
  Tensor x = blobs(1, 400, 0);
  SparseMatrix graph = fuzzy_graph(nearest_neighbours(x, 14), {});
  LaplacianVectors found = laplacian_vectors(graph, 4, 3);
  EXPECT_NEAR(found.values[0], 0, 1e-9);  // connected: once, and then more
  EXPECT_GT(found.values[1], 1e-4);
  auto v = found.vectors.to_vector<double>();
  std::vector<double> degree(400, 0.0);
  for (size_t i = 0; i < 400; ++i) {
    for (auto e = static_cast<size_t>(graph.start[i]); e < static_cast<size_t>(graph.start[i + 1]);
         ++e) {
      degree[i] += graph.value[e];
    }
  }
  for (size_t k = 0; k < 4; ++k) {
    double off = 0;
    for (size_t i = 0; i < 400; ++i) {
      double image = v[i * 4 + k];  // L v = v - D^-1/2 W D^-1/2 v
      for (auto e = static_cast<size_t>(graph.start[i]);
           e < static_cast<size_t>(graph.start[i + 1]); ++e) {
        auto j = static_cast<size_t>(graph.column[e]);
        image -= graph.value[e] * v[j * 4 + k] / std::sqrt(degree[i] * degree[j]);
      }
      off += std::pow(image - found.values[k] * v[i * 4 + k], 2);
    }
    EXPECT_LT(std::sqrt(off), 1e-4) << "eigenvector " << k;
  }
  Tensor gram = matmul(found.vectors.transpose(0, 1), found.vectors);
  EXPECT_LT(max(abs(gram - eye(4, DType::f64))).item(), 1e-10);
}

// On a ring of n vertices the eigenvalues are 1 - cos(2 pi j / n), twice each.
TEST(Spectral, FindsTheEigenvaluesOfARing) {
  SparseMatrix ring;
  ring.start.push_back(0);
  for (int32_t i = 0; i < 60; ++i) {
    for (int32_t j :
         {std::min((i + 59) % 60, (i + 1) % 60), std::max((i + 59) % 60, (i + 1) % 60)}) {
      ring.column.push_back(j);
      ring.value.push_back(0.7);
    }
    ring.start.push_back(static_cast<int64_t>(ring.column.size()));
  }
  auto found = laplacian_vectors(ring, 5, 1);
  double one = 1 - std::cos(2 * M_PI / 60), two = 1 - std::cos(4 * M_PI / 60);
  test::expect_near(found.values, {0, one, one, two, two}, 1e-9);
}

TEST(Spectral, LaysOutPiecesApart) {
  Tensor x = blobs(3, 40, 60);
  SparseMatrix graph = fuzzy_graph(nearest_neighbours(x, 9), {.neighbours = 10});
  EXPECT_EQ(connected_pieces(graph), blob_labels(3, 40));
  Tensor layout = spectral_layout(graph, x, 2, 0);
  EXPECT_EQ(neighbour_accuracy(layout, blob_labels(3, 40), 5), 1);
  EXPECT_NEAR(max(abs(layout)).item(), 1, 1e-12);
}

TEST(Umap, ShowsFiveBlobsAsFive) {
  auto labels = blob_labels(5, 60);
  for (double distance : {8.0, 40.0}) {  // one graph, and one in five pieces
    Tensor x = blobs(5, 60, distance);
    Tensor map = umap(x, {.epochs = 200});
    EXPECT_EQ(rand_index(k_means(map, 5), labels), 1) << "distance " << distance;
    EXPECT_EQ(neighbour_accuracy(map, labels, 10), 1);
  }
}

// Iris is three species in four measures, two of which overlap, and two factors (size and shape)
// make most of what varies within a species; so are these.
TEST(Umap, IsTrustworthyOnIrisLikeData) {
  Generator generator(7);
  Tensor loadings = from_vector<float>({.45f, .3f, .35f, .15f, .15f, -.25f, .1f, -.05f}, {2, 4});
  std::vector<Tensor> species;
  for (auto& mean : {std::vector<float>{5.0f, 3.4f, 1.5f, 0.2f},
                     {5.9f, 2.8f, 4.3f, 1.3f},
                     {6.6f, 3.0f, 5.5f, 2.0f}}) {
    Tensor factors = randn({50, 2}, 0, 1, DType::f32, &generator);
    species.push_back(matmul(factors, loadings) + randn({50, 4}, 0, 0.08, DType::f32, &generator) +
                      from_vector(mean, {4}));
  }
  Tensor x = concatenate(species);
  for (uint64_t seed : {1u, 2u, 42u}) {
    Tensor map = umap(x, {.neighbours = 10, .min_distance = 0.01, .seed = seed});
    EXPECT_GE(trustworthiness(x, map, 10), 0.97) << seed;
    EXPECT_GE(continuity(x, map, 10), 0.95) << seed;
  }
  // And it is the data: of noise of the same size it makes no such map.
  Tensor noise = randn({150, 2}, 0, 1, DType::f32, &generator);
  EXPECT_LT(trustworthiness(x, noise, 10), 0.6);
}

TEST(Umap, PlacesNewPointsWhereTheirLikeAre) {
  Tensor x = blobs(4, 50, 10), fresh = blobs(4, 20, 10, 99);
  UmapOptions options{.epochs = 200};
  Tensor map = umap(x, options);
  Tensor again = umap_transform(x, map, x, options);
  double size = std::sqrt(mean(square(map - mean(map, {0}))).item());
  double moved = std::sqrt(mean(square(again - map)).item());
  EXPECT_LT(moved, 0.1 * size);
  Tensor placed = umap_transform(x, map, fresh, options);
  Neighbours near = nearest_neighbours(placed, map, 1);
  for (size_t i = 0; i < 80; ++i) EXPECT_EQ(near.index[i] / 50, static_cast<int32_t>(i / 20));
  // One by one it is the same.
  Tensor last = umap_transform(x, map, fresh.slice(0, 79, 80), options);
  EXPECT_EQ(last.to_vector<float>(), placed.slice(0, 79, 80).to_vector<float>());
}

TEST(Umap, SeparatesByLabelsWhereAsked) {
  Tensor x = blobs(2, 80, 1);  // clouds that overlap
  auto labels = blob_labels(2, 80);
  double without = neighbour_accuracy(umap(x, {.epochs = 150}), labels, 10);
  UmapOptions options{.epochs = 150, .labels = labels};
  double with = neighbour_accuracy(umap(x, options), labels, 10);
  EXPECT_LT(without, 0.9);
  EXPECT_GT(with, 0.95);
  for (size_t i = 0; i < labels.size(); i += 2) options.labels[i] = -1;  // half of them unknown
  double half = neighbour_accuracy(umap(x, options), labels, 10);
  EXPECT_GT(half, without);
  options.labels.pop_back();
  EXPECT_FAILS(umap(x, options), "159 labels for 160 points");
}

TEST(Umap, HasTheSameBitsForASeedAndAnyThreadCount) {
  Tensor x = blobs(3, 120, 4);
  int before = thread_count();
  std::vector<std::vector<float>> maps;
  for (int threads : {1, 2, 8}) {
    set_thread_count(threads);
    Tensor map = umap(x, {.epochs = 15, .seed = 4});
    Tensor placed = umap_transform(x, map, blobs(1, 40, 4, 5), {.epochs = 15, .seed = 4});
    maps.push_back(concatenate({map, placed}).to_vector<float>());
  }
  set_thread_count(before);
  EXPECT_EQ(maps[0], maps[1]);
  EXPECT_EQ(maps[0], maps[2]);
  EXPECT_NE(umap(x, {.epochs = 15, .seed = 5}).to_vector<float>(),
            umap(x, {.epochs = 15, .seed = 4}).to_vector<float>());
}

TEST(Umap, TakesKnownNeighboursAStartAndOtherDimensions) {
  Tensor x = blobs(2, 40, 6);
  UmapOptions options{.neighbours = 8, .epochs = 50};
  Neighbours near = nearest_neighbours(x, 12);  // more than are wanted
  EXPECT_EQ(umap(x, options, near).to_vector<float>(), umap(x, options).to_vector<float>());
  std::vector<int> seen;
  options.every = 20;
  options.on_frame = [&](int epoch, const Tensor&) { seen.push_back(epoch); };
  Tensor map = umap(x, options);
  EXPECT_EQ(seen, (std::vector<int>{0, 20, 40, 50}));
  Tensor onward = umap(x, {.neighbours = 8, .epochs = 20, .learning_rate = 0.1}, near, map);
  EXPECT_LT(sum(square(onward - map)).item(), 0.2 * sum(square(map - mean(map, {0}))).item());
  EXPECT_EQ(umap(x, {.neighbours = 8, .dimensions = 3, .epochs = 5}).shape(), (Dims{80, 3}));
  for (float v : umap(ones({20, 3}), {.neighbours = 5, .epochs = 20}).to_vector<float>()) {
    EXPECT_TRUE(std::isfinite(v));
  }
  EXPECT_FAILS(umap(x, {.neighbours = 81}), "81 neighbours.*f32\\[80,8\\]: needs 2 to N");
  EXPECT_FAILS(umap(x, {}, {}, ones({80, 3})), "start f32\\[80,3\\]");
  EXPECT_FAILS(umap_transform(x, ones({79, 2}), x), "f32\\[79,2\\] is no map of f32\\[80,8\\]");
}

}  // namespace
}  // namespace strata::introspect

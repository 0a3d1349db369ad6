// The page of a map: its columns are those of the data, its neighbours those of the layer, its
// control the untrained network; and many images get small thumbnails.
#include "tools/inspect/embedding_page.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/inspect/subjects.h"
#include "tests/support/expect.h"
#include "tools/report/packed.h"
#include "tools/report/report.h"

namespace strata::inspect {
namespace {

using nlohmann::json;

MapOptions options(const std::string& method) {
  MapOptions o;
  o.method = method;
  o.command = "strata embed runs/test";
  return o;
}

// The eight nearest to row i by the cosine, ties by number.
std::vector<int64_t> nearest(const std::vector<float>& x, size_t width, size_t i) {
  auto dot = [&](size_t a, size_t b) {
    double sum = 0;
    for (size_t k = 0; k < width; ++k)
      sum += static_cast<double>(x[a * width + k]) * x[b * width + k];
    return sum;
  };
  auto cosine = [&](size_t j) { return dot(i, j) / std::sqrt(dot(i, i) * dot(j, j)); };
  std::vector<int64_t> order;
  for (size_t j = 0; j < x.size() / width; ++j)
    if (j != i) order.push_back(static_cast<int64_t>(j));
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return cosine(static_cast<size_t>(a)) > cosine(static_cast<size_t>(b));
  });
  order.resize(8);
  return order;
}

TEST(EmbeddingPage, HoldsTheDataAndTheLayersNeighbours) {
  const Subject subject = test::image_subject(60);
  const json page = embedding_page(subject, options("t-sne"));
  EXPECT_NO_THROW(report::render_page(page));
  const json& panel = page["panels"]["embedding"];
  const json& map = panel["maps"][0];
  EXPECT_EQ(panel["count"], 60);
  EXPECT_EQ(map["layer"], embedding_layer(subject));

  const Batch data = subject.test->head(60);
  for (size_t f = 0; f < subject.test->factors.size(); ++f) {
    const auto& name = subject.test->factors[f].name;
    const Tensor column = data.factors.select(1, static_cast<int64_t>(f)).contiguous();
    EXPECT_EQ(report::unpack(panel["factors"][name]), column.to_vector<double>()) << name;
  }
  const Tensor vectors = embed(subject, map["layer"], data.images);
  const std::vector<float> x = vectors.to_vector<float>();
  const std::vector<double> found = report::unpack(map["neighbours"]);
  ASSERT_EQ(found.size(), 60u * 8);
  for (size_t i : {size_t{0}, size_t{17}, size_t{59}}) {
    const auto expected = nearest(x, static_cast<size_t>(vectors.size(1)), i);
    EXPECT_EQ(std::vector<int64_t>(found.begin() + static_cast<int64_t>(8 * i),
                                   found.begin() + static_cast<int64_t>(8 * i + 8)),
              expected)
        << i;
  }
  EXPECT_NE(map["x"], map["untrained"]["x"]);
  // What the first screen says is counted here again.
  const std::vector<int64_t> labels = data.labels.to_vector<int64_t>();
  double same = 0;
  for (size_t k = 0; k < found.size(); ++k)
    same += labels[static_cast<size_t>(found[k])] == labels[k / 8];
  const std::string answer = page["panels"]["summary"]["answer"];
  EXPECT_NE(answer.find(fmt::format("{:.1f} % of the 8 nearest", 100 * same / 480)),
            std::string::npos)
      << answer;
  EXPECT_TRUE(page["panels"]["sprites"]["thumbnails"].contains("image")) << "whole, in one PNG";
  EXPECT_EQ(page["panels"]["sprites"]["thumbnails"]["tile"],
            json({subject.test->height, subject.test->width}));
}

TEST(EmbeddingPage, ManyImagesGetSmallThumbnailsInPieces) {
  const Subject subject = test::image_subject(300);
  MapOptions many = options("pca");
  many.whole_images = 299;
  const json page = embedding_page(subject, many);
  const json& sprite = page["panels"]["sprites"]["thumbnails"];
  EXPECT_EQ(sprite["tile"], json({16, 16}));
  EXPECT_EQ(sprite["images"].size(), 1u) << "of up to 1,024";
  // 100,000 are then 18 MB, which with places, factors and neighbours stay below 25.
  EXPECT_LT(sprite.dump().size(), 300u * 180) << "bytes an image";
  EXPECT_NO_THROW(report::render_page(page));
}

TEST(EmbeddingPage, WhatMakesNoMapIsAnError) {
  const Subject subject = test::image_subject(20);
  MapOptions o = options("pca");
  o.embed.count = 5;
  EXPECT_FAILS(embedding_page(subject, o), "5 images make no map");
  o = options("pca");
  o.embed.index.metric = introspect::Metric::inner_product;
  EXPECT_FAILS(embedding_page(subject, o), "inner product is no distance");
}

}  // namespace
}  // namespace strata::inspect

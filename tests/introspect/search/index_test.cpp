// The index of embeddings against plain loops: what is nearest, deleted, filtered, saved.
#include "tools/introspect/search/index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>

#include "engine/io/safetensors.h"
#include "engine/ops.h"
#include "kernels/common/parallel.h"
#include "tests/support/expect.h"

namespace strata::introspect {
namespace {

using Json = VectorIndex::Json;
using Matches = std::vector<std::vector<Match>>;

// Forty clusters in 24 dimensions.
Tensor clustered(int64_t n, uint64_t seed) {
  Generator centre_generator(1), generator(seed);
  Tensor centres = randn({40, 24}, 0, 2, DType::f32, &centre_generator);
  Tensor of = randint(0, 40, {n}, DType::i64, &generator);
  return index_select(centres, 0, of) + randn({n, 24}, 0, 1, DType::f32, &generator);
}

std::vector<int64_t> numbers(int64_t n, int64_t first = 0) {
  std::vector<int64_t> ids(static_cast<size_t>(n));
  std::iota(ids.begin(), ids.end(), first);
  return ids;
}

VectorIndex filled(const Tensor& x, const IndexOptions& options) {
  VectorIndex index(x.size(1), options);
  std::vector<Json> metadata;
  for (int64_t i = 0; i < x.size(0); ++i) {
    metadata.push_back({{"label", i % 10}, {"split", i % 3 ? "train" : "test"}});
  }
  index.add(numbers(x.size(0)), x, metadata);
  return index;
}

// Share of the true neighbours that were found.
double recall(const Matches& found, const Matches& want) {
  double right = 0, all = 0;
  for (size_t q = 0; q < want.size(); ++q) {
    std::set<int64_t> ids;
    for (const Match& m : found[q]) ids.insert(m.id);
    for (const Match& m : want[q]) right += ids.contains(m.id), ++all;
  }
  return right / all;
}

std::vector<Match> plain(const std::vector<double>& q, const Tensor& x, Metric metric) {
  auto values = x.to_vector<double>();
  size_t d = q.size();
  std::vector<Match> all;
  for (size_t i = 0; i < values.size() / d; ++i) {
    double dot = 0, aa = 0, bb = 0, square = 0;
    for (size_t j = 0; j < d; ++j) {
      double v = values[i * d + j];
      dot += q[j] * v, aa += q[j] * q[j], bb += v * v, square += (q[j] - v) * (q[j] - v);
    }
    double distance = metric == Metric::euclidean ? std::sqrt(square)
                      : metric == Metric::cosine  ? 1 - dot / std::sqrt(aa * bb)
                                                  : -dot;
    all.push_back({static_cast<int64_t>(i), distance});
  }
  std::sort(all.begin(), all.end(), [](const Match& a, const Match& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.id < b.id;
  });
  return all;
}

TEST(FlatIndex, IsThePlainLoopInEveryMetric) {
  Tensor x = clustered(600, 2), queries = clustered(20, 3);
  for (Metric metric : {Metric::euclidean, Metric::cosine, Metric::inner_product}) {
    VectorIndex index = filled(x, {.metric = metric});
    Matches found = index.search(queries, 15);
    for (int64_t q = 0; q < 20; ++q) {
      auto want = plain(queries.select(0, q).to_vector<double>(), x, metric);
      for (size_t j = 0; j < 15; ++j) {
        EXPECT_EQ(found[static_cast<size_t>(q)][j].id, want[j].id);
        EXPECT_NEAR(found[static_cast<size_t>(q)][j].distance, want[j].distance, 1e-12);
      }
    }
  }
}

TEST(FlatIndex, OrdersTiesById) {
  VectorIndex index(2);
  index.add({30, 10, 20}, from_vector<float>({1, 0, 0, 1, -1, 0}, {3, 2}));
  index.add({5}, from_vector<float>({1, 0}, {1, 2}));
  auto found = index.search(zeros({2}), 3)[0];
  EXPECT_EQ(found, (std::vector<Match>{{5, 1}, {10, 1}, {20, 1}}));
  EXPECT_EQ(index.search(zeros({2}), 9)[0].size(), 4u);  // fewer only if there are fewer
}

// Answers to many queries once kept the room of every vector measured, 16 bytes each.
TEST(FlatIndex, AnswersTakeTheRoomOfWhatIsFound) {
  VectorIndex index = filled(clustered(600, 2), {});
  for (const auto& matches : index.search(clustered(20, 3), 15)) EXPECT_LE(matches.capacity(), 16u);
}

TEST(FlatIndex, CosineIsTheInnerProductOfNormalised) {
  Tensor x = clustered(300, 4), queries = clustered(5, 5);
  auto unit = [](const Tensor& t) { return t / sqrt(sum(square(t), {1}, true)); };
  Matches cosine = filled(x, {.metric = Metric::cosine}).search(queries, 10);
  Matches inner = filled(unit(x), {.metric = Metric::inner_product}).search(unit(queries), 10);
  for (size_t q = 0; q < 5; ++q) {
    for (size_t j = 0; j < 10; ++j) {
      EXPECT_EQ(cosine[q][j].id, inner[q][j].id);
      EXPECT_NEAR(cosine[q][j].distance, 1 + inner[q][j].distance, 1e-6);
    }
  }
}

class GraphIndex : public testing::TestWithParam<Metric> {
 protected:
  IndexOptions flat{.metric = GetParam()};
  IndexOptions graph{.metric = GetParam(), .graph = true, .build_width = 100};
};

TEST_P(GraphIndex, FindsWhatTheFlatOneFinds) {
  Tensor x = clustered(3000, 6), queries = clustered(100, 7);
  Matches want = filled(x, flat).search(queries, 10);
  VectorIndex index = filled(x, graph);
  EXPECT_GE(recall(index.search(queries, 10), want), 0.99);
  double last = 0;
  for (int64_t width : {10, 20, 40, 80, 160}) {
    double share = recall(index.search(queries, 10, {}, width), want);
    EXPECT_GE(share, last) << "width " << width;
    last = share;
  }
  EXPECT_LT(recall(index.search(queries, 10, {}, 10), want), 1);  // the width does matter
  EXPECT_EQ(index.search(queries, 10, {}, 3000),
            want);  // all of a connected graph: the flat answer
}

TEST_P(GraphIndex, NeverReturnsWhatWasRemoved) {
  Tensor x = clustered(3000, 8), queries = clustered(100, 9);
  VectorIndex index = filled(x, graph), exact = filled(x, flat);
  Generator generator(3);
  auto order = randperm(3000, &generator).to_vector<int64_t>();
  auto gone = [&](size_t from, size_t to) {
    return std::vector<int64_t>(order.begin() + static_cast<int64_t>(from),
                                order.begin() + static_cast<int64_t>(to));
  };
  for (auto [from, to] : {std::pair{0, 900}, std::pair{900, 1800}}) {  // 30 %, then past one half
    auto ids = gone(static_cast<size_t>(from), static_cast<size_t>(to));
    index.remove(ids);
    exact.remove(ids);
    EXPECT_EQ(index.size(), 3000 - to);
    Matches found = index.search(queries, 10);
    EXPECT_GE(recall(found, exact.search(queries, 10)), 0.99) << to << " removed";
    auto removed = gone(0, static_cast<size_t>(to));
    std::sort(removed.begin(), removed.end());
    for (auto& matches : found) {
      EXPECT_EQ(matches.size(), 10u);
      for (const Match& m : matches) {
        EXPECT_FALSE(std::binary_search(removed.begin(), removed.end(), m.id));
      }
    }
  }
  // An id may come back as something else.
  index.add({order[0]}, queries.slice(0, 0, 1), {{{"label", 77}}});
  EXPECT_EQ(index.search(queries.select(0, 0), 1, where({{"label", 77}}))[0][0].id, order[0]);
  EXPECT_FAILS(index.remove({order[1]}), "id [0-9]+ is not in the index of 1201 items");
}

TEST_P(GraphIndex, RespectsAFilterAndStillReturnsK) {
  Tensor x = clustered(3000, 10), queries = clustered(40, 11);
  VectorIndex index = filled(x, graph), exact = filled(x, flat);
  std::vector<VectorIndex::Filter> filters = {
      where({{"split", "train"}}),                           // 2,000 of 3,000
      where({{"label", {1, 2, 3}}}),                         // 900
      where({{"label", 4}, {"split", {"test"}}}),            // 100: measured one by one
      [](int64_t id, const Json&) { return id % 500 == 3; }  // 6
  };
  for (size_t f = 0; f < filters.size(); ++f) {
    Matches found = index.search(queries, 10, filters[f]);
    EXPECT_GE(recall(found, exact.search(queries, 10, filters[f])), 0.99) << "filter " << f;
    for (auto& matches : found) {
      EXPECT_EQ(matches.size(), f == 3 ? 6u : 10u);
      for (const Match& m : matches) EXPECT_TRUE(filters[f](m.id, index.metadata(m.id)));
    }
  }
  // Allowed items lie in one far corner: the walk widens until it has them.
  auto far = exact.search(queries.select(0, 0), 3000)[0];
  std::set<int64_t> last;
  for (size_t i = 3000 - 600; i < 3000; ++i) last.insert(far[i].id);
  auto corner = [&](int64_t id, const Json&) { return last.contains(id); };
  auto found = index.search(queries.select(0, 0), 10, corner)[0];
  ASSERT_EQ(found.size(), 10u);
  for (const Match& m : found) EXPECT_TRUE(last.contains(m.id));
}

TEST_P(GraphIndex, IsTheSameForASeedAndAnyThreadCount) {
  Tensor x = clustered(1500, 12), queries = clustered(30, 13);
  int before = thread_count();
  std::vector<Matches> answers;
  for (int threads : {1, 2, 8}) {
    set_thread_count(threads);
    answers.push_back(filled(x, graph).search(queries, 10, {}, 12));
  }
  set_thread_count(before);
  EXPECT_EQ(answers[0], answers[1]);
  EXPECT_EQ(answers[0], answers[2]);
}

INSTANTIATE_TEST_SUITE_P(Metrics, GraphIndex, testing::Values(Metric::euclidean, Metric::cosine));

class IndexFile : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder); }
  void TearDown() override { std::filesystem::remove_all(folder); }
  std::string folder = testing::TempDir() + "/index_file_test";
  std::string path = folder + "/items.index";
};

TEST_P(IndexFile, GivesTheSameAnswersAndGoesOnTheSame) {
  Tensor x = clustered(1200, 14), queries = clustered(30, 15), more = clustered(300, 16);
  IndexOptions options{
      .metric = Metric::cosine, .graph = GetParam(), .search_width = 13, .seed = 5};
  VectorIndex index = filled(x, options);
  index.remove(numbers(100, 50));
  index.save(path);
  VectorIndex loaded = VectorIndex::load(path);
  EXPECT_EQ(loaded.ids(), index.ids());
  EXPECT_EQ(loaded.options().search_width, 13);
  EXPECT_EQ(loaded.metadata(7), index.metadata(7));
  EXPECT_EQ(loaded.vector(7).to_vector<float>(), x.select(0, 7).to_vector<float>());
  EXPECT_EQ(loaded.search(queries, 10), index.search(queries, 10));
  // What is added after loading is linked as if nothing had been saved.
  index.add(numbers(300, 5000), more);
  loaded.add(numbers(300, 5000), more);
  EXPECT_EQ(loaded.search(queries, 10), index.search(queries, 10));
  std::ifstream first(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(first), {}};
  VectorIndex::load(path).save(path);
  std::ifstream second(path, std::ios::binary);
  EXPECT_EQ(bytes, (std::string{std::istreambuf_iterator<char>(second), {}}));
}

TEST_P(IndexFile, IsRefusedWhenDamaged) {
  filled(clustered(600, 17), {.graph = GetParam()}).save(path);
  std::ifstream in(path, std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(in), {}};
  auto write = [&](const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  };
  for (size_t keep : {size_t{0}, size_t{7}, size_t{200}, whole.size() / 2, whole.size() - 1}) {
    write(whole.substr(0, keep));
    EXPECT_THROW(VectorIndex::load(path), Error) << keep << " bytes";
  }
  for (size_t at = 2000; at < whole.size(); at += whole.size() / 23) {  // behind the header
    std::string altered = whole;
    altered[at] = static_cast<char>(altered[at] ^ 0x10);
    write(altered);
    EXPECT_FAILS(VectorIndex::load(path), "items.index is damaged: its checksum is") << at;
  }
  write(whole);
  EXPECT_EQ(VectorIndex::load(path).size(), 600);
  EXPECT_FAILS(VectorIndex::load(folder + "/none"), "none");
}

INSTANTIATE_TEST_SUITE_P(Kinds, IndexFile, testing::Values(false, true));

TEST(IndexFile, OfNothingAndOfSomethingElse) {
  std::string path = testing::TempDir() + "/index_file_test.index";
  VectorIndex(3, {.graph = true}).save(path);
  VectorIndex empty = VectorIndex::load(path);
  EXPECT_EQ(empty.size(), 0);
  EXPECT_TRUE(empty.search(ones({3}), 5)[0].empty());
  Generator generator(18);
  Tensor x = randn({800, 3}, 0, 1, DType::f32, &generator);
  empty.add(numbers(800), x);  // and goes on from there
  EXPECT_EQ(empty.search(x.select(0, 5), 1)[0], (std::vector<Match>{{5, 0}}));
  io::save_safetensors(path, {{"x", x}});
  EXPECT_FAILS(VectorIndex::load(path), "is not an index");
  std::filesystem::remove(path);
}

TEST(Index, RefusesWhatItCannotHold) {
  VectorIndex index(3, {.metric = Metric::cosine});
  index.add({1}, ones({1, 3}));
  EXPECT_FAILS(index.add({2}, ones({1, 4})), "f32\\[1,4\\] must be \\[N, 3\\]");
  EXPECT_FAILS(index.add({1}, ones({1, 3})), "id 1 is in the index already: remove it first");
  EXPECT_FAILS(index.add({2, 2}, ones({2, 3})), "id 2 is given twice");
  EXPECT_FAILS(index.add({2, 3}, ones({1, 3})), "2 ids and 0 metadata for f32\\[1,3\\]");
  EXPECT_FAILS(index.add({2}, zeros({1, 3})), "row 0 .*zero, which has no cosine");
  EXPECT_FAILS(index.add({2}, full({1, 3}, NAN)), "row 0 .*not finite");
  EXPECT_FAILS(index.search(ones({1, 3}), 0), "k = 0");
  EXPECT_FAILS(index.remove({1, 9}), "id 9 is not in the index of 1 items");
  EXPECT_FAILS(where(3), "3 is no object of conditions");
  EXPECT_EQ(index.size(), 1);
}

}  // namespace
}  // namespace strata::introspect

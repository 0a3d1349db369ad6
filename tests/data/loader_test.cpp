// The loader: order by (seed, epoch) alone, same bits for any number of workers, resuming, errors
// of workers, shutdown in mid-epoch.
#include "engine/data/loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <numeric>
#include <set>

#include "engine/data/keyed_random.h"
#include "engine/data/terrace.h"

namespace strata {
namespace {

// Image i is full of the number i; image `bad` throws; reading may be slow in a random way.
class Numbers : public Dataset {
 public:
  explicit Numbers(int64_t count, int64_t bad = -1, bool slow = false)
      : count_(count), bad_(bad), slow_(slow) {
    name = "numbers";
    height = width = 8;
    channels = 1;
    mean = {0};
    deviation = {1 / 255.0f};
    class_names = {"even", "odd"};
  }
  int64_t size() const override { return count_; }
  void read(int64_t index, uint8_t* pixels, int64_t* label, int64_t*) const override {
    if (index == bad_) fail("numbers", Caller::here(), "image {} is bad", index);
    if (slow_)
      std::this_thread::sleep_for(
          std::chrono::microseconds(KeyedRandom(1, static_cast<uint64_t>(index), 0).below(300)));
    std::fill(pixels, pixels + 64, static_cast<uint8_t>(index));
    *label = index % 2;
    ++reads;
  }
  mutable std::atomic<int64_t> reads{0};

 private:
  int64_t count_, bad_;
  bool slow_;
};

std::vector<float> epoch_of(DataLoader& loader) {
  std::vector<float> all;
  while (std::optional<Batch> batch = loader.next()) {
    const float* images = batch->images.data<float>();
    all.insert(all.end(), images, images + batch->images.numel());
    const int64_t* labels = batch->labels.data<int64_t>();
    for (int64_t i = 0; i < batch->labels.numel(); ++i)
      all.push_back(static_cast<float>(labels[i]));
  }
  return all;
}

TEST(KeyedRandom, PhiloxKnownAnswers) {
  // Random123's known answers for philox4x32-10: counter and key all zero, and all ones.
  KeyedRandom zero(0, 0, 0);
  EXPECT_EQ(zero.bits(), 0x6627e8d5u);
  EXPECT_EQ(zero.bits(), 0xe169c58du);
  EXPECT_EQ(zero.bits(), 0xbc57ac4cu);
  EXPECT_EQ(zero.bits(), 0x9b00dbd8u);
  KeyedRandom u(1, 2, 3), v(1, 2, 3);
  for (int i = 0; i < 100; ++i) {
    double x = u.uniform();
    EXPECT_EQ(x, v.uniform());
    EXPECT_TRUE(x >= 0 && x < 1);
  }
}

TEST(KeyedRandom, PermutationsAreBijectionsAndDiffer) {
  for (uint64_t n : {1, 2, 3, 7, 64, 1000, 4097}) {
    KeyedPermutation order(n, 5, 0);
    std::set<uint64_t> seen;
    for (uint64_t i = 0; i < n; ++i) {
      uint64_t value = order(i);
      ASSERT_LT(value, n);
      seen.insert(value);
    }
    EXPECT_EQ(seen.size(), n);
  }
  // Random-looking: of 1000 places about one is fixed; neighbours do not stay neighbours.
  int fixed = 0, neighbours = 0;
  for (uint64_t epoch = 0; epoch < 20; ++epoch) {
    KeyedPermutation order(1000, 5, epoch);
    for (uint64_t i = 0; i < 1000; ++i) fixed += order(i) == i;
    for (uint64_t i = 0; i + 1 < 1000; ++i) neighbours += order(i) + 1 == order(i + 1);
  }
  EXPECT_LT(fixed, 50);
  EXPECT_LT(neighbours, 50);
}

TEST(DataLoader, EveryImageOnceAnEpochInANewOrder) {
  Numbers data(103);
  DataLoader loader(data, {.batch_size = 10, .seed = 3});
  EXPECT_EQ(loader.batches(), 11);
  std::vector<int64_t> first, second;
  for (int64_t b = 0; b < 11; ++b) {
    for (int64_t i : loader.indices(0, b)) first.push_back(i);
    for (int64_t i : loader.indices(1, b)) second.push_back(i);
  }
  EXPECT_NE(first, second);
  std::sort(first.begin(), first.end());
  std::sort(second.begin(), second.end());
  EXPECT_EQ(first, second);
  EXPECT_EQ(first.size(), 103u);
  DataLoader full(data, {.batch_size = 10, .drop_last = true});
  EXPECT_EQ(full.batches(), 10);
  DataLoader plain(data, {.batch_size = 4, .shuffle = false});
  EXPECT_EQ(plain.indices(7, 1), (std::vector<int64_t>{4, 5, 6, 7}));
}

TEST(DataLoader, SameBitsForAnyNumberOfWorkers) {
  Numbers data(101, -1, true);
  LoaderOptions options{.batch_size = 8, .seed = 4};
  options.augment = {.pad_crop = 2, .flip = true, .shift = 1, .rotate = 10, .cutout = 3};
  std::vector<std::vector<float>> runs;
  for (int workers : {0, 1, 4}) {
    options.workers = workers;
    options.prefetch = workers == 1 ? 1 : 5;
    DataLoader loader(data, options);
    std::vector<float> two = epoch_of(loader), next = epoch_of(loader);
    EXPECT_NE(two, next);
    two.insert(two.end(), next.begin(), next.end());
    runs.push_back(two);
  }
  EXPECT_EQ(runs[0].size(), 2u * 101 * 65);
  EXPECT_EQ(runs[0], runs[1]);
  EXPECT_EQ(runs[0], runs[2]);
}

TEST(DataLoader, TerraceIsTheSameWithWorkers) {
  Terrace data(terrace_task("chain"), 5, 300);
  DataLoader here(data, {.batch_size = 32, .seed = 1});
  DataLoader threads(data, {.batch_size = 32, .seed = 1, .workers = 3});
  EXPECT_EQ(epoch_of(here), epoch_of(threads));
}

TEST(DataLoader, ResumesWithTheSameBits) {
  Numbers data(60);
  for (int workers : {0, 2}) {
    LoaderOptions options{.batch_size = 7, .seed = 9, .workers = workers};
    options.augment.pad_crop = 1;
    DataLoader loader(data, options);
    epoch_of(loader);
    for (int i = 0; i < 3; ++i) loader.next();
    LoaderState saved = loader.state();
    EXPECT_EQ(saved.epoch, 1);
    EXPECT_EQ(saved.position, 3);
    std::vector<float> rest = epoch_of(loader), after = epoch_of(loader);
    DataLoader resumed(data, options);
    resumed.set_state(saved);
    EXPECT_EQ(epoch_of(resumed), rest);
    EXPECT_EQ(epoch_of(resumed), after);
    loader.set_state(saved);  // also the same loader, with batches in work
    EXPECT_EQ(epoch_of(loader), rest);
    EXPECT_THROW(loader.set_state({0, 100}), Error);
  }
}

TEST(DataLoader, ErrorsOfWorkersReachTheConsumer) {
  Numbers data(40, 13);
  for (int workers : {0, 3}) {
    DataLoader loader(data, {.batch_size = 5, .shuffle = false, .workers = workers});
    EXPECT_TRUE(loader.next());
    EXPECT_TRUE(loader.next());
    for (int i = 0; i < 2; ++i) {
      try {
        loader.next();
        FAIL() << "no error";
      } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("image 13 is bad"), std::string::npos);
      }
    }
    EXPECT_EQ(loader.state().position, 2);
    loader.set_state({0, 3});  // past the bad batch
    EXPECT_EQ(loader.next()->labels.size(0), 5);
  }
}

TEST(DataLoader, StopsInMidEpochAndStaysWithinItsPrefetch) {
  Numbers data(4000);
  {
    DataLoader loader(data, {.batch_size = 4, .workers = 4, .prefetch = 6});
    loader.next();
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    EXPECT_LE(data.reads, 4 * (1 + 6));
  }
  for (int i = 0; i < 20; ++i) {
    DataLoader loader(data, {.batch_size = 4, .workers = 3});
    if (i % 2) loader.next();
  }
}

TEST(DataLoader, RefusesSizesThatMakeNoSense) {
  Numbers data(10);
  EXPECT_THROW(DataLoader(data, {.batch_size = 0}), Error);
  EXPECT_THROW(DataLoader(data, {.batch_size = 11, .drop_last = true}), Error);
  EXPECT_THROW(DataLoader(data, {.workers = -1}), Error);
}

TEST(Augment, DoesWhatItSays) {
  std::vector<uint8_t> image(64, 0);
  image[27] = 200;  // row 3, column 3 of 8 x 8
  auto changed = [&](const Augment& augment, uint64_t index) {
    std::vector<uint8_t> copy = image;
    augment_image(augment, 1, 0, index, 8, 8, 1, copy.data());
    return copy;
  };
  EXPECT_EQ(changed({}, 0), image);
  std::set<int64_t> places;
  for (uint64_t i = 0; i < 500; ++i) {
    std::vector<uint8_t> copy = changed({.pad_crop = 2}, i);
    places.insert(std::find(copy.begin(), copy.end(), 200) - copy.begin());
  }
  EXPECT_EQ(places.size(), 25u);
  EXPECT_EQ(*places.begin(), 9);
  int flipped = 0;
  for (uint64_t i = 0; i < 400; ++i) flipped += changed({.flip = true}, i)[28] == 200;
  EXPECT_NEAR(flipped, 200, 50);
  // Turning about the middle keeps the amount of light up to rounding at the edge.
  std::vector<uint8_t> turned = changed({.rotate = 20}, 3);
  EXPECT_NEAR(std::accumulate(turned.begin(), turned.end(), 0), 200, 12);
  EXPECT_NE(turned, image);
  std::vector<uint8_t> cut = changed({.cutout = 3}, 1);
  EXPECT_LE(std::count(cut.begin(), cut.end(), 128), 9);
  EXPECT_GE(std::count(cut.begin(), cut.end(), 128), 4);
}

}  // namespace
}  // namespace strata

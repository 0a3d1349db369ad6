// Spoken digits: splits, names, errors; and changes to sound.
#include "engine/data/spoken_digits.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <numeric>
#include <set>

#include "engine/data/augment_audio.h"
#include "engine/ops.h"
#include "tests/data/shared_data.h"
#include "tests/data/wav_writer.h"
#include "tests/support/expect.h"

namespace strata {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / fmt::format("strata_digits_{}", getpid())) {
    fs::create_directories(path_ / "train");
    fs::create_directories(path_ / "test");
  }
  ~Folder() { fs::remove_all(path_); }
  std::string path() const { return path_.string(); }
  // `count` samples of the value 1/2.
  void add(const std::string& name, int count = 20, uint32_t rate = 8000) {
    test::write_wav((path_ / name).string(), std::vector<float>(static_cast<size_t>(count), 0.5f),
                    rate);
  }

 private:
  fs::path path_;
};

TEST(SpokenDigits, TheLastTakeOfEachIsForValidation) {
  Folder folder;
  for (const char* name : {"3_anna_5", "3_anna_6", "3_anna_7", "4_anna_5", "4_bo_9", "4_bo_10"})
    folder.add(fmt::format("train/{}.wav", name));
  folder.add("test/9_bo_0.wav", 33);
  const SpokenDigits train(folder.path(), Split::train);
  const SpokenDigits validation(folder.path(), Split::validation), test(folder.path(), Split::test);
  auto takes = [](const SpokenDigits& digits) {
    std::set<std::string> found;
    for (int64_t i = 0; i < digits.size(); ++i)
      found.insert(fmt::format("{}{}{}", digits[i].digit,
                               digits.speakers()[static_cast<size_t>(digits[i].speaker)],
                               digits[i].take));
    return found;
  };
  EXPECT_EQ(takes(train), (std::set<std::string>{"3anna5", "3anna6", "4bo9"}));
  EXPECT_EQ(takes(validation), (std::set<std::string>{"3anna7", "4anna5", "4bo10"}));
  EXPECT_EQ(takes(test), (std::set<std::string>{"9bo0"}));
  EXPECT_EQ(test.longest(), 33);
  for (float sample : test[0].samples) EXPECT_NEAR(sample, 0.5, 1e-4);
}

TEST(SpokenDigits, SaysWhichFileIsWrong) {
  Folder folder;
  EXPECT_FAILS(SpokenDigits(folder.path(), Split::test), "test holds no recordings for the test");
  folder.add("test/11_bo_0.wav");
  EXPECT_FAILS(SpokenDigits(folder.path(), Split::test), "11_bo_0.wav: a name should be DIGIT_");
  fs::remove(folder.path() + "/test/11_bo_0.wav");
  folder.add("test/1_bo_0.wav", 20, 16000);
  EXPECT_FAILS(SpokenDigits(folder.path(), Split::test),
               "1_bo_0.wav: expected one channel at 8000 Hz; it has 1 at 16000");
  EXPECT_FAILS(SpokenDigits(folder.path() + "/nowhere", Split::test), "nowhere");
}

TEST(SpokenDigits, TheRealOnes) {
  const std::string folder = STRATA_SHARED("fsdd");
  const SpokenDigits train(folder, Split::train), validation(folder, Split::validation);
  const SpokenDigits test(folder, Split::test);
  EXPECT_EQ(train.size(), 540);
  EXPECT_EQ(validation.size(), 60);
  EXPECT_EQ(test.size(), 300);
  EXPECT_EQ(train.speakers(), (std::vector<std::string>{"george", "jackson", "lucas", "nicolas",
                                                        "theo", "yweweler"}));
  std::vector<int> of_digit(10, 0);
  for (int64_t i = 0; i < test.size(); ++i) ++of_digit[static_cast<size_t>(test[i].digit)];
  EXPECT_EQ(of_digit, std::vector<int>(10, 30));
}

TEST(AugmentAudio, PutsSoundIntoSilence) {
  const std::vector<float> sound = {1, 2, 3};
  EXPECT_EQ(placed(sound, 7, {}, {1, 2, 3}), (std::vector<float>{0, 0, 1, 2, 3, 0, 0}));
  EXPECT_EQ(placed(sound, 1, {}, {1, 2, 3}), (std::vector<float>{2}));
  std::set<std::vector<float>> places;
  for (uint64_t i = 0; i < 50; ++i)
    places.insert(placed(sound, 7, {.place_anywhere = true}, {1, i, 3}));
  EXPECT_GE(places.size(), 4u);
  for (const auto& place : places)
    EXPECT_EQ(std::accumulate(place.begin(), place.end(), 0.0f), 6) << "something was cut off";
}

TEST(AugmentAudio, EachChangeDoesWhatItSays) {
  std::vector<float> sound(2000);
  for (size_t i = 0; i < sound.size(); ++i) sound[i] = std::sin(0.3f * static_cast<float>(i));
  auto energy = [](const std::vector<float>& x) {
    double sum = 0;
    for (float v : x) sum += static_cast<double>(v) * v;
    return sum;
  };
  double quietest = 1e9, loudest = 0, noisiest = 0, longest = 0, shortest = 1e9;
  for (uint64_t i = 0; i < 60; ++i) {
    const double gained = energy(placed(sound, 3000, {.gain = 6}, {1, i, 0})) / energy(sound);
    quietest = std::min(quietest, gained), loudest = std::max(loudest, gained);
    const std::vector<float> noisy = placed(sound, 3000, {.noise = 0.1}, {1, i, 0});
    const double background = energy({noisy.begin(), noisy.begin() + 400}) / 400;
    noisiest = std::max(noisiest, std::sqrt(background / (energy(sound) / 2000)));
    const std::vector<float> played = placed(sound, 3000, {.speed = 0.2, .shift = 0}, {1, i, 0});
    const auto length = static_cast<double>(
        std::find_if(played.rbegin(), played.rend(), [](float v) { return v != 0; }).base() -
        played.begin());
    longest = std::max(longest, length), shortest = std::min(shortest, length);
  }
  EXPECT_NEAR(10 * std::log10(loudest), 6, 1);
  EXPECT_NEAR(10 * std::log10(quietest), -6, 1);
  EXPECT_NEAR(noisiest, 0.1, 0.02);
  EXPECT_NEAR(longest, 2000 / 0.8, 100);
  EXPECT_NEAR(shortest, 2000 / 1.2, 100);
  const AudioAugment all{.speed = 0.2, .gain = 6, .noise = 0.1, .place_anywhere = true};
  EXPECT_EQ(placed(sound, 3000, all, {1, 5, 0}), placed(sound, 3000, all, {1, 5, 0}));
  EXPECT_NE(placed(sound, 3000, all, {1, 5, 0}), placed(sound, 3000, all, {1, 6, 0}));
}

TEST(AugmentAudio, MasksBandsAndStretches) {
  const Tensor x = ones({3, 40, 20});
  const Tensor a = spec_augmented(x, {}, 1, 2);
  EXPECT_EQ(test::values(a), test::values(spec_augmented(x, {}, 1, 2)));
  EXPECT_NE(test::values(a), test::values(spec_augmented(x, {}, 1, 3)));
  EXPECT_EQ(test::values(x), test::values(ones({3, 40, 20})));
  for (uint64_t step = 0; step < 20; ++step) {
    const Tensor y =
        spec_augmented(x, {.bands = 1, .mels = 5, .stretches = 1, .frames = 7}, 1, step);
    for (int64_t n = 0; n < 3; ++n) {
      // What is masked is whole rows and whole columns, no more than asked for.
      const Tensor kept = y.select(0, n);
      const double rows = sum(max(kept, {1})).item(), columns = sum(max(kept, {0})).item();
      EXPECT_GE(rows, 33);
      EXPECT_GE(columns, 15);
      EXPECT_EQ(sum(kept).item(), rows * columns);
    }
  }
}

}  // namespace
}  // namespace strata

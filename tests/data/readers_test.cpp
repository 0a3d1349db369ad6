// The readers of image files on the real records, and on files cut short, corrupt and hostile.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "engine/data/cifar.h"
#include "engine/data/dataset.h"
#include "engine/data/files.h"
#include "engine/data/idx.h"
#include "engine/data/image_file.h"
#include "engine/data/stored_images.h"
#include "tests/data/shared_data.h"

namespace strata {
namespace {

namespace fs = std::filesystem;

Bytes idx_header(uint8_t type, std::vector<uint32_t> sizes) {
  Bytes bytes = {0, 0, type, static_cast<uint8_t>(sizes.size())};
  for (uint32_t size : sizes)
    for (int shift = 24; shift >= 0; shift -= 8)
      bytes.push_back(static_cast<uint8_t>(size >> shift));
  return bytes;
}

template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Idx, AllElementTypes) {
  Bytes shorts = idx_header(11, {2});
  shorts.insert(shorts.end(), {0xff, 0xfe, 0x01, 0x00});
  EXPECT_EQ(parse_idx(shorts, "shorts").to_vector<int32_t>(), (std::vector<int32_t>{-2, 256}));
  Bytes floats = idx_header(13, {1, 1});
  floats.insert(floats.end(), {0x3f, 0xc0, 0, 0});
  Tensor x = parse_idx(floats, "floats");
  EXPECT_EQ(x.shape(), (Dims{1, 1}));
  EXPECT_EQ(x.data<float>()[0], 1.5f);
  Bytes doubles = idx_header(14, {1});
  doubles.insert(doubles.end(), {0xc0, 0x04, 0, 0, 0, 0, 0, 0});
  EXPECT_EQ(parse_idx(doubles, "doubles").data<double>()[0], -2.5);
  EXPECT_EQ(parse_idx(idx_header(8, {0, 28, 28}), "none").numel(), 0);
}

TEST(Idx, RefusesWhatIsNotOneArray) {
  Bytes good = idx_header(8, {2, 3});
  good.insert(good.end(), 6, 7);
  EXPECT_EQ(parse_idx(good, "good").numel(), 6);
  for (size_t length = 0; length < good.size(); ++length)
    EXPECT_THROW(parse_idx(std::span(good).first(length), "cut"), Error) << length;
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_THROW(parse_idx(longer, "longer"), Error);
  // Sizes whose product overflows 64 bits, and one that claims 4 GiB.
  EXPECT_THROW(parse_idx(idx_header(8, {0xffffffff, 0xffffffff, 0xffffffff}), "huge"), Error);
  EXPECT_THROW(parse_idx(idx_header(8, {0x80000000, 0x80000000, 4}), "wraps to 0"), Error);
  EXPECT_THROW(parse_idx(idx_header(8, {0xffffffff, 0x01000000, 0}), "absurd but empty"), Error);
  std::string text = error_of([] { parse_idx(idx_header(8, {0x7ffffff0}), "big.idx"); });
  EXPECT_NE(text.find("big.idx"), std::string::npos) << text;
  EXPECT_NE(text.find("[2147483632]"), std::string::npos) << text;
  EXPECT_THROW(parse_idx(idx_header(8, {1, 1, 1, 1, 1, 1, 1, 1, 1}), "rank 9"), Error);
  EXPECT_THROW(parse_idx(idx_header(10, {1}), "type 10"), Error);
}

TEST(Idx, RealMnist) {
  std::string folder = STRATA_SHARED("mnist");
  IdxPair test = read_idx_folder(folder, false);
  EXPECT_EQ(test.images.shape(), (Dims{10000, 28, 28}));
  std::vector<int> counts(10, 0);
  for (int64_t i = 0; i < 10000; ++i) ++counts[test.labels.data<uint8_t>()[i]];
  EXPECT_EQ(counts, (std::vector<int>{980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009}));

  auto train = open_dataset("mnist:" + folder, Split::train, 1);
  auto validation = open_dataset("mnist:" + folder, Split::validation, 1);
  EXPECT_EQ(train->size(), 18000);
  EXPECT_EQ(validation->size(), 2000);
  EXPECT_EQ(open_dataset("mnist:" + folder, Split::test, 1)->size(), 10000);
  EXPECT_NEAR(train->mean[0], 0.1316, 0.001);
  EXPECT_NEAR(train->deviation[0], 0.3093, 0.002);
  EXPECT_EQ(train->mean, validation->mean);
}

TEST(Gzip, TruncatedAndCorruptStreams) {
  std::string folder = STRATA_SHARED("mnist");
  std::ifstream file(join_path(folder, "t10k-labels-idx1-ubyte.gz"), std::ios::binary);
  Bytes packed{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(unpack("test", packed, "labels").size(), 10008u);
  Bytes cut(packed.begin(), packed.end() - 9);
  EXPECT_NE(error_of([&] { unpack("test", cut, "labels"); }).find("truncated"), std::string::npos);
  Bytes corrupt = packed;
  corrupt[packed.size() / 2] ^= 0x40;
  EXPECT_NE(error_of([&] { unpack("test", corrupt, "labels"); }).find("corrupt"),
            std::string::npos);
  EXPECT_NE(error_of([&] { unpack("test", packed, "labels", 100); }).find("limit"),
            std::string::npos);
  Bytes twice = packed;  // two members in a row are one stream
  twice.insert(twice.end(), packed.begin(), packed.end());
  EXPECT_EQ(unpack("test", twice, "labels").size(), 20016u);
}

TEST(Cifar, Records) {
  Bytes bytes(2 * 3073, 0);
  bytes[0] = 9;
  bytes[1] = 11;              // red of the first pixel
  bytes[1 + 1024 + 1] = 22;   // green of the second
  bytes[1 + 2048 + 33] = 33;  // blue of the second row's second
  CifarRecords records = parse_cifar(bytes, 10, "two");
  EXPECT_EQ(records.labels, (std::vector<int64_t>{9, 0}));
  EXPECT_EQ(records.images[0], 11);
  EXPECT_EQ(records.images[3 + 1], 22);
  EXPECT_EQ(records.images[33 * 3 + 2], 33);
  bytes[3073] = 10;
  EXPECT_NE(error_of([&] { parse_cifar(bytes, 10, "two"); }).find("record 1 has label 10"),
            std::string::npos);
  bytes.pop_back();
  EXPECT_NE(error_of([&] { parse_cifar(bytes, 10, "two"); }).find("6145 bytes"), std::string::npos);
  EXPECT_THROW(parse_cifar({}, 10, "none"), Error);
  EXPECT_EQ(parse_cifar(Bytes(3074, 0), 100, "hundred").coarse.size(), 1u);
}

TEST(Cifar, RealRecordsAreCutIntoThree) {
  std::string folder = STRATA_SHARED("cifar10");
  std::set<std::vector<uint8_t>> seen;
  int64_t total = 0;
  for (Split split : {Split::train, Split::validation, Split::test}) {
    auto data = open_dataset("cifar10:" + folder, split, 5);
    EXPECT_EQ(data->class_names[0], "airplane");
    total += data->size();
    std::vector<uint8_t> pixels(3072);
    int64_t label, none;
    for (int64_t i = 0; i < data->size(); ++i) {
      data->read(i, pixels.data(), &label, &none);
      seen.insert(pixels);
    }
  }
  EXPECT_EQ(open_dataset("cifar10:" + folder, Split::test, 5)->size(), 500);
  EXPECT_EQ(total, 3000);
  EXPECT_EQ(seen.size(), 3000u);  // no image twice, none lost
}

TEST(Splits, KeepApartAndFollowTheSeed) {
  DatasetLimits limits;
  std::set<int64_t> all;
  for (Split split : {Split::train, Split::validation, Split::test})
    for (int64_t i : choose_split(600, 0, split, 3, limits, "x").indices) all.insert(i);
  EXPECT_EQ(all.size(), 600u);
  EXPECT_EQ(choose_split(600, 0, Split::test, 3, limits, "x").indices.size(), 100u);
  EXPECT_EQ(choose_split(600, 0, Split::validation, 3, limits, "x").indices.size(), 50u);
  EXPECT_NE(choose_split(600, 0, Split::test, 3, limits, "x").indices,
            choose_split(600, 0, Split::test, 4, limits, "x").indices);
  limits.train = 10;
  EXPECT_EQ(choose_split(600, 50, Split::train, 3, limits, "x").indices.size(), 10u);
  EXPECT_TRUE(choose_split(600, 50, Split::test, 3, limits, "x").from_test);
  limits.validation = 600;
  EXPECT_THROW(choose_split(600, 50, Split::train, 3, limits, "x"), Error);
}

TEST(Pictures, RealPhotographs) {
  std::string folder = STRATA_SHARED("photos/free");
  Picture astronaut = read_picture(join_path(folder, "astronaut.png"));
  EXPECT_EQ(astronaut.height, 512);
  EXPECT_EQ(astronaut.channels, 3);
  EXPECT_EQ(read_picture(join_path(folder, "camera.png")).channels, 1);
  Picture rocket = read_picture(join_path(folder, "rocket.jpg"));
  EXPECT_EQ(rocket.width, 640);
  EXPECT_EQ(rocket.height, 427);
  Picture small = resize(crop_square(rocket), 32, 32);
  EXPECT_EQ(small.pixels.size(), 3072u);
  for (const char* name : {"rocket.jpg", "camera.png"}) {
    Bytes bytes = read_bytes("test", join_path(folder, name));
    for (double part : {0.0001, 0.01, 0.5, 0.9, 0.999}) {
      size_t length = static_cast<size_t>(part * static_cast<double>(bytes.size()));
      EXPECT_THROW(decode_picture(std::span(bytes).first(length), name), Error) << name << part;
    }
  }
}

TEST(Pictures, PngRoundTripAndResize) {
  Picture picture{3, 5, 3, {}};
  for (int i = 0; i < 45; ++i) picture.pixels.push_back(static_cast<uint8_t>(i * 5));
  Bytes bytes = encode_png(picture);
  Picture back = decode_picture(bytes, "back");
  EXPECT_EQ(back.pixels, picture.pixels);
  EXPECT_EQ(resize(picture, 3, 5).pixels, picture.pixels);
  // Area average of 2 x 2 blocks; bilinear of two pixels with half-pixel centres.
  Picture grey{2, 4, 1, {0, 10, 20, 30, 10, 20, 30, 40}};
  EXPECT_EQ(resize(grey, 1, 2).pixels, (Bytes{10, 30}));
  Picture two{1, 2, 1, {0, 100}};
  EXPECT_EQ(resize(two, 1, 4).pixels, (Bytes{0, 25, 75, 100}));
  // A header that claims more pixels than the file could hold.
  bytes[16] = 0x00;
  bytes[17] = 0xff;
  EXPECT_THROW(decode_picture(bytes, "wide"), Error);
}

TEST(Folder, ClassesByFolder) {
  fs::path root = fs::temp_directory_path() / "strata_folder_test";
  fs::remove_all(root);
  for (const char* label : {"dark", "light"}) {
    fs::create_directories(root / label);
    for (int i = 0; i < 10; ++i) {
      Picture picture{40, 60, 3, Bytes(7200, label[0] == 'd' ? 10 : 200)};
      write_png((root / label / (std::to_string(i) + ".PNG")).string(), picture);
    }
  }
  auto data = open_dataset("folder:" + root.string(), Split::train, 1, {0, 4, 4, 16});
  EXPECT_EQ(data->class_names, (std::vector<std::string>{"dark", "light"}));
  EXPECT_EQ(data->size(), 12);
  EXPECT_EQ(data->height, 16);
  std::vector<uint8_t> pixels(768);
  int64_t label, none;
  for (int64_t i = 0; i < 12; ++i) {
    data->read(i, pixels.data(), &label, &none);
    EXPECT_EQ(pixels[300], label == 0 ? 10 : 200);
  }
  std::ofstream(root / "dark" / "bad.png") << "not a picture";
  EXPECT_NE(
      error_of([&] { open_dataset("folder:" + root.string(), Split::train, 1); }).find("bad.png"),
      std::string::npos);
  fs::remove_all(root);
}

TEST(OpenDataset, SaysWhatItKnows) {
  EXPECT_NE(error_of([] { open_dataset("minst:x", Split::train, 1); }).find("mnist:DIR"),
            std::string::npos);
  EXPECT_NE(error_of([] { open_dataset("mnist", Split::train, 1); }).find("mnist:DIR"),
            std::string::npos);
  EXPECT_NE(error_of([] { open_dataset("mnist:/nowhere", Split::train, 1); }).find("/nowhere"),
            std::string::npos);
  auto terrace = open_dataset("terrace:outline", Split::validation, 1);
  EXPECT_EQ(terrace->size(), 2000);
  EXPECT_EQ(terrace->class_names[0], "disc");
  EXPECT_EQ(terrace->label_name, "outline_above");
}

}  // namespace
}  // namespace strata

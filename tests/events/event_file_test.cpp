// Event files and projector files, read back by a decoder of its own.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "engine/data/image_file.h"
#include "engine/nn/linear.h"
#include "engine/ops.h"
#include "tests/events/event_reader.h"
#include "tests/support/expect.h"
#include "tools/events/message.h"
#include "tools/events/projector.h"
#include "tools/events/run_events.h"

namespace strata::events {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

class Events : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  std::string text(const fs::path& name) {
    std::ifstream in(folder_ / name);
    return {(std::istreambuf_iterator<char>(in)), {}};
  }
  std::vector<ReadEvent> run_events() {
    return read_events(events_folder(folder_) / "events.out.tfevents.0.strata");
  }

  fs::path folder_ = fs::path(testing::TempDir()) / ("strata-events-" + std::to_string(getpid()));
};

TEST(Checksum, IsThatOfTheStandard) {  // RFC 3720, appendix B.4
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  std::string rising;
  for (char c = 0; c < 32; ++c) rising += c;
  EXPECT_EQ(crc32c(rising), 0x46dd794eu);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
}

TEST(Message, IsEncodedAsInTheDescription) {  // the examples of protobuf.dev, "Encoding"
  EXPECT_EQ(Message().integer(1, 150).text(), "\x08\x96\x01");
  EXPECT_EQ(Message().bytes(2, "testing").text(), "\x12\x07testing");
  EXPECT_EQ(Message().message(3, Message().integer(1, 150)).text(), "\x1a\x03\x08\x96\x01");
  EXPECT_EQ(Message().integer(1, -2).text(), "\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01");
  EXPECT_EQ(Message().real32(2, 1.5f).text(), std::string("\x15\0\0\xc0\x3f", 5));
  EXPECT_EQ(Message().real(1, 1.5).text(), std::string("\x09\0\0\0\0\0\0\xf8\x3f", 9));
  EXPECT_EQ(Message().bytes(16, "").text(), std::string("\x82\x01\0", 3));
}

TEST_F(Events, ReadBackAsWritten) {
  const fs::path file = folder_ / "new folder" / "a.tfevents";
  int64_t size = 0;
  {
    EventFile events(file, 0);
    events.scalars(7, {{"train/loss", 0.25}, {"train/accuracy", 1e-30}});
    events.scalars(int64_t{1} << 40, {{"late", -3}});
    events.picture("p", 8, {1, 2, 3, {255, 0, 0, 0, 0, 255}});
    const std::vector<float> values = {-1, 0, 0, 3};
    events.histogram("h", 9, values);
    size = events.size();
  }
  EXPECT_EQ(static_cast<int64_t>(fs::file_size(file)), size);
  auto read = read_events(file);
  ASSERT_EQ(read.size(), 5u);
  EXPECT_EQ(read[0].version, "brain.Event:2");
  EXPECT_NEAR(read[0].wall_time, static_cast<double>(std::time(nullptr)), 60);
  EXPECT_EQ(read[1].step, 7);
  EXPECT_EQ(read[1].values.at("train/loss").number, 0.25);
  EXPECT_EQ(read[1].values.at("train/accuracy").number, 1e-30f);
  EXPECT_EQ(read[2].step, int64_t{1} << 40);
  EXPECT_EQ(read[2].values.at("late").number, -3);
  const ReadValue& p = read[3].values.at("p");
  EXPECT_EQ((std::vector<int64_t>{p.height, p.width, p.channels}), (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(p.png.substr(1, 3), "PNG");
  const ReadValue& h = read[4].values.at("h");
  EXPECT_EQ(h.moments, (std::vector<double>{-1, 3, 4, 2, 10}));
  ASSERT_EQ(h.upper.size(), 30u);
  EXPECT_EQ(h.upper.back(), 3);
  EXPECT_EQ(h.inside[0], 1);
  EXPECT_EQ(h.inside[7], 2);  // 0 lies 7.5 cells of 4 / 30 above -1
  EXPECT_EQ(h.inside[29], 1);
}

TEST_F(Events, TheReaderSeesAFlippedBit) {  // that the checksums are looked at
  const fs::path file = folder_ / "a.tfevents";
  { EventFile(file, 0).scalars(1, {{"a", 1}}); }
  const auto size = fs::file_size(file);
  for (uintmax_t at : {uintmax_t{2}, size - 6, size - 1}) {
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekg(static_cast<std::streamoff>(at));
    const char before = static_cast<char>(bytes.get());
    bytes.seekp(static_cast<std::streamoff>(at)).put(static_cast<char>(before ^ 4)).flush();
    EXPECT_THROW(read_events(file), std::runtime_error) << at;
    bytes.seekp(static_cast<std::streamoff>(at)).put(before);
  }
  EXPECT_EQ(read_events(file).size(), 2u);
}

TEST(Histograms, HoldEveryFiniteValueOnce) {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> values = {1, 2, 3, 4, std::nanf(""), infinity, 2.5};
  const Histogram h = histogram_of(values, 3);
  EXPECT_EQ(h.upper, (std::vector<double>{2, 3, 4}));
  EXPECT_EQ(h.inside, (std::vector<double>{1, 2, 2}));
  EXPECT_EQ(h.count, 5);
  EXPECT_EQ(h.sum, 12.5);
  const std::vector<float> same(6, 0.5f), none = {infinity};
  EXPECT_EQ(histogram_of(same).inside, (std::vector<double>{6}));
  EXPECT_EQ(histogram_of(same).upper, (std::vector<double>{0.5}));
  EXPECT_EQ(histogram_of(none).count, 0);
}

TEST_F(Events, AreCutBackToWhatACheckpointRemembers) {
  const fs::path file = folder_ / "a.tfevents";
  int64_t remembered = 0;
  {
    EventFile events(file, 0);
    events.scalars(1, {{"a", 1}});
    remembered = events.size();
    events.scalars(2, {{"a", -1}});
  }
  std::ofstream(file, std::ios::app) << "half a rec";  // killed in mid-write
  { EventFile(file, remembered).scalars(2, {{"a", 2}}); }
  auto read = read_events(file);
  ASSERT_EQ(read.size(), 3u);
  EXPECT_EQ(read[1].values.at("a").number, 1);
  EXPECT_EQ(read[2].values.at("a").number, 2);
  EXPECT_FAILS(EventFile(file, 100000), "a.tfevents is shorter than the 100000 bytes");
  EXPECT_FAILS(EventFile(folder_ / "none", 10), "is not the file of this run");
}

TEST_F(Events, SayWhenTheDiskIsFull) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "there is no /dev/full";
  fs::create_symlink("/dev/full", folder_ / "full");
  EXPECT_FAILS(EventFile(folder_ / "full", 0), "cannot write .*full: No space left on device");
  std::ofstream(folder_ / "a file") << "x";
  EXPECT_FAILS(EventFile(folder_ / "a file" / "b", 0), "cannot make the folder .*a file");
}

TEST_F(Events, NameTheNumbersOfEachLine) {
  {
    RunEvents events(folder_, 0);
    events.line(Json{{"kind", "train"},
                     {"step", 10},
                     {"epoch", .5},
                     {"loss", 2.0},
                     {"learning_rate", .25},
                     {"seconds", 3}});
    events.line(Json{{"kind", "probe"},
                     {"step", 0},
                     {"layer", "conv1"},
                     {"factor", "hue"},
                     {"accuracy", .75},
                     {"low", .7},
                     {"control", "trained"}});
    events.line(Json{{"kind", "probe"},
                     {"step", 0},
                     {"layer", "conv1"},
                     {"factor", "hue"},
                     {"accuracy", .5},
                     {"control", "shuffled"}});
    events.line(Json{{"kind", "layer"},
                     {"step", 4},
                     {"layer", "conv1"},
                     {"sparsity", .5},
                     {"weight_norm", nullptr}});
    events.line(Json::parse(R"({"kind":"validation","step":5,"scores":[
        {"name":"bits","value":1.5,"unit":"x"},{"name":"lost","value":null,"unit":""}]})"));
  }
  auto read = run_events();
  ASSERT_EQ(read.size(), 6u);
  auto names = [](const ReadEvent& event) {
    std::string all;
    for (auto& [tag, value] : event.values) all += tag + "=" + std::to_string(value.number) + ";";
    return all;
  };
  EXPECT_EQ(names(read[1]), "train/learning_rate=0.250000;train/loss=2.000000;");
  EXPECT_EQ(read[1].step, 10);
  EXPECT_EQ(names(read[2]), "probe hue/conv1=0.750000;");
  EXPECT_EQ(names(read[3]), "probe hue, shuffled/conv1=0.500000;");
  EXPECT_EQ(names(read[4]), "sparsity/conv1=0.500000;");
  EXPECT_EQ(names(read[5]), "validation/bits=1.500000;");
}

TEST_F(Events, ShowWeightsAndFilters) {
  Linear layer(3, 2);
  Tensor filters = zeros({2, 5, 5, 1});
  filters.data<float>()[0] = -2;
  filters.data<float>()[49] = 4;
  {
    RunEvents events(folder_, 0);
    events.weights(layer, 3);
    events.filters(filters, 3);
    events.filters(Tensor(), 3);
    events.filters(zeros({2, 5, 5, 7}), 3);  // no picture has seven channels
  }
  auto read = run_events();
  ASSERT_EQ(read.size(), 4u);
  const ReadValue& weight = read[1].values.at("weights/weight");
  EXPECT_EQ(weight.moments[2], 6);
  auto values = layer.named_parameters().front().tensor.to_vector<float>();
  EXPECT_EQ(weight.moments[0], *std::min_element(values.begin(), values.end()));
  const ReadValue& picture = read[3].values.at("filters/first layer");
  // Each filter is enlarged 6 times, with 2 pixels around.
  EXPECT_EQ(picture.height, 34);
  EXPECT_EQ(picture.width, 66);
  std::ofstream(folder_ / "p.png", std::ios::binary) << picture.png;
  const Picture image = read_picture((folder_ / "p.png").string());
  auto at = [&](int64_t y, int64_t x) { return image.pixels[static_cast<size_t>(y * 66 + x)]; };
  EXPECT_EQ(at(0, 0), 255);    // between filters
  EXPECT_EQ(at(2, 2), 0);      // -2, the largest magnitude of the first
  EXPECT_EQ(at(2, 8), 128);    // zero
  EXPECT_EQ(at(31, 63), 255);  // 4, that of the second
}

TEST_F(Events, ProjectorFilesSayWhatEachPointIs) {
  Embedding e;
  e.name = "conv6";
  e.points = from_vector<float>({1, 2, 3, 4, 5, 6.5}, {3, 2});
  e.columns = {"class"};
  e.labels = {{"a\tb"}, {"c"}, {"d"}};
  e.thumbnails = ones({3, 4, 4, 3});
  write_projector(folder_, e);
  EXPECT_EQ(text("tensors.tsv"), "1\t2\n3\t4\n5\t6.5\n");
  EXPECT_EQ(text("metadata.tsv"), "point\tclass\n0\ta b\n1\tc\n2\td\n");
  const std::string config = text("projector_config.pbtxt");
  EXPECT_NE(config.find("tensor_name: \"conv6\""), std::string::npos) << config;
  EXPECT_NE(config.find("single_image_dim: 4"), std::string::npos) << config;
  EXPECT_EQ(text("thumbnails.png").substr(1, 3), "PNG");
  e.labels.pop_back();
  EXPECT_FAILS(write_projector(folder_, e), "3 points, but 2 rows of labels");
  e.points = zeros({3});
  EXPECT_FAILS(write_projector(folder_, e), "the points are f32\\[3\\]; expected");
}

}  // namespace
}  // namespace strata::events

// Every method of `strata inspect` on small networks: it answers with a picture or lines, finite
// arrays and numbers, and an attribution is never without the verdict of its control.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "tests/inspect/subjects.h"
#include "tests/support/expect.h"
#include "tools/inspect/attribution.h"
#include "tools/inspect/output.h"

namespace strata::inspect {
namespace {

using namespace test;
namespace fs = std::filesystem;

std::vector<std::string> names(bool images) {
  std::vector<std::string> list;
  for (auto& method : methods()) {
    if (method.reads == Reads::anything || (method.reads == Reads::images) == images) {
      list.push_back(method.name);
    }
  }
  return list;
}

std::string test_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name;
  for (char c : info.param)
    name += std::isalnum(static_cast<unsigned char>(c)) ? c : c == '+' ? 'p' : '_';
  return name;
}

void expect_finite(const Json& json, const std::string& where) {
  if (json.is_number_float()) {
    EXPECT_TRUE(std::isfinite(json.get<double>())) << where;
  } else if (json.is_structured()) {
    for (auto& [key, value] : json.items()) expect_finite(value, where + "." + key);
  }
}

// What every answer must be, and the files it leaves.
void check(const Method& method, const Answer& answer) {
  EXPECT_TRUE(!answer.figure.rows.empty() || !answer.lines.empty()) << "nothing to see";
  for (auto& [name, tensor] : answer.arrays) {
    ASSERT_TRUE(tensor.defined()) << name;
    EXPECT_GT(tensor.numel(), 0) << name;
    for (double v : tensor.to_vector<double>()) ASSERT_TRUE(std::isfinite(v)) << name;
  }
  expect_finite(answer.numbers, "numbers");
  fs::path out =
      fs::path(::testing::TempDir()) / fmt::format("inspect-{}", getpid()) / "answer.png";
  auto files = write_answer(answer, {{"method", method.name}}, out);
  for (auto& file : files) {
    EXPECT_TRUE(fs::exists(file)) << file;
    if (file.extension() != ".png") continue;
    std::ifstream png(file, std::ios::binary);
    std::string start(4, ' ');
    png.read(start.data(), 4);
    EXPECT_EQ(start, "\x89PNG");
  }
  fs::remove_all(out.parent_path());
}

class OnImages : public ::testing::TestWithParam<std::string> {};
TEST_P(OnImages, Answers) {
  static const Subject subject = image_subject();
  const Method& method = find_method(GetParam());
  Request request{subject, read_inputs(subject, {"test:0", "test:1"}, 2)};
  // Few of what costs time; what they mean is the method's.
  request.samples = method.group == "maps" ? 60 : 4;
  request.steps = method.name == "shapley" ? 2 : 5;
  if (method.name.starts_with("ig-exact")) request.layer = "conv3";
  Answer answer = run_method(method, request);
  check(method, answer);
  if (method.group == "attribution") {
    std::string verdict = answer.numbers["control"]["verdict"];
    EXPECT_TRUE(verdict.ends_with("passes") || verdict.ends_with("fails") ||
                verdict.ends_with("unclear"))
        << verdict;
    EXPECT_EQ(answer.arrays["map"].shape(), (Dims{2, 32, 32}));
    EXPECT_TRUE(answer.arrays.count("untrained"));
    EXPECT_NEAR(answer.numbers["localisation"]["area"].get<double>(), 0.3, 0.25);
  }
}
INSTANTIATE_TEST_SUITE_P(Methods, OnImages, ::testing::ValuesIn(names(true)), test_name);

class OnTokens : public ::testing::TestWithParam<std::string> {};
TEST_P(OnTokens, Answers) {
  static const Subject subject = token_subject();
  const Method& method = find_method(GetParam());
  Request request{subject, read_inputs(subject, {"abcabcab"}, 1)};
  request.samples = 4;
  request.steps = 3;
  if (method.name == "ig-exact") {
    EXPECT_FAILS(run_method(method, request), "softmax|layer_norm|gelu");  // not piecewise linear
    return;
  }
  if (method.name == "guided-backprop" || method.name == "deconvnet") {
    EXPECT_FAILS(run_method(method, request), "runs no 'relu'");
    return;
  }
  check(method, run_method(method, request));
}
INSTANTIATE_TEST_SUITE_P(Methods, OnTokens, ::testing::ValuesIn(names(false)), test_name);

TEST(Methods, HaveOneNameAndAPaper) {
  std::set<std::string> seen;
  for (auto& method : methods()) {
    EXPECT_TRUE(seen.insert(method.name).second) << method.name;
    EXPECT_FALSE(method.about.empty()) << method.name;
    EXPECT_NE(method.paper.find_first_of("0123456789"), std::string::npos) << method.name;
  }
  EXPECT_GT(seen.size(), 50u);
}

TEST(Methods, SayWhyTheyDoNotApply) {
  Subject images = image_subject(40), tokens = token_subject();
  Request on_images{images, read_inputs(images, {}, 4)},
      on_tokens{tokens, read_inputs(tokens, {"abc"}, 1)};
  EXPECT_FAILS(find_method("gradcam2"), "no method 'gradcam2'.*gradcam");
  EXPECT_FAILS(run_method(find_method("gradcam"), on_tokens),
               "for networks that read images.*gpt reads tokens");
  EXPECT_FAILS(run_method(find_method("logit-lens"), on_images), "for networks that read tokens");
  on_images.layer = "conv9";
  EXPECT_FAILS(run_method(find_method("gradcam"), on_images), "no layer 'conv9'.*conv1");
  on_images.layer = "head";
  EXPECT_FAILS(run_method(find_method("gradcam"), on_images), "N, H, W, C");
  on_images.layer = "conv2";
  on_images.units = {99};
  EXPECT_FAILS(run_method(find_method("top-patches"), on_images), "no unit 99; the layer has 8");
  on_images.rule = "gamma-omega";
  EXPECT_FAILS(run_method(find_method("lrp"), on_images), "no --rule 'gamma-omega'.*epsilon-plus");
}

TEST(Inputs, AreReadOrRefused) {
  Subject images = image_subject(40), tokens = token_subject();
  Inputs two = read_inputs(images, {"test:3", "test:0"}, 4);
  EXPECT_EQ(two.names, (std::vector<std::string>{"test 3", "test 0"}));
  EXPECT_EQ(two.x.shape(), (Dims{2, 32, 32, 3}));
  EXPECT_LE(max(two.pixels).item(), 1.0001);
  EXPECT_GE(min(two.pixels).item(), -0.0001);
  EXPECT_EQ(two.object.shape(), (Dims{2, 32, 32}));
  EXPECT_FAILS(read_inputs(images, {"test:40"}, 1), "below 40");
  EXPECT_FAILS(read_inputs(images, {"test:x"}, 1), "test:NUMBER");
  EXPECT_FAILS(read_inputs(images, {"/nonexistent.png"}, 1), "nonexistent.png");
  EXPECT_FAILS(read_inputs(tokens, {"12345678901234567"}, 1), "17 tokens.*1 to 16");
  EXPECT_FAILS(read_inputs(tokens, {"\xff"}, 1), "none of the network's 128 tokens");
  EXPECT_EQ(images.class_of(images.class_names[1]), 1);
  EXPECT_EQ(images.class_of("2"), 2);
  EXPECT_FAILS(images.class_of("boot"), "no class 'boot'");
  // By default every class comes up.
  Inputs four = read_inputs(images, {}, 4);
  EXPECT_EQ(std::set<int64_t>(four.labels.begin(), four.labels.end()).size(), 4u);
}

TEST(Inputs, APictureOfAnotherSizeIsBroughtToTheNetworks) {
  Subject images = image_subject(8);
  fs::path file = fs::path(::testing::TempDir()) / fmt::format("photo-{}.png", getpid());
  Picture photo{50, 70, 1, std::vector<uint8_t>(50 * 70, 128)};
  write_png(file.string(), photo);
  Inputs read = read_inputs(images, {file.string()}, 1);
  EXPECT_EQ(read.x.shape(), (Dims{1, 32, 32, 3}));
  EXPECT_NEAR(mean(read.pixels).item(), 128 / 255.0, 1e-6);
  EXPECT_EQ(read.labels[0], -1);
  EXPECT_FALSE(read.object.defined());
  fs::remove(file);
}

}  // namespace
}  // namespace strata::inspect

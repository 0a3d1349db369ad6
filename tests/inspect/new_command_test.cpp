// Networks described in a file, from the command line: strata new, and study, inspect, graph with
// such a file. Also those two with networks that have no longest text.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/io/atomic_file.h"
#include "engine/io/checkpoint.h"
#include "engine/ops/random.h"
#include "models/config/templates.h"
#include "models/registry.h"
#include "tests/inspect/subjects.h"
#include "tests/support/expect.h"

namespace strata {
namespace {

namespace fs = std::filesystem;

class NewCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    home = fs::path(::testing::TempDir()) / ("strata-new-" + std::to_string(getpid()));
    fs::create_directories(home);
  }
  void TearDown() override { fs::remove_all(home); }

  std::string at(const std::string& name) const { return (home / name).string(); }
  static std::string text_of(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  int run(const std::string& arguments) {
    int status = std::system((STRATA_BINARY " " + arguments + " >" + at("log") + " 2>&1").c_str());
    output = text_of(at("log"));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  void says(const std::string& text) {
    EXPECT_NE(output.find(text), std::string::npos) << "no '" << text << "' in\n" << output;
  }

  fs::path home;
  std::string output;
};

TEST_F(NewCommand, WritesATemplateAndShowsItsLayers) {
  for (const config::Template& each : config::templates()) {
    const std::string file = at(std::string(each.name) + ".toml");
    ASSERT_EQ(run("new " + file + " --template " + each.name), 0) << output;
    EXPECT_EQ(text_of(file), each.text);
    ASSERT_EQ(run("new " + file), 0) << output;
    says("result");
  }
  ASSERT_EQ(run("new " + at("convnet.toml")), 0);
  says("conv2  conv_norm    image [32, 32, 32]         4,672       4,718,592\n");
  says("145,242      19,318,016\n");
  says("conv1, conv2, conv3, conv4, conv5, conv6, head");
  EXPECT_EQ(run("new " + at("convnet.toml") + " --template mlp"), 1);
  says("exists and is not replaced");
  EXPECT_EQ(run("new " + at("convnet.json")), 1);
  says("ends in .toml");
  EXPECT_EQ(run("new " + at("other.toml") + " --template gan"), 1);
  says("there is no template 'gan'");
  EXPECT_FALSE(fs::exists(at("other.toml")));
  EXPECT_EQ(run("new"), 2);
  ASSERT_EQ(run("new --types"), 0);
  says("attention    multi-head self-attention\n               heads, causal = false\n");
  io::write_file(at("wrong.toml"), "[input]\n[[layer]]\ntype = \"linear\"\nwidth = 3\n");
  EXPECT_EQ(run("new " + at("wrong.toml")), 1);
  says("wrong.toml:2] linear1 (linear) gets image [32, 32, 3]");
}

TEST_F(NewCommand, ADescribedNetworkTrainsGoesOnAndIsInspectedWithoutItsFile) {
  const std::string file = at("my.toml");
  io::write_file(file,
                 "[input]\n"
                 "[[layer]]\ntype = \"conv_norm\"\nname = \"conv1\"\nwidth = 4\nstride = 2\n"
                 "[[layer]]\ntype = \"global_pool\"\n"
                 "[[layer]]\ntype = \"linear\"\nname = \"head\"\nwidth = \"classes\"\n");
  const std::string study = "study --data terrace --model " + file +
                            " --train-only --train-images 192 --epochs 1 --out " + at("run");
  ASSERT_EQ(run(study), 0) << output;
  ASSERT_EQ(run(study + " --resume"), 0) << output;
  const auto config = nlohmann::json::parse(text_of(at("run/config.json")));
  EXPECT_EQ(config["model"]["options"]["description"], text_of(file));
  EXPECT_EQ(config["model"]["layers"][0]["name"], "conv1");
  io::write_file(file, text_of(file) + "bias = false\n");
  EXPECT_EQ(run(study + " --resume"), 1) << "another network";
  says("holds another run");
  fs::remove(file);
  ASSERT_EQ(run("inspect " + at("run") + " --method gradient --input test:3 -o " + at("map.png")),
            0)
      << output;
  EXPECT_EQ(text_of(at("map.png")).substr(1, 3), "PNG");
}

TEST_F(NewCommand, GraphTakesEveryKindOfModel) {
  io::write_file(at("my.toml"), config::template_named("mlp").text);
  for (const std::string& model :
       {std::string("lstm_lm"), std::string("gcn"), std::string("mlp"), at("my.toml")}) {
    ASSERT_EQ(run("graph --model " + model + " --batch 2 --out " + at("tape.dot")), 0) << output;
    says("Kept for the backward pass of ");
    EXPECT_NE(text_of(at("tape.dot")).find("digraph"), std::string::npos) << model;
  }
  EXPECT_EQ(run("graph --model lenet5"), 1);
  says("there is no model 'lenet5'");
}

// A network that keeps a state has no longest text; one with positions has.
TEST(InspectText, IsAsLongAsTheNetworkReads) {
  inspect::Subject subject;
  inspect::test::make_pair(subject, "lstm_lm",
                           {{"vocabulary", 128}, {"embedding", 4}, {"width", 4}});
  subject.spelling = inspect::bytes_from(0, 128);
  const std::string text(300, 'a');
  EXPECT_EQ(inspect::read_inputs(subject, {text}, 1).x.shape(), (Dims{1, 300}));
  EXPECT_FAILS(inspect::read_inputs(subject, {""}, 1), "the text is empty");
  EXPECT_FAILS(inspect::read_inputs(inspect::test::token_subject(), {text}, 1),
               "has 300 tokens; this network reads 1 to 16");
}

}  // namespace
}  // namespace strata

// The commands that look into a trained network, run as a user runs them: strata inspect, gallery,
// scores, compare, embed, search, induction.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/io/npy.h"
#include "tests/support/expect.h"

namespace strata {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// Two short runs that all tests share: a convnet on terrace, and a gpt that copies.
class Commands : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    setenv("LSAN_OPTIONS", "print_suppressions=0", 1);  // what fontconfig keeps is told on stderr
    home = fs::path(::testing::TempDir()) / ("strata-inspect-" + std::to_string(getpid()));
    fs::create_directories(home);
    ASSERT_EQ(run("study --data terrace --model convnet --train-only --train-images 640 --epochs 1 "
                  "--out " +
                  at("run")),
              0)
        << output;
    ASSERT_EQ(run("induction --steps 3 --out " + at("copy")), 0) << output;
  }
  static void TearDownTestSuite() { fs::remove_all(home); }

  static std::string at(const std::string& name) { return (home / name).string(); }
  static int run(const std::string& arguments) {
    int status = std::system((STRATA_BINARY " " + arguments + " >" + at("log") + " 2>&1").c_str());
    output = text_of(at("log"));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  // Fails with status 1 and one line that says this.
  static void refused(const std::string& arguments, const std::string& said) {
    EXPECT_EQ(run(arguments), 1) << arguments << "\n" << output;
    EXPECT_NE(output.find(said), std::string::npos) << arguments << "\n" << output;
    EXPECT_EQ(std::count(output.begin(), output.end(), '\n'), 1) << output;
  }

  static inline fs::path home;
  static inline std::string output;
};

TEST_F(Commands, InspectLeavesPictureArraysAndNumbers) {
  ASSERT_EQ(
      run("inspect " + at("run") + " --method gradcam --layer conv5 --input test:3 --target 1 -o " +
          at("out/cam.png")),
      0)
      << output;
  EXPECT_EQ(text_of(at("out/cam.png")).substr(1, 3), "PNG");
  EXPECT_EQ(io::load_npy(at("out/cam.map.npy")).shape(), (Dims{1, 32, 32}));
  Json json = Json::parse(text_of(at("out/cam.json")));
  EXPECT_EQ(json["numbers"]["inputs"][0]["input"], "test 3");
  EXPECT_EQ(json["numbers"]["inputs"][0]["target"], "scene 1");
  EXPECT_EQ(json["arrays"]["map"]["shape"], (Json{1, 32, 32}));
  EXPECT_FALSE(json["numbers"]["control"]["cascade"].empty());
  EXPECT_EQ(json["numbers"]["control"]["independent"].size(),
            json["numbers"]["control"]["cascade"].size());
  // The command it holds makes the same file again.
  std::string first = text_of(at("out/cam.map.npy")), command = json["command"];
  ASSERT_EQ(command.rfind("strata ", 0), 0u);
  ASSERT_EQ(run(command.substr(7)), 0) << output;
  EXPECT_EQ(text_of(at("out/cam.map.npy")), first);
}

// The commands of README.md's section, with this test's runs in the place of the reader's.
TEST_F(Commands, OfTheReadmeRun) {
  SKIP_WITH_SANITIZERS();
  std::stringstream readme(text_of(STRATA_SOURCE_DIR "/README.md"));
  int commands = 0;
  for (std::string line; std::getline(readme, line);) {
    constexpr std::string_view start = "build/default/strata ";
    if (line.rfind(start, 0) != 0) continue;
    std::string command = line.substr(start.size()), name = command.substr(0, command.find(' '));
    if (name == "study" || name == "xray" || name == "--help") continue;  // other tests'
    for (auto [from, to] : {std::pair<std::string, std::string>{"runs/first", at("run")},
                            {"runs/second", at("run")},
                            {"runs/copy", at("copy2")},
                            {"runs/sentences", at("sentences")},
                            {"-o ", "-o " + home.string() + "/"},
                            {" first.index", " " + at("first.index")}}) {
      for (size_t p = command.find(from); p != std::string::npos;
           p = command.find(from, p + to.size())) {
        command.replace(p, from.size(), to);
      }
    }
    if (name == "induction") command += " --steps 3";
    EXPECT_EQ(run(command), 0) << line << "\n" << command << "\n" << output;
    ++commands;
  }
  EXPECT_GE(commands, 10);
}

// The commands of docs/training.md on a published checkpoint, with a small one in its place.
TEST_F(Commands, OfThePublishedCheckpoint) {
  fs::create_directories(at("minilm"));
  fs::copy_file(STRATA_SOURCE_DIR "/tests/interchange/fixtures/bert_sentence.huggingface.pt",
                at("minilm/model.pt"));
  std::ofstream(at("minilm/config.json")) << R"({"num_attention_heads": 2})";
  std::ofstream(at("minilm/vocab.txt")) << "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\nsat\n.\n";
  std::istringstream page(text_of(STRATA_SOURCE_DIR "/docs/training.md"));
  std::string line;
  while (std::getline(page, line) && line != "### A published one") {
  }
  int commands = 0;
  const std::string program = "    build/default/strata ";
  while (std::getline(page, line)) {
    if (!line.starts_with(program)) continue;
    std::string command = line.substr(program.size());
    for (auto& [theirs, ours] : {std::pair("minilm/model.safetensors", "minilm/model.pt"),
                                 {"minilm/vocab.txt", "minilm/vocab.txt"},
                                 {"runs/minilm.safetensors", "minilm.safetensors"},
                                 {"heads.png", "heads.png"}}) {
      const size_t place = command.find(theirs);
      if (place != command.npos) command.replace(place, std::string(theirs).size(), at(ours));
    }
    EXPECT_EQ(run(command), 0) << command << "\n" << output;
    ++commands;
  }
  EXPECT_EQ(commands, 2);
  EXPECT_TRUE(fs::exists(at("heads.png")));
  const Json numbers = Json::parse(text_of(at("heads.json")));
  EXPECT_EQ(numbers["numbers"]["tokens"], (Json{"[CLS]", "the", "cat", "sat", ".", "[SEP]"}));
}

TEST_F(Commands, ATwinOnRandomLabelsIsAControl) {
  ASSERT_EQ(run("study --data terrace --model convnet --train-only --random-labels --train-images "
                "640 --epochs 1 "
                "--out " +
                at("twin")),
            0)
      << output;
  EXPECT_EQ(Json::parse(text_of(at("twin/config.json")))["training"]["labels"], "random");
  ASSERT_EQ(run("inspect " + at("run") + " --method gradient --random-labels " + at("twin") +
                " --input test:1 -o " + at("out/twin.png")),
            0)
      << output;
  Json json = Json::parse(text_of(at("out/twin.json")));
  EXPECT_NE(json["numbers"]["control"]["random_labels"].get<std::string>().find("shuffled"),
            std::string::npos)
      << json["numbers"]["control"];
  // One that a study left in its folder needs no mention.
  fs::copy(at("run"), at("whole"), fs::copy_options::recursive);
  fs::copy(at("twin"), at("whole/random_labels"), fs::copy_options::recursive);
  ASSERT_EQ(
      run("inspect " + at("whole") + " --method gradient --input test:1 -o " + at("out/left.png")),
      0)
      << output;
  Json left = Json::parse(text_of(at("out/left.json")));
  EXPECT_EQ(left["numbers"]["control"]["random_labels"],
            json["numbers"]["control"]["random_labels"]);
}

TEST_F(Commands, InspectListsMethodsAndPapers) {
  ASSERT_EQ(run("inspect --list"), 0);
  for (const char* name :
       {"integrated-gradients", "Sundararajan et al. 2017", "tcav", "umap", "logit-lens"}) {
    EXPECT_NE(output.find(name), std::string::npos) << name;
  }
}

TEST_F(Commands, InspectSaysWhatIsWrongInALine) {
  refused("inspect " + at("nowhere") + " --method gradcam", "there is no ");
  refused("inspect " + at("run") + " --method gradcamm", "near it: gradcam");
  refused("inspect " + at("run") + " --method gradcam --target boot", "there is no class 'boot'");
  refused("inspect " + at("run") + " --method gradcam --layer conv7", "no layer 'conv7'");
  refused("inspect " + at("run") + " --method attention", "reads images");
  refused("inspect " + at("run") + " --method gradient -o picture.jpg", ".png");
  refused("inspect " + at("run"), "--method");
  refused("inspect", "which network");
  fs::create_directories(home / "empty");
  refused("inspect " + at("empty") + " --method gradient", "holds no checkpoint");
  // A checkpoint that was cut short.
  fs::create_directories(home / "cut");
  fs::copy_file(at("run/config.json"), at("cut/config.json"), fs::copy_options::overwrite_existing);
  std::ofstream(at("cut/checkpoint.safetensors"))
      << text_of(at("run/checkpoint.safetensors")).substr(0, 5000);
  refused("inspect " + at("cut") + " --method gradient", "checkpoint.safetensors");
}

TEST_F(Commands, AComparisonOfANetworkWithItselfIsOne) {
  ASSERT_EQ(run("compare " + at("run") + " " + at("run") + " --images 100 -o " + at("same.png")), 0)
      << output;
  Json json = Json::parse(text_of(at("same.json")));
  for (auto& entry : json["numbers"]["in_step"]) {
    EXPECT_NEAR(entry["cka"].get<double>(), 1, 1e-4);
    EXPECT_NEAR(entry["procrustes"].get<double>(), 0, 2e-2);
    EXPECT_NEAR(entry["mutual_neighbours"].get<double>(), 1, 1e-9);
    EXPECT_LT(entry["null"]["high"].get<double>(), 0.5);
  }
  refused("compare " + at("run") + " " + at("copy"), "reads no images");
}

TEST_F(Commands, EmbeddingsAreFoundAgain) {
  for (const char* graph : {"", " --graph"}) {
    ASSERT_EQ(run("embed " + at("run") + " --count 120 -o " + at("test.index") + graph), 0)
        << output;
    // An item is its own nearest, and so is its picture.
    ASSERT_EQ(run("search " + at("test.index") + " --item 7 --count 3"), 0) << output;
    EXPECT_EQ(std::stoi(output), 7) << output;
    ASSERT_EQ(run("search " + at("test.index") + " --input test:7 --count 3 -o " + at("found.png")),
              0)
        << output;
    EXPECT_EQ(std::stoi(output), 7) << output;
    EXPECT_EQ(text_of(at("found.png")).substr(1, 3), "PNG");
    ASSERT_EQ(run("search " + at("test.index") +
                  " --item 7 --count 5 --where '{\"label\": \"scene 1\"}'"),
              0)
        << output;
    std::stringstream lines(output);
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
      EXPECT_NE(line.find("\"label\":\"scene 1\""), std::string::npos) << line;
    }
    EXPECT_EQ(count, 5);
  }
  ASSERT_EQ(run("search " + at("test.index") + " --text 'Scene 2' --count 4"), 0) << output;
  EXPECT_NE(output.find("items whose metadata say 'Scene 2'"), std::string::npos) << output;
  refused("search " + at("test.index") + " --text zebra",
          "no item's metadata hold 'zebra'; an item's look like {");
  refused("search " + at("test.index"), "say what to search for");
  refused("search " + at("test.index") + " --item 500", "500");
  std::string whole = text_of(at("test.index"));
  whole[whole.size() / 2] ^= 1;
  std::ofstream(at("bad.index"), std::ios::binary) << whole;
  refused("search " + at("bad.index") + " --item 7", "bad.index");
}

// A CLIP that has learnt no more than hues finds the pictures of a sentence by its hue, also by
// words that the metadata do not hold.
TEST_F(Commands, SentencesFindPicturesByTheTextTower) {
  SKIP_WITH_SANITIZERS();
  ASSERT_EQ(run("train clip --steps 120 --out " + at("clip")), 0) << output;
  ASSERT_EQ(run("embed " + at("clip") + " --count 400 -o " + at("clip.index")), 0) << output;
  EXPECT_NE(output.find("400 vectors of 64 numbers (image of clip"), std::string::npos) << output;
  const std::vector<std::pair<const char*, const char*>> hues = {
      {"crimson", "red"}, {"emerald", "green"}, {"blue", "azure"}, {"purple", "violet"}};
  int right = 0;
  for (const auto& [word, hue] : hues) {
    ASSERT_EQ(run("search " + at("clip.index") + " --count 10 --text 'A " + word +
                  " shape above a shape'"),
              0)
        << output;
    EXPECT_NE(output.find("by the text tower of clip"), std::string::npos) << output;
    std::stringstream lines(output);
    for (std::string line; std::getline(lines, line);)
      right += line.find("\"hue\":\"" + std::string(hue) + "\"") != std::string::npos;
  }
  EXPECT_GE(right, 36) << "of 40; by chance 5";

  refused("search " + at("clip.index") + " --text 'a zebra'",
          "never read the word 'zebra'; it knows");
  ASSERT_EQ(run("embed " + at("clip") + " --count 40 --metric euclidean -o " + at("far.index")), 0);
  refused("search " + at("far.index") + " --text 'a red disc'", "--metric cosine");
  // Other layers hold no sentences: their texts are words of the metadata, as of any network.
  ASSERT_EQ(run("embed " + at("clip") + " --layer image.layer3 --count 40 -o " + at("layer.index")),
            0)
      << output;
  ASSERT_EQ(run("search " + at("layer.index") + " --count 1 --text disc"), 0) << output;
  EXPECT_NE(output.find("items whose metadata say 'disc'"), std::string::npos) << output;
  // A network without classes, and a run whose network is not opened.
  ASSERT_EQ(run("inspect " + at("clip") + " --method pca -o " + at("clip.png")), 0) << output;
  refused("inspect " + at("clip") + " --method stimulus-class -o " + at("clip.png"),
          "gives no scores of classes");
  ASSERT_EQ(run("train sentence-class --steps 1 --out " + at("bert")), 0) << output;
  refused("embed " + at("bert") + " -o " + at("bert.index"),
          "a run of `strata train sentence-class`");
}

TEST_F(Commands, AGalleryHasEveryMethodThatApplies) {
  SKIP_WITH_SANITIZERS();
  ASSERT_EQ(run("gallery " + at("copy") + " --input quickquick --skip ig-exact,shapley -o " +
                at("gallery")),
            0)
      << output;
  std::string page = text_of(at("gallery/index.html"));
  for (const char* name :
       {"attention", "logit-lens", "patching", "circuits", "integrated-gradients"}) {
    EXPECT_NE(page.find("id=\"" + std::string(name) + "\""), std::string::npos) << name;
  }
  EXPECT_EQ(page.find("id=\"gradcam\""), std::string::npos);
  // What does not apply says why: there are no ReLUs in it, and it is not piecewise linear.
  size_t failed = 0;
  for (size_t p = page.find("class=\"failed\""); p != std::string::npos;
       p = page.find("class=\"failed\"", p + 1)) {
    ++failed;
  }
  EXPECT_EQ(failed, 2u);
  EXPECT_NE(page.find("runs no 'relu'"), std::string::npos);
  EXPECT_TRUE(fs::exists(at("gallery/attention.png")));
}

TEST_F(Commands, ScoresAreATable) {
  ASSERT_EQ(
      run("scores " + at("run") + " --images 8 --methods gradient,gradcam -o " + at("scores.json")),
      0)
      << output;
  Json json = Json::parse(text_of(at("scores.json")));
  ASSERT_EQ(json["rows"].size(), 7u);  // gradient of the pixels, Grad-CAM at six layers
  for (auto& row : json["rows"]) {
    EXPECT_GE(row["mass"].get<double>(), 0);
    EXPECT_LE(row["mass"].get<double>(), 1);
    EXPECT_NEAR(row["area"].get<double>(), 0.3, 0.15);
  }
  refused("scores " + at("copy"), "without masks");
}

}  // namespace
}  // namespace strata

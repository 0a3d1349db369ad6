// A study that is killed and resumed ends with the bits of one that was not; a study that is
// watched ends with the weights of one that is not.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/io/safetensors.h"
#include "tests/support/expect.h"
#include "tools/study/monitor.h"
#include "tools/study/recipe.h"

namespace strata::study {
namespace {

namespace fs = std::filesystem;

class StudyRun : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("strata-study-test-" + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  // Runs `strata study` on 640 images in folder_/name; returns the exit status, 137 when killed.
  int study(const std::string& name, const std::string& more, const std::string& before = "") {
    std::string command = before +
                          " " STRATA_BINARY
                          " study --train-images 640 --batch 32 --control-epochs 1 --out " +
                          (folder_ / name).string() + " " + more + " >" +
                          (folder_ / (name + ".log")).string() + " 2>&1";
    int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  StateDict weights(const std::string& name) {
    return io::load_safetensors((folder_ / name / "checkpoint.safetensors").string());
  }

  // Lines without the times, which no two runs share.
  std::vector<std::string> metrics(const std::string& name) {
    std::ifstream in(folder_ / name / "metrics.jsonl");
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) {
      auto value = nlohmann::json::parse(line);
      value.erase("seconds");
      lines.push_back(value.dump());
    }
    return lines;
  }

  static void expect_same_bits(const StateDict& a, const StateDict& b) {
    ASSERT_EQ(a.size(), b.size());
    ASSERT_FALSE(a.empty());
    for (auto& [name, tensor] : a) {
      ASSERT_TRUE(b.count(name)) << name;
      EXPECT_EQ(tensor.to_vector<double>(), b.at(name).to_vector<double>()) << name;
    }
  }

  // Frames from the untrained network to the trained one, whose last is what the panel shows; and
  // beside what is said of a unit, its controls.
  void expect_a_film_of_every_panel(const std::string& name, const std::vector<int64_t>& steps) {
    std::ifstream in(folder_ / name / "report.json");
    auto panels = nlohmann::json::parse(in);
    auto steps_of = [](const nlohmann::json& panel) {
      std::vector<int64_t> found;
      for (auto& frame : panel.at("frames")) found.push_back(frame.at("step"));
      return found;
    };
    EXPECT_EQ(steps_of(panels["similarity"]), monitored_steps(steps.back()));
    EXPECT_EQ(steps_of(panels["filters"]), monitored_steps(steps.back()));
    EXPECT_EQ(panels["similarity"]["frames"].back()["matrix"], panels["similarity"]["matrix"]);
    for (auto& map : panels["embedding"]["maps"]) {
      if (map["layer"] == "pixels") continue;
      EXPECT_EQ(steps_of(map), steps) << map["layer"];
      EXPECT_EQ(map["frames"].back()["x"], map["x"]);
      EXPECT_NE(map["frames"].front()["x"], map["x"]);
    }
    for (auto& layer : panels["units"]) {
      EXPECT_EQ(layer["ablation"]["random"].size(), 8u);
      EXPECT_TRUE(layer["concepts"].contains("untrained_detectors"));
      for (auto& unit : layer["units"]) {
        EXPECT_EQ(steps_of(unit), steps);
        const auto& last = unit["frames"].back();
        for (size_t i = 0; i < unit["patches"].size(); ++i) {
          EXPECT_EQ(unit["patches"][i]["tile"], last["tiles"][i]);
          EXPECT_EQ(unit["patches"][i]["activation"], last["activations"][i]);
          EXPECT_EQ(unit["random"][i]["activation"], last["random"][i]);
        }
        EXPECT_TRUE(unit["concept"].contains("chance"));
        EXPECT_EQ(unit["ablation"]["classes"].size(), 4u);
      }
    }
  }

  fs::path folder_;
};

TEST_F(StudyRun, KilledAndResumedIsTheSameRun) {
  ASSERT_EQ(study("whole", "--train-only --epochs 3 --seed 5"), 0);
  int kills = 0, status = 137;
  for (int attempt = 0; attempt < 200 && status == 137; ++attempt) {
    // A little longer each time, so that the run comes to its end on any machine.
    std::string limit = "timeout -s KILL " + std::to_string(0.1 + 0.05 * attempt);
    status =
        study("killed", "--train-only --epochs 3 --seed 5 --resume --checkpoint-seconds 0", limit);
    kills += status == 137;
  }
  ASSERT_EQ(status, 0);
  EXPECT_GT(kills, 0);
  expect_same_bits(weights("whole"), weights("killed"));
  EXPECT_EQ(metrics("whole"), metrics("killed"));
}

TEST_F(StudyRun, TheSameSeedGivesTheSameBitsAndAnotherDoesNot) {
  ASSERT_EQ(study("one", "--train-only --epochs 1 --seed 5"), 0);
  ASSERT_EQ(study("two", "--train-only --epochs 1 --seed 5"), 0);
  ASSERT_EQ(study("three", "--train-only --epochs 1 --seed 6"), 0);
  expect_same_bits(weights("one"), weights("two"));
  EXPECT_NE(metrics("one"), metrics("three"));
}

TEST_F(StudyRun, WatchingChangesNoWeight) {
  SKIP_WITH_SANITIZERS();
  ASSERT_EQ(study("watched", "--epochs 1 --probe-images 300"), 0);
  ASSERT_EQ(study("alone", "--train-only --epochs 1 --probe-images 300"), 0);
  expect_same_bits(weights("watched"), weights("alone"));
  std::ifstream report(folder_ / "watched" / "report.html");
  std::string page((std::istreambuf_iterator<char>(report)), {});
  EXPECT_GT(page.size(), 500000u);
  EXPECT_NE(page.find("conv6"), std::string::npos);
  // The control of explanations is left beside it: of the same names, but another network.
  const StateDict control = weights("watched/random_labels"), trained = weights("watched");
  ASSERT_TRUE(control.count("model.conv1.conv.weight"));
  EXPECT_NE(control.at("model.conv1.conv.weight").to_vector<float>(),
            trained.at("model.conv1.conv.weight").to_vector<float>());
  EXPECT_FALSE(fs::exists(folder_ / "alone" / "random_labels"));
  expect_a_film_of_every_panel("watched", film_steps(20));
}

TEST_F(StudyRun, WhatIsGivenCountsMoreThanTheRecipe) {
  auto training = [&](const std::string& name, const std::string& options) {
    EXPECT_EQ(study(name, "--train-only --epochs 1 " + options), 0);
    std::ifstream in(folder_ / name / "config.json");
    return nlohmann::json::parse(in).at("training");
  };
  Recipe recipe = recipe_for("terrace", "convnet");
  nlohmann::json usual = training("usual", "");
  EXPECT_EQ(usual.at("epochs"), 1);
  EXPECT_EQ(usual.at("weight_decay"), recipe.weight_decay);
  EXPECT_EQ(usual.at("label_smoothing"), 0);
  nlohmann::json own = training("own", "--weight-decay 0.5 --label-smoothing 0.25");
  EXPECT_EQ(own.at("weight_decay"), 0.5);
  EXPECT_EQ(own.at("label_smoothing"), 0.25);
  EXPECT_EQ(own.at("learning_rate"), usual.at("learning_rate"));
  // And both reach the weights.
  training("decayed", "--weight-decay 0.5");
  EXPECT_NE(metrics("own"), metrics("decayed"));
  EXPECT_NE(metrics("usual"), metrics("decayed"));
}

TEST_F(StudyRun, TrainsOnTheGpuAsOnTheCpu) {
  SKIP_WITH_SANITIZERS();
  const std::string options = "--model mlp --train-only --epochs 1 --batch 64 --augment none";
  ASSERT_EQ(study("cpu", options), 0);
  ASSERT_EQ(study("gpu", options + " --device gpu"), 0);
  const StateDict cpu = weights("cpu"), gpu = weights("gpu");
  ASSERT_EQ(cpu.size(), gpu.size());
  for (auto& [name, tensor] : cpu) {
    if (!name.starts_with("model.")) continue;
    const auto a = tensor.to_vector<double>(), b = gpu.at(name).to_vector<double>();
    double difference = 0, size = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      difference += (a[i] - b[i]) * (a[i] - b[i]);
      size += a[i] * a[i];
    }
    EXPECT_LE(difference, 1e-6 * size) << name;
  }
}

TEST_F(StudyRun, SaysWhatIsWrongInALine) {
  auto log = [&](const std::string& name) {
    std::ifstream in(folder_ / (name + ".log"));
    return std::string((std::istreambuf_iterator<char>(in)), {});
  };
  ASSERT_EQ(study("first", "--train-only --epochs 1"), 0);
  EXPECT_EQ(study("first", "--train-only --epochs 1"), 1);
  EXPECT_NE(log("first").find("already holds a run"), std::string::npos) << log("first");
  EXPECT_EQ(study("first", "--train-only --epochs 1 --resume --model mlp"), 1);
  EXPECT_NE(log("first").find("holds another run"), std::string::npos) << log("first");
  EXPECT_EQ(study("device", "--device abacus"), 1);
  EXPECT_NE(log("device").find("there are: cpu, gpu"), std::string::npos) << log("device");
  EXPECT_EQ(study("again", "--train-only --epochs 2 --epochs 1"), 0)
      << log("again");  // the last counts
  EXPECT_EQ(study("typo", "--epochs none"), 2);
  EXPECT_EQ(study("data", "--data mnist:/nonexistent"), 1);
  EXPECT_NE(log("data").find("/nonexistent"), std::string::npos) << log("data");
}

}  // namespace
}  // namespace strata::study

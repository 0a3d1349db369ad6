// What the film of a run is made of: its steps, the weights that are kept at them, and the sheet of
// patches that shows a window once.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "engine/autograd/autograd.h"
#include "engine/data/terrace.h"
#include "engine/ops.h"
#include "models/vision/convnet.h"
#include "tests/support/expect.h"
#include "tools/study/monitor.h"
#include "tools/study/panels.h"
#include "tools/study/patch_sheet.h"
#include "tools/study/unit_views.h"

namespace strata::study {
namespace {

namespace fs = std::filesystem;

TEST(FilmSteps, AreMonitoredStepsFromTheFirstToTheLast) {
  for (int64_t last : {1, 5, 100, 900, 1872, 100000}) {
    auto steps = film_steps(last), all = monitored_steps(last);
    EXPECT_EQ(steps.front(), 0);
    EXPECT_EQ(steps.back(), last);
    EXPECT_EQ(steps.size(), std::min<size_t>(12, all.size()));
    EXPECT_TRUE(std::includes(all.begin(), all.end(), steps.begin(), steps.end()));
    for (int64_t frames : {2, 5}) {
      auto few = film_steps(last, frames);
      EXPECT_EQ(few.size(), std::min(static_cast<size_t>(frames), all.size()));
      EXPECT_EQ(few.front(), 0);
      EXPECT_EQ(few.back(), last);
    }
    EXPECT_EQ(std::adjacent_find(steps.begin(), steps.end(), std::greater_equal<>()), steps.end());
  }
}

const ConvNetOptions small{.channels = 3, .classes = 4, .widths = {4, 6}, .halve = {1, 2}};

class Film : public testing::Test {
 protected:
  fs::path folder_ = fs::path(testing::TempDir()) / ("strata-film-" + std::to_string(getpid()));
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
};

TEST_F(Film, TheWeightsOfAStepComeBackToTheBit) {
  Terrace images(terrace_task("object"), 3, 60);
  MonitorOptions watch;
  watch.probe_train = 40;
  watch.probe_validation = 20;
  watch.film = {0, 8};
  Monitor monitor(images, {"conv1", "conv2"}, watch, folder_ / "monitor");
  MetricsLog log(folder_ / "metrics.jsonl", 0);
  manual_seed(1);
  ConvNet model(small);
  std::vector<std::vector<double>> first;
  for (auto& [name, tensor] : model.state_dict()) first.push_back(tensor.to_vector<double>());
  monitor.observe(model, 0, log);
  {
    NoGrad off;
    for (const Tensor& p : model.parameters()) add_(p, ones_like(p));
  }
  monitor.observe(model, 4, log);  // not of the film
  monitor.observe(model, 8, log);

  manual_seed(2);
  ConvNet other(small);
  auto expect_state = [&](double more) {
    size_t i = 0;
    for (auto& [name, tensor] : other.state_dict()) {
      bool parameter = name.find("running") == name.npos;
      auto values = tensor.to_vector<double>();
      for (size_t k = 0; k < values.size(); ++k) {
        EXPECT_EQ(values[k], static_cast<float>(first[i][k] + (parameter ? more : 0))) << name;
      }
      ++i;
    }
  };
  monitor.restore(other, 0);
  expect_state(0);
  monitor.restore(other, 8);
  expect_state(1);
  EXPECT_FAILS(monitor.restore(other, 4), "weights-000004");
}

TEST(PatchSheet, ShowsAWindowOnceAndKnowsItsFactors) {
  Terrace data(terrace_task("object"), 3, 20);
  Batch batch = data.head(20);
  introspect::ReceptiveField field;
  field.height = field.width = 8;
  field.stride_y = field.stride_x = 2;
  field.image_height = field.image_width = 32;
  PatchSheet sheet(batch, data, field);
  EXPECT_FALSE(sheet.whole_images());
  size_t corner = sheet.tile({7, 0, 0, 1.5}), middle = sheet.tile({7, 8, 8, 0.5});
  EXPECT_NE(corner, middle);
  EXPECT_EQ(sheet.tile({7, 0, 0, -3}), corner);
  EXPECT_EQ(sheet.tile({7, 1, 0, 2}), corner);  // clipped to the same window
  size_t other = sheet.tile({9, 0, 0, 1.5});
  EXPECT_EQ(other, 2u);
  auto sprite = sheet.to_json();
  EXPECT_EQ(sprite["count"], 3);
  EXPECT_EQ(sprite["tile"], (std::vector<int>{8, 8}));
  for (size_t f = 0; f < data.factors.size(); ++f) {
    auto column = batch.factors.select(1, static_cast<int64_t>(f)).to_vector<int64_t>();
    EXPECT_EQ(sprite["factors"][data.factors[f].name],
              (std::vector<int64_t>{column[7], column[7], column[9]}));
  }
  PatchSheet whole(batch, data);
  EXPECT_TRUE(whole.whole_images());
  EXPECT_EQ(whole.tile({3, 5, 5, 1}), whole.tile({3, 0, 2, 1}));  // wherever the place
}

TEST(UnitViews, RandomPlacesAreTheSameForEveryNetwork) {
  Terrace data(terrace_task("object"), 3, 40);
  Tensor images = data.head(40).images;
  std::vector<std::map<std::string, LayerView>> views;
  for (uint64_t seed : {1, 2}) {
    manual_seed(seed);
    ConvNet model(small);
    model.eval();
    views.push_back(look(model, {"conv1", "conv2"}, images));
  }
  for (const char* layer : {"conv1", "conv2"}) {
    const LayerView &a = views[0].at(layer), &b = views[1].at(layer);
    ASSERT_EQ(a.places.size(), static_cast<size_t>(patches_shown));
    for (size_t i = 0; i < a.places.size(); ++i) {
      EXPECT_EQ(a.places[i].image, b.places[i].image);
      EXPECT_EQ(a.places[i].row, b.places[i].row);
      EXPECT_EQ(a.places[i].column, b.places[i].column);
    }
    EXPECT_NE(a.answers, b.answers);
    // What a unit answers at a random place is at most its best answer to that image's.
    for (size_t i = 0; i < a.places.size(); ++i) {
      auto image = static_cast<size_t>(a.places[i].image);
      for (size_t u = 0; u < a.answers[i].size(); ++u) {
        EXPECT_LE(a.answers[i][u], a.top.responses(static_cast<int64_t>(u))[image]);
      }
    }
  }
}

}  // namespace
}  // namespace strata::study

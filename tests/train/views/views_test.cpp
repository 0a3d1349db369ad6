// What a run writes for its report: the numbers in the panels are those of the network that was
// saved, the controls those of the network before training, and the page follows its contract.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>

#include "engine/autograd/autograd.h"
#include "engine/data/terrace_audio.h"
#include "engine/data/terrace_graph.h"
#include "engine/data/wav.h"
#include "engine/io/checkpoint.h"
#include "engine/ops.h"
#include "models/graph/gin.h"
#include "models/language/gpt.h"
#include "tests/support/expect.h"
#include "tools/report/packed.h"
#include "tools/report/run_files.h"
#include "tools/train/trainer.h"
#include "tools/train/view_audio.h"
#include "tools/train/view_graph.h"
#include "tools/train/view_text.h"

namespace strata::train {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class Views : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  TaskOptions options(const std::string& out, int64_t steps, const json& model) const {
    TaskOptions o;
    o.out = folder_ / out;
    o.steps = steps;
    o.model = model;
    return o;
  }
  // The panels of a run, which wrote a page too.
  json panels_of(const std::string& task, const TaskOptions& o) const {
    run_task(task_named(task), o, "strata train " + task);
    std::ifstream page(o.out / "report.html");
    const std::string text{std::istreambuf_iterator<char>(page), {}};
    EXPECT_NE(text.find("strata train " + task), text.npos);
    return report::read_json(o.out / "report.json");
  }
  // The task's network before training, and with the weights that the run saved.
  std::unique_ptr<Task> made(const std::string& task, const TaskOptions& o, bool trained) const {
    manual_seed(o.seed);
    auto result = task_named(task).make(o);
    if (trained) io::load_model((o.out / "model.safetensors").string(), result->model());
    result->model().eval();
    return result;
  }

  // What a task says of itself when it has not been trained.
  json panels_before_training(const std::string& name, const TaskOptions& o) const {
    const auto task = made(name, o, false), twin = made(name, o, false);
    NoGrad off;
    return task->panels([&]() -> Model& { return twin->model(); });
  }

  fs::path folder_ = fs::temp_directory_path() / fmt::format("strata_views_{}", getpid());
};

// A small network whose answers are far from even.
std::unique_ptr<Gpt> sharp_gpt() {
  manual_seed(2);
  auto gpt = std::make_unique<Gpt>(
      GptOptions{.vocabulary = 11, .context = 16, .width = 16, .heads = 2, .layers = 1});
  NoGrad off;
  for (auto& p : gpt->named_parameters()) copy_(p.tensor, p.tensor * 8);
  gpt->eval();
  return gpt;
}

const std::vector<int64_t> text = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 10};

TEST(ExpectedTokens, AreTheModelsLosses) {
  auto gpt = sharp_gpt();
  const auto tokens = expected_tokens(*gpt, text, {}, Device::cpu);
  ASSERT_EQ(tokens.size(), text.size());
  EXPECT_FALSE(tokens[0].has_value());
  double sum = 0;
  for (size_t t = 1; t < tokens.size(); ++t) {
    sum += tokens[t]->loss;
    const auto& top = tokens[t]->top;
    ASSERT_EQ(top.size(), 5u);
    for (size_t k = 1; k < top.size(); ++k) EXPECT_GE(top[k - 1].second, top[k].second);
    for (auto& [guess, probability] : top) {
      if (guess != text[t]) continue;
      EXPECT_NEAR(probability, std::exp(-tokens[t]->loss), 1e-6);
    }
  }
  NoGrad off;
  const int64_t last = static_cast<int64_t>(text.size()) - 1;
  const Tensor numbers = from_vector(text, {1, last + 1});
  const double loss = cross_entropy((*gpt)(numbers.slice(1, 0, last).contiguous()),
                                    numbers.slice(1, 1, last + 1).contiguous())
                          .item();
  EXPECT_NEAR(sum / static_cast<double>(last), loss, 1e-5);
  EXPECT_GT(std::abs(tokens[1]->loss - tokens[2]->loss), 1e-3) << "not all the same";
}

// Each token is foretold with itself hidden, and with nothing else hidden.
TEST(ExpectedTokens, FillGapsOneByOne) {
  auto gpt = sharp_gpt();
  constexpr int64_t mask = 0;
  const auto tokens = expected_tokens(*gpt, text, mask, Device::cpu);
  NoGrad off;
  for (size_t t : {size_t{0}, size_t{4}, text.size() - 1}) {
    std::vector<int64_t> hidden = text;
    hidden[t] = mask;
    const Tensor logits = (*gpt)(from_vector(hidden, {1, static_cast<int64_t>(text.size())}));
    const Tensor row = log_softmax(logits.select(0, 0).select(0, static_cast<int64_t>(t)));
    EXPECT_NEAR(tokens[t]->loss, -row.select(0, text[t]).item(), 1e-5) << t;
  }
  EXPECT_FAILS(expected_tokens(*gpt, {3}, {}, Device::cpu), "a text of 1 tokens");
}

TEST_F(Views, TextOfATask) {
  std::string lines;
  while (lines.size() < 4000) lines += "the king said to the queen that the tower is old\n";
  std::ofstream(folder_ / "text.txt") << lines;
  TaskOptions o =
      options("text", 12, {{"context", 32}, {"width", 16}, {"heads", 2}, {"layers", 2}});
  o.data = (folder_ / "text.txt").string();
  o.learning_rate = 1e-2;
  const json panels = panels_of("shakespeare", o);
  const json& first = panels["tokens"]["texts"][0];
  ASSERT_EQ(first["tokens"].size(), 33u);
  EXPECT_NEAR(panels["tokens"]["uniform"], std::log(18), 1e-9) << "17 letters, a space, an end";
  // The text is the beginning of the test part; its numbers follow from the vocabulary.
  const TextSplit split = split_text(o.data);
  std::vector<int64_t> numbers;
  for (size_t i = 0; i < 33; ++i) {
    numbers.push_back(split.part(split.test_first, split.length())[i]);
    EXPECT_EQ(first["tokens"][i], split.vocabulary.symbol(numbers.back()));
  }
  for (auto [trained, key] : {std::pair{true, "loss"}, {false, "untrained"}}) {
    const auto task = made("shakespeare", o, trained);
    const auto expected = expected_tokens(task->model(), numbers, {}, Device::cpu);
    EXPECT_TRUE(first[key][0].is_null());
    for (size_t t = 1; t < 33; ++t) EXPECT_NEAR(first[key][t], expected[t]->loss, 1e-3) << key << t;
  }
  EXPECT_NE(first["loss"], first["untrained"]);

  ASSERT_EQ(panels["attention"]["layers"].size(), 2u);
  const size_t count = panels["attention"]["tokens"].size();
  EXPECT_EQ(count, 32u);
  for (const json& layer : panels["attention"]["layers"]) {
    for (const char* key : {"pattern", "untrained"}) {
      const std::vector<double> shares = report::unpack(layer[key]);
      ASSERT_EQ(shares.size(), 2 * count * count);
      for (size_t row = 0; row < 2 * count; ++row) {
        double sum = 0;
        for (size_t k = 0; k < count; ++k) {
          sum += shares[row * count + k];
          ASSERT_TRUE(k <= row % count || shares[row * count + k] == 0) << "looks ahead";
        }
        ASSERT_NEAR(sum, 1, 1e-5);
      }
    }
  }
}

// The other tasks of language: what their panels say of themselves.
TEST_F(Views, TasksThatFillGapsAndThatHaveNoAttention) {
  std::string lines;
  while (lines.size() < 4000) lines += "a small text of few words\n";
  std::ofstream(folder_ / "text.txt") << lines;
  TaskOptions masked =
      options("masked", 2, {{"context", 24}, {"width", 16}, {"heads", 2}, {"layers", 1}});
  TaskOptions recurrent = options("recurrent", 2, {{"embedding", 8}, {"width", 8}});
  masked.data = recurrent.data = (folder_ / "text.txt").string();
  json panels = panels_before_training("masked-lm", masked);
  EXPECT_EQ(panels["tokens"]["texts"][0]["tokens"].size(), 24u);
  EXPECT_FALSE(panels["tokens"]["texts"][0]["loss"][0].is_null()) << "the first has a gap, too";
  EXPECT_FALSE(panels["attention"]["causal"]);
  panels = panels_before_training("shakespeare-lstm", recurrent);
  EXPECT_TRUE(panels.contains("tokens"));
  EXPECT_FALSE(panels.contains("attention"));

  const json tiny = {{"width", 16}, {"heads", 2}, {"layers", 1}};
  for (const char* name : {"terrace-gpt", "terrace-bert"}) {
    panels = panels_before_training(name, options(name, 2, tiny));
    EXPECT_EQ(panels["tokens"]["unit"], "word");
    EXPECT_EQ(panels["tokens"]["texts"].size(), 3u);
    EXPECT_EQ(panels["tokens"]["texts"][1]["tokens"][0], "<s>");
    EXPECT_EQ(panels["tokens"]["texts"][1]["loss"], panels["tokens"]["texts"][1]["untrained"]);
  }
}

TEST(AudioViews, BandsStandWhereTheirFiltersAre) {
  const LogMelOptions o{.fft = 512, .window = 400, .mels = 20, .low = 100, .high = 4000};
  const std::vector<double> middles = band_frequencies(o);
  ASSERT_EQ(middles.size(), 20u);
  for (size_t m = 1; m < middles.size(); ++m) EXPECT_GT(middles[m], middles[m - 1]);
  EXPECT_GT(middles.front(), 100);
  EXPECT_LT(middles.back(), 4000);
  // Below 1 kHz Slaney's bands are evenly spaced, of a width that a bin of 15.6 Hz resolves.
  EXPECT_NEAR(middles[2] - middles[1], middles[1] - middles[0], 16);
}

TEST_F(Views, SoundOfATask) {
  TaskOptions o = options("audio", 1, {{"width", 16}, {"heads", 2}, {"blocks", 1}, {"kernel", 5}});
  const json panels = panels_of("terrace-audio", o);
  const json& sounds = panels["audio"]["sounds"];
  ASSERT_EQ(sounds.size(), 12u);
  // The sound is the first phrase of the test, to 16 bits.
  TerraceAudioOptions phrases;
  const TerraceAudio::Batch batch = TerraceAudio(phrases, o.seed, 12, uint64_t{1} << 41).head(12);
  const std::string uri = sounds[0]["wav"], start = "data:audio/wav;base64,";
  ASSERT_EQ(uri.substr(0, start.size()), start);
  std::vector<uint8_t> bytes;
  for (double byte : report::unpack({{"u8", uri.substr(start.size())}}))
    bytes.push_back(static_cast<uint8_t>(byte));
  const Sound sound = parse_wav(bytes, "panel");
  EXPECT_EQ(sound.rate, 8000);
  EXPECT_DOUBLE_EQ(sounds[0]["seconds"], sound.seconds());
  EXPECT_LT(max(abs(sound.samples.select(1, 0) - batch.waves.select(0, 0))).item(), 1.0 / 32000);
  for (size_t i = 0; i < 12; ++i) {
    const auto word = static_cast<int64_t>(batch.labels.select(0, static_cast<int64_t>(i)).item());
    EXPECT_EQ(sounds[i]["label"], fmt::format("word {}", word));
  }
  // The last block has a fourth of the frames; its root mean squares are those of the saved
  // network.
  EXPECT_EQ(sounds[0]["activity"]["layer"], "blocks.0");
  EXPECT_EQ(sounds[0]["activity"]["values"].size(), 8u);
  EXPECT_EQ(sounds[0]["activity"]["untrained"].size(), 8u);
  EXPECT_NE(sounds[0]["activity"]["values"], sounds[0]["activity"]["untrained"]);
  const json& map = sounds[0]["maps"][0];
  EXPECT_NE(map["high"], map["untrained_high"]) << "a step changes the gradients";
  EXPECT_EQ(panels["sprites"]["spectra"]["tile"], json({24, 31}));
  EXPECT_EQ(panels["sprites"]["spectra"]["count"], 36);
}

// The saliency of a network that adds up one band is that band.
TEST(AudioViews, SaliencyIsWhereTheScoreComesFrom) {
  class OneBand : public Model {
   public:
    explicit OneBand(double weight) : weight_(weight) {}
    std::string kind() const override { return "OneBand"; }
    Tensor forward(const Tensor& x) override {
      const Tensor loud = sum(named("scaled", x * weight_).select(2, 1), {1});
      return named("scores", stack({loud, loud * 0.0}, 1));
    }
    std::vector<std::string> stages() const override { return {"scaled", "scores"}; }

   private:
    double weight_;
  };
  AudioView view;
  view.sounds = {{full({16}, 0.25), "hum"}};
  view.features = [](const Tensor& waves) { return waves.reshape({1, 4, 4}) + 1.0; };
  view.answer = [](const Tensor& logits) {
    return argmax(logits, 1).item() == 0 ? "loud" : "still";
  };
  view.score = [](const Tensor& logits) { return max(logits, {1}); };
  OneBand trained(3), untrained(-1);
  const json sound = audio_panels(view, trained, untrained)["audio"]["sounds"][0];
  EXPECT_EQ(sound["predicted"], "loud");
  EXPECT_EQ(sound["untrained_predicted"], "still");
  EXPECT_NEAR(sound["maps"][0]["high"], 3, 1e-6);
  EXPECT_NEAR(sound["maps"][0]["untrained_high"], 0, 1e-5) << "its answer does not depend on it";
  EXPECT_NEAR(sound["spectrogram"]["low"], 1.25, 1e-6);
  // Everything is 1.25 times the weight, whatever its sign.
  for (size_t step = 0; step < 4; ++step) {
    EXPECT_NEAR(sound["activity"]["values"][step], 3.75, 1e-6);
    EXPECT_NEAR(sound["activity"]["untrained"][step], 1.25, 1e-6);
  }
}

TEST_F(Views, GraphsOfATask) {
  TaskOptions o = options("graph", 3, {{"width", 8}, {"layers", 2}});
  const json panels = panels_of("terrace-community", o);
  ASSERT_EQ(panels["graphs"].size(), 6u);
  const terrace_graph::TerraceGraph data({}, o.seed);
  for (uint64_t i : {0u, 5u}) {
    const json& graph = panels["graphs"][i];
    const uint64_t number = (uint64_t{1} << 41) + i;
    const terrace_graph::Example example = data.example(number);
    EXPECT_EQ(graph["nodes"], example.nodes);
    const std::vector<double> ends = report::unpack(graph["edges"]);
    ASSERT_EQ(ends.size(), 2 * example.edges.size());
    EXPECT_EQ(ends[3], static_cast<double>(example.edges[1].second));
    EXPECT_EQ(graph["label"],
              fmt::format("hub community {}", example.factors[terrace_graph::hub_community]));
    const terrace_graph::GraphBatch batch = terrace_graph::batch_of(data, number, 1);
    for (auto [trained, key] : {std::pair{true, "predicted"}, {false, "untrained_predicted"}}) {
      const auto task = made("terrace-community", o, trained);
      dynamic_cast<Gin&>(task->model()).set_graphs(batch.graph, batch.sizes);
      NoGrad off;
      EXPECT_EQ(graph[key],
                fmt::format("hub community {}", argmax(task->model()(batch.features), 1).item()));
    }
    const std::vector<double> motif = report::unpack(graph["columns"][1]["data"]);
    for (size_t n = 0; n < motif.size(); ++n) EXPECT_EQ(motif[n], example.motif[n] + 1);
  }
}

// A path of eight papers in two classes: what is said of each is what the saved network says.
TEST_F(Views, NodesOfATask) {
  fs::create_directories(folder_ / "data");
  {
    std::ofstream content(folder_ / "data/cora.content"), cites(folder_ / "data/cora.cites"),
        split(folder_ / "data/cora.split");
    for (int i = 0; i < 8; ++i)
      content << i << '\t' << (i < 4) << '\t' << (i >= 4) << '\t' << i % 2 << "\tclass" << i / 4
              << '\n';
    for (int i = 0; i < 7; ++i) cites << i << '\t' << i + 1 << '\n';
    split << "train\t0 7\nval\t1 6\ntest\t2 3 4\n";
  }
  TaskOptions o = options("nodes", 10, {{"hidden", {4}}});
  o.data = (folder_ / "data").string();
  const json graph = panels_of("cora-gcn", o)["graphs"][0];
  EXPECT_EQ(graph["nodes"], 8);
  EXPECT_EQ(report::packed_count(graph["edges"]), 14);
  EXPECT_EQ(report::unpack(graph["columns"][0]["data"]),
            (std::vector<double>{0, 0, 0, 0, 1, 1, 1, 1}));
  EXPECT_EQ(report::unpack(graph["columns"][1]["data"]),
            (std::vector<double>{1, 2, 3, 3, 3, 0, 2, 1}));
  Tensor x = from_vector<float>(
      {1, 0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 1, 0, 0, 1, 1}, {8, 3});
  x = x / sum(x, {1}, true);
  for (auto [trained, key] : {std::pair{true, "data"}, {false, "untrained"}}) {
    const auto task = made("cora-gcn", o, trained);
    NoGrad off;
    EXPECT_EQ(report::unpack(graph["columns"][2][key]),
              argmax(task->model()(x), 1).to_vector<double>())
        << key;
    EXPECT_EQ(report::packed_count(graph["columns"][3][key]), 8);
  }
}

TEST(GraphViews, AnEmbeddingIsTheFirstComponent) {
  // On a line: the component is the place on it.
  const Tensor line = from_vector<float>({1, 2, 3, 6, 2, 4, 6, 12}, {4, 2}).contiguous();
  const Tensor on_line = from_vector<float>({1, 2, 2, 4, 3, 6, 6, 12}, {4, 2});
  const json column = embedding_column("layer", on_line, line);
  const std::vector<double> places = report::unpack(column["data"]);
  const double unit = std::sqrt(5.0);
  for (size_t i = 0; i < 4; ++i)
    EXPECT_NEAR(places[i], unit * (std::vector<double>{1, 2, 3, 6}[i] - 3), 1e-4);
  EXPECT_NE(column["about"].get<std::string>().find("keeps 100% of its variance"),
            std::string::npos);
}

}  // namespace
}  // namespace strata::train

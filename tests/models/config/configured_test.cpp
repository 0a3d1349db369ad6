// Networks described in TOML: equal to the hand-written ones, every type of layer, errors that say
// where, and the way through the registry.
#include "models/config/configured.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "engine/io/atomic_file.h"
#include "engine/io/checkpoint.h"
#include "engine/optim.h"
#include "models/config/templates.h"
#include "tests/models/model_checks.h"

namespace strata::test {
namespace {

using namespace config;
using nlohmann::json;

const std::string image_input = "[input]\nheight = 8\nwidth = 6\nchannels = 2\nclasses = 3\n";
const std::string sequence_input =
    "[input]\nkind = \"sequence\"\nlength = 7\nwidth = 4\nclasses = 3\n";
const std::string token_input =
    "[input]\nkind = \"tokens\"\nvocabulary = 11\ncontext = 7\nclasses = 3\n";

std::unique_ptr<Model> described(const std::string& text, json options = json::object()) {
  options["description"] = text;
  return make_model("net.toml", options);
}
// Layers as inline tables; they come before the tables of the file.
std::string network(const std::string& list, const std::string& input) {
  return "layer = [" + list + "]\n" + input;
}
Tensor example(const std::string& text, int64_t n) {
  const ModelEntry& entry = described_entry("net.toml", text);
  Generator generator(3);
  return entry.example(entry.defaults, n, generator);
}
const std::vector<Row>& rows_of(Model& model) {
  return dynamic_cast<ConfiguredModel&>(model).rows();
}

TEST(Configured, EqualsTheHandWrittenMlpAndConvNet) {
  for (auto [name, options] : {std::pair<const char*, json>{"mlp", json::object()},
                               {"convnet", json::object()},
                               {"resnet8", json::object()}}) {
    const std::string which = name == std::string("resnet8") ? "resnet" : name;
    manual_seed(7);
    auto ours = described(template_named(which).text);
    manual_seed(8);
    auto theirs = make_model(name, options);
    // Parameters in the same order and shape; those of the MLP and ConvNet have the same names.
    auto from = theirs->named_parameters(), to = ours->named_parameters();
    ASSERT_EQ(from.size(), to.size()) << name;
    NoGrad off;
    for (size_t i = 0; i < from.size(); ++i) {
      ASSERT_EQ(from[i].tensor.shape(), to[i].tensor.shape()) << to[i].name;
      if (which == name) {
        EXPECT_EQ(from[i].name, to[i].name);
      }
      copy_(to[i].tensor, from[i].tensor);
    }
    Generator generator(1);
    const Tensor x = randn({3, 32, 32, 3}, 0, 1, DType::f32, &generator);
    EXPECT_EQ(values((*ours)(x)), values((*theirs)(x))) << name << ", training";
    ours->eval(), theirs->eval();
    EXPECT_EQ(values((*ours)(x)), values((*theirs)(x))) << name << ", evaluation";
    if (which == name) {
      EXPECT_EQ(ours->stages(), theirs->stages());
    }
  }
}

// Each type of layer: what comes out, parameters and multiply-adds by hand, and that a call gives
// the shape that the table says.
struct Case {
  const char *type, *layer;
  std::string input;
  std::vector<int64_t> out;
  int64_t parameters, multiply_adds;
};
const std::string embedded = "{type = \"embedding\", width = 4}, ";

std::vector<Case> cases() {
  const std::string &image = image_input, &sequence = sequence_input;
  return {
      {"conv", "width = 5", image, {8, 6, 5}, 5 * 18 + 5, 8 * 6 * 5 * 18},
      {"conv", "width = 4, stride = 2, groups = 2, bias = false", image, {4, 3, 4}, 36, 12 * 36},
      {"conv", "width = 5, kernel = 4, padding = 0", image, {5, 3, 5}, 165, 15 * 160},
      {"conv", "width = 5, causal = true", sequence, {7, 5}, 5 * 12 + 5, 7 * 60},
      {"conv", "width = 5, stride = 2", sequence, {4, 5}, 65, 4 * 60},
      {"conv_norm", "width = 5", image, {8, 6, 5}, 90 + 10, 48 * 90},
      {"linear", "width = \"width\"", sequence, {7, 4}, 20, 7 * 16},
      {"batch_norm", "", image, {8, 6, 2}, 4, 0},
      {"layer_norm", "", sequence, {7, 4}, 8, 0},
      {"rms_norm", "", sequence, {7, 4}, 4, 0},
      {"group_norm", "groups = 2", image, {8, 6, 2}, 4, 0},
      {"relu", "", image, {8, 6, 2}, 0, 0},
      {"leaky_relu", "slope = 0.1", image, {8, 6, 2}, 0, 0},
      {"elu", "", image, {8, 6, 2}, 0, 0},
      {"gelu", "tanh = true", image, {8, 6, 2}, 0, 0},
      {"silu", "", image, {8, 6, 2}, 0, 0},
      {"hard_swish", "", image, {8, 6, 2}, 0, 0},
      {"tanh", "", image, {8, 6, 2}, 0, 0},
      {"sigmoid", "", image, {8, 6, 2}, 0, 0},
      {"softplus", "", image, {8, 6, 2}, 0, 0},
      {"softmax", "", image, {8, 6, 2}, 0, 0},
      {"dropout", "p = 0.2", image, {8, 6, 2}, 0, 0},
      {"max_pool", "", image, {4, 3, 2}, 0, 0},
      {"max_pool", "window = 3, stride = 2, padding = 1", image, {4, 3, 2}, 0, 0},
      {"avg_pool", "window = 3, stride = 1", image, {6, 4, 2}, 0, 0},
      {"global_pool", "", image, {2}, 0, 0},
      {"global_pool", "", sequence, {4}, 0, 0},
      {"upsample", "factor = 3, interpolation = \"bilinear\"", image, {24, 18, 2}, 0, 0},
      {"flatten", "", image, {96}, 0, 0},
      {"flatten", "", sequence, {28}, 0, 0},
      {"to_sequence", "", image, {48, 2}, 0, 0},
      {"last", "", sequence, {4}, 0, 0},
      {"embedding", "width = 5", token_input, {7, 5}, 55, 0},
      {"positions", "", sequence, {7, 4}, 28, 0},
      {"attention", "heads = 2", sequence, {7, 4}, 80, 4 * 7 * 16 + 2 * 49 * 4},
      {"rnn", "width = 5", sequence, {7, 5}, 5 * (4 + 5 + 2), 7 * 5 * 9},
      {"lstm", "width = 5, layers = 2", sequence, {7, 5}, 20 * 11 + 20 * 12, 7 * 20 * (9 + 10)},
      {"gru", "width = 5, bidirectional = true", sequence, {7, 10}, 2 * 15 * 11, 2 * 7 * 15 * 9},
      {"block", "layer = [{type = \"relu\"}, {type = \"flatten\"}]", image, {96}, 0, 0},
      {"residual", "layer = [{type = \"linear\", width = 4}]", sequence, {7, 4}, 20, 7 * 16},
      {"residual",
       "shortcut = \"projection\", layer = [{type = \"conv\", width = 5, stride = 2}]",
       image,
       {4, 3, 5},
       95 + 10,
       12 * 90 + 12 * 10},
      {"residual",
       "shortcut = \"subsample\", layer = [{type = \"conv\", width = 5, stride = 2}]",
       image,
       {4, 3, 5},
       95,
       12 * 90},
      {"residual",
       "shortcut = \"projection\", layer = [{type = \"linear\", width = 6}]",
       sequence,
       {7, 6},
       30 + 30,
       7 * 24 + 7 * 24},
  };
}

TEST(Configured, EveryTypeOfLayerGivesWhatTheTableSays) {
  std::set<std::string> covered;
  for (const Case& c : cases()) {
    covered.insert(c.type);
    const std::string settings = *c.layer ? std::string(", ") + c.layer : "";
    const std::string text = network(fmt::format("{{type = \"{}\"{}}}", c.type, settings), c.input);
    SCOPED_TRACE(text);
    auto model = described(text, {{"classes", 0}});
    int64_t parameters = 0, multiply_adds = 0;
    for (const Row& row : rows_of(*model))
      parameters += row.parameters, multiply_adds += row.multiply_adds;
    EXPECT_EQ(rows_of(*model)[0].result.dims, c.out);
    EXPECT_EQ(parameters, c.parameters);
    EXPECT_EQ(model->parameter_count(), c.parameters);
    EXPECT_EQ(multiply_adds, c.multiply_adds);
    Dims shape = {2};
    for (int64_t size : c.out) shape.push_back(size);
    EXPECT_EQ((*model)(example(text, 2)).shape(), shape);
  }
  for (const LayerType& type : layer_types()) EXPECT_TRUE(covered.contains(type.name)) << type.name;
}

TEST(Configured, SettingsReachTheLayers) {
  auto at = [](const std::string& layer, const std::string& input) {
    const std::string text = network(layer, input);
    manual_seed(3);
    auto model = described(text, {{"classes", 0}});
    model->eval();
    return (*model)(example(text, 2));
  };
  Generator generator(3);
  const Tensor x = randn({2, 8, 6, 2}, 0, 1, DType::f32, &generator);
  EXPECT_EQ(values(at("{type = \"leaky_relu\", slope = 0.3}", image_input)),
            values(leaky_relu(x, 0.3)));
  EXPECT_EQ(values(at("{type = \"gelu\", tanh = true}", image_input)), values(gelu_tanh(x)));
  EXPECT_EQ(
      values(at("{type = \"upsample\", factor = 2, interpolation = \"bilinear\"}", image_input)),
      values(upsample_bilinear2d(x, 16, 12)));
  EXPECT_EQ(values(at("{type = \"avg_pool\", window = 3, stride = 1}", image_input)),
            values(avg_pool2d(x, {.window = 3, .stride = 1})));
  EXPECT_EQ(values(at("{type = \"dropout\", p = 0.2}", image_input)), values(x));
  // A causal layer does not see what comes later.
  for (const char* layer : {"{type = \"conv\", width = 4, causal = true}",
                            "{type = \"attention\", heads = 2, causal = true}"}) {
    const std::string text = network(layer, sequence_input);
    auto model = described(text, {{"classes", 0}});
    const Tensor s = example(text, 1), short_one = s.slice(1, 0, 3);
    expect_near(values((*model)(short_one)), values((*model)(s).slice(1, 0, 3)), 1e-5);
  }
  // x + f(x), by hand.
  const std::string text =
      network("{type = \"residual\", layer = [{type = \"linear\", width = 4}]}", sequence_input);
  auto model = described(text, {{"classes", 0}});
  const Tensor s = example(text, 2);
  auto state = model->state_dict();
  EXPECT_EQ(values((*model)(s)), values(s + linear(s, state.at("residual1.linear1.weight"),
                                                   state.at("residual1.linear1.bias"))));
}

TEST(Configured, GradientsOfTheOwnLayersAndRepeats) {
  const std::string images = network(
      "{type = \"residual\", shortcut = \"projection\", layer = [{type = \"conv\", width = 3, "
      "stride = 2}, {type = \"tanh\"}]}, {type = \"residual\", shortcut = \"subsample\", layer = "
      "[{type = \"conv\", width = 4, stride = 2}]}, {type = \"to_sequence\"}, {type = "
      "\"positions\"}, {type = \"block\", name = \"blocks\", repeat = 2, layer = [{type = "
      "\"residual\", layer = [{type = \"layer_norm\"}, {type = \"linear\", width = 4}]}]}, {type = "
      "\"lstm\", width = 3}, {type = \"last\"}, {type = \"linear\", width = \"classes\"}",
      image_input);
  manual_seed(1);
  auto model = described(images);
  expect_gradients(*model, random({2, 8, 6, 2}, 4));
  EXPECT_EQ(model->stages(), (Names{"residual1", "residual2", "positions1", "blocks.0", "blocks.1",
                                    "lstm1", "linear1"}));
  expect_stages(*model, random({2, 8, 6, 2}, 4), model->stages());
  expect_state_goes_round([&] { return described(images); }, example(images, 2));
}

TEST(Configured, StagesTakeNormAndNonlinearityAlong) {
  auto model = described(network(
      "{type = \"conv\", width = 4}, {type = \"batch_norm\"}, {type = \"relu\"}, {type = "
      "\"max_pool\"}, {type = \"residual\", layer = [{type = \"conv\", width = 4}]}, {type = "
      "\"relu\", name = \"sum\"}, {type = \"residual\", layer = [{type = \"conv\", width = 4}]}, "
      "{type = \"batch_norm\", name = \"norm\"}, {type = \"global_pool\"}, {type = \"linear\", "
      "width "
      "= 3}, {type = \"softmax\"}",
      image_input));
  EXPECT_EQ(model->stages(), (Names{"relu1", "sum", "residual2", "norm", "softmax1"}));
}

TEST(Configured, OptionsReplaceTheSizesOfTheInput) {
  const std::string text = template_named("convnet").text;
  auto model = described(text, {{"channels", 1}, {"height", 28}, {"width", 28}, {"classes", 4}});
  EXPECT_EQ((*model)(zeros({2, 28, 28, 1})).shape(), (Dims{2, 4}));
  EXPECT_EQ(described_entry("net.toml", text).domain, Domain::image);
  EXPECT_EQ(complete_options("net.toml", {{"description", text}, {"classes", 7}}).at("classes"), 7);
  EXPECT_FAILS(described(text, {{"height", 0}}), "the height of net.toml must be above 0; got 0");
  EXPECT_FAILS(described(text, {{"context", 7}}), "'net.toml' has no option 'context'; it takes");
  EXPECT_FAILS(described(text, {{"classes", "many"}}), "'net.toml' has the wrong type");
}

TEST(Configured, ErrorsNameLineLayerAndShapes) {
  const std::string head = "[input]\nheight = 8\nwidth = 8\nclasses = 3\n";
  auto fails = [&](const std::string& layers, const std::string& expected) {
    EXPECT_FAILS(described(head + layers), expected);
  };
  fails(
      "[[layer]]\ntype = \"conv\"\nwidth = 4\n[[layer]]\ntype = \"linear\"\nwidth = 5\n",
      "net.toml:8\\] linear1 \\(linear\\) gets image \\[8, 8, 4\\]: .*put flatten or global_pool");
  fails("[[layer]]\ntype = \"conv\"\n", "net.toml:5\\] width of conv1 \\(conv\\) is missing");
  fails("[[layer]]\ntype = \"conv\"\nwidth = 0\n", "net.toml:7\\] .* of at least 1");
  fails("[[layer]]\ntype = \"conv\"\nwidth = \"clases\"\n",
        "net.toml:7\\] .*'clases'.*channels, classes, height, width");
  fails("[[layer]]\ntype = \"conv\"\nwidth = 4\nkernal = 5\n",
        "net.toml:8\\] kernal of conv1 \\(conv\\) is not known; this type has width, kernel = 3");
  fails("[[layer]]\ntype = \"convolution\"\n", "net.toml:5\\] .*no such type; there are conv, ");
  fails("[[layer]]\nname = \"a\"\n", "net.toml:5\\] a layer needs a type");
  fails("[[layer]]\ntype = \"conv\"\nwidth = 3\ngroups = 2\n", "net.toml:8\\] .*must divide both");
  fails("[[layer]]\ntype = \"max_pool\"\nwindow = 9\n", "net.toml:5\\] .*window of 9 does not fit");
  fails("[[layer]]\ntype = \"max_pool\"\npadding = 2\n", "net.toml:7\\] .*less than the window 2");
  fails("[[layer]]\ntype = \"dropout\"\np = 1\n", "net.toml:7\\] .*must be in \\[0, 1\\)");
  fails("[[layer]]\ntype = \"relu\"\nname = \"a.b\"\n", "net.toml:7\\] 'a.b' cannot be a name");
  fails("[[layer]]\ntype = \"relu\"\nname = \"a\"\n[[layer]]\ntype = \"elu\"\nname = \"a\"\n",
        "net.toml:8\\] the name 'a' is taken");
  fails("[[layer]]\ntype = \"relu\"\nrepeat = 0\n", "net.toml:7\\] repeat must be a whole number");
  fails("[[layer]]\ntype = \"relu\"\nlayer = [{type = \"elu\"}]\n", "holds no layers");
  fails("[[layer]]\ntype = \"block\"\n", "net.toml:5\\] block1 \\(block\\).*it has no layers");
  fails(
      "[[layer]]\ntype = \"residual\"\nlayer = [{type = \"conv\", width = 5}]\n",
      "net.toml:5\\] residual1 .*gets image \\[8, 8, 3\\]: its layers end in image \\[8, 8, 5\\]");
  fails(
      "[[layer]]\ntype = \"residual\"\nshortcut = \"subsample\"\nlayer = [{type = \"conv\", "
      "width = 2}]\n",
      "want at least 3");
  fails("[[layer]]\ntype = \"embedding\"\nwidth = 2\n", "gets image .*wants tokens");
  fails("[[layer]]\ntype = \"attention\"\nheads = 2\n", "wants a sequence .*to_sequence");
  fails("[[layer]]\ntype = \"flatten\"\n",
        "net.toml:5\\] .*gives 192 numbers.*there are 3 classes");
  fails("", "there is no layer");
  fails("[[layer]]\ntype = conv\n", "net.toml:6\\] this is not TOML");
  fails("[optimiser]\nname = 1\n", "net.toml:5\\] there is no 'optimiser' here");
  EXPECT_FAILS(described("[[layer]]\ntype = \"relu\"\n"), "what goes in is not said");
  EXPECT_FAILS(described("[input]\nkind = \"sound\"\n"), "net.toml:2\\] .*no kind .*'sound'");
  EXPECT_FAILS(described("[input]\nheigth = 3\n"), "net.toml:2\\] .*no 'heigth'; it has channels");
  EXPECT_FAILS(described("[input]\nkind = \"tokens\"\ncontext = 3\n"), "needs its vocabulary");
  EXPECT_FAILS(described(network(embedded + "{type = \"linear\", width = \"classes\"}",
                                 "[input]\nkind = \"tokens\"\nvocabulary = 3\ncontext = 3\n")),
               "does not say classes");
  EXPECT_FAILS(described(network("{type = \"linear\", width = 3}", token_input)),
               "gets tokens \\[7\\]: .*embedding");
  EXPECT_FAILS(make_model("nowhere.toml", nullptr), "nowhere.toml");
  // Longer than the positions: the layer says it.
  auto model = described(network(embedded + "{type = \"positions\"}", token_input));
  EXPECT_FAILS((*model)(tokens(11, {1, 8})), "has 7 positions; got a sequence of 8.*positions1");
}

TEST(Configured, ALanguageModelPredictsTokensAndHidesTheFuture) {
  const std::string text = network(
      "{type = \"embedding\", width = 8, deviation = 0.02}, {type = \"positions\"}, {type = "
      "\"block\", "
      "name = \"blocks\", repeat = 2, layer = [{type = \"residual\", layer = [{type = "
      "\"layer_norm\"}, {type = \"attention\", heads = 2, causal = true}]}, {type = \"residual\", "
      "layer = [{type = \"layer_norm\"}, {type = \"linear\", width = 32}, {type = \"gelu\"}, {type "
      "= "
      "\"linear\", width = 8}]}]}, {type = \"layer_norm\", name = \"norm\"}, {type = \"linear\", "
      "name "
      "= \"head\", width = \"vocabulary\"}",
      token_input);
  EXPECT_EQ(described_entry("net.toml", text).domain, Domain::text);
  manual_seed(1);
  auto model = described(text);
  EXPECT_EQ(model->stages(),
            (Names{"embedding1", "positions1", "blocks.0", "blocks.1", "norm", "head"}));
  const Tensor x = tokens(11, {3, 7});
  EXPECT_EQ((*model)(x).shape(), (Dims{3, 7, 11}));
  expect_near(values((*model)(x.slice(1, 0, 4))), values((*model)(x).slice(1, 0, 4)), 1e-5);
  expect_gradients(*model, x);
}

// Saved in the middle, and gone on with where the file that described it is gone.
TEST(Configured, ResumesToTheSameBitsFromTheOptionsAlone) {
  const auto folder =
      std::filesystem::temp_directory_path() / fmt::format("strata_configured_{}", getpid());
  std::filesystem::create_directories(folder);
  const std::string file = (folder / "my.toml").string();
  io::write_file(file, template_named("resnet").text);
  json options = {{"height", 8}, {"width", 8}, {"classes", 4}};
  const json all = complete_options(file, options);
  auto step = [](Model& model, Optimizer& optimizer, uint64_t seed) {
    Generator generator(seed);
    const Tensor x = randn({4, 8, 8, 3}, 0, 1, DType::f32, &generator);
    optimizer.zero_grad();
    cross_entropy(model(x), from_vector<int64_t>({0, 1, 2, 3}, {4})).backward();
    optimizer.step();
  };
  auto parts = [](Model& model, Optimizer& optimizer) {
    io::TrainingState state;
    state.model = &model, state.optimizer = &optimizer;
    return state;
  };
  manual_seed(1);
  auto straight = make_model(file, options);
  AdamW a(straight->named_parameters());
  step(*straight, a, 1);
  const std::string checkpoint = (folder / "checkpoint.safetensors").string();
  io::save_checkpoint(checkpoint, parts(*straight, a));
  step(*straight, a, 2);

  std::filesystem::remove(file);
  EXPECT_FAILS(make_model(file, options), "my.toml");
  manual_seed(2);
  auto resumed = make_model(file, all);
  AdamW b(resumed->named_parameters());
  io::TrainingState state = parts(*resumed, b);
  io::load_checkpoint(checkpoint, state);
  step(*resumed, b, 2);
  std::filesystem::remove_all(folder);
  const StateDict got = resumed->state_dict();
  for (auto& [name, tensor] : straight->state_dict())
    EXPECT_EQ(values(tensor), values(got.at(name))) << name;
}

TEST(Configured, TemplatesAreNetworksForAnyImages) {
  for (const Template& each : templates()) {
    auto model = described(each.text, {{"height", 16}, {"width", 16}, {"channels", 1}});
    EXPECT_EQ((*model)(zeros({2, 16, 16, 1})).shape(), (Dims{2, 10})) << each.name;
  }
  EXPECT_FAILS(template_named("gan"), "no template 'gan'; there are mlp, convnet");
}

}  // namespace
}  // namespace strata::test

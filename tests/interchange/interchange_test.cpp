// Networks of torchvision, timm and transformers with random weights (make_fixtures.py): ours with
// their weights computes what theirs did, gradients too, and gives the file back as it was.
#include "models/interchange/interchange.h"

#include <cstring>

#include "engine/autograd/autograd.h"
#include "engine/io/npy.h"
#include "engine/io/safetensors.h"
#include "engine/io/torch_file.h"
#include "engine/ops.h"
#include "models/interchange/guess.h"
#include "models/multimodal/clip.h"
#include "models/registry.h"
#include "tests/support/expect.h"

namespace strata::test {
namespace {

using nlohmann::json;

struct Case {
  const char *name, *model;
  json options;
  const char *dialect, *extension;
};

const std::vector<Case>& cases() {
  static const json narrow = {{"classes", 5}, {"base_width", 2}};
  static const json vgg = {{"classes", 5}, {"base_width", 2}, {"hidden", 8}};
  static const json vit = {{"classes", 5},    {"height", 8}, {"width", 8}, {"patch", 4},
                           {"embedding", 16}, {"layers", 2}, {"heads", 2}};
  static const json words = {
      {"vocabulary", 20}, {"context", 16}, {"width", 16}, {"heads", 2}, {"layers", 2}};
  static const json clip = {{"tower", "vit"},    {"height", 8},      {"width", 8},
                            {"embedding", 8},    {"patch", 4},       {"image_width", 16},
                            {"image_layers", 2}, {"image_heads", 2}, {"vocabulary", 20},
                            {"context", 8},      {"text_width", 16}, {"text_layers", 2},
                            {"text_heads", 2}};
  auto with = [](json options, const json& more) {
    options.update(more);
    return options;
  };
  static const std::vector<Case> all = {
      {"resnet18.torchvision", "resnet18", narrow, "torchvision", "pt"},
      {"resnet26.torchvision", "resnet26", narrow, "torchvision", "pt"},
      {"resnet18.huggingface", "resnet18", narrow, "huggingface", "pt"},
      {"alexnet.torchvision",
       "alexnet",
       {{"classes", 5}, {"base_width", 4}, {"hidden", 16}},
       "torchvision",
       "pt"},
      {"vgg11.torchvision", "vgg11", vgg, "torchvision", "pt"},
      {"vgg11_bn.torchvision", "vgg11_bn", vgg, "torchvision", "pt"},
      {"vgg11_bn.timm", "vgg11_bn", vgg, "timm", "safetensors"},
      {"vit.timm", "vit_ti16", vit, "timm", "safetensors"},
      {"vit.torchvision", "vit_ti16", vit, "torchvision", "safetensors"},
      {"vit.huggingface", "vit_ti16", vit, "huggingface", "safetensors"},
      {"vit.huggingface5", "vit_ti16", vit, "huggingface5", "safetensors"},
      {"gpt2.huggingface", "gpt2", words, "huggingface", "pt"},
      {"bert_masked.huggingface", "bert", words, "huggingface", "pt"},
      {"bert_classes.huggingface", "bert", with(words, {{"head", "classes"}, {"classes", 3}}),
       "huggingface", "pt"},
      {"bert_tags.huggingface", "bert", with(words, {{"head", "tags"}, {"classes", 3}}),
       "huggingface", "pt"},
      {"bert_sentence.huggingface", "bert", with(words, {{"head", "sentence"}}), "huggingface",
       "pt"},
      {"clip.huggingface", "clip", clip, "huggingface", "pt"},
      {"clip.openai", "clip", clip, "openai", "pt"},
      {"clip_resnet.openai", "clip",
       with(clip, {{"tower", "resnet"},
                   {"height", 32},
                   {"width", 32},
                   {"blocks", {1, 1, 1, 1}},
                   {"stem_stride", 2},
                   {"image_width", 2}}),
       "openai", "pt"},
  };
  return all;
}
const Case& find_case(const std::string& name) {
  for (const Case& one : cases())
    if (one.name == name) return one;
  throw std::runtime_error("no case " + name);
}

std::string fixture(const std::string& name) {
  return STRATA_SOURCE_DIR "/tests/interchange/fixtures/" + name;
}
StateDict theirs_of(const Case& c) {
  std::string path = fixture(fmt::format("{}.{}", c.name, c.extension));
  return path.ends_with(".pt") ? io::load_torch(path) : io::load_safetensors(path);
}

class Interchange : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Cases, Interchange, ::testing::ValuesIn(cases()), [](const auto& info) {
  std::string name = info.param.name;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
});
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

std::unique_ptr<Model> imported_model(const Case& c) {
  ImportedState imported = import_state(c.model, c.options, theirs_of(c));
  EXPECT_EQ(explain(imported), "");
  auto model = make_model(c.model, c.options);
  model->load_state_dict(imported.state);
  model->eval();
  return model;
}

TEST_P(Interchange, ComputesTheSame) {
  const Case& c = GetParam();
  auto model = imported_model(c);
  StateDict arrays = io::load_npz(fixture(std::string(c.name) + ".npz"));
  Tensor out = (*model)(arrays.at("input"));
  expect_near(values(out), values(arrays.at("output")), 1e-4);
  Tensor loss = sum(out * arrays.at("direction"));
  if (auto* clip = dynamic_cast<Clip*>(model.get())) {
    Tensor text = clip->encode_text(arrays.at("tokens"));
    expect_near(values(text), values(arrays.at("text")), 1e-4);
    loss = loss + sum(text * arrays.at("direction"));
  }
  loss.backward();
  StateDict theirs;
  const std::string prefix = "gradient ";
  for (auto& [name, tensor] : arrays)
    if (name.starts_with(prefix)) theirs[name.substr(prefix.size())] = tensor;
  if (theirs.empty()) return;  // their names in memory are another case's
  // Gradients are laid out as the parameters, so they come in by the same door.
  StateDict gradients = import_state(c.model, c.options, theirs).state;
  for (auto& [name, parameter] : model->named_parameters()) {
    if (!parameter.grad().defined()) continue;  // CLIP's scale
    ASSERT_TRUE(gradients.contains(name)) << name;
    SCOPED_TRACE(name);
    expect_near(values(parameter.grad()), values(gradients.at(name)), 1e-3);
    EXPECT_NE(values(parameter.grad()), std::vector<double>(parameter.numel()));
  }
}

void expect_same_bytes(const StateDict& got, const StateDict& want) {
  ASSERT_EQ(got.size(), want.size());
  for (auto& [name, tensor] : want) {
    ASSERT_TRUE(got.contains(name)) << name;
    Tensor a = got.at(name).contiguous(), b = tensor.contiguous();
    ASSERT_EQ(describe(a), describe(b)) << name;
    EXPECT_EQ(std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.numel()) * size_of(a.dtype())), 0)
        << name;
  }
}

TEST_P(Interchange, GivesTheFileBack) {
  const Case& c = GetParam();
  StateDict theirs = theirs_of(c);
  ImportedState imported = import_state(c.model, c.options, theirs);
  EXPECT_TRUE(imported.complete()) << explain(imported);
  auto names = dialect_names(c.model, c.options);
  EXPECT_NE(std::find(names.begin(), names.end(), imported.dialect), names.end());
  expect_same_bytes(export_state(c.model, c.options, c.dialect, imported.state), theirs);
}

TEST(Interchange, EveryModelHasItsOwnNames) {
  for (const ModelEntry& entry : model_entries()) {
    StateDict ours = make_model(entry.name, entry.tiny)->state_dict();
    StateDict again = export_state(entry.name, entry.tiny, "strata", ours);
    expect_same_bytes(again, ours);
    ImportedState imported = import_state(entry.name, entry.tiny, again);
    EXPECT_TRUE(imported.complete()) << entry.name << ": " << explain(imported);
    expect_same_bytes(imported.state, ours);
  }
}

// Every dialect of every model goes there and back, those without a fixture too.
TEST(Interchange, EveryDialectGoesRound) {
  for (const ModelEntry& entry : model_entries()) {
    if (entry.name == "resnet1202") continue;  // as the others, and long
    StateDict ours = make_model(entry.name, entry.tiny)->state_dict();
    for (const std::string& dialect : dialect_names(entry.name, entry.tiny)) {
      SCOPED_TRACE(entry.name + " as " + dialect);
      StateDict theirs = export_state(entry.name, entry.tiny, dialect, ours);
      ImportedState imported = import_state(entry.name, entry.tiny, theirs);
      EXPECT_TRUE(imported.complete()) << explain(imported);
      expect_same_bytes(imported.state, ours);
    }
  }
}

// Everything but the number of heads, of width 64 in published networks and of 8 in these, comes
// out of names and shapes.
TEST_P(Interchange, GuessesTheModel) {
  const Case& c = GetParam();
  std::optional<ModelGuess> guess = guess_model(theirs_of(c));
  ASSERT_TRUE(guess.has_value());
  for (const char* key : {"heads", "text_heads", "image_heads"})
    if (c.options.contains(key)) guess->options[key] = c.options.at(key);
  ImportedState imported = import_state(guess->model, guess->options, theirs_of(c));
  EXPECT_EQ(explain(imported), "") << guess->model << guess->options.dump();
  auto model = make_model(guess->model, guess->options);
  model->load_state_dict(imported.state);
  model->eval();
  StateDict arrays = io::load_npz(fixture(std::string(c.name) + ".npz"));
  expect_near(values((*model)(arrays.at("input"))), values(arrays.at("output")), 1e-4);
}

TEST(Interchange, ReadsHeadsFromAConfig) {
  ModelGuess guess{"bert-base", {{"width", 384}}};
  EXPECT_EQ(read_heads({{"num_attention_heads", 12}}, guess), std::vector<std::string>{});
  EXPECT_EQ(guess.options.at("heads"), 12);
  EXPECT_EQ(read_heads(json::object(), guess), std::vector<std::string>{"heads"});
  EXPECT_EQ(guess.options.at("heads"), 12);
  ModelGuess two{"clip", json::object()};
  const json towers = {{"text_config", {{"num_attention_heads", 8}}}, {"num_attention_heads", 3}};
  EXPECT_EQ(read_heads(towers, two), std::vector<std::string>{"image_heads"});
  EXPECT_EQ(two.options, (json{{"text_heads", 8}}));
  ModelGuess plain{"resnet50", json::object()};
  EXPECT_EQ(read_heads(towers, plain), std::vector<std::string>{});
  EXPECT_TRUE(plain.options.empty());
}

TEST(Interchange, GuessesNothingFromStrangers) {
  EXPECT_FALSE(guess_model({{"x", full({1}, 0)}, {"conv1.weight", full({1}, 0)}}).has_value());
}

StateDict renamed(const StateDict& from, const std::function<std::string(std::string)>& rename) {
  StateDict to;
  for (auto& [name, tensor] : from) to[rename(name)] = tensor;
  return to;
}

TEST(Interchange, KnowsTheSpellingsOfFiles) {
  const Case& gpt = find_case("gpt2.huggingface");
  StateDict theirs = theirs_of(gpt);
  // As on the hub: no prefix, no tied head, and the masks.
  StateDict hub = renamed(theirs, [](std::string name) {
    return name.starts_with("transformer.") ? name.substr(12) : name;
  });
  hub.erase("lm_head.weight");
  hub["h.0.attn.bias"] = full({1, 1, 16, 16}, 1);
  for (const StateDict& file : {hub, renamed(theirs, [](auto name) { return "module." + name; })}) {
    ImportedState imported = import_state(gpt.model, gpt.options, file);
    EXPECT_TRUE(imported.complete()) << explain(imported);
    expect_same_bytes(export_state(gpt.model, gpt.options, "huggingface", imported.state), theirs);
  }
  const Case& bert = find_case("bert_masked.huggingface");
  StateDict old = renamed(theirs_of(bert), [](std::string name) {
    for (auto [part, other] : {std::pair("LayerNorm.weight", "LayerNorm.gamma"),
                               std::pair("LayerNorm.bias", "LayerNorm.beta")}) {
      if (size_t at = name.find(part); at != name.npos) name.replace(at, std::strlen(part), other);
    }
    return name;
  });
  old["bert.embeddings.position_ids"] = full({1, 16}, 0, DType::i64);
  old["cls.seq_relationship.weight"] = full({2, 16}, 1);
  EXPECT_EQ(explain(import_state(bert.model, bert.options, old)), "");
}

TEST(Interchange, SaysWhatDoesNotFit) {
  const Case& c = find_case("resnet18.torchvision");
  StateDict theirs = theirs_of(c);
  theirs.erase("layer2.0.bn1.weight");
  theirs["extra.weight"] = full({1}, 0);
  ImportedState imported = import_state(c.model, c.options, theirs);
  EXPECT_EQ(imported.missing,
            std::vector<std::string>{"layer2.0.bn1.weight (layer2.0.conv1.norm.weight)"});
  EXPECT_EQ(imported.unexpected, std::vector<std::string>{"extra.weight"});
  EXPECT_EQ(explain(imported),
            "1 missing: layer2.0.bn1.weight (layer2.0.conv1.norm.weight); 1 unexpected: "
            "extra.weight");

  theirs = theirs_of(c);
  theirs["fc.weight"] = full({7, 16}, 0);
  theirs["fc.bias"] = full({5}, 0, DType::i64);
  theirs["conv1.weight"] = full({2, 3}, 0);
  imported = import_state(c.model, c.options, theirs);
  ASSERT_EQ(imported.misfits.size(), 3u);
  const std::string text = explain(imported);
  EXPECT_NE(text.find("'conv1.weight' is f32[2,3]; expected is a convolution's weight"), text.npos);
  EXPECT_NE(text.find("fc.bias is i64[5], not of floating-point numbers"), text.npos);
  EXPECT_NE(text.find("fc.weight as f32[7,16] does not fit head.weight [5,16]"), text.npos) << text;
  EXPECT_FALSE(imported.state.contains("head.weight"));

  EXPECT_FAILS(import_state("gpt2", find_case("gpt2.huggingface").options, theirs),
               "no tensor is one of 'gpt2': there are .*bn1.bias.*huggingface would call them");
  EXPECT_FAILS(export_state(c.model, c.options, "torchvision", theirs), "not those of 'resnet18'");
  auto ours = make_model(c.model, c.options)->state_dict();
  EXPECT_FAILS(export_state(c.model, c.options, "keras", ours),
               "as 'keras'; there are torchvision, timm, huggingface, strata");
}

TEST(Interchange, RefusesATiedHeadThatDiffers) {
  const Case& c = find_case("gpt2.huggingface");
  StateDict theirs = theirs_of(c);
  theirs["lm_head.weight"] = theirs["lm_head.weight"] * 2;
  ImportedState imported = import_state(c.model, c.options, theirs);
  EXPECT_EQ(imported.misfits, std::vector<std::string>{
                                  "lm_head.weight differs from token.weight, to which it is tied"});
}

}  // namespace
}  // namespace strata::test

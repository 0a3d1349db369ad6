// strata import and strata export, as typed.
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/io/npy.h"
#include "engine/io/safetensors.h"
#include "engine/io/torch_file.h"
#include "tests/io/io_support.h"
#include "tools/commands/commands.h"

namespace strata::test {
namespace {

const std::string gpt = R"({"vocabulary":20,"context":16,"width":16,"heads":2,"layers":2})";

std::string fixture(const std::string& name) {
  return STRATA_SOURCE_DIR "/tests/interchange/fixtures/" + name;
}

// Runs a command line; throws what it throws.
int strata_command(std::vector<std::string> words) {
  CLI::App app;
  commands::Command run;
  commands::add_import(app, run);
  commands::add_export(app, run);
  std::reverse(words.begin(), words.end());
  app.parse(words);
  return run();
}

TEST(ImportCommand, GoesThereAndBackInEveryFormat) {
  Folder folder;
  const StateDict theirs = io::load_torch(fixture("gpt2.huggingface.pt"));
  for (const char* end : {"safetensors", "pt", "npz"}) {
    const std::string middle = folder / std::string("ours.") + end;
    const std::string back = folder / std::string("theirs.") + end;
    EXPECT_EQ(strata_command({"import", fixture("gpt2.huggingface.pt"), "--model", "gpt2",
                              "--options", gpt, "--out", middle}),
              0);
    EXPECT_EQ(strata_command({"export", middle, "--model", "gpt2", "--options", gpt, "--as",
                              "huggingface", "--out", back}),
              0);
    StateDict got = std::string(end) == "pt"    ? io::load_torch(back)
                    : std::string(end) == "npz" ? io::load_npz(back)
                                                : io::load_safetensors(back);
    ASSERT_EQ(got.size(), theirs.size());
    for (auto& [name, tensor] : theirs) expect_same(got.at(name), tensor);
  }
}

// The number of heads, which no shape shows, comes from transformers' config.json; without one it
// is said what is assumed.
TEST(ImportCommand, ReadsTheConfigBesideTheFile) {
  Folder folder;
  const std::string file = folder / "bert.pt", out = folder / "out.safetensors";
  std::filesystem::copy_file(fixture("bert_sentence.huggingface.pt"), file);
  auto import = [&] {
    testing::internal::CaptureStdout();
    const int code = strata_command({"import", file, "--out", out});
    EXPECT_EQ(code, 0);
    return testing::internal::GetCapturedStdout();
  };
  EXPECT_NE(import().find("Assumed: heads 1"), std::string::npos);  // of width 16
  auto heads = [&] {
    io::Metadata metadata;
    io::load_safetensors(out, &metadata);
    return nlohmann::json::parse(metadata.at("options")).value("heads", 0);
  };
  EXPECT_EQ(heads(), 1);
  std::ofstream(folder / "config.json") << R"({"num_attention_heads": 2})";
  EXPECT_EQ(import().find("Assumed"), std::string::npos);
  EXPECT_EQ(heads(), 2);
  std::ofstream(folder / "config.json") << "[2";
  EXPECT_FAILS(strata_command({"import", file, "--out", out}), "config.json is not a JSON object");
}

TEST(ImportCommand, WritesNothingWhenItFails) {
  Folder folder;
  const std::string out = folder / "out.safetensors";
  auto import = [&](const std::string& file, const std::string& options) {
    return strata_command({"import", file, "--model", "gpt2", "--options", options, "--out", out});
  };
  const std::string file = fixture("gpt2.huggingface.pt");
  std::string other = gpt;
  other.replace(other.find("20"), 2, "21");
  EXPECT_FAILS(import(file, other), "nothing was written: the file does not fit gpt2");
  EXPECT_FAILS(import(file, "[1]"), "--options must be a JSON object");
  EXPECT_FAILS(import(file, "{\"depth\":1}"), "no option 'depth'");
  EXPECT_FAILS(import(fixture("gpt2.huggingface.npz"), gpt), "no tensor is one of 'gpt2'");
  EXPECT_FAILS(import(STRATA_SOURCE_DIR "/tests/fixtures/torch/command.pt", gpt),
               "nothing was run");
  EXPECT_FAILS(import(STRATA_SOURCE_DIR "/tests/fixtures/torch/bomb.pt", gpt), "is compressed");
  EXPECT_FAILS(import("model.h5", gpt), "must end in .safetensors, .pt");
  const std::string bytes = read_text(file);
  write_text(folder / "cut.pt", bytes.substr(0, bytes.size() / 2));
  EXPECT_FAILS(import(folder / "cut.pt", gpt), "cut off");
  std::filesystem::remove(folder / "cut.pt");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

// What fits is kept under a new head, which starts as the model does.
TEST(ImportCommand, KeepsWhatFitsWhenAsked) {
  Folder folder;
  const std::string out = folder / "out.safetensors";
  ASSERT_EQ(
      strata_command({"import", fixture("resnet18.torchvision.pt"), "--model", "resnet18",
                      "--options", R"({"base_width":2,"classes":9})", "--partial", "--out", out}),
      0);
  io::Metadata metadata;
  StateDict ours = io::load_safetensors(out, &metadata);
  StateDict theirs = io::load_torch(fixture("resnet18.torchvision.pt"));
  EXPECT_EQ(describe(ours.at("head.weight")), "f32[9,16]");
  EXPECT_EQ(values(ours.at("layer4.1.conv2.norm.bias")), values(theirs.at("layer4.1.bn2.bias")));
  EXPECT_EQ(metadata.at("model"), "resnet18");
}

}  // namespace
}  // namespace strata::test

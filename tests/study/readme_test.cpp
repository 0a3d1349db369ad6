// What README.md shows is what the project does: its program compiles and runs (the lines between
// the marks below are those of the README, which a test compares), its error is the error, and each
// subcommand and option it names exists.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "models/registry.h"
#include "tools/introspect/capture.h"

namespace strata {
namespace {

std::string text_of(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}
const std::string source_dir = STRATA_SOURCE_DIR;

TEST(Readme, ItsProgramRuns) {
  // README begin
  Tensor x = randn({8, 32, 32, 3});
  auto model = make_model("convnet", nullptr);
  introspect::Capture capture({"conv3"});  // any named activation
  Tensor loss = cross_entropy((*model)(x), randint(0, 10, {8}));
  Tensor gradient = grad(loss, capture["conv3"], {.create_graph = true});
  backward(sum(square(gradient)));  // second derivatives: the same code
  // README end
  EXPECT_TRUE(model->parameters()[0].grad().defined());
}

TEST(Readme, ItsProgramIsTheOneAbove) {
  std::istringstream mine(text_of(source_dir + "/tests/study/readme_test.cpp"));
  std::string readme = text_of(source_dir + "/README.md");
  bool inside = false;
  int lines = 0;
  for (std::string line; std::getline(mine, line);) {
    if (line == "  // README end") break;
    if (inside) {
      EXPECT_NE(readme.find(line.substr(2)), std::string::npos) << line;
      ++lines;
    }
    inside |= line == "  // README begin";
  }
  EXPECT_EQ(lines, 6);
}

TEST(Readme, ItsErrorIsTheError) {
  std::string said;
  try {
    matmul(zeros({32, 784}), zeros({256, 10}), Caller{"train.cpp", 41});
  } catch (const Error& error) {
    said = error.what();
  }
  EXPECT_NE(text_of(source_dir + "/README.md").find(said), std::string::npos) << said;
}

int strata(const std::string& arguments, std::string* output) {
  auto log = std::filesystem::path(testing::TempDir()) /
             ("strata-readme-" + std::to_string(getpid()) + ".log");
  int status = std::system((STRATA_BINARY " " + arguments + " >" + log.string() + " 2>&1").c_str());
  *output = text_of(log.string());
  std::filesystem::remove(log);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Readme, ItsCommandsAndOptionsExist) {
  std::string readme = text_of(source_dir + "/README.md"), study_help, help;
  ASSERT_EQ(strata("study --help", &study_help), 0);
  ASSERT_EQ(strata("--help", &help), 0);
  std::regex command(
      "strata "
      "(study|data|graph|models|report|inspect|gallery|scores|compare|embed|search|induction)"),
      option("--[a-z][a-z-]+");
  int commands = 0;
  for (std::sregex_iterator i(readme.begin(), readme.end(), command), end; i != end;
       ++i, ++commands) {
    EXPECT_NE(help.find((*i)[1].str()), std::string::npos) << i->str();
  }
  EXPECT_GT(commands, 2);
  std::regex study_line("strata study [^\\n]*");
  for (std::sregex_iterator i(readme.begin(), readme.end(), study_line), end; i != end; ++i) {
    std::string line = i->str();
    for (std::sregex_iterator o(line.begin(), line.end(), option); o != end; ++o) {
      EXPECT_NE(study_help.find(o->str()), std::string::npos) << o->str();
    }
  }
}

TEST(Commands, DrawAContactSheetAndATape) {
  auto folder = std::filesystem::path(testing::TempDir());
  std::string output, sheet = (folder / "sheet.png").string(),
                      tape = (folder / "tape.dot").string();
  EXPECT_EQ(strata("data show --out " + sheet, &output), 0) << output;
  EXPECT_EQ(text_of(sheet).substr(1, 3), "PNG");
  for (const char* model : {"mlp", "convnet", "gpt"}) {
    EXPECT_EQ(strata(std::string("graph --batch 2 --model ") + model + " --out " + tape, &output),
              0)
        << output;
    EXPECT_EQ(text_of(tape).substr(0, 7), "digraph");
  }
  EXPECT_EQ(strata("models", &output), 0);
  EXPECT_NE(output.find("resnet20"), std::string::npos);
  EXPECT_EQ(strata("graph --model nonsense", &output), 1);
  EXPECT_NE(output.find("convnet"), std::string::npos) << output;  // it lists what there is
  EXPECT_EQ(strata("data show --data mnist:/nonexistent", &output), 1);
}

}  // namespace
}  // namespace strata

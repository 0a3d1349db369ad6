// docs/training.md, "The report of a run": its commands run, in their order, and leave the pages.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "tests/support/expect.h"

namespace strata::train {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The lines of the section that are indented by four spaces.
std::vector<std::string> commands() {
  std::istringstream page(text_of(STRATA_SOURCE_DIR "/docs/training.md"));
  std::vector<std::string> found;
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("## ")) inside = line == "## The report of a run";
    if (inside && line.starts_with("    ")) found.push_back(line.substr(4));
  }
  return found;
}

TEST(TrainingPage, ItsCommandsLeaveTheirPages) {
  SKIP_WITH_SANITIZERS();
  const fs::path folder = fs::temp_directory_path() / ("strata_pages_" + std::to_string(getpid()));
  fs::create_directories(folder);
  const auto lines = commands();
  EXPECT_EQ(lines.size(), 5u);
  for (std::string line : lines) {
    ASSERT_TRUE(line.starts_with("build/default/strata ")) << line;
    // Few steps: what is run here is the command, not the training.
    line = std::regex_replace(line, std::regex("--steps \\d+"), "--steps 2");
    line.replace(0, std::string("build/default/strata").size(), STRATA_BINARY);
    const std::string log = (folder / "log").string();
    const int status =
        std::system(("cd " + folder.string() + " && " + line + " >" + log + " 2>&1").c_str());
    ASSERT_EQ(status, 0) << line << "\n" << text_of(log);
  }
  for (auto [page, panel] : {std::pair{"words/report.html", "\"attention\""},
                             {"sounds/report.html", "data:audio/wav"},
                             {"graphs/report.html", "\"graphs\""},
                             {"map.html", "\"neighbours\""}}) {
    EXPECT_NE(text_of(folder / "runs" / page).find(panel), std::string::npos) << page;
  }
  fs::remove_all(folder);
}

}  // namespace
}  // namespace strata::train

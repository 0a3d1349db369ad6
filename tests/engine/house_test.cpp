// The rules of the house that a compiler does not check: which way includes run, and that headers
// say what they are.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>

namespace strata {
namespace {

namespace fs = std::filesystem;

struct Source {
  std::string path;  // from the root of the project
  std::string text;
};

std::vector<Source> sources() {
  std::vector<Source> found;
  fs::path root = STRATA_SOURCE_DIR;
  for (const char* folder : {"kernels", "engine", "models", "tools", "tests", "bench"}) {
    if (!fs::exists(root / folder)) continue;
    for (auto& entry : fs::recursive_directory_iterator(root / folder)) {
      auto extension = entry.path().extension();
      if (extension != ".h" && extension != ".cpp" && extension != ".cu") continue;
      std::ifstream file(entry.path());
      std::stringstream text;
      text << file.rdbuf();
      found.push_back({fs::relative(entry.path(), root).string(), text.str()});
    }
  }
  return found;
}

std::string top(const std::string& path) { return path.substr(0, path.find('/')); }

// What a file of each folder may include, of ours.
bool may_include(const std::string& from, const std::string& to) {
  static const std::map<std::string, int> height = {
      {"kernels", 0}, {"engine", 1}, {"models", 2}, {"tools", 3}};
  if (from == "tests" || from == "bench") return true;
  return height.count(to) && height.at(to) <= height.at(from);
}

std::vector<std::string> wrong_includes(const Source& source) {
  static const std::regex include(R"(#include \"([^\"]+)\")");
  std::vector<std::string> wrong;
  for (std::sregex_iterator it(source.text.begin(), source.text.end(), include), end; it != end;
       ++it) {
    std::string path = (*it)[1];
    if (!may_include(top(source.path), top(path)))
      wrong.push_back(source.path + " includes " + path);
  }
  return wrong;
}

TEST(House, IncludesRunOneWay) {
  auto all = sources();
  EXPECT_GT(all.size(), 50u);
  for (auto& source : all) {
    for (auto& wrong : wrong_includes(source)) ADD_FAILURE() << wrong;
  }
}

TEST(House, TheTestOfIncludesSeesWrongOnes) {
  EXPECT_EQ(wrong_includes({"kernels/a.cpp", "#include \"engine/ops.h\"\n"}).size(), 1u);
  EXPECT_EQ(wrong_includes({"engine/a.cpp", "#include \"tools/report/report.h\"\n"}).size(), 1u);
  EXPECT_EQ(wrong_includes({"models/a.cpp", "#include \"tests/support/oracle.h\"\n"}).size(), 1u);
  EXPECT_EQ(wrong_includes({"tools/a.cpp", "#include \"local.h\"\n"}).size(), 1u)
      << "includes are written from the root";
  EXPECT_EQ(wrong_includes({"tools/a.cpp", "#include \"models/gpt.h\"\n#include <map>\n"}).size(),
            0u);
}

TEST(House, FilesOpenWithWhatTheyDo) {
  for (auto& source : sources()) {
    bool header = source.path.ends_with(".h");
    EXPECT_TRUE(source.text.rfind("//", 0) == 0 || !header)
        << source.path << " does not open with a comment that says what it is for";
    if (header) {
      EXPECT_NE(source.text.find("#pragma once"), std::string::npos) << source.path;
    }
  }
}

}  // namespace
}  // namespace strata

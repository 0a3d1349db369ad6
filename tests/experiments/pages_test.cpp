// Every experiment has its page, whose commands name experiments and options that there are; the
// results beside it are those of that experiment.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "tools/experiments/runner.h"

namespace strata::experiments {
namespace {

namespace fs = std::filesystem;

const fs::path folder = fs::path(STRATA_SOURCE_DIR) / "docs" / "experiments";

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}
std::string page_name(int number) {
  return "e" + std::string(number < 10 ? "0" : "") + std::to_string(number);
}

TEST(Pages, AreThereForEveryExperiment) {
  const std::string index = text_of(folder / "README.md");
  for (const Experiment& e : experiments()) {
    const std::string page = text_of(folder / (page_name(e.number) + ".md"));
    ASSERT_FALSE(page.empty()) << e.name;
    EXPECT_NE(page.find("strata experiment " + e.name), std::string::npos) << e.name;
    EXPECT_NE(index.find(page_name(e.number) + ".md"), std::string::npos) << e.name;
  }
}

TEST(Pages, NameOptionsThatThereAre) {
  const std::regex command("build/default/strata experiment (\\S+)([^\n`]*)"), option("--[a-z-]+");
  const std::set<std::string> known = {"--seeds", "--first-seed", "--budget", "--device",
                                       "--lie",   "--out",        "--force"};
  int commands = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".md") continue;
    const std::string page = text_of(entry.path());
    for (std::sregex_iterator c(page.begin(), page.end(), command), end; c != end;
         ++c, ++commands) {
      const std::string name = (*c)[1], rest = (*c)[2];
      if (name != "list" && name != "all") {
        EXPECT_NO_THROW(experiment_named(name)) << entry.path();
      }
      for (std::sregex_iterator o(rest.begin(), rest.end(), option); o != end; ++o)
        EXPECT_TRUE(known.count(o->str())) << entry.path() << ": " << c->str();
    }
  }
  EXPECT_GE(commands, 10);
}

TEST(Pages, HaveResultsOfTheirExperiment) {
  for (const auto& entry : fs::directory_iterator(folder / "results")) {
    const Json result = Json::parse(text_of(entry.path()));
    const Experiment& e = experiment_named(result.at("experiment").get<std::string>());
    const std::string stem = entry.path().stem().string();
    EXPECT_TRUE(stem == page_name(e.number) || stem == page_name(e.number) + "-repeat") << stem;
    EXPECT_GE(result.at("seeds").size(), 3u) << e.name;
    EXPECT_FALSE(result.at("measures").empty()) << e.name;
    EXPECT_FALSE(result.at("controls").empty()) << e.name;
  }
}

TEST(Pages, SayWhatTheRepeatGave) {
  for (const Experiment& e : experiments()) {
    const fs::path results = folder / "results", file = page_name(e.number) + "-repeat.json";
    if (!fs::exists(results / file)) continue;
    const Json repeat = Json::parse(text_of(results / file)),
               first = Json::parse(text_of(results / (page_name(e.number) + ".json")));
    EXPECT_EQ(repeat.at("experiment"), first.at("experiment"));
    for (const Json& seed : repeat.at("seeds"))
      for (const Json& used : first.at("seeds")) EXPECT_NE(seed, used) << file;
    const std::string page = text_of(folder / (page_name(e.number) + ".md"));
    const size_t section = page.find("\n## Repeated\n");
    ASSERT_NE(section, std::string::npos) << page_name(e.number) << ".md";
    std::string text = page.substr(section, page.find("\n## ", section + 1) - section);
    std::replace(text.begin(), text.end(), '\n', ' ');  // lines may break within the verdict
    const std::string verdict = '"' + repeat.at("verdict").get<std::string>() + '"';
    EXPECT_NE(text.find(verdict), std::string::npos) << page_name(e.number) << ": " << verdict;
  }
}

}  // namespace
}  // namespace strata::experiments

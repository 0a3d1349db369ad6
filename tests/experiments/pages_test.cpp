// Every experiment has its page, whose commands name experiments and options that there are; the
// results beside it are those of that experiment.
#include <gtest/gtest.h>

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
    EXPECT_EQ(entry.path().stem(), page_name(e.number));
    EXPECT_GE(result.at("seeds").size(), 3u) << e.name;
    EXPECT_FALSE(result.at("measures").empty()) << e.name;
    EXPECT_FALSE(result.at("controls").empty()) << e.name;
  }
}

}  // namespace
}  // namespace strata::experiments

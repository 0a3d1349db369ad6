// report_sample FOLDER [classes]: writes the sample run and its report.html, for the browser test
// and for looking at. report_sample FOLDER map POINTS: the report of a map. report_sample FOLDER
// senses: that of a run on text, sound and graphs.
#include <fstream>
#include <iostream>
#include <string>

#include "tests/tools/sample_run.h"
#include "tests/tools/sample_senses.h"
#include "tools/report/report.h"

namespace {

using namespace strata::report;

std::string write(const std::filesystem::path& folder, const nlohmann::json& data) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "report.html") << render_page(data);
  return (folder / "report.html").string();
}

}  // namespace

int main(int count, char** words) {
  if (count < 2) {
    std::cerr << "usage: report_sample FOLDER [classes | map POINTS | senses]\n";
    return 2;
  }
  const std::string kind = count > 2 ? words[2] : "";
  try {
    if (kind == "map") {
      std::cout << write(words[1], sample_map(std::stoi(count > 3 ? words[3] : "100000"))) << "\n";
      return 0;
    }
    if (kind == "senses") {
      nlohmann::json data = {{"config", sample_config()}, {"panels", sample_senses()}};
      data["config"].erase("factors");
      data["metrics"] = nlohmann::json::object();
      data["panels"]["summary"] = {{"question", "What do the other senses look like?"},
                                   {"answer", "All of this was invented to test the page."},
                                   {"picture", "tokens"}};
      std::cout << write(words[1], data) << "\n";
      return 0;
    }
    SampleOptions options;
    options.classes_only = kind == "classes";
    if (options.classes_only) options.label = "digit";
    write_sample_run(words[1], options);
    std::cout << write_report(words[1]).string() << "\n";
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}

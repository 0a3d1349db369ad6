// report_sample FOLDER [classes]: writes the sample run and its report.html, for the browser test
// and for looking at.
#include <iostream>
#include <string>

#include "tests/tools/sample_run.h"
#include "tools/report/report.h"

int main(int count, char** words) {
  if (count < 2) {
    std::cerr << "usage: report_sample FOLDER [classes]\n";
    return 2;
  }
  strata::report::SampleOptions options;
  options.classes_only = count > 2 && std::string(words[2]) == "classes";
  if (options.classes_only) options.label = "digit";
  try {
    strata::report::write_sample_run(words[1], options);
    std::cout << strata::report::write_report(words[1]).string() << "\n";
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}

// The files of tools/report/page and d3, compiled into the program by embed.cmake: a built binary
// needs no file of the source tree to write a report.
#pragma once

#include <span>
#include <string_view>

namespace strata::report {

struct PageFile {
  std::string_view name;  // "index.html", "style.css", "js/state.js", "d3.js", "d3.version"
  std::string_view text;
};

// index.html first, then styles, d3, and the scripts in the order in which the page runs them.
std::span<const PageFile> page_files();

// The text of one file. Throws Error when there is no such file.
std::string_view page_file(std::string_view name);

}  // namespace strata::report

# Compiles the page of the report and d3 into the program: page/* and d3.min.js become arrays in a generated page.cpp.
# d3 is the Debian package node-d3 (BSD-3-Clause; its notice is in page/index.html).
#
# Run in two ways: included by the top CMakeLists.txt it declares the library; run by `cmake -P` (with OUTPUT set) it writes page.cpp.

if(CMAKE_SCRIPT_MODE_FILE)
  # cmake -DOUTPUT=page.cpp -DD3=d3.min.js "-DFILES=name=path|name=path" -P embed.cmake
  set(arrays "")
  set(table "")
  set(number 0)
  string(REPLACE "|" ";" entries "${FILES}")
  foreach(entry ${entries})
    string(REGEX MATCH "^([^=]+)=(.*)$" matched "${entry}")
    set(name "${CMAKE_MATCH_1}")
    file(READ "${CMAKE_MATCH_2}" hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(APPEND arrays "constexpr unsigned char file_${number}[] = {${bytes}0};\n")
    string(APPEND table "    {\"${name}\", text(file_${number})},\n")
    math(EXPR number "${number} + 1")
  endforeach()
  file(READ "${D3}" d3_text LIMIT 200)
  string(REGEX MATCH "v([0-9]+\\.[0-9]+\\.[0-9]+)" matched "${d3_text}")
  file(WRITE "${OUTPUT}.new" "// Made by tools/report/embed.cmake from tools/report/page and d3; do not edit.
#include \"tools/report/page.h\"

#include <cstddef>

namespace strata::report {
namespace {

${arrays}
template <std::size_t size>
std::string_view text(const unsigned char (&bytes)[size]) {
  return {reinterpret_cast<const char*>(bytes), size - 1};
}

}  // namespace

std::span<const PageFile> page_files() {
  static const PageFile files[] = {
${table}    {\"d3.version\", \"${CMAKE_MATCH_1}\"},
  };
  return files;
}

}  // namespace strata::report
")
  file(RENAME "${OUTPUT}.new" "${OUTPUT}")
  return()
endif()

find_file(STRATA_D3 d3.min.js
  PATHS /usr/share/nodejs/d3/dist /usr/share/javascript/d3 /usr/lib/nodejs/d3/dist
  NO_DEFAULT_PATH DOC "d3.min.js of the Debian package node-d3")
if(NOT STRATA_D3)
  message(FATAL_ERROR "d3.min.js was not found. Install it with: apt-get install node-d3 "
                      "(or run script/bootstrap, which installs everything).")
endif()

set(page ${CMAKE_CURRENT_LIST_DIR}/page)
# The scripts run in this order: what a panel stands on, the panels, then main.js.
set(page_names index.html style.css charts.css senses.css print.css
  d3.js
  js/state.js js/data.js js/packed.js js/words.js js/dom.js js/sprite.js js/chart.js js/save.js
  js/hierarchy.js js/timeline.js js/emergence.js js/training.js js/settling.js js/similarity.js
  js/layers.js js/filters.js js/dot_rows.js js/units.js js/unit_grid.js js/unit_loss.js js/unit_detail.js
  js/attribution.js
  js/embedding_canvas.js js/embedding.js js/tokens.js js/attention.js js/audio.js js/graphs.js
  js/numbers.js js/repeat.js js/theme.js js/main.js)
set(page_entries)
set(page_depends)
foreach(name ${page_names})
  set(path ${page}/${name})
  if(name STREQUAL "d3.js")
    set(path ${STRATA_D3})
  endif()
  list(APPEND page_entries ${name}=${path})
  list(APPEND page_depends ${path})
endforeach()
string(REPLACE ";" "|" page_files "${page_entries}")

set(page_source ${PROJECT_BINARY_DIR}/generated/report/page.cpp)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/generated/report)
add_custom_command(OUTPUT ${page_source}
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=${page_source} -DD3=${STRATA_D3} "-DFILES=${page_files}"
          -P ${CMAKE_CURRENT_LIST_FILE}
  DEPENDS ${page_depends} ${CMAKE_CURRENT_LIST_FILE}
  COMMENT "Embedding the report page" VERBATIM)
add_library(strata_report_page STATIC ${page_source})
target_link_libraries(strata_report_page PRIVATE strata_flags)
target_link_libraries(strata_tools PUBLIC strata_report_page)

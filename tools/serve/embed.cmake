# Compiles the files of tools/serve/page into the program, as tools/report/embed.cmake does the report's.
# Included by the top CMakeLists.txt it adds the source; run by `cmake -P` (with OUTPUT set) it writes it.
set(names page.html serve.css serve.js)
if(CMAKE_SCRIPT_MODE_FILE)
  set(arrays "")
  set(table "")
  set(number 0)
  foreach(name ${names})
    file(READ ${CMAKE_CURRENT_LIST_DIR}/page/${name} hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(APPEND arrays "constexpr unsigned char file_${number}[] = {${bytes}0};\n")
    string(APPEND table "  if (name == \"${name}\") return {reinterpret_cast<const char*>(file_${number}), sizeof file_${number} - 1};\n")
    math(EXPR number "${number} + 1")
  endforeach()
  file(WRITE "${OUTPUT}.new" "// Made by tools/serve/embed.cmake from tools/serve/page; do not edit.
#include \"tools/serve/page.h\"

#include \"engine/error.h\"

namespace strata::serve {
namespace {

${arrays}
}  // namespace

std::string_view page_file(std::string_view name) {
${table}  fail(\"serve\", Caller{}, \"there is no page file '{}'\", name);
}

}  // namespace strata::serve
")
  file(RENAME "${OUTPUT}.new" "${OUTPUT}")
  return()
endif()

set(serve_source ${PROJECT_BINARY_DIR}/generated/serve/page.cpp)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/generated/serve)
list(TRANSFORM names PREPEND ${CMAKE_CURRENT_LIST_DIR}/page/ OUTPUT_VARIABLE serve_depends)
add_custom_command(OUTPUT ${serve_source}
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=${serve_source} -P ${CMAKE_CURRENT_LIST_FILE}
  DEPENDS ${serve_depends} ${CMAKE_CURRENT_LIST_FILE}
  COMMENT "Embedding the pages of strata serve" VERBATIM)
target_sources(strata_tools PRIVATE ${serve_source})

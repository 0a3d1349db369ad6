# strata-xray: the catalogue of kernels over instrumented kernel files, with the page for the browser.
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.cpp)
list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
file(GLOB kernel_files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*/*.cu)
list(FILTER kernel_files EXCLUDE REGEX "_cuda\\.cu$")
strata_traced_objects(strata_traced_kernels ${kernel_files})

set(page ${CMAKE_CURRENT_LIST_DIR}/page)
set(entries index.html=${page}/index.html style.css=${page}/style.css d3.js=${STRATA_D3} xray.js=${page}/xray.js)
list(JOIN entries "|" entries)
set(page_source ${PROJECT_BINARY_DIR}/generated/xray/page.cpp)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/generated/xray)
add_custom_command(OUTPUT ${page_source}
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=${page_source} -DD3=${STRATA_D3} "-DFILES=${entries}"
          -P ${PROJECT_SOURCE_DIR}/tools/report/embed.cmake
  DEPENDS ${page}/index.html ${page}/style.css ${page}/xray.js ${PROJECT_SOURCE_DIR}/tools/report/embed.cmake
  COMMENT "Embedding the x-ray's page" VERBATIM)

add_library(strata_xray STATIC ${sources} ${page_source})
target_link_libraries(strata_xray PUBLIC strata_xray_recorder strata_flags nlohmann_json::nlohmann_json fmt::fmt)
# strata_xray_program(TARGET file...): a program with the instrumented kernels in it.
function(strata_xray_program target)
  add_executable(${target} ${ARGN} $<TARGET_OBJECTS:strata_traced_kernels>)
  target_link_libraries(${target} PRIVATE strata_xray strata_kernels)
endfunction()
strata_xray_program(strata-xray ${CMAKE_CURRENT_LIST_DIR}/main.cpp)
target_link_libraries(strata-xray PRIVATE CLI11::CLI11)

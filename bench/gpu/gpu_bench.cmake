# strata_gpu_bench: our GPU kernels beside cuBLAS, cuBLASLt and cuDNN, which it loads when it runs. Without
# CUDA it lists its cases and refuses to measure.
set(folder ${CMAKE_CURRENT_LIST_DIR})
file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cpp)
list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
if(STRATA_CUDA)
  list(FILTER sources EXCLUDE REGEX "/rivals_none\\.cpp$")
else()
  list(FILTER sources EXCLUDE REGEX "/(rivals_gemm|rivals_cudnn|cudnn_graph|fastest)\\.cpp$")
endif()
set(catalogue ${PROJECT_SOURCE_DIR}/tools/xray)

set(entries index.html=${folder}/page/index.html style.css=${folder}/page/style.css d3.js=${STRATA_D3}
    bench.js=${folder}/page/bench.js)
list(JOIN entries "|" entries)
set(page_source ${PROJECT_BINARY_DIR}/generated/gpu_bench/page.cpp)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/generated/gpu_bench)
add_custom_command(OUTPUT ${page_source}
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=${page_source} -DD3=${STRATA_D3} "-DFILES=${entries}"
          -P ${PROJECT_SOURCE_DIR}/tools/report/embed.cmake
  DEPENDS ${folder}/page/index.html ${folder}/page/style.css ${folder}/page/bench.js
          ${PROJECT_SOURCE_DIR}/tools/report/embed.cmake
  COMMENT "Embedding the benchmarks' page" VERBATIM)

file(GLOB catalogue_sources CONFIGURE_DEPENDS ${catalogue}/*.cpp)
list(FILTER catalogue_sources EXCLUDE REGEX "/(main|page|report|roofline)\\.cpp$")
add_library(strata_gpu_bench_cases STATIC ${sources} ${page_source} ${catalogue_sources})
target_link_libraries(strata_gpu_bench_cases PUBLIC strata_kernels nlohmann_json::nlohmann_json fmt::fmt
                      ${CMAKE_DL_LIBS})
target_compile_options(strata_gpu_bench_cases PRIVATE ${light_level})
add_executable(strata_gpu_bench ${folder}/main.cpp)
target_compile_options(strata_gpu_bench PRIVATE ${light_level})
target_link_libraries(strata_gpu_bench PRIVATE strata_gpu_bench_cases CLI11::CLI11)

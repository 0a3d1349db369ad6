# A library for each folder of kernels/, so that a family and its tests build without the others, and
# strata_kernels, which is all of them.
#
# STRATA_CUDA is the one switch between the two worlds of a kernel. Without it every .cu file is ordinary
# C++ that runs on the simulator (kernels/sim); with it nvcc compiles the same text, and the simulator is
# left out. A file named *_cuda.cu needs CUDA itself.

# What any family may include.
set(STRATA_KERNEL_BASE common gpu dnnl)
if(NOT STRATA_CUDA)
  list(APPEND STRATA_KERNEL_BASE sim)
endif()

if(STRATA_CUDA)
  set(STRATA_CUDA_ARCHITECTURES "80-real;90a-real" CACHE STRING "What nvcc compiles for")
  set(CMAKE_CUDA_ARCHITECTURES ${STRATA_CUDA_ARCHITECTURES})
  set(CMAKE_CUDA_STANDARD 20)
  if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)  # which CMake 3.25 does not know of this nvcc
  endif()
  string(APPEND CMAKE_CUDA_FLAGS " --expt-relaxed-constexpr -lineinfo")
  find_package(CUDAToolkit REQUIRED)
endif()

# strata_gpu_sources(TARGET folder...): adds the .cu files of the folders to the target.
function(strata_gpu_sources target)
  set(sources)  # not the caller's, which a function sees too
  foreach(folder ${ARGN})
    file(GLOB found CONFIGURE_DEPENDS ${folder}/*.cu)
    list(APPEND sources ${found})
  endforeach()
  if(NOT STRATA_CUDA)
    list(FILTER sources EXCLUDE REGEX "_cuda\\.cu$")
    set_source_files_properties(${sources} TARGET_DIRECTORY ${target} PROPERTIES LANGUAGE CXX)
    # "#pragma unroll" speaks to nvcc.
    target_compile_options(${target} PRIVATE -Wno-unknown-pragmas)
    # -O1: a simulated kernel spends its time in the simulator, and unrolled templates compile in a
    # third of the time of -O3. Fuzzers link kernels that they never run, and instrumented ones take half
    # a minute each to compile.
    set(options -O1)
    if(STRATA_FUZZ)
      set(options -O0 -fno-sanitize=all)
    endif()
    set_property(SOURCE ${sources} TARGET_DIRECTORY ${target} APPEND PROPERTY COMPILE_OPTIONS ${options})
  endif()
  target_sources(${target} PRIVATE ${sources})
endfunction()

add_library(strata_kernels INTERFACE)
file(GLOB folders LIST_DIRECTORIES true CONFIGURE_DEPENDS kernels/*)
foreach(folder ${folders})
  get_filename_component(name ${folder} NAME)
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cpp)
  file(GLOB device_sources CONFIGURE_DEPENDS ${folder}/*.cu)
  if(NOT IS_DIRECTORY ${folder} OR (STRATA_CUDA AND name STREQUAL "sim"))
    continue()
  endif()
  if(NOT STRATA_CUDA)
    list(FILTER device_sources EXCLUDE REGEX "_cuda\\.cu$")
  endif()
  if(NOT sources AND NOT device_sources)
    continue()
  endif()
  add_library(strata_kernels_${name} STATIC ${sources})
  target_link_libraries(strata_kernels_${name} PUBLIC strata_flags DNNL::dnnl OpenMP::OpenMP_CXX fmt::fmt
                        Threads::Threads $<$<BOOL:${STRATA_CUDA}>:CUDA::cudart_static>)
  if(name STREQUAL "sim")
    target_compile_options(strata_kernels_sim PRIVATE -g)  # for the gdb commands of script/strata_gdb.py
  endif()
  strata_gpu_sources(strata_kernels_${name} ${folder})
  list(APPEND libraries strata_kernels_${name})
endforeach()
# The families call each other in both directions: the linker looks through them until nothing is missing.
list(JOIN libraries "," joined)
target_link_libraries(strata_kernels INTERFACE "$<LINK_GROUP:RESCAN,${joined}>")

# strata_link_families(TARGET family...): those families and the base, and nothing else.
function(strata_link_families target)
  foreach(name ${STRATA_KERNEL_BASE} ${ARGN})
    if(TARGET strata_kernels_${name})
      list(APPEND needed strata_kernels_${name})
    endif()
  endforeach()
  list(REMOVE_DUPLICATES needed)
  list(JOIN needed "," joined)
  target_link_libraries(${target} PRIVATE "$<LINK_GROUP:RESCAN,${joined}>")
endfunction()

# The x-ray: kernel files compiled again, with a call before each access (kernels/sim/xray). The flags keep
# accesses as they are written; the thread sanitizer's own runtime is not linked.
set(STRATA_TRACE_FLAGS -fsanitize=thread -O1 -g1 -fno-tree-vectorize -fno-tree-slp-vectorize
    -Wno-unknown-pragmas --param=tsan-instrument-func-entry-exit=0)
# strata_traced_objects(NAME file...): an object library of instrumented kernels.
function(strata_traced_objects name)
  add_library(${name} OBJECT ${ARGN})
  set_source_files_properties(${ARGN} TARGET_DIRECTORY ${name} PROPERTIES LANGUAGE CXX)
  target_link_libraries(${name} PRIVATE strata_flags fmt::fmt)
  target_compile_options(${name} PRIVATE ${STRATA_TRACE_FLAGS})
endfunction()
set(STRATA_XRAY OFF)
if(NOT STRATA_CUDA AND NOT STRATA_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(STRATA_XRAY ON)
  file(GLOB sources CONFIGURE_DEPENDS kernels/sim/xray/*.cpp)
  add_library(strata_xray_recorder STATIC ${sources})
  target_link_libraries(strata_xray_recorder PUBLIC strata_flags fmt::fmt)
endif()

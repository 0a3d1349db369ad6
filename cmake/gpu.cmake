# The one switch between the two worlds of a kernel. Without STRATA_CUDA every .cu file is ordinary C++ that
# runs on the simulator (kernels/sim); with it nvcc compiles the same text, and the simulator is left out.

# strata_gpu_sources(TARGET folder...): adds every .cu file below the folders to the target.
function(strata_gpu_sources target)
  foreach(folder ${ARGN})
    file(GLOB_RECURSE found CONFIGURE_DEPENDS ${folder}/*.cu)
    list(APPEND sources ${found})
  endforeach()
  if(NOT STRATA_CUDA)
    list(FILTER sources EXCLUDE REGEX "_cuda\\.cu$")
    set_source_files_properties(${sources} TARGET_DIRECTORY ${target} PROPERTIES
                                LANGUAGE CXX COMPILE_OPTIONS "-Wno-unknown-pragmas")
  endif()
  target_sources(${target} PRIVATE ${sources})
endfunction()

if(STRATA_CUDA)
  set(CMAKE_CUDA_STANDARD 20)
  set(CMAKE_CUDA_ARCHITECTURES 80-real 90a-real)
  string(APPEND CMAKE_CUDA_FLAGS " --expt-relaxed-constexpr -lineinfo")
  find_package(CUDAToolkit REQUIRED)
  get_target_property(sources strata_kernels SOURCES)
  list(FILTER sources EXCLUDE REGEX "/kernels/sim/")
  set_target_properties(strata_kernels PROPERTIES SOURCES "${sources}")
  target_link_libraries(strata_kernels PUBLIC CUDA::cudart_static)
endif()

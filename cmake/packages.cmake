# Every package is a Debian package; the message of a missing one says which.
macro(strata_package name debian)
  find_package(${name} QUIET ${ARGN})
  if(NOT ${name}_FOUND)
    message(FATAL_ERROR "${name} was not found. Install it with: apt-get install ${debian} "
                        "(or run script/bootstrap, which installs everything).")
  endif()
endmacro()

strata_package(OpenMP g++)
strata_package(Threads g++)
strata_package(ZLIB zlib1g-dev)
strata_package(PNG libpng-dev)
strata_package(JPEG libjpeg-dev)
strata_package(fmt libfmt-dev)
strata_package(nlohmann_json nlohmann-json3-dev)
strata_package(CLI11 libcli11-dev)
strata_package(Eigen3 libeigen3-dev)
# For libraries whose own CMake files are missing or ask for more than we use (Debian's oneDNN wants
# OpenCL): found by header and library name.
macro(strata_library_package target header library debian)
  find_path(${library}_INCLUDE ${header})
  find_library(${library}_LIBRARY ${library})
  if(NOT ${library}_INCLUDE OR NOT ${library}_LIBRARY)
    message(FATAL_ERROR "${library} was not found. Install it with: apt-get install ${debian} "
                        "(or run script/bootstrap, which installs everything).")
  endif()
  add_library(${target} UNKNOWN IMPORTED)
  set_target_properties(${target} PROPERTIES IMPORTED_LOCATION ${${library}_LIBRARY}
                        INTERFACE_INCLUDE_DIRECTORIES ${${library}_INCLUDE})
endmacro()
strata_library_package(DNNL::dnnl oneapi/dnnl/dnnl.hpp dnnl libdnnl-dev)
strata_library_package(SndFile::sndfile sndfile.h sndfile libsndfile1-dev)
strata_library_package(Utf8proc::utf8proc utf8proc.h utf8proc libutf8proc-dev)
strata_library_package(Cairo::cairo cairo/cairo.h cairo libcairo2-dev)
strata_library_package(Httplib::httplib httplib.h cpp-httplib libcpp-httplib-dev)
# As Debian's library was built: they change its classes.
set_property(TARGET Httplib::httplib PROPERTY INTERFACE_COMPILE_DEFINITIONS
             CPPHTTPLIB_OPENSSL_SUPPORT CPPHTTPLIB_ZLIB_SUPPORT CPPHTTPLIB_BROTLI_SUPPORT)
# Headers only.
find_path(HNSWLIB_INCLUDE hnswlib/hnswlib.h)
if(NOT HNSWLIB_INCLUDE)
  message(FATAL_ERROR "hnswlib was not found. Install it with: apt-get install libhnswlib-dev "
                      "(or run script/bootstrap, which installs everything).")
endif()
find_path(TOMLPLUSPLUS_INCLUDE toml++/toml.h)
if(NOT TOMLPLUSPLUS_INCLUDE)
  message(FATAL_ERROR "toml++ was not found. Install it with: apt-get install libtomlplusplus-dev "
                      "(or run script/bootstrap, which installs everything).")
endif()
if(BUILD_TESTING OR NOT DEFINED BUILD_TESTING)
  strata_package(GTest libgtest-dev)
endif()
find_package(benchmark QUIET)

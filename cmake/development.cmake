# SPDX-License-Identifier: Apache-2.0
# What only dwconv's own tests, examples and benchmarks need. Never read where those are off.

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release)
endif()
# One architecture, for there are many kernels: that of the GPU here, else of the one that figures are from.
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  execute_process(COMMAND nvidia-smi -L RESULT_VARIABLE no_gpu OUTPUT_VARIABLE gpus ERROR_QUIET)
  if(no_gpu OR NOT gpus MATCHES "GPU 0")
    set(CMAKE_CUDA_ARCHITECTURES 90a-real)
  else()
    set(CMAKE_CUDA_ARCHITECTURES native)
  endif()
endif()
# find_package(CUDAToolkit) looks in /usr/local/cuda too; enable_language looks on PATH only.
if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  set(CMAKE_CUDA_COMPILER ${CUDAToolkit_NVCC_EXECUTABLE})
endif()
enable_language(CUDA)
# Products of warpgroups are in code for sm_90a only, which native does not mean.
if(CMAKE_CUDA_ARCHITECTURES STREQUAL "native" AND CMAKE_CUDA_ARCHITECTURES_NATIVE STREQUAL "90-real")
  set(CMAKE_CUDA_ARCHITECTURES 90a-real)
endif()

include(FetchContent)

# The installed package where there is one, else the sources of the version named.
macro(dwconv_dependency name url)
  find_package(${name} QUIET ${ARGN})
  if(NOT ${name}_FOUND)
    message(STATUS "${name} is not installed: fetching ${url}")
    FetchContent_Declare(${name} URL ${url})
    FetchContent_MakeAvailable(${name})
  endif()
endmacro()

set(dwconv_cxx_warnings -Wall -Wextra -Wconversion -Wpedantic -Wshadow -Werror)
# -Wpedantic and -Wshadow speak of the code nvcc generates.
set(dwconv_cuda_warnings -Xcompiler=-Wall,-Wextra,-Wconversion -Werror=all-warnings
                         "SHELL:-Xptxas -warn-spills -Xptxas -Werror")

# Warnings as errors, for everything in this repository.
function(dwconv_strict target)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${dwconv_cxx_warnings}>
                                           $<$<COMPILE_LANGUAGE:CUDA>:${dwconv_cuda_warnings}>)
endfunction()

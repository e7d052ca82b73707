# SPDX-License-Identifier: Apache-2.0
# cmake -D program=PATH -D arguments="..." -D message=REGEX -P expect_refusal.cmake
separate_arguments(arguments UNIX_COMMAND "${arguments}")
execute_process(COMMAND ${program} ${arguments} RESULT_VARIABLE result OUTPUT_VARIABLE out ERROR_VARIABLE err)
message("exit status ${result}, stderr: ${err}")
if(NOT result STREQUAL "1")
  message(FATAL_ERROR "exit status is ${result}, must be 1")
endif()
if(NOT err MATCHES "${message}")
  message(FATAL_ERROR "stderr does not match: ${message}")
endif()
if(NOT err MATCHES "^[^\n]+\n$")
  message(FATAL_ERROR "stderr is not one line")
endif()

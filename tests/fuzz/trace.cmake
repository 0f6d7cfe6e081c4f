# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
if(ASRTRACE_FUZZ)
  add_executable(trace_fuzz trace_fuzz.cpp)
  target_compile_options(trace_fuzz PRIVATE -fsanitize=fuzzer,address,undefined)
  target_link_options(trace_fuzz PRIVATE -fsanitize=fuzzer,address,undefined)
  target_link_libraries(trace_fuzz PRIVATE asrtrace_trace asrtrace_classify asrtrace_report)
  add_test(NAME fuzz.trace
    COMMAND trace_fuzz -runs=2000 -seed=1 ${CMAKE_CURRENT_SOURCE_DIR}/trace_seeds)
  set_tests_properties(fuzz.trace PROPERTIES LABELS fuzz)
endif()

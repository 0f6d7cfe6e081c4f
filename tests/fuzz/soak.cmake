# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
if(ASRTRACE_FUZZ)
  add_executable(soak_csv_fuzz soak_csv_fuzz.cpp)
  target_compile_options(soak_csv_fuzz PRIVATE -fsanitize=fuzzer,address,undefined)
  target_link_options(soak_csv_fuzz PRIVATE -fsanitize=fuzzer,address,undefined)
  target_link_libraries(soak_csv_fuzz PRIVATE asrtrace_soak asrtrace_report)
  add_test(NAME fuzz.soak_csv
    COMMAND soak_csv_fuzz -runs=20000 -seed=1 ${CMAKE_CURRENT_SOURCE_DIR}/soak_seeds)
  set_tests_properties(fuzz.soak_csv PROPERTIES LABELS fuzz)
endif()

# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# The sample is built by the compiler at hand, once a way of laying out symbols; its flags come last,
# so that they win over the build type's.
function(symbols_sample name pie)
  add_executable(${name} symbols_sample.cpp)
  target_compile_options(${name} PRIVATE -g -O2 -fno-sanitize=all -f${pie} ${ARGN})
  target_link_options(${name} PRIVATE -Wl,--build-id -fno-sanitize=all -${pie} ${ARGN})
  set_target_properties(${name} PROPERTIES
    UNITY_BUILD OFF
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/symbols)
endfunction()
symbols_sample(symbols_sample_pie pie)
symbols_sample(symbols_sample_fixed no-pie)
symbols_sample(symbols_sample_compressed pie -gz)
symbols_sample(symbols_sample_dwarf4 pie -gdwarf-4)

add_executable(symbols_test
  symbols_fixture.cpp symbols_hostile_test.cpp symbols_lookup_test.cpp
  symbols_mappings_test.cpp symbols_names_test.cpp symbols_oracle.cpp symbols_process_test.cpp
  symbols_search_test.cpp)
target_compile_definitions(symbols_test PRIVATE
  SAMPLE_PIE="$<TARGET_FILE:symbols_sample_pie>"
  SAMPLE_FIXED="$<TARGET_FILE:symbols_sample_fixed>"
  SAMPLE_COMPRESSED="$<TARGET_FILE:symbols_sample_compressed>"
  SAMPLE_DWARF4="$<TARGET_FILE:symbols_sample_dwarf4>")
add_dependencies(symbols_test symbols_sample_pie symbols_sample_fixed symbols_sample_compressed
  symbols_sample_dwarf4)
target_link_libraries(symbols_test PRIVATE asrtrace_symbols GTest::gtest_main)
if(NOT ASRTRACE_CHECKED)
  # addr2line of binutils 2.40 loses inline frames of clang's DWARF 5.
  target_sources(symbols_test PRIVATE symbols_agreement_test.cpp)
endif()
gtest_discover_tests(symbols_test PROPERTIES LABELS unit DISCOVERY_TIMEOUT 60)

# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
add_executable(heap_census heap_census_main.cpp
  ${CMAKE_SOURCE_DIR}/tools/asrtrace/census.cpp
  ${CMAKE_SOURCE_DIR}/tools/asrtrace/census_json.cpp
  ${CMAKE_SOURCE_DIR}/tools/asrtrace/census_text.cpp
  ${CMAKE_SOURCE_DIR}/tools/asrtrace/tell.cpp
  ${CMAKE_SOURCE_DIR}/user/capture/process.cpp)
target_link_libraries(heap_census PRIVATE asrtrace_heap asrtrace_report
  CLI11::CLI11 fmt::fmt nlohmann_json::nlohmann_json)
set_target_properties(heap_census PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/live)

add_executable(heap_live_test heap_exact_test.cpp heap_failures_test.cpp heap_figures_test.cpp
  heap_target_process.cpp)
target_compile_definitions(heap_live_test PRIVATE HEAP_PROGS="${CMAKE_BINARY_DIR}/progs")
target_link_libraries(heap_live_test PRIVATE asrtrace_heap GTest::gtest_main)
add_dependencies(heap_live_test heap_target heap_target_stripped heap_target_static
  heap_target_static_stripped heap_target_static_pie heap_target_musl)
gtest_discover_tests(heap_live_test TEST_PREFIX live.heap.
  PROPERTIES LABELS live RUN_SERIAL TRUE TIMEOUT 60 DISCOVERY_TIMEOUT 60)

add_test(NAME live.heap.worker
  COMMAND /usr/bin/python3 -B ${CMAKE_CURRENT_SOURCE_DIR}/heap_worker_test.py)
set_tests_properties(live.heap.worker PROPERTIES LABELS live TIMEOUT 240
  ENVIRONMENT ASRTRACE_BUILD_DIR=${CMAKE_BINARY_DIR})

# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
add_executable(compare_tests compare_test.cpp)
target_link_libraries(compare_tests PRIVATE
  asrtrace_compare asrtrace_trace nlohmann_json::nlohmann_json GTest::gtest_main)
gtest_discover_tests(compare_tests PROPERTIES LABELS unit)

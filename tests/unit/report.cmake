# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Trace, classify and report.
add_executable(report_tests
  trace_writer_test.cpp)
target_link_libraries(report_tests PRIVATE asrtrace_trace GTest::gtest_main)
gtest_discover_tests(report_tests PROPERTIES LABELS unit)

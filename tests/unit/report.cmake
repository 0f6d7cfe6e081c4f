# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Trace, classify and report.
add_executable(report_tests
  classify_slope_test.cpp
  classify_findings_test.cpp
  classify_growth_test.cpp
  classify_sites_test.cpp
  classify_summary_test.cpp
  report_chart_test.cpp
  report_flame_test.cpp
  report_json_test.cpp
  report_names_test.cpp
  report_output_file_test.cpp
  report_text_test.cpp
  trace_accident_test.cpp
  trace_damage_test.cpp
  trace_raw_test.cpp
  trace_writer_test.cpp)
target_link_libraries(report_tests PRIVATE
  asrtrace_trace asrtrace_classify asrtrace_report nlohmann_json::nlohmann_json
  GTest::gtest_main)
gtest_discover_tests(report_tests PROPERTIES LABELS unit)
